"""What an estimator says of pictures, in millimetres, and pictures of what g makes."""

from __future__ import annotations

import os
import pathlib

import numpy as np
import tensorflow as tf

from sa3dhp.data import labelled
from sa3dhp.models import integral
from sa3dhp.systems.interventions import generator, sources, vae
from sa3dhp.visualisation import grids

_BATCH = 64


def see(
    network: integral.IntegralRegressor, pictures: labelled.Pictures, limb_mm: float
) -> np.ndarray:
    """Returns the poses in pictures, `[N, P, 3]`, mm, relative to the pelvis."""
    parts = []
    for start in range(0, len(pictures), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(pictures)))
        shown = tf.constant(pictures.images(rows), tf.float32) / 255.0
        parts.append(in_mm(network(shown, training=False), limb_mm).numpy())
    return np.concatenate(parts).astype(np.float64)


def in_mm(poses: tf.Tensor, limb_mm: float) -> tf.Tensor:
    """Returns poses relative to the pelvis, with limbs of a given mean length.

    Args:
        poses: `[B, P, 3]`, half sides of the picture, whose scale is not known.
        limb_mm: mean length of a limb.
    """
    skeleton = sources.SKELETON
    poses -= poses[:, skeleton.root, None]
    parents, children = (list(ends) for ends in zip(*skeleton.limbs))
    limbs = tf.gather(poses, children, axis=1) - tf.gather(poses, parents, axis=1)
    length = tf.reduce_mean(tf.norm(limbs, axis=-1), axis=-1)[:, None, None]
    return poses * (limb_mm / tf.maximum(length, 1e-6))


def counterfactual(
    made_by: generator.Generator,
    decoder: vae.Decoder,
    poses: np.ndarray,
    noises: int,
    seed: int,
) -> np.ndarray:
    """Returns pictures of each pose under the same noises, uint8 `[N, K, S, S, 3]`."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(noises, made_by.noise_size)).astype(np.float32)
    many = np.repeat(np.nan_to_num(poses), noises, axis=0)
    features = made_by(many, np.tile(noise, (len(poses), 1)), training=False)
    shown = np.clip(decoder(features, training=False).numpy(), 0, 1)
    side = decoder.image_size
    return np.round(255 * shown).astype(np.uint8).reshape(-1, noises, side, side, 3)


def draw(path: str | os.PathLike, rows: np.ndarray) -> None:
    """Writes a sheet of pictures `[N, K, S, S, 3]`, N rows of K."""
    shown = list(rows.reshape(-1, *rows.shape[2:]))
    grids.save(pathlib.Path(path), grids.grid(shown, columns=rows.shape[1]))
