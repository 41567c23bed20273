"""A second look at each person, for H' ([P] suppl., Fig. 6): a turned, longer lens.

What stage 1 sees of a person is taken as a detection. A camera in the same place is
turned to the person, so that its picture is a crop, and has a lens so long that they
fill it. Its pictures are exact: projective warps of the whole one, and the person is
turned back afterwards. Turning and lens are ours [D]; [P] says "cropped".
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import tensorflow as tf

from sa3dhp.systems.multi_person import camera as cameras

_MARGIN = 1.25  # sides of the box around all joints, that a crop shows [D]
_SMALLEST = 0.1  # sides of the picture, the least crop [D]
_LEAST_MM, _MOST_MM = 500.0, 3500.0  # what a crop shows at the person's distance [D]
_FAR_MM = 1e4
_UPRIGHT = (0.0, 1.0, 0.0)  # down in every picture


class Look(NamedTuple):
    """A camera turned to somebody.

    Attributes:
        turn: `[..., 3, 3]`, its axes as columns, in the fixed camera.
        zoom: `[...]`, its focal length, times that of the fixed camera.
    """

    turn: tf.Tensor
    zoom: tf.Tensor


def camera_of(fixed: cameras.Camera) -> cameras.Camera:
    """Returns the camera of H': distances are those that a crop's size leaves."""
    near, far = fixed.focal * _LEAST_MM, fixed.focal * _MOST_MM
    return dataclasses.replace(fixed, near=near, far=far)


def towards(
    points: tf.Tensor,
    camera: cameras.Camera,
    shift: tf.Tensor | float = 0.0,
    scale: tf.Tensor | float = 1.0,
) -> Look:
    """Returns the looks at some people.

    Args:
        points: `[..., J, 2]`, pixels; NaN where not known, at least one is.
        camera: the fixed one.
        shift: `[..., 2]`, of the middle, sides of the crop.
        scale: `[...]`, of the crop's sides.
    """
    points = tf.convert_to_tensor(points)
    known = tf.math.is_finite(points)
    low = tf.reduce_min(tf.where(known, points, points.dtype.max), axis=-2)
    high = tf.reduce_max(tf.where(known, points, points.dtype.min), axis=-2)
    side = tf.reduce_max(high - low, axis=-1) * _MARGIN
    side = tf.maximum(side, _SMALLEST * camera.size) * scale
    ahead = _rays((low + high) / 2 + shift * side[..., None], camera)
    ahead /= tf.norm(ahead, axis=-1, keepdims=True)
    right = tf.linalg.cross(tf.zeros_like(ahead) + _UPRIGHT, ahead)
    right /= tf.norm(right, axis=-1, keepdims=True)
    turn = tf.stack([right, tf.linalg.cross(ahead, right), ahead], axis=-1)
    return Look(turn, camera.size / side)


def moved(points: tf.Tensor, look: Look, camera: cameras.Camera) -> tf.Tensor:
    """Returns where points of the whole picture, `[..., J, 2]`, are in the crop."""
    far = _FAR_MM * _rays(points, camera)  # any distance in front of both cameras
    return camera.projected(far @ look.turn, look.zoom)


def into(joints: tf.Tensor, look: Look) -> tf.Tensor:
    """Returns joints `[..., J, 3]`, mm, fixed camera, in the turned one."""
    return joints @ look.turn


def back(joints: tf.Tensor, look: Look) -> tf.Tensor:
    """Returns joints `[..., J, 3]`, mm, turned camera, in the fixed one."""
    return tf.matmul(joints, look.turn, transpose_b=True)


def crops(images: tf.Tensor, look: Look, camera: cameras.Camera) -> tf.Tensor:
    """Returns what the turned cameras see, `[K, S, S, 3]`; black outside.

    Args:
        images: `[K, S, S, 3]`, one of each look.
        look: `[K]` looks.
        camera: the fixed one.
    """
    focal = camera.focal * camera.size
    wide = tf.constant(
        [[focal, 0, camera.middle], [0, focal, camera.middle], [0, 0, 1.0]]
    )
    short = 1.0 / (focal * look.zoom)
    zero, one = tf.zeros_like(short), tf.ones_like(short)
    middle = -camera.middle * short
    rays = tf.stack(  # of a pixel of the crop
        [
            tf.stack([short, zero, middle], axis=-1),
            tf.stack([zero, short, middle], axis=-1),
            tf.stack([zero, zero, one], axis=-1),
        ],
        axis=-2,
    )
    warp = tf.reshape(wide @ look.turn @ rays, [-1, 9])
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=warp[:, :8] / warp[:, 8:],
        output_shape=[camera.size, camera.size],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _rays(points: tf.Tensor, camera: cameras.Camera) -> tf.Tensor:
    """`[..., 3]`, from the camera through pixels, 1 along its axis."""
    across = (points - camera.middle) / (camera.focal * camera.size)
    return tf.concat([across, tf.ones_like(across[..., :1])], axis=-1)
