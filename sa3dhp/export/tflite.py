"""The model as a TFLite file, for phones and small computers; it proves itself.

A file takes one picture, uint8 `[1, S, S, 3]`, RGB, cropped and resized to S by the
crop rule, and gives `joints` `[1, J, 3]` and `latent` `[1, D]`. TFLite's interpreter is
all it needs. What the numbers mean lies in it: the file is a zip archive too, and holds
`sa3dhp.json` (`unzip -p model.tflite sa3dhp.json`).

* `float32`: the same numbers;
* `float16`: weights of half the size;
* `int8`: the convolutions of G in integers, calibrated on pictures of the target. The
  decoder and the kinematics stay as they are: metres in 256 steps are centimetres.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import zipfile
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from sa3dhp import documents, errors, files, progress
from sa3dhp.export import parity
from sa3dhp.export import serving as servings

LIMIT_MM = {"float32": 0.1, "float16": 1.0, "int8": 5.0}
DESCRIPTION = "sa3dhp.json"
_LONGEST = 1 << 20  # bytes of a description
# Operations that stay in floating point with `int8`: all but those of the convolutions.
_FLOATING = (
    "ABS ADD ADD_N BATCH_MATMUL CAST CONCATENATION DIV EXP FULLY_CONNECTED GATHER "
    "L2_NORMALIZATION LEAKY_RELU LESS LESS_EQUAL LOG MAXIMUM MEAN MINIMUM MUL NEG PACK "
    "REDUCE_MAX RESHAPE RSQRT SELECT_V2 SLICE SOFTMAX SPLIT SPLIT_V SQRT SQUARE "
    "SQUARED_DIFFERENCE STRIDED_SLICE SUB SUM TANH TRANSPOSE UNPACK"
).split()


def check(kinds: Sequence[str], calibration: object) -> None:
    """Raises the `InputError` of kinds that `write` would refuse."""
    unknown = [kind for kind in kinds if kind not in LIMIT_MM]
    if unknown:
        raise errors.InputError(
            f"tflite: got {', '.join(unknown)}, expected some of {', '.join(LIMIT_MM)}"
        )
    if "int8" in kinds and calibration is None:
        raise errors.InputError(
            "tflite: int8 is calibrated on pictures of the target; give --calibrate="
            "VIDEOS"
        )


def write(
    path: str | os.PathLike,
    serving: servings.Serving,
    kind: str,
    pictures: np.ndarray | None = None,
) -> parity.Parity:
    """Writes a file, whole or not at all; returns how it compares.

    Args:
        path: of the file.
        serving: the model.
        kind: one of `LIMIT_MM`.
        pictures: uint8 `[N, S, S, 3]`, crops of the target: they calibrate `int8`, and
            are what is compared; noise is where there are none.

    Raises:
        InputError: if there is no such kind, `int8` has no pictures, or the poses
            differ by more than the limit.
    """
    check([kind], pictures)
    size = serving.image_size
    if pictures is None:
        pictures = parity.noise(size)
    with progress.silent():
        made = converted(serving, kind, pictures)
        found = parity.compare(
            runner(made),
            serving,
            pictures,
            what=f"tflite {kind}",
            limit_mm=LIMIT_MM[kind],
            size=len(made),
        )
    about = {
        **serving.description,
        "input": f"uint8 [1, {size}, {size}, 3], RGB, cropped and resized by the crop "
        "rule",
        "output": "joints: float32 [1, J, 3]; latent: float32 [1, D] in (-1, 1)",
        "format": f"tflite {kind}",
    }
    with files.atomic(path) as temporary:
        temporary.write_bytes(made)
        with zipfile.ZipFile(temporary, "a") as archive:
            archive.writestr(DESCRIPTION, json.dumps(about, indent=1))
    return dataclasses.replace(found, size=pathlib.Path(path).stat().st_size)


def describe(path: str | os.PathLike) -> dict:
    """Returns what a file says of itself.

    Raises:
        InputError: if it is none of ours.
    """
    what = f"a TFLite file with {DESCRIPTION}"
    with errors.reading(path, what, "give a file of tools/export.py"):
        with zipfile.ZipFile(path) as archive:
            size = archive.getinfo(DESCRIPTION).file_size
            if size > _LONGEST:
                raise ValueError(f"{DESCRIPTION} of {size} bytes")
            text = archive.read(DESCRIPTION)
        said = documents.parse_json(text, f"{path}: {DESCRIPTION}")
        if not isinstance(said, dict):
            raise ValueError(f"{DESCRIPTION} is no mapping")
        return said


def runner(made: bytes, threads: int = 1) -> parity.Run:
    """Returns a function from a picture `[1, S, S, 3]` to the outputs by name."""
    interpreter = tf.lite.Interpreter(model_content=made, num_threads=threads)
    interpreter.allocate_tensors()
    (taken,) = interpreter.get_input_details()
    given = {len(x["shape"]): x["index"] for x in interpreter.get_output_details()}

    def run(picture: np.ndarray) -> dict[str, np.ndarray]:
        interpreter.set_tensor(taken["index"], picture)
        interpreter.invoke()
        return {
            "joints": interpreter.get_tensor(given[3]),
            "latent": interpreter.get_tensor(given[2]),
        }

    return run


def converted(serving: servings.Serving, kind: str, pictures: np.ndarray) -> bytes:
    """Returns a file, without its description; see `write`."""
    size = serving.image_size

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return serving.core(tf.cast(images, tf.float32) / 255.0)

    spec = tf.TensorSpec([1, size, size, 3], tf.uint8, "images")
    function = tf.function(
        serve, input_signature=[spec], autograph=False
    ).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], serving)
    if kind == "float32":
        return converter.convert()
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
        return converter.convert()

    def each() -> Iterator[list[np.ndarray]]:
        for picture in pictures:
            yield [picture[None]]

    converter.representative_dataset = each
    options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=_FLOATING)
    return tf.lite.experimental.QuantizationDebugger(
        converter=converter, debug_dataset=each, debug_options=options
    ).get_nondebug_quantized_model()
