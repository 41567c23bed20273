"""Predictions that cost several looks at a picture, and no training at all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from sa3dhp.geometry import pictures
from sa3dhp.models import mirrored, pose_model
from sa3dhp.skeleton import transforms

ANGLES_DEG = (-25.0, 0.0, 25.0)
_CHUNK = 240  # pictures turned at once


def flip_average(model: pose_model.PoseModel, images: np.ndarray) -> np.ndarray:
    """Returns the mean of what a model says of pictures and of their mirror images.

    Args:
        model: images to joints.
        images: uint8 `[N, S, S, 3]`, at the stored size.

    Returns:
        `[N, 17, 3]`, mm, camera frame, root-relative.
    """
    return mirrored.Mirrored(model).predict(images)


def rotation_average(
    model: pose_model.PoseModel,
    images: np.ndarray,
    angles_deg: Sequence[float] = ANGLES_DEG,
) -> np.ndarray:
    """Returns the mean over turned pictures, each answer turned back; see above."""
    total = np.zeros((), np.float64)
    for angle in np.deg2rad(angles_deg):
        parts = []
        for start in range(0, len(images), _CHUNK):
            chunk = tf.constant(images[start : start + _CHUNK], tf.float32)
            turned = tf.round(pictures.rotate_in_plane(chunk, angle))
            joints = model.predict(tf.cast(turned, tf.uint8).numpy())
            parts.append(transforms.rotate_in_plane(joints, -angle).numpy())
        total = total + np.concatenate(parts)
    return total / len(angles_deg)
