"""Errors of 3D joints, in NumPy float64, one number per sample.

All functions take `pred` and `target` as `[N, J, 3]` in mm and already in the frame in
which they are to be compared: subtracting the root is the caller's business
(`root_relative`), because the root belongs to the protocol. `mask` is `[N, J]`, True
where a joint counts; a joint that does not count may hold anything, NaN included. PCK
and AUC are in percent.
"""

from __future__ import annotations

import numpy as np

from sa3dhp import errors
from sa3dhp.geometry import procrustes

PCK_THRESHOLD_MM = 150.0
AUC_THRESHOLDS_MM = np.arange(0.0, 151.0, 5.0)


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
        arrays[name] = np.array(value, dtype=np.float64)
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
        bad = np.argwhere(~np.isfinite(value).all(axis=-1) & mask)
        if bad.size:
            raise errors.InputError(
                f"{name}: sample {bad[0, 0]}, joint {bad[0, 1]} is not a finite number "
                f"({len(np.unique(bad[:, 0]))} of {len(value)} samples); remove these "
                "samples or mark the joints in `mask`"
            )
        value[~mask] = 0.0
    return pred, target, mask


def root_relative(joints: np.ndarray, roots: tuple[int, ...]) -> np.ndarray:
    """Returns `[N, J, 3]` minus the mean of the joints `roots` of each sample."""
    return joints - joints[:, list(roots)].mean(axis=1, keepdims=True)


def joint_errors(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Returns the distance of each joint, `[N, J]` mm."""
    return np.linalg.norm(pred - target, axis=-1)


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


def similarity_aligned(
    pred: np.ndarray, target: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """Returns `pred` after the best scale, rotation and translation per sample.

    Samples are grouped by their pattern of valid joints, so that a joint that does not
    count has no say in the alignment. Joints that do not count come back as 0.
    """
    pred, target, mask = check(pred, target, mask)
    aligned = np.zeros_like(pred)
    patterns, group = np.unique(mask, axis=0, return_inverse=True)
    for index, valid in enumerate(patterns):
        rows = np.ix_(group.reshape(-1) == index, valid)
        aligned[rows] = procrustes.align(pred[rows], target[rows])
    return aligned


def mean_over_valid(values: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """Returns the mean of `[N, J]` over the valid joints of each sample, `[N]`."""
    if mask is None:
        return values.mean(axis=1)
    return np.where(mask, values, 0.0).sum(axis=1) / mask.sum(axis=1)


def mpjpe(
    pred: np.ndarray, target: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """Returns the mean distance of the joints of each sample, `[N]` mm."""
    pred, target, mask = check(pred, target, mask)
    return mean_over_valid(joint_errors(pred, target), mask)


def pa_mpjpe(
    pred: np.ndarray, target: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """Returns MPJPE after the best similarity transformation per sample, `[N]` mm."""
    aligned = similarity_aligned(pred, target, mask)
    return mpjpe(aligned, target, mask)


def n_mpjpe(
    pred: np.ndarray, target: np.ndarray, mask: np.ndarray | None = None
) -> np.ndarray:
    """Returns MPJPE after the best scale per sample, `[N]` mm."""
    return mpjpe(scale_aligned(pred, target, mask), target, mask)


def hits(distances: np.ndarray, threshold: float) -> np.ndarray:
    """Returns 100 where a distance is strictly below the threshold, else 0."""
    return np.where(distances < threshold, 100.0, 0.0)


def share_of_thresholds(distances: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """Returns for each distance the percentage of thresholds it is strictly below.

    Its mean is the mean of PCK over the thresholds: both average one table of hits.
    """
    thresholds = np.sort(np.asarray(thresholds, np.float64))
    passed = len(thresholds) - np.searchsorted(thresholds, distances, side="right")
    return 100.0 * passed / len(thresholds)


def pck(
    pred: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    threshold: float = PCK_THRESHOLD_MM,
) -> np.ndarray:
    """Returns the percentage of joints nearer than the threshold (strictly), `[N]`."""
    pred, target, mask = check(pred, target, mask)
    return mean_over_valid(hits(joint_errors(pred, target), threshold), mask)


def auc(
    pred: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray | None = None,
    *,
    thresholds: np.ndarray = AUC_THRESHOLDS_MM,
) -> np.ndarray:
    """Returns the mean of PCK over the thresholds 0, 5, ..., 150 mm, percent, `[N]`."""
    pred, target, mask = check(pred, target, mask)
    distances = joint_errors(pred, target)
    return mean_over_valid(share_of_thresholds(distances, thresholds), mask)
