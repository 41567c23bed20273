"""Distances between poses and between latents."""

from __future__ import annotations

import tensorflow as tf


def joint_distance(pred: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns the mean distance of the joints, ||D_p G(x) - y|| ([S] 5c).

    Args:
        pred: `[..., J, 3]`, mm, in the frame of `target`.
        target: `[..., J, 3]`, mm.

    Returns:
        A float32 scalar, mm. The gradient is zero where a joint is exact (the root).
    """
    squared = tf.reduce_sum((tf.cast(pred, tf.float32) - target) ** 2, -1)
    exact = squared <= 0.0
    distance = tf.where(exact, 0.0, tf.sqrt(tf.where(exact, 1.0, squared)))
    return tf.reduce_mean(distance)


def absolute_difference(pred: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns mean |pred - target| over all entries ([P] eq. 1), a float32 scalar."""
    return tf.reduce_mean(tf.abs(tf.cast(pred, tf.float32) - target))
