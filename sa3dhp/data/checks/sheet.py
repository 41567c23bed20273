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
    """Returns tiles of clips, spread evenly over each split, as one picture.

    A picture shows its key-points, and beside it stand the 3D joints as the camera sees
    them; a motion shows four of its poses, x to the right and y downwards as stated.

    Args:
        found: of all splits.
        picture: from a clip and a place in it to uint8 RGB `[S, S, 3]`; None for
            motions.
        count: tiles, about.
        columns: per row, an even number.

    Returns:
        `[H, W, 3]`, uint8 RGB.
    """
    tiles, captions = [], []
    names = list(dict.fromkeys(clip.split for clip in found))
    each = max(1, count // len(names) // (1 if picture is None else 2))
    for name in names:
        for clip, row in _spread([c for c in found if c.split == name], each):
            captions.append(f"{clip.split} {clip.name}".strip())
            if picture is None:
                tiles.append(_poses(clip))
            else:
                tiles.append(_seen(clip, row, picture(clip, row)))
                if clip.joints is not None:
                    tiles.append(_joints(clip, row))
                    captions.append("its 3D joints")
    return grids.contact_sheet(tiles, captions, size=_SIZE, columns=columns)


def _spread(found: Sequence[Clip], count: int) -> list[tuple[Clip, int]]:
    """Frames, evenly over all clips: each with its place in its clip."""
    ends = np.cumsum([_length(clip) for clip in found])
    total = int(ends[-1])
    count = min(count, total)
    places = ((np.arange(count) + 0.5) * total / count).astype(int)
    numbers = np.searchsorted(ends, places, side="right")
    return [(found[n], int(p - ends[n] + _length(found[n]))) for n, p in
            zip(numbers, places)]  # fmt: skip


def _length(clip: Clip) -> int:
    arrays = (clip.joints, clip.keypoints, clip.rows)
    return next(len(array) for array in arrays if array is not None)


def _seen(clip: Clip, row: int, image: np.ndarray) -> np.ndarray:
    """A picture with its key-points, or its joints where it has none."""
    points = None if clip.keypoints is None else clip.keypoints[row]
    if points is None and clip.projections is not None and clip.joints is not None:
        seen = clip.joints[row] @ clip.projections[row].T
        points = seen[:, :2] / np.where(seen[:, 2:] > 0, seen[:, 2:], np.nan)
    tile = grids.letterbox(image, _SIZE)
    if points is None:
        return tile
    scaled = (points + 0.5) * (_SIZE / len(image)) - 0.5
    return skeleton_plot.overlay(tile, scaled, skeletons.get(clip.skeleton))


def _joints(clip: Clip, row: int) -> np.ndarray:
    """Joints as the camera sees them, as large as the tile."""
    if not np.isfinite(clip.pose[row]).any():
        return _canvas()
    flat = clip.pose[row][:, :2]
    flat = flat - (np.nanmax(flat, 0) + np.nanmin(flat, 0)) / 2
    reach = max(float(np.nanmax(np.abs(flat))), 1e-6)
    flat = flat * (0.42 * _SIZE / reach) + _SIZE / 2
    return skeleton_plot.overlay(_canvas(), flat, skeletons.get(clip.skeleton))


def _poses(clip: Clip) -> np.ndarray:
    """Four poses of a motion, each about its own middle, on one scale."""
    skeleton = skeletons.get(clip.skeleton)
    at = ((np.arange(4) + 0.5) / 4 * len(clip.pose)).astype(int)
    flat = clip.pose[at][..., :2]
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
