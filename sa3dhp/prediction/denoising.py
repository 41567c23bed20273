"""Poses over time as the motion auto-encoder knows motions (`--smooth=motion`).

What E_m cannot hold of a second of motion is for the greater part tremble. On the
embedded world this is nearer to the truth than any filter, and as calm as the truth
(`tools/reproduce.py --table=smoothing`); on motions unlike those that it was trained
on it takes away what was right, too.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from sa3dhp.models import motion_autoencoder, pose_prior
from sa3dhp.prediction import smoothing

FPS = 30.0  # of the motions that E_m was trained on
LENGTH = motion_autoencoder.NUM_FRAMES
HOP = 5  # frames from one window to the next
_BATCH = 256  # windows at once


def track(joints: np.ndarray, fps: float, prior: pose_prior.MotionPrior) -> np.ndarray:
    """Returns the poses of one person, denoised, or filtered where there are few.

    Args:
        joints: `[T, J, 3]`, mm, of neighbouring frames.
        fps: frames per second.
        prior: E_m and D_m; other rates are brought to theirs and back.

    Returns:
        `[T, J, 3]` float32; limbs are as long as their median in `joints`. Below a
        second, which E_m needs, what `smoothing.zero_lag` returns.
    """
    skeleton = prior.pose.skeleton
    given = np.arange(len(joints)) / fps
    # From the first frame to the last, as nearly at the rate as that allows; seconds.
    there = np.linspace(0, given[-1], round(given[-1] * FPS) + 1)
    if len(there) < LENGTH:
        return smoothing.zero_lag(joints, fps, skeleton)
    clip = _at(joints, given, there)[None]
    back = _at(denoise(clip, prior)[0], there, given)
    return smoothing.with_lengths_of(back, joints, skeleton)


def denoise(
    clips: np.ndarray, prior: pose_prior.MotionPrior, hop: int = HOP
) -> np.ndarray:
    """Returns clips as the motion auto-encoder gives them back.

    Every frame is the mean of the latents that the windows about it give it, each
    weighed by how near its middle the frame is: a window knows its ends least.

    Args:
        clips: `[N, T, J, 3]`, mm, T of 30 frames or more, 30 fps.
        prior: E_m and D_m.
        hop: frames from one window to the next.

    Returns:
        `[N, T, J, 3]`, mm, with the limbs of the prior.
    """
    count, frames = clips.shape[:2]
    latents = prior.latents(tf.constant(clips, tf.float32))  # [N, T, D]
    starts = np.unique([*range(0, frames - LENGTH, hop), frames - LENGTH])
    near = (np.minimum(np.arange(LENGTH), np.arange(LENGTH)[::-1]) + 1.0)[:, None]
    windows = tf.stack([latents[:, at : at + LENGTH] for at in starts], axis=1)
    windows = tf.reshape(windows, [-1, LENGTH, latents.shape[-1]])  # [N W, 30, D]
    parts = [windows[i : i + _BATCH] for i in range(0, len(windows), _BATCH)]
    seen = np.concatenate([prior.decoder(prior.encoder(part)) for part in parts])
    seen = seen.reshape(count, len(starts), LENGTH, -1)
    total, weight = np.zeros(latents.shape), np.zeros((frames, 1))
    for number, at in enumerate(starts):
        total[:, at : at + LENGTH] += near * seen[:, number]
        weight[at : at + LENGTH] += near
    mean = tf.constant(total / weight, tf.float32)
    return prior.joints(mean).numpy().reshape(count, *clips.shape[1:])


def _at(joints: np.ndarray, given: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Poses `[T, J, 3]` at other times, between their neighbours; seconds."""
    flat = joints.reshape(len(joints), -1)
    columns = [np.interp(wanted, given, column) for column in flat.T]
    return np.stack(columns, axis=1).reshape(-1, *joints.shape[1:])
