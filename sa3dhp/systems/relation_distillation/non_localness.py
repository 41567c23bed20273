"""How far a rule reaches: the latent distance between anchors and partners ([M] 3.3.3).

The encoders are handed in as callables, so that this needs no network.
"""

from __future__ import annotations

from typing import Callable

import tensorflow as tf

from sa3dhp import errors
from sa3dhp.skeleton import kinematics
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.relation_distillation import rules


def latent_distance(latent: tf.Tensor, partner: tf.Tensor) -> tf.Tensor:
    """Returns d = mean ||z - z+|| over all pairs ([M] 3.3.3).

    Args:
        latent: `[..., D]`, latents of the anchors.
        partner: `[..., D]`, latents of their partners.

    Returns:
        Scalar float32.

    Raises:
        InputError: if the shapes differ.
    """
    latent = tf.cast(tf.convert_to_tensor(latent), tf.float32)
    partner = tf.cast(tf.convert_to_tensor(partner), tf.float32)
    if not latent.shape.is_compatible_with(partner.shape):
        raise errors.InputError(
            f"latents: anchors {tuple(latent.shape)} and partners "
            f"{tuple(partner.shape)} differ"
        )
    return tf.reduce_mean(tf.norm(latent - partner, axis=-1))


def of_rule(
    rule: rules.Rule,
    poses: tf.Tensor,
    skeleton: skeletons.Skeleton,
    encode_pose: Callable[[tf.Tensor], tf.Tensor],
    encode_motion: Callable[[tf.Tensor], tf.Tensor] | None = None,
) -> tf.Tensor:
    """Returns the latent distance of a rule over unpaired poses or clips.

    Args:
        rule: any rule, composed ones included.
        poses: pose rules: `[N, J, 3]`; motion rules: `[N, rule.clip_length, J, 3]`; mm,
            camera frame, root-relative.
        skeleton: gives `J`.
        encode_pose: local vectors `[M, J, 3]` -> z `[M, D]`.
        encode_motion: z `[N, 30, D]` -> v `[N, D']`; needed by motion rules.

    Returns:
        Scalar float32.

    Raises:
        InputError: if a motion rule comes without `encode_motion`.
    """
    if rule.space == "motion" and encode_motion is None:
        raise errors.InputError(f"rule {rule.id}: a motion rule needs encode_motion")

    def encode(joints: tf.Tensor) -> tf.Tensor:
        local = kinematics.to_local(joints, skeleton)
        flat = tf.reshape(local, [-1, skeleton.num_joints, 3])
        latent = encode_pose(flat)
        if rule.space == "pose":
            return latent
        frames = [-1, len(rule.anchor_frames), latent.shape[-1]]
        return encode_motion(tf.reshape(latent, frames))

    anchor, partner = rule.pair_joints(poses, skeleton)
    return latent_distance(encode(anchor), encode(partner))
