"""The model as an ONNX file, for programs without TensorFlow; it proves itself.

A file takes pictures, uint8 `images` `[B, S, S, 3]`, RGB, cropped and resized to S by
the crop rule, and gives `joints` `[B, J, 3]` and `latent` `[B, D]`. What the numbers
mean lies in its metadata, as JSON by the name `sa3dhp`. It is written by tf2onnx and
run by ONNX Runtime before it stays; both come with the extra `onnx`.
"""

from __future__ import annotations

import importlib.util
import json
import os

import numpy as np
import tensorflow as tf

from sa3dhp import errors, files, progress
from sa3dhp.export import parity
from sa3dhp.export import serving as servings

LIMIT_MM = 0.1
DESCRIPTION = "sa3dhp"
_OPSET = 17  # of 2022: what runs it need not be new
_NEEDED = ("tf2onnx", "onnx", "onnxruntime")


def check() -> None:
    """Raises InputError if what writes or runs such files is not installed."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise errors.InputError(
            f"onnx: {', '.join(missing)} cannot be imported, expected the extra onnx; "
            "pip install 'sa3dhp[onnx]'"
        )


def write(
    path: str | os.PathLike,
    serving: servings.Serving,
    pictures: np.ndarray | None = None,
) -> parity.Parity:
    """Writes a file, whole or not at all; returns how it compares.

    Args:
        path: of the file.
        serving: the model.
        pictures: uint8 `[N, S, S, 3]`, crops of the target, which are what is compared;
            noise is where there are none.

    Raises:
        InputError: if the extra is not installed, or the poses differ by more than
            `LIMIT_MM`.
    """
    check()
    import tf2onnx

    size = serving.image_size
    about = {
        **serving.description,
        "input": f"images: uint8 [B, {size}, {size}, 3], RGB, cropped and resized by "
        "the crop rule",
        "output": "joints: float32 [B, J, 3]; latent: float32 [B, D] in (-1, 1)",
        "format": "onnx float32",
    }

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return serving.core(tf.cast(images, tf.float32) / 255.0)

    spec = (tf.TensorSpec([None, size, size, 3], tf.uint8, "images"),)
    function = tf.function(serve, input_signature=spec, autograph=False)
    with progress.silent():
        made, _ = tf2onnx.convert.from_function(function, spec, opset=_OPSET)
        entry = made.metadata_props.add()
        entry.key, entry.value = DESCRIPTION, json.dumps(about)
        data = made.SerializeToString()
        found = parity.compare(
            runner(data),
            serving,
            parity.noise(size) if pictures is None else pictures,
            what="onnx",
            limit_mm=LIMIT_MM,
            size=len(data),
        )
    with files.atomic(path) as temporary:
        temporary.write_bytes(data)
    return found


def describe(path: str | os.PathLike) -> dict:
    """Returns what a file says of itself.

    Raises:
        InputError: if it is none of ours, or ONNX Runtime is not installed.
    """
    check()
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path))
        return json.loads(session.get_modelmeta().custom_metadata_map[DESCRIPTION])
    except Exception:  # its own kinds, one for each cause
        raise errors.InputError(
            f"onnx: {path} holds no description of ours; give a file of tools/export.py"
        ) from None


def runner(data: bytes, threads: int = 1) -> parity.Run:
    """Returns a function from pictures `[B, S, S, 3]` to the outputs by name."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        data, options, providers=["CPUExecutionProvider"]
    )
    names = [output.name for output in session.get_outputs()]
    return lambda images: dict(zip(names, session.run(None, {"images": images})))
