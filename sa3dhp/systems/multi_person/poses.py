"""Canonical poses, of joint limits or of motion capture ([P] 3.1.1)."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from sa3dhp.skeleton import kinematics, limits
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.multi_person import canonical

SKELETON = skeletons.SA3DHP17
# R of somebody who stands upright and looks into the camera: x of the canonical frame,
# out of the chest, points to the camera, and y down.
UPRIGHT = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])


def artificial(
    rng: np.random.Generator, count: int, bone_lengths: np.ndarray
) -> np.ndarray:
    """Returns poses of independent random joint angles within limits (Psi_arti).

    Args:
        rng: the source of randomness.
        count: N.
        bone_lengths: `[17]`, mm.

    Returns:
        Canonical poses `[N, 17, 3]`, mm, float32.
    """
    local = tf.constant(limits.sample(rng, count, SKELETON))
    return captured(kinematics.from_local(local, SKELETON, bone_lengths).numpy())


def sized(joints: np.ndarray, bone_lengths: np.ndarray) -> np.ndarray:
    """Returns the poses of joints `[N, 17, 3]`, mm, with other bones, `[17]`, mm."""
    local = kinematics.to_local(tf.constant(joints, tf.float32), SKELETON)
    return kinematics.from_local(local, SKELETON, bone_lengths).numpy()


def captured(joints: np.ndarray) -> np.ndarray:
    """Returns the canonical poses of joints `[N, 17, 3]`, mm (Psi_mocap)."""
    joints = joints - joints[:, SKELETON.root, None]
    return canonical.split(tf.constant(joints, tf.float32), SKELETON)[0].numpy()
