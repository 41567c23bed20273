"""k_q: the teacher's maps to people (Cao et al., CVPR 2017, 3.3), and peaks; NumPy."""

from __future__ import annotations

import functools

import numpy as np
from scipy import ndimage, optimize

from sa3dhp.systems.multi_person import maps

SKELETON = maps.SKELETON
_SAMPLES = 8  # along a limb [D]
_MOST = 40  # peaks of a map, the highest: noise has hundreds [D]
_JOINTS = 4  # that a person needs [D]


def peaks(heat: np.ndarray, threshold: float = 0.3) -> np.ndarray:
    """Returns where a map has its peaks, by non-maximum suppression.

    Args:
        heat: `[H, W]`.
        threshold: a peak is at least that high.

    Returns:
        `[K, 3]`, x and y, cells, refined by a parabola, and the height; highest first.
    """
    padded = np.pad(heat, 1, constant_values=-np.inf)
    top = ndimage.maximum_filter(heat, size=3, mode="constant", cval=-np.inf) == heat
    rows, columns = np.nonzero(top & (heat >= threshold))
    values = heat[rows, columns]

    def refined(before: np.ndarray, after: np.ndarray) -> np.ndarray:
        curve = before - 2 * values + after
        usable = np.isfinite(curve) & (curve < -1e-9)
        with np.errstate(invalid="ignore"):
            shift = (before - after) / (2 * np.where(usable, curve, 1.0))
        return np.where(usable, np.clip(shift, -0.5, 0.5), 0.0)

    x = columns + refined(padded[rows + 1, columns], padded[rows + 1, columns + 2])
    y = rows + refined(padded[rows, columns + 1], padded[rows + 2, columns + 1])
    order = np.argsort(-values, kind="stable")
    return np.stack([x, y, values], axis=1)[order]


def people(found: np.ndarray, layout: maps.Layout = maps.OWN) -> np.ndarray:
    """Returns the people of a picture's maps.

    Limb by limb, from the anchor outwards, peaks of its two joints are matched so that
    together they agree best with the limb's field; a matched limb adds its far joint to
    the person of its near one. People without an anchor are left out: s has no cell
    for them. A pelvis without a map is where both hips are.

    Args:
        found: `[H, W, channels]`, see `maps`.
        layout: of the maps.

    Returns:
        `[N, 17, 2]`, cells; NaN where a joint was not found.
    """
    heats = {
        name: peaks(found[..., n], layout.peak)[:_MOST]
        for n, name in enumerate(layout.joints)
    }
    fields = found[..., len(layout.joints) :].reshape(*found.shape[:2], -1, 2)
    roots = heats[layout.anchor]
    persons = np.full((len(roots), SKELETON.num_joints, 2), np.nan)
    persons[:, layout.root] = roots[:, :2]
    for near, far, limb, sign in _outwards(layout):
        start, ends = persons[:, SKELETON.index(near)], heats[far]
        scores = np.full((len(persons), len(ends)), -1.0)
        for i in np.flatnonzero(np.isfinite(start[:, 0])):
            for j, end in enumerate(ends):
                scores[i, j] = sign * _agreement(
                    fields[..., limb, :], start[i], end[:2]
                )
        for i, j in zip(*optimize.linear_sum_assignment(-scores)):
            if scores[i, j] >= layout.aligned:
                persons[i, SKELETON.index(far)] = ends[j, :2]
    if "pelvis" not in layout.joints:
        hips = [SKELETON.index(f"{side}_hip") for side in ("left", "right")]
        persons[:, SKELETON.root] = persons[:, hips].mean(axis=1)
    whole = np.isfinite(persons[..., 0]).sum(axis=1) >= _JOINTS
    return persons[whole]


@functools.cache
def _outwards(layout: maps.Layout) -> list[tuple[str, str, int, float]]:
    """Limbs from the anchor outwards: near joint, far joint, number, sense."""
    order, known = [], {layout.anchor}
    left = dict(enumerate(layout.limbs))
    while left:
        for number, (parent, child) in list(left.items()):
            if parent in known or child in known:
                ahead = parent in known
                near, far = (parent, child) if ahead else (child, parent)
                order.append((near, far, number, 1.0 if ahead else -1.0))
                known.add(far)
                del left[number]
    return order


def _agreement(field: np.ndarray, start: np.ndarray, end: np.ndarray) -> float:
    """Mean of the field along a line, times the line's direction."""
    along = end - start
    length = np.linalg.norm(along)
    if length < 1e-6:
        return 1.0  # in one place: nothing speaks against it
    line = start + np.linspace(0, 1, _SAMPLES)[:, None] * along
    cells = np.rint(line).astype(int)
    columns, rows = np.clip(cells, 0, np.array(field.shape[1::-1]) - 1).T
    return float(np.mean(field[rows, columns] @ (along / length)))
