"""Poses without a view: canonical pose and rotation ([P] suppl. 1a, 2.1b).

The canonical frame is spanned by the plane of neck, left hip and right hip: its x is
the plane's normal, out of the chest, its y goes from the neck to the middle of the hips
as far as that lies across x, and z completes them.
"""

from __future__ import annotations

import tensorflow as tf

from sa3dhp.skeleton import skeleton as skeletons

_SMALL = 1e-9


def split(
    joints: tf.Tensor, skeleton: skeletons.Skeleton
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns canonical poses and the rotations that turn them back ([P] suppl. 1a).

    Args:
        joints: `[..., J, 3]`, any unit, camera frame, root-relative.
        skeleton: names neck and hips.

    Returns:
        `p_c [..., J, 3]` and `R [..., 3, 3]` with `joints = p_c @ R^T`.
    """
    neck, left, right = (
        joints[..., skeleton.index(name), :]
        for name in ("neck", "left_hip", "right_hip")
    )
    # Seen from the front, the neck above, right is at the left: out of the chest.
    normal = _unit(tf.linalg.cross(right - neck, left - neck))
    down = (left + right) / 2.0 - neck
    along = tf.reduce_sum(down * normal, axis=-1, keepdims=True)
    down = _unit(down - along * normal)
    axes = tf.stack([normal, down, tf.linalg.cross(normal, down)], axis=-1)
    return joints @ axes, axes  # the columns of R are the frame's axes


def turned(canonical: tf.Tensor, rotations: tf.Tensor) -> tf.Tensor:
    """Returns T_R, the root-relative poses of canonical ones ([P] suppl. 2.1b).

    Args:
        canonical: `[..., J, 3]`.
        rotations: `[..., 3, 3]`.
    """
    return tf.matmul(canonical, rotations, transpose_b=True)


def to_angles(rotations: tf.Tensor) -> tf.Tensor:
    """Returns c, sine and cosine of the three Euler angles of rotations.

    Args:
        rotations: `[..., 3, 3]`, R = R_y(a) R_x(b) R_z(c): heading, pitch, roll of a
            frame whose y is vertical.

    Returns:
        `[..., 6]`: sin a, cos a, sin b, cos b, sin c, cos c; b within a quarter turn.
    """
    sin_b = -rotations[..., 1, 2]
    cos_b = tf.sqrt(rotations[..., 1, 0] ** 2 + rotations[..., 1, 1] ** 2 + _SMALL)
    heading = _pair(rotations[..., 0, 2], rotations[..., 2, 2])
    roll = _pair(rotations[..., 1, 0], rotations[..., 1, 1])
    return tf.stack([*heading, sin_b, cos_b, *roll], axis=-1)


def from_angles(angles: tf.Tensor) -> tf.Tensor:
    """Returns rotations `[..., 3, 3]` of sines and cosines `[..., 6]`, of any length.

    Each pair is brought to length 1, so that a network's answer always is a rotation.
    """
    pairs = [_pair(angles[..., n], angles[..., n + 1]) for n in (0, 2, 4)]
    (sa, ca), (sb, cb), (sc, cc) = pairs
    rows = [
        [ca * cc + sa * sb * sc, sa * sb * cc - ca * sc, sa * cb],
        [cb * sc, cb * cc, -sb],
        [ca * sb * sc - sa * cc, ca * sb * cc + sa * sc, ca * cb],
    ]
    return tf.stack([tf.stack(row, axis=-1) for row in rows], axis=-2)


def _pair(sine: tf.Tensor, cosine: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    length = tf.sqrt(sine**2 + cosine**2 + _SMALL)
    return sine / length, cosine / length


def _unit(vector: tf.Tensor) -> tf.Tensor:
    squares = tf.reduce_sum(vector**2, axis=-1, keepdims=True)
    return vector * tf.math.rsqrt(squares + _SMALL)
