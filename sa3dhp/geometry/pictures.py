"""The rules' transformations of images ([M] 3.3), the twins of `relations/pose.py`.

All act about the image centre, pixel coordinates ((W - 1) / 2, (H - 1) / 2) with pixel
centres at integers. Images are stored with a margin around the person, so that a
rotation brings in real pixels; what is still missing mirrors the border.
"""

from __future__ import annotations

import tensorflow as tf

from sa3dhp import errors


def flip(images: tf.Tensor) -> tf.Tensor:
    """Mirrors images `[..., H, W, C]` left to right; any dtype."""
    return tf.reverse(_checked(images), axis=[-2])


def rotate_in_plane(images: tf.Tensor, angle: float | tf.Tensor) -> tf.Tensor:
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
    images = _checked(images)
    if not images.dtype.is_floating:
        raise errors.InputError(
            f"images: expected floating point, got {images.dtype.name}; "
            "divide by 255 before rotating"
        )
    height, width, channels = images.shape[-3:]
    flat = tf.reshape(tf.cast(images, tf.float32), [-1, height, width, channels])
    rotated = tf.raw_ops.ImageProjectiveTransformV3(
        images=flat,
        transforms=_pull(
            tf.cast(tf.convert_to_tensor(angle), tf.float32), height, width
        ),
        output_shape=[height, width],
        interpolation="BILINEAR",
        fill_mode="REFLECT",
        fill_value=0.0,
    )
    return tf.cast(tf.reshape(rotated, tf.shape(images)), images.dtype)


def backward(clip: tf.Tensor) -> tf.Tensor:
    """Reverses time: `[..., T, H, W, C]` along the axis -4."""
    clip = tf.convert_to_tensor(clip)
    if clip.shape.rank is None or clip.shape.rank < 4:
        raise errors.InputError(
            f"clip: expected [..., T, H, W, C], got {tuple(clip.shape)}"
        )
    return tf.reverse(clip, axis=[-4])


def center_crop(images: tf.Tensor, size: int) -> tf.Tensor:
    """Cuts the middle `size` x `size` pixels out of images `[..., H, W, C]`.

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


def _pull(angle: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Returns `[N, 8]` projective transforms from output to input pixels."""
    angle = tf.reshape(angle, [-1])
    cos, sin = tf.cos(angle), tf.sin(angle)
    x, y = (width - 1) / 2, (height - 1) / 2
    # The input pixel of output pixel o is R(-angle) (o - centre) + centre.
    rows = [cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y]
    zero = tf.zeros_like(angle)
    return tf.stack([*rows, zero, zero], axis=-1)


def _checked(images: tf.Tensor) -> tf.Tensor:
    """Returns a tensor after checking that it ends in known `[H, W, C]`."""
    images = tf.convert_to_tensor(images)
    if images.shape.rank is None or images.shape.rank < 3:
        raise errors.InputError(
            f"images: expected [..., H, W, C], got {tuple(images.shape)}"
        )
    if None in tuple(images.shape[-3:]):
        raise errors.InputError(
            f"images: H, W and C must be known, got {tuple(images.shape)}; "
            "use tf.ensure_shape"
        )
    return images
