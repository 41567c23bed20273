"""Cameras: where the view comes from and how points fall on the image; NumPy.

The camera frame has x right in the image, y down and z away from the camera. Pixel
centres are at integers: the middle of a W x H image is ((W - 1) / 2, (H - 1) / 2).
"""

from __future__ import annotations

import numpy as np

from sa3dhp import errors
from sa3dhp.geometry import rotation

# A world with y up, x right and z towards the viewer, seen without turning the head.
_Y_UP = np.diag([1.0, -1.0, -1.0])


def world_to_camera(
    yaw: float | np.ndarray,
    pitch: float | np.ndarray = 0.0,
    roll: float | np.ndarray = 0.0,
) -> np.ndarray:
    """Returns rotations from a world with y up to the camera frame.

    With all angles zero the camera looks along -z of the world: a person who faces +z
    looks into the camera.

    Args:
        yaw: `[...]`, radians; the camera walks around the person by this angle, towards
            +x of the world first.
        pitch: `[...]`, radians; positive for a camera that looks down from above.
        roll: `[...]`, radians; positive for a picture that turns clockwise.

    Returns:
        `[..., 3, 3]`; `joints_camera = joints_world @ matrix.T`.
    """
    yaw, pitch, roll = np.broadcast_arrays(
        *(np.asarray(angle, np.float64) for angle in (yaw, pitch, roll))
    )
    # Walking around by +yaw turns the world by -yaw about its vertical.
    around = rotation.from_axis_angle(np.array([0.0, 1.0, 0.0]), -yaw)
    # Camera axes: looking down from above brings the top of the person nearer.
    tilt = rotation.from_axis_angle(np.array([1.0, 0.0, 0.0]), pitch)
    spin = rotation.from_axis_angle(np.array([0.0, 0.0, 1.0]), roll)
    return spin @ tilt @ _Y_UP @ around


def look_at(
    position: np.ndarray, target: np.ndarray, up: tuple | np.ndarray = (0.0, 1.0, 0.0)
) -> tuple[np.ndarray, np.ndarray]:
    """Returns rotation and translation of a camera that looks at a point.

    Args:
        position: `[..., 3]`, the camera in the world.
        target: `[..., 3]`, the point that falls on the principal point.
        up: `[..., 3]`, the world's upward direction.

    Returns:
        `matrix [..., 3, 3]` and `translation [..., 3]`:
        `joints_camera = joints_world @ matrix.T + translation`, unit as given.

    Raises:
        InputError: if the camera stands on the target or looks straight along `up`.
    """
    position = np.asarray(position, np.float64)
    forward = np.asarray(target, np.float64) - position
    right = np.cross(forward, np.broadcast_to(up, forward.shape))
    scale = np.linalg.norm(forward, axis=-1) * np.linalg.norm(up, axis=-1)
    if np.any(np.linalg.norm(right, axis=-1) <= 1e-9 * scale) or np.any(scale == 0):
        raise errors.InputError(
            "camera: needs a direction of view that is neither zero nor along `up`"
        )
    forward = forward / np.linalg.norm(forward, axis=-1, keepdims=True)
    right = right / np.linalg.norm(right, axis=-1, keepdims=True)
    matrix = np.stack([right, np.cross(forward, right), forward], axis=-2)
    return matrix, -np.einsum("...ij,...j->...i", matrix, position)


def project_orthographic(
    joints: np.ndarray, scale: float, image_size: tuple[int, int]
) -> np.ndarray:
    """Returns pixels of points seen from infinitely far.

    Args:
        joints: `[..., 3]`, mm, camera frame, relative to the point at the middle.
        scale: pixels per mm.
        image_size: (width, height) in pixels.

    Returns:
        `[..., 2]`, pixels (x, y).
    """
    joints = np.asarray(joints)
    middle = (np.array(image_size, np.float64) - 1.0) / 2.0
    return joints[..., :2] * scale + middle


def weak_perspective_scale(points: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Returns the scale of the weak-perspective camera that fits best, `[N]`.

    The least-squares factor from centred x and y of the joints to centred points.

    Args:
        points: `[N, P, 2]`, pixels; what is NaN here or there is passed over.
        joints: `[N, P, 3]`, mm, camera frame.

    Returns:
        Pixels per mm.
    """
    known = np.isfinite(points).all(axis=-1) & np.isfinite(joints).all(axis=-1)
    share = (known / np.maximum(known.sum(axis=1, keepdims=True), 1))[..., None]
    flat, solid = (np.where(known[..., None], x, 0.0) for x in (points, joints))
    flat = flat - np.sum(share * flat, axis=1, keepdims=True)
    solid = solid - np.sum(share * solid, axis=1, keepdims=True)
    products = np.sum(share * flat * solid[..., :2], axis=(1, 2))
    return products / np.sum(share * solid[..., :2] ** 2, axis=(1, 2))


def half_sides(
    points: np.ndarray, joints: np.ndarray, size: int, root: int
) -> np.ndarray:
    """Returns 2D and 3D labels as one, in the unit that a picture shows itself.

    Args:
        points: `[N, P, 2]`, pixels, the centre of the first is 0; unknown = NaN.
        joints: `[N, P, 3]`, mm, camera frame; unknown = NaN.
        size: side of the picture, pixels.
        root: index of the point whose depth is 0.

    Returns:
        `[N, P, 3]`, float32, in half sides of the picture: x right and y down from its
        middle, depth by the weak-perspective camera that fits best; unknown = NaN.
    """
    half, middle = size / 2, (size - 1) / 2
    scale = weak_perspective_scale(points, joints)
    depth = joints[..., 2] - joints[:, root, None, 2]
    solid = (scale[:, None] * depth / half)[..., None]
    return np.concatenate([(points - middle) / half, solid], -1).astype(np.float32)


def project_perspective(joints: np.ndarray, intrinsics: np.ndarray) -> np.ndarray:
    """Returns pixels of points through a pinhole camera without distortion.

    Args:
        joints: `[..., 3]`, mm (any unit), camera frame, absolute.
        intrinsics: `[3, 3]`, or `[..., 3, 3]` with the axes of `joints`; pixels.

    Returns:
        `[..., 2]`, pixels (x, y).

    Raises:
        InputError: if a point is not in front of the camera (z <= 0).
    """
    joints = np.asarray(joints)
    if np.any(joints[..., 2] <= 0):
        raise errors.InputError(
            f"joints: expected z > 0 in front of the camera, got z = "
            f"{joints[..., 2].min():.1f}; root-relative joints need a translation"
        )
    pixels = np.einsum("...ij,...j->...i", intrinsics, joints)
    return pixels[..., :2] / pixels[..., 2:]


def intrinsics(focal: float, image_size: tuple[int, int]) -> np.ndarray:
    """Returns `[3, 3]` for square pixels and a centred principal point, in pixels."""
    x, y = (np.array(image_size, np.float64) - 1.0) / 2.0
    return np.array([[focal, 0.0, x], [0.0, focal, y], [0.0, 0.0, 1.0]])
