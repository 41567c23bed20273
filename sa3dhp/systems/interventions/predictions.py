"""What an estimator says of pictures, in millimetres, and pictures of what g makes."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from sa3dhp.data import labelled
from sa3dhp.evaluation import poses as poses_
from sa3dhp.models import integral
from sa3dhp.systems.interventions import generator, sources, vae
from sa3dhp.visualisation import grids

_BATCH = 64


def see(
    network: integral.IntegralRegressor,
    images: labelled.Images,
    count: int,
    limbs: sources.Limbs,
) -> np.ndarray:
    """Returns the poses in pictures, `[N, P, 3]`, mm, relative to the pelvis.

    Args:
        network: f and h.
        images: from row numbers to pictures uint8.
        count: N.
        limbs: what gives the poses their size.
    """
    parts = []
    for start in range(0, count, _BATCH):
        found = read(network, images(np.arange(start, min(start + _BATCH, count))))
        parts.append(in_mm(tf.constant(found), limbs).numpy())
    return np.concatenate(parts).astype(np.float64)


def named(joints: np.ndarray, labels: Mapping, source: str) -> poses_.Poses:
    """Returns what `see` gives as predictions with the labels of their truth."""
    name = sources.SKELETON.id
    return poses_.Poses(joints, name, labels=dict(labels), source=source)


def read(network: integral.IntegralRegressor, images: np.ndarray) -> np.ndarray:
    """Returns the poses in pictures uint8, `[N, P, 3]`, half sides."""
    parts = []
    for start in range(0, len(images), _BATCH):
        shown = tf.constant(images[start : start + _BATCH], tf.float32) / 255.0
        parts.append(network(shown, training=False).numpy())
    return np.concatenate(parts)


def difference(
    network: integral.IntegralRegressor,
    pictures: labelled.Pictures,
    through: tuple[vae.Encoder, vae.Decoder] | None = None,
) -> float:
    """Returns the mean absolute error of what is read in pictures, half sides.

    Args:
        network: f and h.
        pictures: with 2D and 3D labels.
        through: E and M, which the pictures pass through first.
    """
    images = pictures.images(np.arange(len(pictures)))
    known = sources.poses_of(pictures, images.shape[1])
    if through is not None:
        images = decoded(*through, images)
    return float(np.nanmean(np.abs(read(network, images) - known)))


def decoded(
    encoder: vae.Encoder, decoder: vae.Decoder, images: np.ndarray
) -> np.ndarray:
    """Returns what E and M make of pictures uint8, `[N, S, S, 3]`, uint8."""
    parts = []
    for start in range(0, len(images), _BATCH):
        pixels = tf.constant(images[start : start + _BATCH], tf.float32) / 255.0
        parts.append(shown(decoder, encoder.features(pixels).numpy()))
    return np.concatenate(parts)


def in_mm(poses: tf.Tensor, limbs: sources.Limbs) -> tf.Tensor:
    """Returns poses relative to the pelvis, with limbs of a given mean length.

    Args:
        poses: `[B, P, 3]`, half sides of the picture, whose scale is not known.
        limbs: their mean length, and of which; what never had a label says nothing.
    """
    skeleton = sources.SKELETON
    poses -= poses[:, skeleton.root : skeleton.root + 1]
    ends = [limb for limb in skeleton.limbs if _name(limb[1]) in limbs.ends]
    parents, children = (list(ends) for ends in zip(*ends))
    along = tf.gather(poses, children, axis=1) - tf.gather(poses, parents, axis=1)
    length = tf.reduce_mean(tf.norm(along, axis=-1), axis=-1)[:, None, None]
    return poses * (limbs.mm / tf.maximum(length, 1e-6))


def _name(joint: int) -> str:
    return sources.SKELETON.joint_names[joint]


def features(
    made_by: generator.Generator, poses: np.ndarray, noises: int, seed: int
) -> np.ndarray:
    """Returns g's features of each pose under the same noises, `[N, K, code_size]`.

    Args:
        made_by: g.
        poses: `[N, P, 3]`, half sides; what is not known is taken for 0.
        noises: K.
        seed: of the noises.
    """
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(noises, made_by.noise_size)).astype(np.float32)
    many = np.repeat(np.nan_to_num(poses), noises, axis=0)
    made = made_by(many, np.tile(noise, (len(poses), 1)), training=False)
    return made.numpy().reshape(len(poses), noises, -1)


def shown(decoder: vae.Decoder, codes: np.ndarray) -> np.ndarray:
    """Returns M's pictures of codes `[N, code_size]`, uint8 `[N, S, S, 3]`."""
    pixels = decoder(tf.constant(codes), training=False).numpy()
    return np.round(255 * np.clip(pixels, 0, 1)).astype(np.uint8)


def counterfactual(
    made_by: generator.Generator,
    decoder: vae.Decoder,
    poses: np.ndarray,
    noises: int,
    seed: int,
) -> np.ndarray:
    """Returns pictures of each pose under the same noises, uint8 `[N, K, S, S, 3]`."""
    codes = features(made_by, poses, noises, seed)
    images = shown(decoder, codes.reshape(-1, codes.shape[-1]))
    return images.reshape(*codes.shape[:2], *images.shape[1:])


def draw(path: str | os.PathLike, rows: np.ndarray) -> None:
    """Writes a sheet of pictures `[N, K, S, S, 3]`, N rows of K."""
    shown = list(rows.reshape(-1, *rows.shape[2:]))
    grids.save(pathlib.Path(path), grids.grid(shown, columns=rows.shape[1]))
