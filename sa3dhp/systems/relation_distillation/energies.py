"""What adaptation lowers: contrastive ([M] eq. 1) and relational energies (eq. 2-3)."""

from __future__ import annotations

import tensorflow as tf

_MASKED = -1e9  # a logit that takes no part in a float32 softmax


def info_nce(
    anchor: tf.Tensor,
    positive: tf.Tensor,
    group: tf.Tensor,
    temperature: float,
    normalise: bool = False,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns InfoNCE with a dot product, and how often it is right ([M] eq. 1).

    The negatives of an anchor are the anchors of all other groups: frames of one video
    are no negatives of each other. The mean over the anchors is of -log, one softmax
    each; eq. 1, read to the letter, takes the log of the sum. Computed in float32.

    Args:
        anchor: `[N, D]` latents.
        positive: `[N, D]` latents of the same frames, augmented.
        group: `[N]` integers, the video of each.
        temperature: divides the dot products.
        normalise: whether to use the cosine instead of the plain dot product, which
            is large on [-1, 1]^D.

    Returns:
        The loss and the share of anchors that are closer to their positive than to any
        negative; float32 scalars. With a single group there are no negatives and the
        loss is 0.
    """
    anchor = tf.cast(anchor, tf.float32)
    positive = tf.cast(positive, tf.float32)
    if normalise:
        anchor = tf.math.l2_normalize(anchor, axis=-1)
        positive = tf.math.l2_normalize(positive, axis=-1)
    right = tf.reduce_sum(anchor * positive, -1, keepdims=True)  # [N, 1]
    wrong = tf.matmul(anchor, anchor, transpose_b=True)  # [N, N]
    same = tf.equal(group[:, None], group[None, :])
    wrong = tf.where(same, _MASKED, wrong / temperature)
    logits = tf.concat([right / temperature, wrong], -1)  # [N, 1 + N]
    loss = tf.reduce_mean(tf.reduce_logsumexp(logits, -1) - logits[:, 0])
    closest = logits[:, 0] > tf.reduce_max(logits[:, 1:], -1)
    return loss, tf.reduce_mean(tf.cast(closest, tf.float32))


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
