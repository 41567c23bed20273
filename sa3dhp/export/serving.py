"""The exported model: person crops in, joints in millimetres out.

It needs TensorFlow alone:

    model = tf.saved_model.load(folder)
    predict = model.signatures["serving_default"]
    joints = predict(images=tf.constant(crops))["joints"]  # uint8 [N, H, W, 3] crops
    about = model.signatures["describe"]()  # joint_names, parents, units, axes, ...

The same description lies beside the model in `assets.extra/sa3dhp.json`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from sa3dhp import provenance
from sa3dhp.geometry import crop
from sa3dhp.models import folded, pose_autoencoder, pose_model
from sa3dhp.models import image_encoder as image_encoders
from sa3dhp.skeleton import kinematics
from sa3dhp.training import checkpoint

UNITS = "mm"
AXES = (
    "camera frame, relative to the pelvis: x to the right in the image, y down, "
    "z away from the camera"
)
INPUT = (
    "images: uint8 [N, H, W, 3], RGB in 0..255, one person in each, cropped by the "
    "crop rule to the square itself (no margin around it); any H and W, resized "
    "inside: area averaging where both are at least image_size, antialiased bilinear "
    "else; a crop that is not square is stretched"
)


class Serving(tf.Module):
    """G, D_p and the kinematics in float32, with the pre-processing in front.

    G runs with its batch norm folded, which is exact and faster.

    The networks are copied: the live encoder may compute in another precision, and
    goes on as it was. Of a network only the variables are tracked, so that Keras'
    layers, which would need Keras and this package to be read back, are not saved.
    """

    def __init__(self, model: pose_model.PoseModel, *, metadata: Mapping | None = None):
        """Copies the networks.

        Args:
            model: G, under any precision policy, with the prior that decodes it.
            metadata: JSON values about the run; become `run` of the description.
        """
        super().__init__(name="sa3dhp")
        prior = model.prior
        skeleton, lengths = prior.skeleton, np.asarray(prior.bone_lengths, np.float32)
        encoder = float32_copy(model.encoder)
        fold = folded.fold(encoder)
        decoder = pose_autoencoder.PoseDecoder(skeleton)
        _copy_weights(prior.decoder, decoder)
        size = encoder.image_size
        self.weights = [*fold.variables, *decoder.weights]
        about = {
            "input": INPUT,
            "output": "joints: float32 [N, J, 3]; latent: float32 [N, D] in (-1, 1)",
            "skeleton": skeleton.id,
            "joint_names": list(skeleton.joint_names),
            "parents": list(skeleton.parents),
            "units": UNITS,
            "axes": AXES,
            "crop_rule": crop.RULE,
            "image_size": size,
            "bone_lengths_mm": [round(float(length), 3) for length in lengths],
            "image_encoder_hash": checkpoint.weights_hash(encoder),
            "versions": provenance.describe()["versions"],
            "commit": provenance.commit(),
            "run": dict(metadata or {}),
        }
        # As text: TensorFlow would wrap a dict, and what it holds, to track it.
        self._text = json.dumps(about)

        def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
            latent = fold(resized(images, size))
            local = decoder(latent, training=False)
            joints = kinematics.from_local(local, skeleton, lengths)
            return {"joints": joints, "latent": latent}

        spec = tf.TensorSpec([None, None, None, 3], tf.uint8, "images")
        self.serve = tf.function(serve, input_signature=[spec])

    @property
    def description(self) -> dict:
        """What the numbers mean, as JSON values."""
        return json.loads(self._text)

    @tf.function(input_signature=[])
    def describe(self) -> dict[str, tf.Tensor]:
        """What the numbers mean: the main entries as tensors, all of them in `json`."""
        about = self.description
        keys = (
            "skeleton joint_names parents units axes crop_rule image_size "
            "bone_lengths_mm input output"
        )
        found = {key: tf.constant(about[key]) for key in keys.split()}
        return {**found, "json": tf.constant(self._text)}

    @property
    def signatures(self) -> dict[str, tf.types.experimental.GenericFunction]:
        """What the SavedModel offers, by name."""
        return {"serving_default": self.serve, "describe": self.describe}


def resized(images: tf.Tensor, size: int) -> tf.Tensor:
    """Turns pictures of any size into what G takes.

    Args:
        images: `[N, H, W, 3]`, uint8.
        size: pixels, of both sides of the result.

    Returns:
        `[N, size, size, 3]` float32 in [0, 1]. Shrinks by area averaging as the crops
        of the training data were (`geometry/crop.py`), else bilinearly.
    """
    images = tf.cast(images, tf.float32) / 255.0
    shape = tf.shape(images)[1:3]
    target = [size, size]
    images = tf.case(
        [
            (tf.reduce_all(tf.equal(shape, size)), lambda: images),
            (
                tf.reduce_all(shape >= size),
                lambda: tf.image.resize(images, target, method="area"),
            ),
        ],
        default=lambda: tf.image.resize(images, target, antialias=True),
    )
    return tf.ensure_shape(images, [None, size, size, 3])


def float32_copy(
    encoder: image_encoders.ImageEncoder,
) -> image_encoders.ImageEncoder:
    """Returns G with the same weights, computing in float32; the policy stays as is."""
    policy = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy("float32")
    try:
        copy = type(encoder)(**{**encoder.get_config(), "weights": None})
    finally:
        tf.keras.mixed_precision.set_global_policy(policy)
    _copy_weights(encoder, copy)
    return copy


def _copy_weights(source: tf.keras.Model, target: tf.keras.Model) -> None:
    """By path, as Keras' order depends on which layers are frozen."""
    weights = checkpoint.named_weights(source)
    for name, variable in checkpoint.named_weights(target).items():
        variable.assign(weights[name])
