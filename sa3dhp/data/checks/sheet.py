"""A contact sheet: skeletons over their pictures, or poses of motions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sa3dhp.data.checks.clips import Clip
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.visualisation import grids, skeleton_plot

_SIZE = 240  # of a tile, pixels
_FLOOR = (205, 205, 205)


def sheet(
    found: Sequence[Clip],
    picture: Callable[[Clip, int], np.ndarray] | None,
    count: int = 24,
    columns: int = 6,
) -> np.ndarray:
    """Returns tiles of clips, spread evenly over them, as one picture.

    A picture with key-points shows them, and beside it the 3D joints as the camera sees
    them; a motion shows four of its poses, x to the right and y downwards as stated.

    Args:
        found: of all splits.
        picture: from a clip and a place in it to uint8 RGB `[S, S, 3]`; None for
            motions.
        count: tiles.
        columns: per row.

    Returns:
        `[H, W, 3]`, uint8 RGB.
    """
    tiles, captions = [], []
    total = sum(_length(clip) for clip in found)
    ends = np.cumsum([_length(clip) for clip in found])
    places = (np.arange(min(count, total)) + 0.5) * total / min(count, total)
    for place in places.astype(int):
        number = int(np.searchsorted(ends, place, side="right"))
        clip = found[number]
        row = int(place - (ends[number] - _length(clip)))
        image = None if picture is None else picture(clip, row)
        tiles.append(_poses(clip) if image is None else _seen(clip, row, image))
        captions.append(f"{clip.split} {clip.name}".strip())
    return grids.contact_sheet(tiles, captions, size=_SIZE, columns=columns)


def _length(clip: Clip) -> int:
    arrays = (clip.joints, clip.keypoints, clip.rows)
    return next(len(array) for array in arrays if array is not None)


def _seen(clip: Clip, row: int, image: np.ndarray) -> np.ndarray:
    """A picture with its key-points; beside it the joints from the front."""
    skeleton = skeletons.get(clip.skeleton)
    points = None if clip.keypoints is None else clip.keypoints[row]
    if points is None and clip.projections is not None and clip.joints is not None:
        seen = clip.joints[row] @ clip.projections[row].T
        points = seen[:, :2] / np.where(seen[:, 2:] > 0, seen[:, 2:], np.nan)
    half = grids.letterbox(image, _SIZE)
    if points is not None:
        scaled = (points + 0.5) * (_SIZE / len(image)) - 0.5
        half = skeleton_plot.overlay(half, scaled, skeleton)
    if clip.joints is None:
        return half
    beside = _canvas()
    flat = clip.joints[row][:, :2]
    if np.isfinite(flat).any():
        middle = (np.nanmax(flat, 0) + np.nanmin(flat, 0)) / 2
        reach = max(float(np.nanmax(np.abs(flat - middle))), 1e-6)
        flat = (flat - middle) * (0.42 * _SIZE / reach) + _SIZE / 2
        beside = skeleton_plot.overlay(beside, flat, skeleton)
    return np.concatenate([half, beside], axis=1)


def _poses(clip: Clip) -> np.ndarray:
    """Four poses of a motion, each about its own middle, on one scale."""
    skeleton = skeletons.get(clip.skeleton)
    at = ((np.arange(4) + 0.5) / 4 * len(clip.joints)).astype(int)
    flat = clip.joints[at][..., :2]
    middle = (np.nanmax(flat, 1) + np.nanmin(flat, 1)) / 2
    flat = flat - middle[:, None]
    reach = max(float(np.nanmax(np.abs(flat))), 1e-6)
    flat = flat * (0.42 * _SIZE / reach) + _SIZE / 2
    cells = []
    for points in flat:
        cell = _canvas()
        lowest = int(np.clip(np.nanmax(points[:, 1]) + 3, 0, _SIZE - 1))
        cell[lowest] = _FLOOR
        cells.append(skeleton_plot.overlay(cell, points, skeleton))
    return np.concatenate(
        [np.concatenate(cells[:2], axis=1), np.concatenate(cells[2:], axis=1)]
    )


def _canvas() -> np.ndarray:
    return np.full((_SIZE, _SIZE, 3), 255, np.uint8)
