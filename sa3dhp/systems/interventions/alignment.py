"""The classical ways to make features of two domains alike: DDC, DAN, DANN.

Each is a function of two sets of features; `steps/estimator.py` adds it to the loss of
the labelled pictures.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

# Bandwidths around the mean squared distance, as Long et al. (DAN, ICML 2015) spread
# their kernels: factors of two.
WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)


def linear_mmd(source: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns the squared distance of the mean features (DDC; Tzeng et al., 2014).

    Args:
        source: `[B, C]`.
        target: `[B', C]`.
    """
    gap = tf.reduce_mean(source, axis=0) - tf.reduce_mean(target, axis=0)
    return tf.reduce_sum(gap**2)


def gaussian_mmd(
    source: tf.Tensor, target: tf.Tensor, widths: Sequence[float] = WIDTHS
) -> tf.Tensor:
    """Returns the squared MMD under a sum of Gaussian kernels (DAN; Long et al., 2015).

    The biased estimate, which is never negative. Bandwidths are `widths` times the mean
    squared distance within the batch, through which no gradient passes.

    Args:
        source: `[B, C]`.
        target: `[B', C]`.
        widths: factors of the bandwidths.
    """
    both = tf.concat([source, target], axis=0)
    squares = tf.reduce_sum(both**2, axis=-1)
    distances = squares[:, None] + squares[None] - 2.0 * both @ tf.transpose(both)
    distances = tf.maximum(distances, 0.0)
    typical = tf.stop_gradient(tf.reduce_mean(distances)) + 1e-12
    kernel = tf.add_n([tf.exp(-distances / (width * typical)) for width in widths])
    count = tf.shape(source)[0]
    within = tf.reduce_mean(kernel[:count, :count]) + tf.reduce_mean(
        kernel[count:, count:]
    )
    return (within - 2.0 * tf.reduce_mean(kernel[:count, count:])) / len(widths)


def of_unit_length(features: tf.Tensor) -> tf.Tensor:
    """Returns features of length 1, `[B, C]`, for DANN's classifier [D].

    An f that fools the classifier by longer features has no end to grow to where fixed
    statistics stand for batch norm: its loss was 1e17 after 50 updates, then NaN.
    """
    return tf.math.l2_normalize(features, axis=-1)


@tf.custom_gradient
def reversed_gradient(features: tf.Tensor, strength: tf.Tensor) -> tuple:
    """Returns the features; their gradient comes back times -strength (Ganin, 2015)."""

    def backward(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        return -tf.cast(strength, upstream.dtype) * upstream, None

    return tf.identity(features), backward


def schedule(progress: tf.Tensor) -> tf.Tensor:
    """Returns DANN's strength, 0 at the start and nearly 1 at the end (Ganin, 2015).

    Args:
        progress: share of the training that is done, 0 to 1.
    """
    return 2.0 / (1.0 + tf.exp(-10.0 * progress)) - 1.0
