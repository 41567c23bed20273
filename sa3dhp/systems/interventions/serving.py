"""The exported model: a person crop to 3D joints in millimetres."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from sa3dhp.export import described
from sa3dhp.export import serving as servings
from sa3dhp.geometry import crop
from sa3dhp.models import integral
from sa3dhp.systems.interventions import predictions, sources
from sa3dhp.training import checkpoint


def of_estimator(
    network: integral.IntegralRegressor, limbs: sources.Limbs, *, run: Mapping
) -> described.Described:
    """Returns pictures uint8 `[N, H, W, 3]` -> `joints [N, P, 3]`, mm.

    Args:
        network: f and h, under any precision policy; stays as it is.
        limbs: what gives the answer its size.
        run: JSON values about the run, stored as `run`.
    """
    size, copy = network.image_size, described.float32_copy(network)

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        found = copy(servings.resized(images, size), training=False)
        return {"joints": predictions.in_mm(found, limbs)}

    about = {
        **described.points(sources.SKELETON.id),
        "input": servings.INPUT,
        "output": f"joints: float32 [N, {network.num_points}, 3]",
        "units": f"{servings.UNITS}; limbs are {limbs.mm:.1f} mm long on average",
        "axes": servings.AXES,
        "crop_rule": crop.RULE,
        "image_size": size,
        "weights_hash": checkpoint.weights_hash(copy),
        "run": dict(run),
    }
    spec = tf.TensorSpec([None, None, None, 3], tf.uint8, "images")
    return described.Described(serve, spec, copy.weights, about)
