"""Rotation matrices from angles, axes and pairs of directions; NumPy, float64.

Matrices act on column vectors: `rotated = matrix @ vector`. Right-handed throughout, so
in the camera frame (x right, y down, z away) a positive turn about z takes x to y and
looks clockwise on the screen.
"""

from __future__ import annotations

import numpy as np

from sa3dhp import errors


def from_axis_angle(axis: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Returns the rotation by `angle` about `axis` (Rodrigues' formula).

    Args:
        axis: `[..., 3]`, any length but zero.
        angle: `[...]`, radians.

    Returns:
        `[..., 3, 3]`.

    Raises:
        InputError: if an axis has no length.
    """
    axis = np.asarray(axis, np.float64)
    length = np.linalg.norm(axis, axis=-1, keepdims=True)
    if np.any(length == 0):
        raise errors.InputError("axis: expected a direction, got a vector of length 0")
    cross = _cross_matrix(axis / length)
    angle = np.asarray(angle, np.float64)[..., None, None]
    return np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)


def from_rotation_vector(vector: np.ndarray) -> np.ndarray:
    """Returns rotations from axis * angle (radians), `[..., 3]` -> `[..., 3, 3]`.

    The zero vector is the identity.
    """
    vector = np.asarray(vector, np.float64)
    angle = np.linalg.norm(vector, axis=-1)
    axis = np.where(angle[..., None] > 0, vector, np.array([1.0, 0.0, 0.0]))
    return from_axis_angle(axis, angle)


def from_euler(angles: np.ndarray, order: str) -> np.ndarray:
    """Returns the product of turns about the coordinate axes.

    Args:
        angles: `[..., n]`, radians, one per letter of `order`.
        order: letters of `xyz`, in the order in which the turns are applied to a vector
            (about fixed axes): `"xyz"` is Rz @ Ry @ Rx.

    Returns:
        `[..., 3, 3]`.

    Raises:
        InputError: if `order` has another letter or another length than `angles`.
    """
    angles = np.asarray(angles, np.float64)
    if angles.shape[-1:] != (len(order),) or set(order) - set("xyz"):
        raise errors.InputError(
            f"euler angles: expected [..., {len(order)}] for the order {order!r} of "
            f"letters xyz, got {angles.shape}"
        )
    matrix = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3))
    for index, letter in enumerate(order):
        axis = np.eye(3)["xyz".index(letter)]
        matrix = from_axis_angle(axis, angles[..., index]) @ matrix
    return matrix


def smallest(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Returns the rotation by the smallest angle that takes one direction to another.

    Two half turns: about `source`, then about the bisector. For opposite directions it
    is one half turn about any perpendicular.

    Args:
        source: `[..., 3]`, any length but zero.
        target: `[..., 3]`, any length but zero.

    Returns:
        `[..., 3, 3]`.
    """
    source = _unit(np.asarray(source, np.float64))
    target = _unit(np.asarray(target, np.float64))
    source, target = np.broadcast_arrays(source, target)
    bisector = source + target
    opposite = np.sum(bisector**2, -1, keepdims=True) < 1e-20
    # The coordinate axis furthest from source gives a safe perpendicular.
    furthest = np.eye(3)[np.argmin(np.abs(source), axis=-1)]
    spare = _half_turn(np.cross(source, furthest))
    bisector = np.where(opposite, source, bisector)
    matrix = _half_turn(bisector) @ _half_turn(source)
    return np.where(opposite[..., None], spare, matrix)


def _half_turn(axis: np.ndarray) -> np.ndarray:
    """Rotation by 180 degrees, `[..., 3]` -> `[..., 3, 3]`."""
    outer = axis[..., :, None] * axis[..., None, :]
    return 2.0 * outer / np.sum(axis**2, -1)[..., None, None] - np.eye(3)


def _unit(vector: np.ndarray) -> np.ndarray:
    """Vectors at length 1."""
    return vector / np.linalg.norm(vector, axis=-1, keepdims=True)


def _cross_matrix(vector: np.ndarray) -> np.ndarray:
    """The matrix K with K @ w = vector x w, `[..., 3]` -> `[..., 3, 3]`."""
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    rows = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1)
    return rows.reshape(*vector.shape[:-1], 3, 3)
