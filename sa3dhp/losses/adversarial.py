"""Adversarial terms: how far logits are from +1 or -1 ([W]), and cross-entropy."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

REAL, FAKE = 1.0, -1.0


def distance_to(
    label: float, logits: tf.Tensor, weights: np.ndarray | None = None
) -> tf.Tensor:
    """Returns the weighted mean |logit - label|.

    Args:
        label: `REAL` or `FAKE`.
        logits: `[B, L]`.
        weights: `[L]`, sums to 1; equal by default.

    Returns:
        A float32 scalar.
    """
    return tf.reduce_mean(_mean_logit(tf.abs(logits - label), weights))


def cross_entropy(label: float, logits: tf.Tensor) -> tf.Tensor:
    """Returns the mean of -log sigmoid(label logit): 0 where the sign is surely right.

    Args:
        label: `REAL` or `FAKE`.
        logits: `[B]`.

    Returns:
        A float32 scalar, nats.
    """
    return tf.reduce_mean(tf.nn.softplus(-label * tf.cast(logits, tf.float32)))


def share_taken_for(
    label: float, logits: tf.Tensor, weights: np.ndarray | None = None
) -> tf.Tensor:
    """Returns the share of the batch whose weighted mean logit has the label's sign.

    Args:
        label: `REAL` or `FAKE`.
        logits: `[B, L]`.
        weights: `[L]`, sums to 1; equal by default.

    Returns:
        A float32 scalar in [0, 1].
    """
    right = label * _mean_logit(logits, weights) > 0.0
    return tf.reduce_mean(tf.cast(right, tf.float32))


def _mean_logit(logits: tf.Tensor, weights: np.ndarray | None) -> tf.Tensor:
    """The weighted mean over the last axis, `[B]`."""
    logits = tf.cast(logits, tf.float32)
    if weights is None:
        return tf.reduce_mean(logits, -1)
    return tf.reduce_sum(logits * weights, -1)
