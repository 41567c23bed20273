"""Errors of 3D joints, in NumPy float64, and the one table of all metrics.

`METRICS` holds all that the program knows of a metric: how it is computed, how it is
called, which way is better. Evaluation, cards, tables, comparisons and reports look it
up there. A new metric is one entry there, and is counted wherever a card names it.

All functions but `flat_hits` take `pred` and `target` as `[N, J, 3]` in mm and already
in the frame in which they are to be compared: subtracting the root is the caller's
business (`root_relative`), because the root belongs to the protocol. `mask` is
`[N, J]`, True where a joint counts; a joint that does not count may hold anything, NaN
included. PCK and AUC are in percent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from sa3dhp import errors
from sa3dhp.evaluation import flat
from sa3dhp.geometry import procrustes

PCK_THRESHOLD_MM = 150.0
TORSO_SHARE = 0.2  # of PCK in the picture
AUC_THRESHOLDS_MM = np.arange(0.0, 151.0, 5.0)


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """Distances below which a joint counts as right.

    Attributes:
        pck: that of PCK, mm.
        auc: those that AUC averages over, mm.
        flat: `[N]`, that of PCK in the picture for each sample, in pixels.
    """

    pck: float = PCK_THRESHOLD_MM
    auc: tuple[float, ...] = tuple(AUC_THRESHOLDS_MM)
    flat: np.ndarray | None = None


# (pred `[N, J, 3]`, target `[N, J, 3]`, mask `[N, J]`, thresholds) -> `[N, J]`, as
# `check` returns the first three; what stands at joints that do not count is not used.
PerJoint = Callable[[np.ndarray, np.ndarray, np.ndarray, Thresholds], np.ndarray]


@dataclasses.dataclass(frozen=True)
class Metric:
    """All that the program knows of a metric.

    Attributes:
        id: its name in cards and result files.
        title: its name in tables.
        unit: `mm` or `%`.
        explanation: what it says, for a reader who never saw the papers.
        less_is_better: True for errors.
        per_joint: its value at each joint of each sample. The mean over the joints
            that count is the metric of the sample.
        always_rooted: True if both sides are taken relative to the root even under a
            card that aligns nothing.
        flat: True if the target is key-points: x and y in pixels, and z = 0.
    """

    id: str
    title: str
    unit: str
    explanation: str
    less_is_better: bool
    per_joint: PerJoint
    always_rooted: bool = False
    flat: bool = False


def check(
    pred: np.ndarray, target: np.ndarray, mask: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the three arrays in float64 and bool; joints that do not count are 0.

    Args:
        pred: `[N, J, 3]`.
        target: `[N, J, 3]`.
        mask: `[N, J]`, True = valid, or None for all valid.

    Returns:
        `(pred, target, mask)`, new arrays.

    Raises:
        errors.InputError: on wrong shapes, on a sample without a valid joint, and on a
            valid joint that is not finite; the message names the sample.
    """
    arrays = {}
    for name, value in (("predictions", pred), ("reference", target)):
        value = np.asarray(value)
        if value.dtype.kind not in "fiu":
            raise errors.InputError(
                f"{name}: got an array of {value.dtype}, expected numbers"
            )
        if value.ndim != 3 or value.shape[-1] != 3:
            raise errors.InputError(
                f"{name}: got shape {value.shape}, expected [N, J, 3]: x, y, z in mm "
                "for each joint of each sample"
            )
        arrays[name] = np.array(value, dtype=np.float64, order="C")
    pred, target = arrays["predictions"], arrays["reference"]
    if pred.shape != target.shape:
        raise errors.InputError(
            f"predictions: got shape {pred.shape}, expected {target.shape} like the "
            "reference; give both the same frames and joints"
        )
    mask = np.ones(pred.shape[:2], bool) if mask is None else np.asarray(mask, bool)
    if mask.shape != pred.shape[:2]:
        raise errors.InputError(
            f"mask: got shape {mask.shape}, expected {pred.shape[:2]} ([N, J])"
        )
    empty = np.flatnonzero(~mask.any(axis=1))
    if empty.size:
        raise errors.InputError(
            f"mask: sample {empty[0]} has no valid joint ({empty.size} of {len(mask)} "
            "such samples); remove them"
        )
    for name, value in arrays.items():
        bad = np.argwhere(~finite_joints(value) & mask)
        if bad.size:
            raise errors.InputError(
                f"{name}: sample {bad[0, 0]}, joint {bad[0, 1]} is not a finite number "
                f"({len(np.unique(bad[:, 0]))} of {len(value)} samples); remove these "
                "samples or mark the joints in `mask`"
            )
        value[~mask] = 0.0
    return pred, target, mask


def finite_joints(joints: np.ndarray) -> np.ndarray:
    """Returns which joints of `[..., 3]` are finite, `[...]` bool."""
    x, y, z = np.moveaxis(np.isfinite(joints), -1, 0)  # faster than over a short axis
    return x & y & z


def root_relative(joints: np.ndarray, roots: tuple[int, ...]) -> np.ndarray:
    """Returns `[N, J, 3]` minus the mean of the joints `roots` of each sample."""
    return joints - joints[:, list(roots)].mean(axis=1, keepdims=True)


def joint_errors(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Returns the distance of each joint, `[N, J]` mm."""
    x, y, z = np.moveaxis(pred - target, -1, 0)  # faster than over a short axis
    return np.sqrt(x**2 + y**2 + z**2)


def scale_aligned(
    pred: np.ndarray, target: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """Returns `pred` times the number per sample that brings it nearest to `target`.

    The scale is `<pred, target> / <pred, pred>` over the valid joints; a prediction
    whose joints all coincide at the origin stays there.
    """
    pred, target, mask = check(pred, target, mask)
    dot = np.sum(pred * target, axis=(1, 2))
    square = np.sum(pred * pred, axis=(1, 2))
    scale = dot / np.where(square > 0, square, 1.0)
    return pred * scale[:, None, None]


def bones_aligned(
    pred: np.ndarray,
    target: np.ndarray,
    limbs: Sequence[tuple[int, int]],
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Returns `pred` times the number per sample that gives it the target's limbs.

    The scale is the ratio of the mean lengths of the limbs; it knows the size of the
    person and nothing of the pose ([N] 5.1, Sun et al., ECCV 2018).

    Args:
        pred: `[N, J, 3]`, any unit.
        target: `[N, J, 3]`.
        limbs: (parent, child) pairs.
        mask: `[N, J]`; a limb counts where both its joints do.

    Raises:
        errors.InputError: as `check`, or where no limb counts.
    """
    pred, target, mask = check(pred, target, mask)
    parents, children = (list(ends) for ends in zip(*limbs))
    counts = mask[:, parents] & mask[:, children]  # [N, limbs]
    bare = np.flatnonzero(~counts.any(axis=1))
    if bare.size:
        raise errors.InputError(
            f"mask: sample {bare[0]} has no limb with both its joints valid "
            f"({bare.size} of {len(mask)} samples), expected one to scale by; remove "
            "these samples"
        )
    means = [
        np.where(counts, joint_errors(x[:, parents], x[:, children]), 0.0).sum(axis=1)
        for x in (pred, target)
    ]
    scale = np.where(
        means[0] > 0, means[1] / np.where(means[0] > 0, means[0], 1.0), 0.0
    )
    return pred * scale[:, None, None]


def similarity_aligned(
    pred: np.ndarray, target: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """Returns `pred` after the best scale, rotation and translation per sample.

    Samples are grouped by their pattern of valid joints, so that a joint that does not
    count has no say in the alignment. Joints that do not count come back as 0.
    """
    pred, target, mask = check(pred, target, mask)
    if mask.all():
        return procrustes.align(pred, target)
    aligned = np.zeros_like(pred)
    packed, group = np.unique(np.packbits(mask, axis=1), axis=0, return_inverse=True)
    patterns = np.unpackbits(packed, axis=1, count=mask.shape[1]).astype(bool)
    for index, valid in enumerate(patterns):
        rows = np.ix_(group.reshape(-1) == index, valid)
        aligned[rows] = procrustes.align(pred[rows], target[rows])
    return aligned


def depth_differences(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Returns how far each joint is off along the axis of the camera, `[N, J]` mm."""
    return np.abs(pred[..., 2] - target[..., 2])


def relative_errors(
    pred: np.ndarray, target: np.ndarray, mask: np.ndarray
) -> np.ndarray:
    """Returns ||S - S*||_F / ||S*||_F of each sample at each of its joints, percent.

    Both shapes are centred on the mean of their valid joints and neither turned nor
    scaled. It is a number of the sample, the same at all joints, `[N, J]`.
    """
    weights = mask[..., None] / mask.sum(axis=1)[:, None, None]
    centred = [
        np.where(mask[..., None], x - np.sum(weights * x, axis=1, keepdims=True), 0.0)
        for x in (pred, target)
    ]
    difference = np.linalg.norm(centred[0] - centred[1], axis=(1, 2))
    size = np.linalg.norm(centred[1], axis=(1, 2))
    value = 100.0 * difference / np.where(size > 0, size, 1.0)
    return np.broadcast_to(value[:, None], mask.shape)


def mean_over_valid(values: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Returns the mean of `[N, J]` over the valid joints of each sample, `[N]`."""
    if mask is None:
        return values.mean(axis=1)
    return np.where(mask, values, 0.0).sum(axis=1) / mask.sum(axis=1)


def hits(distances: np.ndarray, threshold: float | np.ndarray) -> np.ndarray:
    """Returns 100 where a distance is strictly below the threshold, else 0."""
    return np.where(distances < threshold, 100.0, 0.0)


def share_of_thresholds(
    distances: np.ndarray, thresholds: Sequence[float] | np.ndarray
) -> np.ndarray:
    """Returns for each distance the percentage of thresholds it is strictly below.

    Its mean is the mean of PCK over the thresholds: both average one table of hits.
    """
    thresholds = np.sort(np.asarray(thresholds, np.float64))
    passed = len(thresholds) - np.searchsorted(thresholds, distances, side="right")
    return 100.0 * passed / len(thresholds)


def flat_hits(
    pred: np.ndarray, target: np.ndarray, mask: np.ndarray, limits: Thresholds
) -> np.ndarray:
    """Returns 100 where a joint, put into the picture, is near its key-point, else 0.

    See `flat.placed`; `limits.flat` says how near.

    Raises:
        errors.InputError: if `limits.flat` is not one number per sample.
    """
    if limits.flat is None or np.shape(limits.flat) != (len(target),):
        raise errors.InputError(
            f"thresholds: flat is {limits.flat!r}, expected [{len(target)}] pixels"
        )
    moved = flat.placed(pred, target, mask)
    distances = np.linalg.norm(moved - target[..., :2], axis=-1)
    return hits(distances, np.asarray(limits.flat)[:, None])


_TABLE = (
    Metric(
        id="mpjpe",
        title="MPJPE",
        unit="mm",
        explanation="mean distance between a predicted joint and the true one, with "
        "both bodies put on the same hip point",
        less_is_better=True,
        per_joint=lambda pred, target, mask, limits: joint_errors(pred, target),
    ),
    Metric(
        id="pa_mpjpe",
        title="PA-MPJPE",
        unit="mm",
        explanation="the same after also rotating and scaling the prediction onto the "
        "truth: the error of the pose alone",
        less_is_better=True,
        per_joint=lambda pred, target, mask, limits: joint_errors(
            similarity_aligned(pred, target, mask), target
        ),
        always_rooted=True,
    ),
    Metric(
        id="n_mpjpe",
        title="N-MPJPE",
        unit="mm",
        explanation="MPJPE after scaling the prediction: leaves out the size of the "
        "person",
        less_is_better=True,
        per_joint=lambda pred, target, mask, limits: joint_errors(
            scale_aligned(pred, target, mask), target
        ),
        always_rooted=True,
    ),
    Metric(
        id="pck",
        title="PCK",
        unit="%",
        explanation="share of joints that are within 150 mm of the truth",
        less_is_better=False,
        per_joint=lambda pred, target, mask, limits: hits(
            joint_errors(pred, target), limits.pck
        ),
    ),
    Metric(
        id="auc",
        title="AUC",
        unit="%",
        explanation="the same share, averaged over all limits from 0 to 150 mm",
        less_is_better=False,
        per_joint=lambda pred, target, mask, limits: share_of_thresholds(
            joint_errors(pred, target), limits.auc
        ),
    ),
    Metric(
        id="depth_error",
        title="DEPTH-ERROR",
        unit="mm",
        explanation="mean distance between a predicted joint and the true one along "
        "the axis of the camera alone",
        less_is_better=True,
        per_joint=lambda pred, target, mask, limits: depth_differences(pred, target),
    ),
    Metric(
        id="normalised_error",
        title="NORMALISED-ERROR",
        unit="%",
        explanation="distance of the whole predicted shape from the true one, as a "
        "share of its size, with both put on one middle",
        less_is_better=True,
        per_joint=lambda pred, target, mask, limits: relative_errors(
            pred, target, mask
        ),
    ),
    Metric(
        id="pck_2d",
        title="PCK 2D",
        unit="%",
        explanation="share of joints that are within a fifth of the trunk's length of "
        "the annotated point in the picture, after the best scale and shift",
        less_is_better=False,
        per_joint=flat_hits,
        flat=True,
    ),
)
METRICS: dict[str, Metric] = {metric.id: metric for metric in _TABLE}  # in this order


def per_sample(
    metric: Metric,
    pred: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray | None = None,
    thresholds: Thresholds = Thresholds(),
) -> np.ndarray:
    """Returns a metric of each sample, `[N]`: the mean over the joints that count.

    Args:
        metric: of `METRICS`.
        pred: `[N, J, 3]`, mm.
        target: `[N, J, 3]`, mm.
        mask: `[N, J]`, True = valid, or None for all valid.
        thresholds: of PCK and AUC.

    Raises:
        errors.InputError: as `check`.
    """
    pred, target, mask = check(pred, target, mask)
    return mean_over_valid(metric.per_joint(pred, target, mask, thresholds), mask)


def mpjpe(
    pred: np.ndarray, target: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """Returns the mean distance of the joints of each sample, `[N]` mm."""
    return per_sample(METRICS["mpjpe"], pred, target, mask)


def pa_mpjpe(
    pred: np.ndarray, target: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """Returns MPJPE after the best similarity transformation per sample, `[N]` mm."""
    return per_sample(METRICS["pa_mpjpe"], pred, target, mask)


def n_mpjpe(
    pred: np.ndarray, target: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """Returns MPJPE after the best scale per sample, `[N]` mm."""
    return per_sample(METRICS["n_mpjpe"], pred, target, mask)


def pck(
    pred: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    threshold: float = PCK_THRESHOLD_MM,
) -> np.ndarray:
    """Returns the percentage of joints nearer than the threshold (strictly), `[N]`."""
    limits = Thresholds(pck=threshold)
    return per_sample(METRICS["pck"], pred, target, mask, limits)


def auc(
    pred: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    thresholds: Sequence[float] | np.ndarray = AUC_THRESHOLDS_MM,
) -> np.ndarray:
    """Returns the mean of PCK over the thresholds 0, 5, ..., 150 mm, percent, `[N]`."""
    limits = Thresholds(auc=tuple(thresholds))
    return per_sample(METRICS["auc"], pred, target, mask, limits)


def depth_error(
    pred: np.ndarray, target: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """Returns the mean distance along the axis of the camera, `[N]` mm."""
    return per_sample(METRICS["depth_error"], pred, target, mask)


def normalised_error(
    pred: np.ndarray, target: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """Returns ||S - S*||_F / ||S*||_F of the centred shapes, percent, `[N]`."""
    return per_sample(METRICS["normalised_error"], pred, target, mask)


def pck_2d(
    pred: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    reach: np.ndarray,
) -> np.ndarray:
    """Returns the percentage of joints near their key-points in the picture, `[N]`.

    Args:
        pred: `[N, J, 3]`, mm.
        target: `[N, J, 3]`, x and y in pixels; z is not looked at.
        mask: `[N, J]`, True = valid, or None for all valid.
        reach: `[N]`, pixels: how near, strictly.
    """
    limits = Thresholds(flat=np.asarray(reach, np.float64))
    return per_sample(METRICS["pck_2d"], pred, target, mask, limits)
