"""Flip, turn and centre crop of pictures ([M] 3.3), the twins of `skeleton.transforms`.

This is the one owner: other packages call it. All act about the image centre, pixel
coordinates ((W - 1) / 2, (H - 1) / 2) with pixel centres at integers. Images are stored
with a margin around the person, so that a rotation brings in real pixels; what is still
missing mirrors the border.
"""

from __future__ import annotations

import functools
import types
import warnings
from typing import TypeVar

import numpy as np
import tensorflow as tf

from sa3dhp import errors

Images = TypeVar("Images", np.ndarray, tf.Tensor)


def flip(images: Images) -> Images:
    """Mirrors images `[..., H, W, C]` left to right; any dtype.

    A NumPy array comes back as a view of itself, a tensor as a tensor.

    Raises:
        InputError: if the shape is another.
    """
    images = _checked(images)
    if isinstance(images, np.ndarray):
        return images[..., ::-1, :]
    return tf.reverse(images, axis=[-2])


def rotate_in_plane(
    images: np.ndarray | tf.Tensor, angle: float | np.ndarray | tf.Tensor
) -> tf.Tensor:
    """Rotates images about their centre; bilinear, the border mirrored.

    Args:
        images: `[..., H, W, C]`, floating point.
        angle: radians, a scalar or one per image (`[...]`, the leading axes in full);
            positive turns x towards y, which is clockwise on the screen.

    Returns:
        The same shape and dtype (computed in float32). The gradient with respect to the
        images is TensorFlow's: the warp backwards, close to the exact one.

    Raises:
        InputError: if the images are not floating point or the shape is another.
    """
    images = _checked(tf.convert_to_tensor(images))
    if not images.dtype.is_floating:
        raise errors.InputError(
            f"images: expected floating point, got {images.dtype.name}; "
            "divide by 255 before rotating"
        )
    flat = tf.reshape(tf.cast(images, tf.float32), [-1, *images.shape[-3:]])
    angle = tf.cast(tf.convert_to_tensor(angle), tf.float32)
    if angle.shape.rank != 0:  # one per image: [...] -> [N]
        angle = tf.reshape(angle, [-1])
    rotated = tf.reshape(_turned(flat, angle), tf.shape(images))
    return tf.cast(rotated, images.dtype)


def backward(clip: np.ndarray | tf.Tensor) -> tf.Tensor:
    """Reverses time: `[..., T, H, W, C]` along the axis -4; any dtype.

    Raises:
        InputError: if there is no axis of time.
    """
    clip = tf.convert_to_tensor(clip)
    if clip.shape.rank is None or clip.shape.rank < 4:
        raise errors.InputError(
            f"clip: expected [..., T, H, W, C], got {tuple(clip.shape)}"
        )
    return tf.reverse(clip, axis=[-4])


def center_crop(images: Images, size: int) -> Images:
    """Cuts the middle `size` x `size` pixels out of images `[..., H, W, C]`.

    A NumPy array comes back as a view of itself, a tensor as a tensor.

    Raises:
        InputError: if the images are smaller than `size`, or larger by an odd number of
            pixels: the crop would be off centre and no longer commute with the rules.
    """
    images = _checked(images)
    starts = []
    for extent in images.shape[-3:-1]:
        margin, odd = divmod(extent - size, 2)
        if margin < 0 or odd:
            raise errors.InputError(
                f"images: cannot cut the middle {size} x {size} out of "
                f"{tuple(images.shape)}; the stored size must be larger by an even "
                "number of pixels"
            )
        starts.append(margin)
    top, left = starts
    return images[..., top : top + size, left : left + size, :]


@tf.autograph.experimental.do_not_convert  # there is nothing to convert, slowly
def _turned(images: tf.Tensor, angle: tf.Tensor) -> tf.Tensor:
    """Turns `[N, H, W, C]` by a scalar or `[N]`, radians, clockwise on the screen."""
    return _addons().rotate(
        images,
        -angle,  # theirs is positive anticlockwise
        interpolation="bilinear",
        fill_mode="reflect",
    )


@functools.cache
def _addons() -> types.ModuleType:
    """TensorFlow Addons' image operations, imported when a picture is first turned.

    It announces the end of its development at import: nothing that users can act on.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", category=UserWarning, module="tensorflow_addons"
        )
        from tensorflow_addons import image

    return image


def _checked(images: Images) -> Images:
    """Returns an array or a tensor after checking that it ends in known `[H, W, C]`."""
    if not isinstance(images, np.ndarray):
        images = tf.convert_to_tensor(images)
    known = images.ndim if isinstance(images, np.ndarray) else images.shape.rank
    shape = "an unknown shape" if known is None else tuple(images.shape)
    if known is None or known < 3:
        raise errors.InputError(f"images: expected [..., H, W, C], got {shape}")
    if None in tuple(images.shape[-3:]):
        raise errors.InputError(
            f"images: H, W and C must be known, got {shape}; use tf.ensure_shape"
        )
    return images
