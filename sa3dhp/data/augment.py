"""Pose-preserving augmentation: A(x) of [M] eq. 1, and of the source images.

Only colours change, never places: G(A(x)) must equal G(x). Randomness is stateless.
"""

from __future__ import annotations

import tensorflow as tf

_GRAY = (0.299, 0.587, 0.114)


def _uniform(n: tf.Tensor, seed: tf.Tensor, use: int, low: float, high: float):
    """One number per image, `[N, 1, 1, 1]`; `use` tells the draws apart."""
    seed = tf.stack([seed[0] + 7919 * use, seed[1]])
    return tf.random.stateless_uniform(tf.stack([n, 1, 1, 1]), seed, low, high)


def _blurred(images: tf.Tensor) -> tf.Tensor:
    """A 3 x 3 binomial blur."""
    line = tf.constant([0.25, 0.5, 0.25])
    kernel = tf.tile((line[:, None] * line[None])[:, :, None, None], [1, 1, 3, 1])
    padded = tf.pad(images, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="REFLECT")
    return tf.nn.depthwise_conv2d(padded, kernel, [1, 1, 1, 1], "VALID")


def photometric(images: tf.Tensor, seed: tf.Tensor, strength: float = 1.0) -> tf.Tensor:
    """Returns images under another light and through another camera.

    Contrast, brightness, colour cast, saturation, defocus and noise, drawn per image.

    Args:
        images: `[N, H, W, 3]`, RGB in [0, 1], float32.
        seed: `[2]` integers; the result is a function of them.
        strength: 0 leaves the images as they are, 1 is strong.

    Returns:
        `[N, H, W, 3]`, in [0, 1], float32.
    """
    seed = tf.cast(seed, tf.int64)
    n = tf.shape(images)[0]
    s = strength
    soft = _uniform(n, seed, 1, 0.0, 1.0 * s)
    x = images + soft * (_blurred(images) - images)
    gray = tf.reduce_sum(x * tf.constant(_GRAY), axis=-1, keepdims=True)
    x = gray + (x - gray) * _uniform(n, seed, 2, 1 - 0.7 * s, 1 + 0.4 * s)
    cast_seed = tf.stack([seed[0] + 7919 * 3, seed[1]])
    cast = tf.random.stateless_uniform(
        tf.stack([n, 1, 1, 3]), cast_seed, -0.15 * s, 0.15 * s
    )
    mean = tf.reduce_mean(x, axis=[1, 2], keepdims=True)
    contrast = _uniform(n, seed, 4, 1 - 0.6 * s, 1 + 0.3 * s)
    x = mean + (x - mean) * contrast * (1 + cast)
    x += _uniform(n, seed, 5, -0.2 * s, 0.2 * s) + cast * mean
    noise_seed = tf.stack([seed[0] + 7919 * 6, seed[1]])
    noise = tf.random.stateless_normal(tf.shape(x), noise_seed)
    x += noise * _uniform(n, seed, 7, 0.0, 0.1 * s)
    return tf.clip_by_value(x, 0.0, 1.0)
