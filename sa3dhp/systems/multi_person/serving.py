"""The exported model: pictures to everybody in them, in millimetres in the camera."""

from __future__ import annotations

from collections.abc import Mapping

import tensorflow as tf

from sa3dhp.export import described
from sa3dhp.export import serving as servings
from sa3dhp.systems.multi_person import composer as composers
from sa3dhp.systems.multi_person import predictions, teacher
from sa3dhp.training import checkpoint


def of_composer(
    composer: composers.Composer,
    trunk: teacher.Trunk,
    reader: teacher.MapReader,
    *,
    run: Mapping,
    most: int = predictions.MOST,
    refiner: composers.Composer | None = None,
) -> described.Described:
    """Returns pictures uint8 `[B, H, W, 3]` -> everybody, padded to `most` rows.

    Args:
        composer: M H; computes in the type that it was built for.
        trunk: E.
        reader: F.
        run: JSON values about the run, stored as `run`.
        most: people of a picture, at most.
        refiner: M H', for a second look at each person.
    """
    camera, prior = composer.camera, composer.prior
    size = camera.size

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        squares, corner = servings.whole(images)
        shown = servings.resized(squares, size)
        found = predictions.everybody(composer, trunk, reader, shown, most, refiner)
        # Shares of the square's sides to those of the picture's.
        shape = tf.shape(images)[1:3]
        side = tf.cast(tf.reduce_max(shape), tf.float32)
        points = (found["points"] + 0.5) / size * side + tf.cast(corner, tf.float32)
        return {**found, "points": points / tf.cast(shape[::-1], tf.float32)}

    networks = [x.network for x in (composer, refiner) if x is not None]
    weights = [
        *(weight for network in networks for weight in network.weights),
        *prior.decoder.weights,
        *trunk.weights,
        *reader.weights,
    ]
    about = {
        **described.points(prior.skeleton.id),
        "input": "images: uint8 [B, H, W, 3], RGB, whole pictures, any H and W",
        "output": (
            f"joints: float32 [B, {most}, 17, 3]; points: the same in the picture, "
            "shares of its sides; score [B, N], 0 in rows without anybody, which come "
            "last; count [B]: how many rows are people"
        ),
        "units": servings.UNITS,
        "axes": "x right, y down, z away from the camera; origin in the camera",
        "camera": (
            f"pinhole, focal length {camera.focal} of the picture's longer side, "
            "principal point in its middle: of another camera distances are off by a "
            "factor"
        ),
        "focal": camera.focal,
        "image_size": size,
        "weights_hash": checkpoint.weights_hash(networks[-1]),
        "looks": len(networks),  # at each person
        "run": dict(run),
    }
    spec = tf.TensorSpec([None, None, None, 3], tf.uint8, "images")
    return described.Described(serve, spec, weights, about)
