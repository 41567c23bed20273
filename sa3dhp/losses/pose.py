"""Distances between poses and between latents."""

from __future__ import annotations

import tensorflow as tf


def joint_distance(
    pred: tf.Tensor, target: tf.Tensor, root: int | None = None
) -> tf.Tensor:
    """Returns the mean distance of the joints, ||D_p G(x) - y|| ([S] 5c).

    Args:
        pred: `[..., J, 3]`, mm, in the frame of `target`.
        target: `[..., J, 3]`, mm; a joint that is not known is NaN, and left out.
        root: index of the joint that both are relative to: it is exact by definition,
            and no part of the mean. None if there is none.

    Returns:
        A float32 scalar, mm. The gradient is zero where a joint is exact.
    """
    known = known_joints(target)  # [..., J]
    if root is not None:
        known &= tf.range(tf.shape(target)[-2]) != root
    off = tf.cast(pred, tf.float32) - tf.where(known[..., None], target, 0.0)
    squared = tf.reduce_sum(off**2, -1)
    ignored = (squared <= 0.0) | ~known
    distance = tf.where(ignored, 0.0, tf.sqrt(tf.where(ignored, 1.0, squared)))
    count = tf.reduce_sum(tf.cast(known, tf.float32))
    return tf.math.divide_no_nan(tf.reduce_sum(distance), count)


def known_joints(joints: tf.Tensor) -> tf.Tensor:
    """Returns which joints `[..., J, 3]` are no NaN: `[..., J]`, bool."""
    return ~tf.reduce_any(tf.math.is_nan(joints), -1)


def absolute_difference(pred: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns mean |pred - target| over all entries ([P] eq. 1), a float32 scalar."""
    return tf.reduce_mean(tf.abs(tf.cast(pred, tf.float32) - target))
