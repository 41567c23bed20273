"""Several people against the truth: who was found, and how well ([P] 4.1); NumPy.

Predicted and true people of a picture are matched one to one so that together their
joints lie nearest in 2D; a pair whose joints are farther apart than `FAR` sides of the
picture on average is none.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import optimize

from sa3dhp.skeleton import skeleton as skeletons

SKELETON = skeletons.SA3DHP17
FAR = 0.15  # sides of the picture [D]
REL_MM, ABS_MM = 150.0, 250.0  # of 3DPCK_rel and 3DPCK_abs ([P] 4.1)
_STEPS = np.arange(0.0, REL_MM + 1.0, 5.0)  # thresholds of the AUC
_BY_PICTURE = ("pck_rel", "pck_abs", "recall")
_CELL = 1 / 14  # sides of the picture, of a cell of s


@dataclasses.dataclass(frozen=True, eq=False)
class Pairs:
    """Matched people of all pictures, and what was left.

    Attributes:
        pred: `[K, 17, 3]`, mm, camera frame.
        truth: `[K, 17, 3]`, mm.
        pred_points: `[K, 17, 2]`, pixels.
        true_points: `[K, 17, 2]`, pixels; NaN where not in the picture.
        picture: `[K]`, which one.
        missed: true people without a partner.
        invented: predicted people without one.
        sharing: true people who share a cell of s with a nearer one, as no answer of
            the network can tell them apart.
    """

    pred: np.ndarray
    truth: np.ndarray
    pred_points: np.ndarray
    true_points: np.ndarray
    picture: np.ndarray
    missed: int
    invented: int
    sharing: int


def match(
    pred: list[np.ndarray],
    pred_points: list[np.ndarray],
    truth: list[np.ndarray],
    true_points: list[np.ndarray],
    size: int,
) -> Pairs:
    """Returns the pairs of all pictures.

    Args:
        pred: of each picture, `[n, 17, 3]`, mm, camera frame.
        pred_points: `[n, 17, 2]`, pixels.
        truth: `[m, 17, 3]`, mm.
        true_points: `[m, 17, 2]`, pixels; NaN where not in the picture.
        size: side of the pictures, pixels.
    """
    kept: list[list[np.ndarray]] = [[], [], [], []]
    picture, missed, invented, sharing = [], 0, 0, 0
    for number, (a, pa, b, pb) in enumerate(zip(pred, pred_points, truth, true_points)):
        cost = np.full((len(a), len(b)), 1e6)
        for i in range(len(a)):
            gap = np.linalg.norm(pa[i] - pb, axis=-1)
            known = np.isfinite(gap)
            total = np.where(known, gap, 0.0).sum(axis=1)
            cost[i] = np.where(known.any(1), total / np.maximum(known.sum(1), 1), 1e6)
        rows, columns = optimize.linear_sum_assignment(cost)
        good = cost[rows, columns] <= FAR * size
        rows, columns = rows[good], columns[good]
        for part, values in zip(kept, (a[rows], b[columns], pa[rows], pb[columns])):
            part.append(values)
        picture += [number] * len(rows)
        missed += len(b) - len(rows)
        invented += len(a) - len(rows)
        cells = np.floor((pb[:, SKELETON.root] + 0.5) / (size * _CELL))
        cells = cells[np.isfinite(cells).all(axis=1)]
        sharing += len(cells) - len(np.unique(cells, axis=0))
    joints, true_joints, points, flat = (
        np.concatenate([np.zeros((0, SKELETON.num_joints, size)), *part])
        for size, part in zip((3, 3, 2, 2), kept)
    )
    return Pairs(
        pred=joints,
        truth=true_joints,
        pred_points=points,
        true_points=flat,
        picture=np.array(picture, int),
        missed=missed,
        invented=invented,
        sharing=sharing,
    )


def measure(pairs: Pairs) -> dict[str, float]:
    """Returns the numbers of a system.

    Returns:
        Of all true people, who count as wrong where they were missed: `pck_rel`,
        `auc_rel` and `pck_abs`, %, and pelvis `recall`; `precision`, %; of matched
        people, if there is any, `matched_pck_rel` and `matched_pck_abs`, %, `mpjpe`,
        `root_error`, mm, and `error_2d`, pixels; `sharing`, people.
    """
    root = SKELETON.root
    others = [n for n in range(SKELETON.num_joints) if n != root]
    count = len(pairs.pred)
    every = max(count + pairs.missed, 1)
    apart = np.linalg.norm(
        (pairs.pred - pairs.pred[:, root, None])
        - (pairs.truth - pairs.truth[:, root, None]),
        axis=-1,
    )[:, others]
    away = np.linalg.norm(pairs.pred - pairs.truth, axis=-1)
    off = np.linalg.norm(pairs.pred_points - pairs.true_points, axis=-1)

    def share(hits: np.ndarray, total: int) -> float:
        return 100.0 * float(hits.mean(axis=1).sum()) / max(total, 1)

    curve = [share(apart < step, every) for step in _STEPS]
    overall = {
        "pck_rel": share(apart < REL_MM, every),
        "auc_rel": float(np.mean(curve)),
        "pck_abs": share(away < ABS_MM, every),
        "recall": 100.0 * count / every,
        "precision": 100.0 * count / max(count + pairs.invented, 1),
        "sharing": float(pairs.sharing),
    }
    if not count:
        return overall
    return {
        **overall,
        "matched_pck_rel": share(apart < REL_MM, count),
        "matched_pck_abs": share(away < ABS_MM, count),
        "mpjpe": float(apart.mean()),
        "root_error": float(away[:, root].mean()),
        "error_2d": float(np.nanmean(off)),
    }


def by_picture(pairs: Pairs, people: list[int]) -> dict[int, dict[str, float]]:
    """Returns `pck_rel`, `pck_abs` and `recall`, %, of each picture with people.

    Args:
        pairs: of all pictures.
        people: true people of each picture.
    """
    found = {}
    for number, count in enumerate(people):
        if count:
            values = measure(_of_picture(pairs, number, count))
            found[number] = {key: values[key] for key in _BY_PICTURE}
    return found


def points_by_picture(
    pairs: Pairs, people: list[int], size: int
) -> dict[int, dict[str, float]]:
    """Returns `pck_2d`, %, of each picture with people; who is missed is wrong."""
    found = {}
    for number, count in enumerate(people):
        if count:
            own = _of_picture(pairs, number, count)
            values = measure_points(own, size)
            share = values["recall"] / 100.0
            found[number] = {"pck_2d": share * values.get("pck_2d", 0.0)}
    return found


def _of_picture(pairs: Pairs, number: int, count: int) -> Pairs:
    """The pairs of one picture with `count` true people."""
    rows = pairs.picture == number
    parts = ("pred", "truth", "pred_points", "true_points", "picture")
    return dataclasses.replace(
        pairs,
        **{name: getattr(pairs, name)[rows] for name in parts},
        missed=count - int(rows.sum()),
    )


def measure_points(pairs: Pairs, size: int) -> dict[str, float]:
    """Returns the 2D numbers of [P] Table 7: `iou`, %, `error_2d`, px, `pck_2d`, %.

    Over the joints of matched people that both sides have; nothing if there is none.
    PCK is at 25 px of a picture of 1,024 [D]. With `recall`, %, of people.
    """
    every = max(len(pairs.pred) + pairs.missed, 1)
    recall = {"recall": 100.0 * len(pairs.pred) / every}
    both = np.isfinite(pairs.pred_points) & np.isfinite(pairs.true_points)
    known = both.all(axis=-1)
    if not known.any():
        return recall
    off = np.linalg.norm(pairs.pred_points - pairs.true_points, axis=-1)[known]
    seen = known.any(axis=1)

    def boxes(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        shown = np.where(known[..., None], points, np.nan)[seen]
        return np.nanmin(shown, axis=1), np.nanmax(shown, axis=1)

    (low, high), (other, top) = boxes(pairs.pred_points), boxes(pairs.true_points)
    inner = np.maximum(np.minimum(high, top) - np.maximum(low, other), 0).prod(axis=1)
    union = (high - low).prod(axis=1) + (top - other).prod(axis=1) - inner
    return {
        **recall,
        "iou": 100.0 * float(np.mean(inner / np.maximum(union, 1e-6))),
        "error_2d": float(off.mean()),
        "pck_2d": 100.0 * float(np.mean(off < 25.0 * size / 1024.0)),
    }
