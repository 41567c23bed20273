"""Calibrated cameras of data sets: from their world to their pixels."""

from __future__ import annotations

import dataclasses

import numpy as np

from sa3dhp import errors
from sa3dhp.geometry import camera


@dataclasses.dataclass(frozen=True, eq=False)
class Camera:
    """A pinhole camera, with distortion and a place in the world where known.

    Attributes:
        name: what the data set calls it.
        matrix: `[3, 3]`, pixels.
        size: (width, height) of its images, pixels.
        distortion: (k1, k2, p1, p2, k3), or () for none. The model is Human3.6M's, in
            which the tangential part counts half as much as in OpenCV's; it gives that
            data set's own 2D joints to 3e-5 px (OpenCV's is off by up to 0.19 px).
        rotation: `[3, 3]` and
        translation: `[3]`, mm: `x_camera = rotation @ x_world + translation`.
    """

    name: str
    matrix: np.ndarray
    size: tuple[int, int]
    distortion: tuple[float, ...] = ()
    rotation: np.ndarray | None = None
    translation: np.ndarray | None = None

    def project(self, joints: np.ndarray) -> np.ndarray:
        """Returns pixels `[..., 2]` of points `[..., 3]`, mm, camera frame."""
        joints = np.asarray(joints, np.float64)
        if not self.distortion:
            return camera.project_perspective(joints, self.matrix)
        flat = camera.project_perspective(joints, np.eye(3))
        bent = distort(flat, self.distortion)
        ones = np.ones_like(bent[..., :1])
        return np.concatenate([bent, ones], axis=-1) @ self.matrix[:2].T

    def from_world(self, joints_world: np.ndarray) -> np.ndarray:
        """Returns points of the data set's world in this camera's frame, mm.

        Raises:
            InputError: if it is not known where the camera stands.
        """
        if self.rotation is None or self.translation is None:
            raise errors.InputError(f"camera {self.name}: its place is not known")
        return np.asarray(joints_world) @ self.rotation.T + self.translation


def distort(points: np.ndarray, coefficients: tuple[float, ...]) -> np.ndarray:
    """Bends points on the plane z = 1 as Human3.6M's lenses do.

    With r^2 = x^2 + y^2 and f = 1 + k1 r^2 + k2 r^4 + k3 r^6 + p1 y + p2 x:
    x' = x f + p2 r^2, y' = y f + p1 r^2.

    Args:
        points: `[..., 2]`.
        coefficients: (k1, k2, p1, p2, k3), OpenCV's order.

    Returns:
        `[..., 2]`.
    """
    k1, k2, p1, p2, k3 = coefficients
    x, y = points[..., 0], points[..., 1]
    r2 = x**2 + y**2
    factor = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + p1 * y + p2 * x
    return np.stack([x * factor + p2 * r2, y * factor + p1 * r2], axis=-1)


def pinhole(fx: float, fy: float, cx: float, cy: float) -> np.ndarray:
    """Returns the `[3, 3]` matrix of a pinhole camera without skew."""
    return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])


def fit_pinhole(joints: np.ndarray, keypoints: np.ndarray) -> np.ndarray:
    """Returns the `[3, 3]` matrix that projects joints onto key-points best.

    Linear least squares of u = fx x/z + cx and v = fy y/z + cy, per axis.

    Args:
        joints: `[..., 3]`, camera frame.
        keypoints: `[..., 2]`, pixels.

    Raises:
        ValueError: for numbers that are not finite, and joints in the camera's plane;
            who reads a file says which one it is.
    """
    if not (np.isfinite(joints).all() and np.isfinite(keypoints).all()):
        raise ValueError("expected finite joints to fit a camera to")
    if not (np.asarray(joints)[..., 2] != 0).all():
        raise ValueError("expected a distance of joints from the camera, got 0")
    slopes = np.asarray(joints, np.float64)[..., :2] / joints[..., 2:]
    fits = []
    for axis in range(2):
        slope = slopes[..., axis].ravel()
        design = np.stack([slope, np.ones_like(slope)], axis=-1)
        fits.append(
            np.linalg.lstsq(design, keypoints[..., axis].ravel(), rcond=None)[0]
        )
    (fx, cx), (fy, cy) = fits
    return pinhole(fx, fy, cx, cy)
