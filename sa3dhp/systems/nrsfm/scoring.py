"""Errors of shapes that know neither their unit nor which way depth runs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sa3dhp.evaluation import evaluator, metrics, poses, protocol
from sa3dhp.geometry import procrustes

METRICS = ("mpjpe", "pa_mpjpe", "depth_error", "normalised_error")


def reflection(joints: np.ndarray, truth: np.ndarray) -> int:
    """Returns the sign of depth, one for a whole data set: +1 or -1.

    An orthographic camera does not tell a shape from its mirror image in depth. The
    sign is that of the sum of the products of predicted and true depth: with it the
    depths of all samples together are nearer to the truth than with the other.

    Args:
        joints: `[N, P, 3]`, any unit, camera frame.
        truth: `[N, P, 3]`.
    """
    depths = [
        x[..., 2] - x[..., 2].mean(axis=1, keepdims=True) for x in (joints, truth)
    ]
    sizes = [np.linalg.norm(x, axis=1, keepdims=True) + 1e-12 for x in depths]
    return 1 if np.sum(depths[0] / sizes[0] * depths[1] / sizes[1]) >= 0 else -1


def score(
    joints: np.ndarray,
    truth: np.ndarray,
    skeleton: str,
    card: str,
    *,
    labels: Mapping[str, np.ndarray] | None = None,
    target_information: str = "G",
) -> dict:
    """Returns the result of shapes under a card, or without one for bare points.

    Args:
        joints: `[N, P, 3]`, any unit, camera frame, reflected.
        truth: `[N, P, 3]`, mm.
        skeleton: id; "" for points that are no skeleton's: each shape is then centred
            and given the Frobenius norm of the truth, and no card is used.
        card: name of a card with `scale: bones`.
        labels: as for `poses.Poses`.
        target_information: as for `evaluator.evaluate`.

    Returns:
        As `evaluator.Evaluator.result`; of bare points `overall` alone.
    """
    if not skeleton:
        return {"overall": _bare(joints, truth)}
    named = dict(labels or {})
    pred = poses.Poses(joints, skeleton, labels=named, source="predictions")
    target = poses.Poses(truth, skeleton, labels=named, source="truth")
    return evaluator.evaluate(pred, target, protocol.load(card), target_information)


def _bare(joints: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """The same metrics of centred points, scaled by their size."""
    pred, target = (x - x.mean(axis=1, keepdims=True) for x in (joints, truth))
    sizes = [np.linalg.norm(x, axis=(1, 2), keepdims=True) for x in (pred, target)]
    pred = pred * sizes[1] / np.maximum(sizes[0], 1e-12)
    table = {name: metrics.METRICS[name] for name in METRICS}
    return {
        name: float(metrics.per_sample(metric, pred, target).mean())
        for name, metric in table.items()
    }


def turned_error(joints: np.ndarray, truth: np.ndarray) -> float:
    """Returns Deep-NRSfM's normalised error: after scale and Procrustes, percent.

    Public code of Kong and Lucey gives each shape the size of the truth and turns it by
    the best orthogonal matrix, mirrors included, frame by frame: the camera and the
    reflection do not count. Below what `normalised_error` says; for comparison alone.

    Args:
        joints: `[N, P, 3]`, any unit.
        truth: `[N, P, 3]`.
    """
    mirrored = joints * [1, 1, -1]
    target = truth - truth.mean(axis=1, keepdims=True)
    size = np.linalg.norm(target, axis=(1, 2))
    found = []
    for shapes in (joints, mirrored):
        _, rotation, _ = procrustes.fit(shapes, target)
        centred = shapes - shapes.mean(axis=1, keepdims=True)
        scale = size / np.maximum(np.linalg.norm(centred, axis=(1, 2)), 1e-12)
        moved = centred @ rotation.transpose(0, 2, 1) * scale[:, None, None]
        found.append(np.linalg.norm(moved - target, axis=(1, 2)) / size)
    return float(100.0 * np.minimum(*found).mean())
