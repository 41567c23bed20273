"""Rotations from the angles that mocap files hold, many frames at once."""

from __future__ import annotations

import numpy as np


def matrix(axes: str, angles_deg: np.ndarray) -> np.ndarray:
    """Returns the product of axis rotations, in the order written.

    `matrix("zyx", [a, b, c])` is `Rz(a) @ Ry(b) @ Rx(c)`.

    Args:
        axes: one of `x`, `y`, `z` per angle.
        angles_deg: `[..., len(axes)]`, degrees.

    Returns:
        `[..., 3, 3]`, float64, acting on column vectors.
    """
    angles = np.radians(np.asarray(angles_deg, np.float64))
    cos, sin = np.cos(angles), np.sin(angles)
    result = np.broadcast_to(np.eye(3), (*angles.shape[:-1], 3, 3)).copy()
    for n, axis in reversed(list(enumerate(axes))):
        # A rotation about one axis mixes the rows of the other two.
        i = ("xyz".index(axis) + 1) % 3
        j = (i + 1) % 3
        c, s = cos[..., n, None], sin[..., n, None]
        rows = c * result[..., i, :] - s * result[..., j, :]
        result[..., j, :] = s * result[..., i, :] + c * result[..., j, :]
        result[..., i, :] = rows
    return result
