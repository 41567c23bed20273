"""ResNet-50 up to Res-4F ([S] Fig. 1A): its weights and what it expects of pixels."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf

from sa3dhp import errors, files

LAST_LAYER = "conv4_block6_out"  # Res-4F
BLOCKS = {"res2": "conv2_block", "res3": "conv3_block", "res4": "conv4_block"}
# What `tf.keras.applications` subtracts from BGR images in [0, 255] for ResNet-50.
BGR_MEAN = np.array([103.939, 116.779, 123.68], np.float32)
_REMEDY = (
    "expected a ResNet-50 'notop' .h5 file of Keras, an .npz file of its layers by "
    "name, 'imagenet' or none"
)
# Layers of the whole ResNet-50 that a file may hold and that lie beyond Res-4F.
_BEYOND = ("conv5_", "predictions/")


def resnet50(image_size: int, weights: str | None) -> tf.keras.Model:
    """Returns ResNet-50 up to Res-4F.

    Args:
        image_size: pixels, of both sides; at least 32.
        weights: None or `none`; `imagenet`; a ResNet-50 'notop' .h5 file of Keras; or
            an .npz file with the arrays `<layer of Keras>/kernel`, `bias`, `gamma`,
            `beta`, `moving_mean` and `moving_variance` of conv1 to conv4_block6 at
            least.

    Returns:
        `[B, image_size, image_size, 3]`, see `prepared`, to
        `[B, image_size / 16, image_size / 16, 1024]`.

    Raises:
        InputError: if the image is too small or the weights cannot be had.
    """
    path = check(weights)
    try:
        network = tf.keras.applications.ResNet50(
            include_top=False,
            weights="imagenet" if weights == "imagenet" else None,
            input_shape=(image_size, image_size, 3),
        )
    except ValueError as error:  # too small an image
        raise errors.InputError(f"image_size {image_size}: {error}") from error
    except Exception as error:  # the download; Keras raises a plain Exception
        raise errors.InputError(
            f"weights: the ImageNet weights could not be fetched ({error}); give the "
            "path of a ResNet-50 'notop' .h5 or .npz file, or none to start from "
            "scratch"
        ) from error
    output = network.get_layer(LAST_LAYER).output
    backbone = tf.keras.Model(network.input, output, name="backbone")
    if path is None and weights != "imagenet":
        _silence_residuals(backbone)
    elif path is not None and path.suffix == ".npz":
        fill(backbone, path)
    elif path is not None:  # an .h5 file goes by the order of all the layers
        _load(network, path)
    return backbone


def check(weights: str | None) -> pathlib.Path | None:
    """Returns the file that weights are in, or None if they are in none.

    Args:
        weights: None, `none`, `imagenet`, or a path.

    Raises:
        InputError: if there is no such file.
    """
    if weights in (None, "none", "imagenet"):
        return None
    path = pathlib.Path(str(weights))
    if not path.is_file():
        raise errors.InputError(f"weights: no file {path}; {_REMEDY}")
    return path


def fill(backbone: tf.keras.Model, path: str | os.PathLike) -> None:
    """Fills each layer from an .npz file by name; assigns nothing unless all fits.

    Args:
        backbone: made by `resnet50`.
        path: see `weights` there; kernels may be float16. Layers beyond Res-4F are
            passed over.

    Raises:
        InputError: if the file is damaged, or arrays are missing, unknown, of another
            shape or not finite.
    """
    arrays = _read(path)
    variables = dict(_named(backbone))
    known = {name for name in arrays if name.startswith(_BEYOND)}
    for what, names in (
        ("lacks", set(variables) - set(arrays)),
        ("has unknown", set(arrays) - set(variables) - known),
    ):
        if names:
            raise errors.InputError(
                f"weights: {path} {what} {len(names)} arrays "
                f"({_listed(sorted(names))}); {_REMEDY}"
            )
    for name, variable in variables.items():
        array = arrays[name]
        if array.shape != tuple(variable.shape):
            raise errors.InputError(
                f"weights: {path}: {name}: got {array.shape}, expected "
                f"{tuple(variable.shape)}; {_REMEDY}"
            )
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise errors.InputError(
                f"weights: {path}: {name}: got {array.dtype} with values that are no "
                f"finite floating-point numbers; {_REMEDY}"
            )
    for name, variable in variables.items():
        variable.assign(arrays[name].astype(np.float32))


def end_of(network: tf.keras.Model, block: str) -> tf.Tensor:
    """Returns what a block of a ResNet ends in, such as `conv3_block`, symbolically."""
    names = [x.name for x in network.layers if x.name.startswith(block)]
    return network.get_layer(names[-1]).output


def up_to(network: tf.keras.Model, block: str) -> list[tf.Variable]:
    """Returns the trainable variables of all layers up to the end of a block.

    Args:
        network: made by `resnet50`.
        block: `res2`, `res3` or `res4`; `nothing` for none of them.

    Raises:
        InputError: if there is no such block.
    """
    names = ["nothing", *BLOCKS]
    if block not in names:
        raise errors.InputError(f"block: expected {', '.join(names)}; got {block!r}")
    above = tuple(BLOCKS[name] for name in names[names.index(block) + 1 :])
    if block == "nothing":
        return []
    return [
        variable
        for layer in network.layers
        if not layer.name.startswith(above or ("none",))
        for variable in layer.trainable_variables
    ]


def checked(images: tf.Tensor, size: int) -> tf.Tensor:
    """Returns pictures as a tensor.

    Args:
        images: of a network's caller.
        size: pixels, of both sides, that the network takes.

    Raises:
        InputError: if they are not `[B, size, size, 3]`.
    """
    images = tf.convert_to_tensor(images)
    if images.shape.rank != 4 or images.shape[1:] != (size, size, 3):
        raise errors.InputError(
            f"images: expected [B, {size}, {size}, 3], got {tuple(images.shape)}; "
            "crop or resize them first"
        )
    return images


def prepared(images: tf.Tensor) -> tf.Tensor:
    """Turns RGB in [0, 1] into what ResNet-50 was trained on: BGR around its mean.

    Args:
        images: `[..., 3]`, float32.

    Returns:
        The same shape; blue, green, red in [0, 255] less `BGR_MEAN`.
    """
    # Not `tf.reverse`: TFLite's mixes up the columns, quantized.
    return 255.0 * tf.gather(images, [2, 1, 0], axis=-1) - BGR_MEAN


def _silence_residuals(backbone: tf.keras.Model) -> None:
    """Starts each residual branch at zero: from scratch, the deep stack is a line."""
    for layer in backbone.layers:
        if layer.name.endswith("_3_bn"):
            layer.gamma.assign(tf.zeros_like(layer.gamma))


def _load(network: tf.keras.Model, path: pathlib.Path) -> None:
    """Loads an .h5 file of the whole ResNet-50 without its top."""
    try:
        network.load_weights(str(path))
    except (ValueError, OSError, KeyError) as error:
        raise errors.InputError(f"weights: {path}: {error}; {_REMEDY}") from error


def _named(backbone: tf.keras.Model) -> Iterator[tuple[str, tf.Variable]]:
    """The variables as `<layer>/<kernel, bias, gamma, ...>`."""
    for layer in backbone.layers:
        for variable in layer.weights:
            kind = variable.name.rsplit("/", 1)[-1].split(":")[0]
            yield f"{layer.name}/{kind}", variable


def _read(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """The arrays of an .npz file."""
    with errors.reading(f"weights: {path}", "an .npz file, or damaged", _REMEDY):
        return files.load_npz(path)


def _listed(names: list[str]) -> str:
    """The first few names."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
