"""Anchors and partners as latents: relation networks never see a pose ([M] 3.3.2).

Pairs go through the frozen encoders once; training then draws from the latents, which
is ten times as fast as encoding each batch. How far apart the two sides lie is the
rule's non-localness ([M] 3.3.3).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.data import pipeline
from sa3dhp.models import pose_prior
from sa3dhp.systems.relation_distillation import rules

_CHUNK = 256  # clips encoded at once


def latent_distance(latent: tf.Tensor, partner: tf.Tensor) -> tf.Tensor:
    """Returns d = mean ||z - z+|| over all pairs, the non-localness ([M] 3.3.3).

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


def encode(
    rule: rules.Rule, clips: np.ndarray, prior: pose_prior.Prior
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the latents of all anchors and of their partners.

    Args:
        rule: says how a partner is made.
        clips: motion rules: `[N, rule.clip_length, J, 3]`; pose rules: `[N, J, 3]`; mm,
            camera frame, root-relative.
        prior: of poses or of motions, as the rule has it.

    Returns:
        Anchors and partners, `[N, D]` each: z of a pose rule, v of a motion rule.
    """
    latent = tf.function(prior.encode, reduce_retracing=True, autograph=False)
    skeleton = prior.pose.skeleton
    latents: tuple[list, list] = ([], [])
    for start in range(0, len(clips), _CHUNK):
        chunk = tf.constant(clips[start : start + _CHUNK], tf.float32)
        for side, joints in zip(latents, rule.pair_joints(chunk, skeleton)):
            side.append(latent(joints).numpy())
    anchors, partners = map(np.concatenate, latents)
    return anchors, partners


def batches(
    anchors: np.ndarray, partners: np.ndarray, *, seed: int, batch_size: int
) -> pipeline.Batches:
    """Returns random pairs, `[B, D]` twice, as a function of (seed, step)."""

    def start_at(start: int) -> Iterator:
        for step in itertools.count(start):
            rng = pipeline.rng(seed, "latent_pairs", step)
            chosen = rng.integers(len(anchors), size=batch_size)
            yield anchors[chosen], partners[chosen]

    return start_at


def measure(
    rule: rules.Rule,
    transform: Callable[[tf.Tensor], tf.Tensor],
    clips: np.ndarray,
    prior: pose_prior.Prior,
) -> Callable[[], dict[str, float]]:
    """Returns a function that tells how well a relation network knows its rule.

    The clips, which it should not have trained on, are encoded here, once.

    Args:
        rule: what the network stands for.
        transform: T, an anchor's latents to its partner's.
        clips: as in `encode`.
        prior: as in `encode`.

    Returns:
        A function to these, for the network as it is when called:
        `non_localness`: mean ||z - z+||, what the network has to bridge;
        `residual`: mean ||T(z) - z+||;
        `decoded_mm`: mean distance between the joints of T(z) and the partner's, but
        for the root, which never moves;
        `reconstructed_mm`: the same of z+ itself, the best that T could reach.
    """
    pose = prior.pose
    anchors, partners = map(tf.constant, encode(rule, clips, prior))
    target = rule.pair_joints(tf.constant(clips, tf.float32), pose.skeleton)[1]
    target = pose.with_these_bones(target)
    moving = [i for i in range(pose.skeleton.num_joints) if i != pose.skeleton.root]
    decode = tf.function(prior.decode, autograph=False)  # it is asked at every log

    def distance(latent: tf.Tensor) -> float:
        off = tf.norm(decode(latent) - target, axis=-1)  # [..., J]
        return float(tf.reduce_mean(tf.gather(off, moving, axis=-1)))

    fixed = {
        "non_localness": float(latent_distance(anchors, partners)),
        "reconstructed_mm": distance(partners),
    }

    def measured() -> dict[str, float]:
        pred = transform(anchors)
        residual = float(latent_distance(pred, partners))
        return {**fixed, "residual": residual, "decoded_mm": distance(pred)}

    return measured
