"""The exported models: 2D points to 3D (teacher), a picture to 3D (student).

Each needs TensorFlow alone and describes itself (`signatures["describe"]`). Neither
knows a unit: the teacher answers in that of the points it is given, the student in half
sides of the picture.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence

import tensorflow as tf

from sa3dhp import provenance
from sa3dhp.export import saved_model
from sa3dhp.export import serving as servings
from sa3dhp.geometry import crop
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.nrsfm import lifting
from sa3dhp.systems.nrsfm import student as students
from sa3dhp.training import checkpoint

AXES = "camera frame: x to the right in the image, y down, z away from the camera"
_ORIGIN = ", relative to the middle of all points"


class Serving(tf.Module):
    """A function of tensors with the weights it needs and a description."""

    def __init__(
        self,
        serve: Callable[[tf.Tensor], dict[str, tf.Tensor]],
        spec: tf.TensorSpec,
        weights: Sequence[tf.Variable],
        about: Mapping[str, object],
    ):
        """Keeps the variables alone of the network: reading them back needs no Keras.

        Args:
            serve: from a tensor of `spec` to named tensors.
            spec: of the only argument, which bears its name.
            weights: all variables that `serve` reads.
            about: JSON values.
        """
        super().__init__(name="nrsfm")
        self.weights = list(weights)
        self._text = json.dumps(
            {
                **about,
                "versions": provenance.describe()["versions"],
                "commit": provenance.commit(),
            }
        )
        self.serve = tf.function(serve, input_signature=[spec])

    @property
    def description(self) -> dict:
        """What the numbers mean, as JSON values."""
        return json.loads(self._text)

    @tf.function(input_signature=[])
    def describe(self) -> dict[str, tf.Tensor]:
        """What the numbers mean: the texts as tensors, everything in `json`."""
        about = self.description
        texts = {k: tf.constant(v) for k, v in about.items() if isinstance(v, str)}
        return {**texts, "json": tf.constant(self._text)}

    @property
    def signatures(self) -> dict[str, tf.types.experimental.GenericFunction]:
        """What the SavedModel offers, by name."""
        return {"serving_default": self.serve, "describe": self.describe}


def of_teacher(lifter: lifting.Lifter, *, skeleton: str, run: Mapping) -> Serving:
    """Returns 2D points `[N, P, 2]` -> `joints [N, P, 3]`, `camera`, `code`.

    Args:
        lifter: the trained teacher.
        skeleton: id of the points, or "".
        run: JSON values about the run, stored as `run`.
    """
    network, unit = lifter.network, lifter.unit
    sizes = "in the unit it was trained in" if unit else "of any unit"
    count = network.num_points

    def serve(points: tf.Tensor) -> dict[str, tf.Tensor]:
        centre = tf.reduce_mean(points, axis=1, keepdims=True)
        box = tf.reduce_max(points, axis=1) - tf.reduce_min(points, axis=1)
        size = tf.reduce_max(box, axis=-1)[:, None, None] / 2.0
        size = tf.ones_like(size) * unit if unit else size
        flat = (points - centre) / tf.maximum(size, 1e-12)
        found = network(flat)
        joints = found["joints"]
        joints -= tf.reduce_mean(joints, axis=1, keepdims=True)
        joints *= size * tf.constant([1.0, 1.0, float(lifter.reflection)])
        return {"joints": joints, "camera": found["camera"], "code": found["code"]}

    about = {
        **_points(skeleton),
        "input": f"points: float32 [N, {count}, 2], every point of every frame, x to "
        f"the right and y down, any place, {sizes}",
        "output": f"joints: float32 [N, {count}, 3]; camera [N, 3, 2]; code",
        "units": "those of the points",
        "axes": AXES + _ORIGIN + _sign(lifter.reflection),
        "weights_hash": checkpoint.weights_hash(network),
        "run": dict(run),
    }
    spec = tf.TensorSpec([None, count, 2], tf.float32, "points")
    return Serving(serve, spec, network.weights, about)


def of_student(network: students.Student, *, skeleton: str, run: Mapping) -> Serving:
    """Returns pictures uint8 `[N, H, W, 3]` -> `joints [N, P, 3]`.

    Args:
        network: the trained student, under any precision policy; stays as it is.
        skeleton: id of the points, or "".
        run: JSON values about the run, stored as `run`.
    """
    size, copy = network.image_size, _float32_copy(network)

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"joints": copy(servings.resized(images, size), training=False)}

    about = {
        **_points(skeleton),
        "input": servings.INPUT,
        "output": f"joints: float32 [N, {network.num_points}, 3]",
        "units": "half sides of the picture; 0 is its middle, depth has no origin",
        "axes": AXES,
        "crop_rule": crop.RULE,
        "image_size": size,
        "weights_hash": checkpoint.weights_hash(copy),
        "run": dict(run),
    }
    spec = tf.TensorSpec([None, None, None, 3], tf.uint8, "images")
    return Serving(serve, spec, copy.weights, about)


def export(folder: str | os.PathLike, serving: Serving) -> None:
    """Writes a SavedModel whole or not at all.

    Raises:
        InputError: if there is a file of that name, or a folder of other things.
    """
    saved_model.write(folder, serving)


def _points(skeleton: str) -> dict[str, object]:
    if not skeleton:
        return {"skeleton": ""}
    found = skeletons.get(skeleton)
    return {
        "skeleton": skeleton,
        "joint_names": list(found.joint_names),
        "parents": list(found.parents),
    }


def _sign(reflection: int) -> str:
    turned = "turned around" if reflection < 0 else "as the network has it"
    return f"; depth is {turned}, one sign for the data set it was trained on"


def _float32_copy(network: students.Student) -> students.Student:
    """The same weights, computing in float32; the global policy stays as it is."""
    policy = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy("float32")
    try:
        copy = network.new()
    finally:
        tf.keras.mixed_precision.set_global_policy(policy)
    weights = checkpoint.named_weights(network)
    for name, variable in checkpoint.named_weights(copy).items():
        variable.assign(weights[name])
    return copy
