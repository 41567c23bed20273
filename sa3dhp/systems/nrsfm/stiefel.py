"""Orthographic cameras: `[3, 2]` matrices with orthonormal columns."""

from __future__ import annotations

import tensorflow as tf

_FLOOR = 1e-6  # of the smaller singular value, relative to the sum of both squared


def nearest(blocks: tf.Tensor) -> tf.Tensor:
    """Returns the camera nearest to a matrix: its polar factor, the SVD's `U V^T`.

    In closed form: with `G = X^T X` and `s = sqrt(det G)`, `X G^(-1/2)` is
    `X ((tr G + s) I - G) / (s sqrt(tr G + 2 s))`. The gradient of an SVD divides by the
    difference of the squared singular values and is infinite where they are equal,
    which is where a good camera lies (both 1); here nothing does. Only a matrix of
    rank 1 has no nearest camera: below `1e-6` of its size `s` is held up, so that
    value and gradient stay finite and the columns are not orthonormal any more.

    Args:
        blocks: `[..., 3, 2]`.

    Returns:
        `[..., 3, 2]`; of zeros, zeros.
    """
    squares = tf.matmul(blocks, blocks, transpose_a=True)  # G [..., 2, 2]
    trace = tf.linalg.trace(squares)
    # |x1 x x2|^2 is det G without the cancellation of g11 g22 - g12^2.
    normal = tf.linalg.cross(blocks[..., 0], blocks[..., 1])
    floor = tf.square(_FLOOR * trace) + tf.constant(1e-30, blocks.dtype)
    area = tf.sqrt(tf.reduce_sum(tf.square(normal), axis=-1) + floor)  # s
    size = area * tf.sqrt(trace + 2.0 * area)
    eye = tf.eye(2, dtype=blocks.dtype)
    adjoint = (trace + area)[..., None, None] * eye - squares
    return tf.matmul(blocks, adjoint) / size[..., None, None]


def rotation(camera: tf.Tensor) -> tf.Tensor:
    """Returns R, the camera's columns and their cross product ([N] eq. 5).

    Args:
        camera: M, `[..., 3, 2]`, orthonormal columns.

    Returns:
        `[..., 3, 3]`, determinant +1; `shape @ R` is x, y and depth as the camera sees
        them.
    """
    depth = tf.linalg.cross(camera[..., 0], camera[..., 1])
    return tf.concat([camera, depth[..., None]], axis=-1)
