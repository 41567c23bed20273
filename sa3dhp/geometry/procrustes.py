"""Similarity Procrustes, the one alignment behind every PA number; NumPy, float64."""

from __future__ import annotations

import numpy as np

from sa3dhp import errors


def align(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Moves each predicted pose onto its target by the best similarity transform.

    Scale, rotation and translation minimise the sum of squared distances; a reflection
    is not allowed (the last singular vector's sign is turned). A prediction whose
    points coincide can only be moved: it comes back as the target's centroid.

    Args:
        pred: `[..., J, 3]`, any unit.
        target: `[..., J, 3]`, the unit of the result.

    Returns:
        `[..., J, 3]` float64, `pred` aligned to `target`; the inputs are not changed.

    Raises:
        InputError: if the shapes differ, or a value is not finite.
    """
    scale, rotation, translation = fit(pred, target)
    pred = np.asarray(pred, np.float64)
    turned = pred @ np.swapaxes(rotation, -1, -2)
    return scale[..., None, None] * turned + translation[..., None, :]


def fit(
    pred: np.ndarray, target: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the best similarity transform from `pred` to `target`.

    Args:
        pred: `[..., J, 3]`.
        target: `[..., J, 3]`.

    Returns:
        `scale [...]`, `rotation [..., 3, 3]` (determinant +1) and `translation
        [..., 3]`: target ~ scale * rotation @ pred + translation.

    Raises:
        InputError: if the shapes differ, or a value is not finite.
    """
    pred, target = _checked(pred, target)
    pred_middle = pred.mean(-2, keepdims=True)
    target_middle = target.mean(-2, keepdims=True)
    pred_centred, target_centred = pred - pred_middle, target - target_middle
    covariance = np.swapaxes(target_centred, -1, -2) @ pred_centred  # [..., 3, 3]
    left, singular, right = np.linalg.svd(covariance)
    sign = np.ones_like(singular)
    sign[..., -1] = np.where(np.linalg.det(left) * np.linalg.det(right) < 0, -1.0, 1.0)
    rotation = (left * sign[..., None, :]) @ right
    variance = np.sum(pred_centred**2, axis=(-2, -1))
    # Coinciding points have no size: whatever the scale, they stay one point.
    tiny = variance <= np.finfo(np.float64).eps ** 2 * np.sum(pred**2, axis=(-2, -1))
    safe = np.where(tiny, 1.0, variance)
    scale = np.where(tiny, 0.0, np.sum(singular * sign, -1) / safe)
    moved = np.einsum("...ij,...j->...i", rotation, pred_middle[..., 0, :])
    return scale, rotation, target_middle[..., 0, :] - scale[..., None] * moved


def _checked(pred: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as float64 after checking shapes and values."""
    pred, target = np.asarray(pred, np.float64), np.asarray(target, np.float64)
    if pred.shape != target.shape or pred.ndim < 2 or pred.shape[-1] != 3:
        raise errors.InputError(
            f"procrustes: expected pred and target [..., J, 3] of one shape, "
            f"got {pred.shape} and {target.shape}"
        )
    for name, values in (("pred", pred), ("target", target)):
        if not np.all(np.isfinite(values)):
            raise errors.InputError(
                f"{name}: expected finite joints, got NaN or infinity; "
                "mask or drop these poses"
            )
    return pred, target
