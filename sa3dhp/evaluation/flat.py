"""Poses in 3D against joints that are known in the picture alone, in NumPy float64.

A pose in mm, of a person somewhere before an unknown camera, and pixels: the two are
compared after the one scale and the one shift per picture that bring them nearest, an
orthographic camera. Nothing is turned, so that a body that leans is wrong.
"""

from __future__ import annotations

import numpy as np

STANDING_DEG = 20.0  # the trunk of a standing person is as near to the vertical
TRUNK_JOINTS = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
_DIAGONALS = (("left_shoulder", "right_hip"), ("right_shoulder", "left_hip"))
_ANKLES = ("left_ankle", "right_ankle")


def placed(pred: np.ndarray, keypoints: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Returns poses in the picture, after the best scale and shift of each.

    Least squares over the valid joints: with both sides around their means, the scale
    is `<pred, keypoints> / <pred, pred>`. It is never negative, which would turn the
    body by half a circle; a pose whose joints all coincide becomes the mean key-point.

    Args:
        pred: `[N, J, 2 or more]`, mm; x and y count.
        keypoints: `[N, J, 2 or more]`, pixels; x and y count.
        mask: `[N, J]`, True = valid; each sample has one at least.

    Returns:
        `[N, J, 2]`, pixels; all joints are moved, those that do not count as well.
    """
    pred, keypoints = (np.asarray(x, np.float64)[..., :2] for x in (pred, keypoints))
    weight = np.asarray(mask, np.float64)[..., None]
    count = weight.sum(axis=1, keepdims=True)
    sides = (pred, keypoints)
    middles = [(x * weight).sum(axis=1, keepdims=True) / count for x in sides]
    first, second = (x - middle for x, middle in zip(sides, middles))
    dot = (first * second * weight).sum(axis=(1, 2), keepdims=True)
    square = (first * first * weight).sum(axis=(1, 2), keepdims=True)
    scale = np.maximum(dot, 0.0) / np.where(square > 0, square, 1.0)
    return first * scale + middles[1]


def torso(points: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the length of the trunk, `[N]`, 0 where it is not known.

    The mean of its diagonals, left shoulder to right hip and right shoulder to left
    hip, or the one whose ends are known.

    Args:
        points: joint -> `[N, 2]`, NaN where it is not known; `TRUNK_JOINTS` of them.
    """
    lengths = np.stack(
        [np.linalg.norm(points[a] - points[b], axis=-1) for a, b in _DIAGONALS]
    )
    known = np.isfinite(lengths)
    total = np.where(known, lengths, 0.0).sum(axis=0)
    return total / np.maximum(known.sum(axis=0), 1)


def trunk(points: dict[str, np.ndarray]) -> np.ndarray:
    """Returns the way from the middle of the hips to that of the shoulders.

    Args:
        points: joint -> `[N, 2 or 3]`; `TRUNK_JOINTS` of them.

    Returns:
        `[N, 2 or 3]`, NaN where a joint is not known.
    """
    left, right, left_hip, right_hip = (points[name] for name in TRUNK_JOINTS)
    return (left + right - left_hip - right_hip) / 2


def tilt_deg(way: np.ndarray) -> np.ndarray:
    """Returns how far a trunk `[..., 2 or 3]` is from pointing up the picture, 0-180.

    The camera is taken to be level: up is -y.
    """
    across = np.linalg.norm(np.delete(way, 1, axis=-1), axis=-1)
    return np.degrees(np.arctan2(across, -way[..., 1]))


def between_deg(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Returns the angle between ways in the picture, `[..., 2]` each, 0-180."""
    cross = first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0]
    return np.degrees(np.abs(np.arctan2(cross, (first * second).sum(axis=-1))))


def standing(points: dict[str, np.ndarray]) -> np.ndarray:
    """Returns who stands, by the key-points alone, `[N]` bool.

    The trunk is within `STANDING_DEG` of the vertical, and both ankles are below the
    middle of the hips; who lacks one of these joints is not counted.

    Args:
        points: joint -> `[N, 2]`, pixels, NaN where it is not known.
    """
    if not set(_ANKLES) <= set(points):
        return np.zeros(len(points[TRUNK_JOINTS[0]]), bool)
    hips = (points["left_hip"] + points["right_hip"])[:, 1] / 2
    with np.errstate(invalid="ignore"):  # NaN is below nothing
        below = [points[ankle][:, 1] > hips for ankle in _ANKLES]
        return (tilt_deg(trunk(points)) <= STANDING_DEG) & below[0] & below[1]
