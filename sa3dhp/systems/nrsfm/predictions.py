"""What the networks say of a set of projections: arrays, a file, a picture."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from sa3dhp import files
from sa3dhp.models import integral
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.nrsfm import sources
from sa3dhp.visualisation import skeleton_plot

_BATCH = 64
_SHOWN = 10  # shapes in a picture
_LIMB = 250.0  # mm, mean length of limbs as drawn: neither side has a unit


def see(network: integral.IntegralRegressor, side: sources.Projections) -> np.ndarray:
    """Returns what a student finds in the pictures, `[N, P, 3]`, half sides."""
    return _of_pictures(network, side).astype(np.float64)


def features(
    network: integral.IntegralRegressor, side: sources.Projections
) -> np.ndarray:
    """Returns f of the pictures, `[N, S / 16, S / 16, 1024]`, float16."""
    run = tf.function(network.features, autograph=False)
    return _of_pictures(run, side, np.float16)


def _of_pictures(
    run: Callable, side: sources.Projections, kind: type = np.float32
) -> np.ndarray:
    assert side.images is not None
    parts = []
    for start in range(0, len(side), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(side)))
        pixels = tf.constant(side.images(rows), tf.float32) / 255.0
        parts.append(run(pixels, training=False).numpy().astype(kind))
    return np.concatenate(parts)


def write(
    path: str | os.PathLike, side: sources.Projections, joints: np.ndarray
) -> None:
    """Writes lifted points: `joints [N, P, 3]`, `points`, and what else is known.

    With a skeleton it is a file that `tools/evaluate.py --predictions` reads.
    """
    arrays = {
        "joints": joints.astype(np.float32),
        "points": side.points.astype(np.float32),
        "subject": side.subjects,
        "sequence": side.sequences,
        "target_information": np.array("G"),
    }
    if side.skeleton:
        arrays["skeleton"] = np.array(side.skeleton)
    with files.atomic(path) as temporary:
        np.savez_compressed(temporary, **arrays)


def draw(
    path: str | os.PathLike, side: sources.Projections, joints: np.ndarray
) -> None:
    """Writes a picture of ten shapes from the front and the side, beside the truth.

    Args:
        path: of a PNG.
        side: what was lifted; has a skeleton.
        joints: `[N, P, 3]`.
    """
    skeleton = skeletons.get(side.skeleton)
    shown = {"lifted": joints} | ({} if side.truth is None else {"truth": side.truth})
    sized = {label: _sized(shapes, skeleton) for label, shapes in shown.items()}
    figure = skeleton_plot.comparison(sized, skeleton, num_frames=_SHOWN)
    with files.atomic(path) as temporary:
        temporary.write_bytes(skeleton_plot.to_png(figure))


def _sized(joints: np.ndarray, skeleton: skeletons.Skeleton) -> np.ndarray:
    """Shapes whose limbs are as long on average."""
    parents, children = (list(ends) for ends in zip(*skeleton.limbs))
    limbs = np.linalg.norm(joints[:, parents] - joints[:, children], axis=-1)
    return joints * (_LIMB / limbs.mean(axis=1))[:, None, None]
