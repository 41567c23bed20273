"""The unpaired set as latents: relation networks never look at a pose ([M] 3.3.2).

Anchors and partners go through the frozen encoders once; training then draws from the
latents, which is ten times as fast as encoding each batch.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from sa3dhp.skeleton import kinematics
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.relation_distillation import non_localness, rules

Encoder = Callable[[tf.Tensor], tf.Tensor]
Batches = Callable[[int], Iterator]
_CHUNK = 256  # clips encoded at once
_STREAM = 11  # tells these draws from those of other uses of the seed


def encode(
    rule: rules.Rule,
    clips: np.ndarray,
    skeleton: skeletons.Skeleton,
    encode_pose: Encoder,
    encode_motion: Encoder,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the latents of all anchors and of their partners.

    Args:
        rule: says how a partner is made.
        clips: motion rules: `[N, rule.clip_length, J, 3]`; pose rules: `[N, J, 3]`; mm,
            camera frame, root-relative.
        skeleton: of the clips.
        encode_pose: local vectors `[M, J, 3]` -> z `[M, D]`.
        encode_motion: z `[B, 30, D]` -> v `[B, D']`; for motion rules.

    Returns:
        Anchors and partners, `[N, D]` each: z of a pose rule, v of a motion rule.
    """

    @tf.function(reduce_retracing=True)
    def latent(joints: tf.Tensor) -> tf.Tensor:
        local = kinematics.to_local(joints, skeleton)
        z = encode_pose(tf.reshape(local, [-1, skeleton.num_joints, 3]))
        if rule.space == "pose":
            return z
        frames = len(rule.anchor_frames)
        return encode_motion(tf.reshape(z, [-1, frames, z.shape[-1]]))

    latents: tuple[list, list] = ([], [])
    for start in range(0, len(clips), _CHUNK):
        chunk = tf.constant(clips[start : start + _CHUNK], tf.float32)
        for side, joints in zip(latents, rule.pair_joints(chunk, skeleton)):
            side.append(latent(joints).numpy())
    anchors, partners = map(np.concatenate, latents)
    return anchors, partners


def batches(
    anchors: np.ndarray, partners: np.ndarray, *, seed: int, batch_size: int
) -> Batches:
    """Returns random pairs, `[B, D]` twice, as a function of (seed, step)."""

    def start_at(start: int) -> Iterator:
        for step in itertools.count(start):
            rng = np.random.default_rng([seed, _STREAM, step])
            chosen = rng.integers(len(anchors), size=batch_size)
            yield anchors[chosen], partners[chosen]

    return start_at


def measure(
    rule: rules.Rule,
    transform: Encoder,
    clips: np.ndarray,
    skeleton: skeletons.Skeleton,
    bone_lengths: np.ndarray,
    *,
    encode_pose: Encoder,
    encode_motion: Encoder,
    decode: Encoder,
) -> Callable[[], dict[str, float]]:
    """Returns a function that tells how well a relation network knows its rule.

    The clips, which it should not have trained on, are encoded here, once.

    Args:
        rule: what the network stands for.
        transform: T, an anchor's latents to its partner's.
        clips: as in `encode`.
        skeleton: of the clips.
        bone_lengths: `[J]`, mm, of decoded poses; root 0.
        encode_pose: as in `encode`.
        encode_motion: as in `encode`.
        decode: z or v, as the rule has it, to local vectors `[..., J, 3]`.

    Returns:
        A function to these, for the network as it is when called:
        `non_localness`: mean ||z - z+||, what the network has to bridge;
        `residual`: mean ||T(z) - z+||;
        `decoded_mm`: mean distance between the joints of T(z) and the partner's;
        `reconstructed_mm`: the same of z+ itself, the best that T could reach.
    """
    anchor, partner = encode(rule, clips, skeleton, encode_pose, encode_motion)
    target = rule.pair_joints(tf.constant(clips, tf.float32), skeleton)[1]
    target = kinematics.to_local(target, skeleton)
    target = kinematics.from_local(target, skeleton, bone_lengths)

    def distance(latent: tf.Tensor) -> float:
        joints = kinematics.from_local(decode(latent), skeleton, bone_lengths)
        off = tf.reshape(joints, tf.shape(target)) - target
        return float(tf.reduce_mean(tf.norm(off, axis=-1)))

    anchor, partner = tf.constant(anchor), tf.constant(partner)
    fixed = {
        "non_localness": float(non_localness.latent_distance(anchor, partner)),
        "reconstructed_mm": distance(partner),
    }

    def measured() -> dict[str, float]:
        pred = transform(anchor)
        residual = float(non_localness.latent_distance(pred, partner))
        return {**fixed, "residual": residual, "decoded_mm": distance(pred)}

    return measured
