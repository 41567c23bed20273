"""What the networks say of a set of projections, as arrays and as a file."""

from __future__ import annotations

import os

import numpy as np
import tensorflow as tf

from sa3dhp import files
from sa3dhp.systems.nrsfm import sources
from sa3dhp.systems.nrsfm import student as students

_BATCH = 64


def see(network: students.Student, side: sources.Projections) -> np.ndarray:
    """Returns what a student finds in the pictures, `[N, P, 3]`, half sides."""
    assert side.images is not None
    parts = []
    for start in range(0, len(side), _BATCH):
        rows = np.arange(start, min(start + _BATCH, len(side)))
        pixels = tf.constant(side.images(rows), tf.float32) / 255.0
        parts.append(_seen(network, pixels).numpy())
    return np.concatenate(parts).astype(np.float64)


def _seen(network: students.Student, pixels: tf.Tensor) -> tf.Tensor:
    return network(pixels, training=False)


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
