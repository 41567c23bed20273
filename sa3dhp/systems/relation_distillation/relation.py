"""The relational energies ([M] eq. 2-3)."""

from __future__ import annotations

import tensorflow as tf


def residual(related: tf.Tensor, partner: tf.Tensor) -> tf.Tensor:
    """Returns mean || T(z) - z+ || ([M] eq. 2; eq. 3 with motion latents).

    The paper sums over the pairs; the mean keeps the size of the term, and with it the
    learning rate, independent of the batch.

    Args:
        related: `[..., D]`, the relation network's output T(z).
        partner: `[..., D]`, z+.

    Returns:
        A float32 scalar. The gradient is zero where the two agree exactly.
    """
    difference = tf.cast(related, tf.float32) - tf.cast(partner, tf.float32)
    squared = tf.reduce_sum(difference**2, -1)
    exact = squared <= 0.0
    norm = tf.where(exact, 0.0, tf.sqrt(tf.where(exact, 1.0, squared)))
    return tf.reduce_mean(norm)
