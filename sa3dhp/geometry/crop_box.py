"""The crop rule: from a person's boxes over time to square, steady crops."""

from __future__ import annotations

import numpy as np

SIDE_FACTOR = 1.25  # the crop's side relative to the longer side of the person's box
_SMOOTH_FRAMES = 9
_SIDE_PERCENTILE = 95.0  # of the boxes' longer sides: one wild box changes nothing


def smooth(values: np.ndarray, window: int = _SMOOTH_FRAMES) -> np.ndarray:
    """Returns a moving average over axis 0 that keeps the length and the ends.

    Args:
        values: `[T, ...]`.
        window: frames, odd.
    """
    half = min(window, len(values) - (len(values) + 1) % 2) // 2
    if half < 1:
        return np.asarray(values, float)
    width = [(half, half)] + [(0, 0)] * (np.ndim(values) - 1)
    padded = np.pad(np.asarray(values, float), width, mode="edge")
    total = np.cumsum(np.concatenate([np.zeros_like(padded[:1]), padded]), axis=0)
    return (total[2 * half + 1 :] - total[: -2 * half - 1]) / (2 * half + 1)


def square(boxes: np.ndarray) -> tuple[np.ndarray, float]:
    """Returns square crops of one size that follow a person.

    The centre is the box's, smoothed over time; the side is the same in the whole clip,
    so that a person who crouches becomes no taller.

    Args:
        boxes: `[T, 4]`, left, top, right, bottom, in pixels or any other unit.

    Returns:
        Centres `[T, 2]` and the side, in the unit of the boxes.
    """
    boxes = np.asarray(boxes, float)
    centres = smooth((boxes[:, :2] + boxes[:, 2:]) / 2)
    longer = (boxes[:, 2:] - boxes[:, :2]).max(axis=1)
    return centres, SIDE_FACTOR * float(np.percentile(longer, _SIDE_PERCENTILE))
