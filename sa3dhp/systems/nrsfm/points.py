"""2D points as the teacher takes them: all known, centred, of one size; NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sa3dhp import errors


class Normalised(NamedTuple):
    """Points without place and size.

    Attributes:
        points: `[N, P, 2]`, float32.
        centre: `[N, 1, 2]`, what was subtracted.
        scale: `[N, 1, 1]`, what they were divided by, in the source's unit.
    """

    points: np.ndarray
    centre: np.ndarray
    scale: np.ndarray


def check(
    points: np.ndarray,
    *,
    source: str,
    mask: np.ndarray | None = None,
    names: Sequence[str] = (),
    expected: int | None = None,
    atoms: int = 0,
) -> np.ndarray:
    """Returns the points as float64 `[N, P, 2]`, all of them known.

    Args:
        points: `[N, P, 2]`, any unit, x right and y down.
        source: where they come from, for messages.
        mask: `[N, P]`, True = known; None for all.
        names: of the points, for messages.
        expected: P; None for any above 3.
        atoms: of the largest dictionary; a smaller set cannot determine them.

    Raises:
        InputError: for another shape or number of points, for a point that is missing
            or not finite (by name), for frames whose points all coincide, and for
            fewer frames than atoms.
    """
    points = np.asarray(points)
    if points.dtype.kind not in "fiu" or points.ndim != 3 or points.shape[-1] != 2:
        raise errors.InputError(
            f"{source}: points: got {points.dtype} {points.shape}, expected numbers "
            "[N, P, 2]: x and y of each point of each frame"
        )
    points, count = points.astype(np.float64), points.shape[1]
    if (expected is not None and count != expected) or count < 4:
        raise errors.InputError(
            f"{source}: got {count} points, expected "
            f"{'at least 4' if expected is None else expected}; the same points must "
            "be given in every frame, in one order"
        )
    _check_known(points, mask, source, names)
    size = np.ptp(points, axis=1).max(axis=-1)
    largest = np.abs(points).max(axis=(1, 2))
    flat = np.flatnonzero(size <= 1e-6 * largest)
    if flat.size:
        raise errors.InputError(
            f"{source}: all points of frame {flat[0]} coincide ({flat.size} of "
            f"{len(points)} such frames), expected a shape; remove these frames"
        )
    if len(points) < max(atoms, 1):
        raise errors.InputError(
            f"{source}: got {len(points)} frames, expected at least as many as the "
            f"first dictionary has atoms ({max(atoms, 1)}); give more frames, or "
            "smaller dictionaries with teacher.atoms=[...]"
        )
    return points


def _check_known(
    points: np.ndarray, mask: np.ndarray | None, source: str, names: Sequence[str]
) -> None:
    """Raises InputError, which names the first point that is missing."""
    known = np.ones(points.shape[:2], bool)
    if mask is not None:
        mask = np.asarray(mask)
        if mask.shape != known.shape:
            raise errors.InputError(
                f"{source}: mask: got {mask.shape}, expected {known.shape} ([N, P])"
            )
        known = mask.astype(bool)
    finite = np.isfinite(points).all(axis=-1)
    for good, what in ((known, "is missing"), (finite, "is not a finite number")):
        bad = np.argwhere(~good)
        if not bad.size:
            continue
        frame, point = bad[0]
        name = names[point] if len(names) == points.shape[1] else f"point {point}"
        raise errors.InputError(
            f"{source}: {name} of frame {frame} {what} "
            f"({len(np.unique(bad[:, 0]))} of {len(points)} frames lack a point), "
            "expected every point in every frame; remove these frames or these points"
        )


def normalised(points: np.ndarray, unit: float | None = None) -> Normalised:
    """Centres points and scales them, each by its box or all by one unit.

    Args:
        points: `[N, P, 2]`, see `check`.
        unit: of all; None: half the longer side of its box for each ([N] 5.1).
    """
    centre = points.mean(axis=1, keepdims=True)
    scale = np.full([len(points), 1, 1], unit) if unit else _half_sides(points)
    return Normalised(((points - centre) / scale).astype(np.float32), centre, scale)


def typical_size(points: np.ndarray) -> float:
    """Returns the median of half the longer sides of the boxes of `[N, P, 2]`."""
    return float(np.median(_half_sides(points)))


def _half_sides(points: np.ndarray) -> np.ndarray:
    return np.ptp(points, axis=1).max(axis=-1)[:, None, None] / 2
