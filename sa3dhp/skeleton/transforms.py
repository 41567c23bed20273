"""The rules' transformations of poses ([M] 3.3): mirror, in-plane rotation, reversal.

They work on joints in the camera frame (x right, y down) and match the image side in
`geometry.pictures`: for an orthographic camera render(f(pose)) = f(render(pose)).
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.skeleton import skeleton as skeletons


def flip(joints: np.ndarray | tf.Tensor, skeleton: skeletons.Skeleton) -> tf.Tensor:
    """Mirrors poses: x -> -x, left and right joints change places (rule z1).

    Also mirrors local vectors (`kinematics.to_local`), whose frames mirror along.

    Args:
        joints: `[..., J, 3]` or 2D keypoints `[..., J, 2]` about the image centre.
        skeleton: gives the left/right pairs.

    Returns:
        The same shape, dtype and unit.

    Raises:
        InputError: if the joint axis is not `skeleton.num_joints`.
    """
    joints = tf.convert_to_tensor(joints)
    if joints.shape.rank is None or joints.shape.rank < 2:
        _fail(joints, skeleton)
    if joints.shape[-2] != skeleton.num_joints or joints.shape[-1] not in (2, 3):
        _fail(joints, skeleton)
    sign = tf.constant([-1.0, 1.0, 1.0][: joints.shape[-1]], joints.dtype)
    return tf.gather(joints, skeleton.flip_indices, axis=-2) * sign


def rotate_in_plane(
    joints: np.ndarray | tf.Tensor, angle: float | np.ndarray | tf.Tensor
) -> tf.Tensor:
    """Rotates poses about the camera axis (rule z2).

    Args:
        joints: `[..., J, 3]`, or 2D keypoints `[..., J, 2]` about the image centre.
        angle: radians, a scalar or one per pose (`[...]`, broadcast); positive turns x
            towards y, which is clockwise on the screen.

    Returns:
        The same shape, dtype and unit.
    """
    joints = tf.convert_to_tensor(joints)
    angle = tf.convert_to_tensor(angle, joints.dtype)[..., None]
    cos, sin = tf.cos(angle), tf.sin(angle)
    x, y = joints[..., 0], joints[..., 1]
    rotated = tf.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)
    return tf.concat([rotated, joints[..., 2:]], axis=-1)


def backward(clip: np.ndarray | tf.Tensor) -> tf.Tensor:
    """Reverses time: `[..., T, J, 3]` along the axis -3.

    Raises:
        InputError: if there is no axis of time.
    """
    clip = tf.convert_to_tensor(clip)
    if clip.shape.rank is None or clip.shape.rank < 3:
        raise errors.InputError(
            f"clip: expected [..., T, J, 3], got {tuple(clip.shape)}"
        )
    return tf.reverse(clip, axis=[-3])


def _fail(joints: tf.Tensor, skeleton: skeletons.Skeleton) -> None:
    raise errors.InputError(
        f"joints: expected [..., {skeleton.num_joints}, 3], got {tuple(joints.shape)}"
    )
