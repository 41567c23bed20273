"""The exported model: person crops in, joints in millimetres out.

It needs TensorFlow alone:

    model = tf.saved_model.load(folder)
    predict = model.signatures["serving_default"]
    joints = predict(images=tf.constant(crops))["joints"]  # uint8 [N, H, W, 3] crops
    about = model.signatures["describe"]()  # joint_names, parents, units, axes, ...

Two more signatures spare the caller the crops, or tell motions apart:

    model.signatures["frames"](  # whole pictures and the people's boxes in them
        frames=pictures, boxes=boxes, frame=which)  # [N, H, W, 3], [M, 4], [M]
    model.signatures["clips"](clips=crops)  # [N, 30, H, W, 3]; gives `motion` [N, 128]

The same description lies beside the model in `assets.extra/sa3dhp.json`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from sa3dhp import provenance
from sa3dhp.geometry import crop
from sa3dhp.models import folded, motion_autoencoder, pose_autoencoder, pose_model
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


FRAMES = (
    "frames: uint8 [N, H, W, 3], RGB, whole pictures; boxes: float32 [M, 4], x1 y1 x2 "
    "y2 of persons, pixels; frame: int32 [M], the picture that each box is of. Each is "
    "cropped by the crop rule for a single picture: smooth boxes over time before"
)
CLIPS = (
    "clips: uint8 [N, 30, H, W, 3], RGB, at 30 frames per second, cropped as images "
    "are; gives joints [N, 30, J, 3], latent [N, 30, D] and motion [N, V] in (-1, 1)"
)


class Serving(tf.Module):
    """G, D_p and the kinematics, with the pre-processing in front, in float32.

    G runs with its batch norm folded, which is exact and faster.

    The networks are copied: the live encoder may compute in another precision, and
    goes on as it was. Of a network only the variables are tracked, so that Keras'
    layers, which would need Keras and this package to be read back, are not saved.
    """

    def __init__(
        self,
        model: pose_model.PoseModel,
        *,
        motion: motion_autoencoder.MotionEncoder | None = None,
        metadata: Mapping | None = None,
        precision: str = "float32",
    ):
        """Copies the networks.

        Args:
            model: G, under any precision policy, with the prior that decodes it.
            motion: E_m, for the signature `clips`, which there is not without.
            metadata: JSON values about the run; become `run` of the description.
            precision: the policy that G computes under; what is exported is float32.
        """
        super().__init__(name="sa3dhp")
        prior = model.prior
        skeleton, lengths = prior.skeleton, np.asarray(prior.bone_lengths, np.float32)
        encoder = copied(model.encoder, precision)
        fold = folded.fold(encoder)
        decoder = pose_autoencoder.PoseDecoder(skeleton)
        _copy_weights(prior.decoder, decoder)
        size = encoder.image_size
        self.weights = [*fold.variables, *decoder.weights]
        inputs = {"frames": FRAMES}
        if motion is not None:
            self.weights += motion.weights
            inputs["clips"] = CLIPS
        about = {
            "input": INPUT,
            "output": "joints: float32 [N, J, 3]; latent: float32 [N, D] in (-1, 1)",
            "skeleton": skeleton.id,
            "joint_names": list(skeleton.joint_names),
            "parents": list(skeleton.parents),
            "units": UNITS,
            "axes": AXES,
            "other_inputs": inputs,
            "crop_rule": crop.RULE,
            "image_size": size,
            "precision": precision,
            "bone_lengths_mm": [round(float(length), 3) for length in lengths],
            "image_encoder_hash": checkpoint.weights_hash(encoder),
            "versions": provenance.describe()["versions"],
            "commit": provenance.commit(),
            "run": dict(metadata or {}),
        }
        # As text: TensorFlow would wrap a dict, and what it holds, to track it.
        self._text = json.dumps(about)

        def core(images: tf.Tensor) -> dict[str, tf.Tensor]:
            latent = fold(images)
            local = decoder(latent, training=False)
            joints = kinematics.from_local(local, skeleton, lengths)
            return {"joints": joints, "latent": latent}

        self.core = core  # float32 [N, size, size, 3] in [0, 1]; not a signature
        self.image_size = size
        self.serve, self.serve_frames, serve_clips = _signatures(core, size, motion)
        if serve_clips is not None:
            self.serve_clips = serve_clips

    @property
    def description(self) -> dict:
        """What the numbers mean, as JSON values."""
        return json.loads(self._text)

    @tf.function(input_signature=[], autograph=False)
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
        found = {
            "serving_default": self.serve,
            "frames": self.serve_frames,
            "describe": self.describe,
        }
        if hasattr(self, "serve_clips"):
            found["clips"] = self.serve_clips
        return found


def _signatures(
    core: Callable[[tf.Tensor], dict[str, tf.Tensor]],
    size: int,
    motion: motion_autoencoder.MotionEncoder | None,
) -> tuple:
    """Pictures, frames with boxes, and clips to poses; the last may be None."""

    def serve(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return core(resized(images, size))

    def frames(
        frames: tf.Tensor, boxes: tf.Tensor, frame: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        crops = tf.map_fn(
            lambda row: cropped(frames[row[1]], row[0], size),
            (boxes, frame),
            fn_output_signature=tf.TensorSpec([size, size, 3], tf.float32),
        )
        return core(crops)

    def clips(clips: tf.Tensor) -> dict[str, tf.Tensor]:
        assert motion is not None
        shape, length = tf.shape(clips), motion_autoencoder.NUM_FRAMES
        flat = tf.reshape(clips, tf.concat([[-1], shape[2:]], 0))
        found = serve(tf.ensure_shape(flat, [None, None, None, 3]))
        found = {
            name: tf.reshape(value, [-1, length, *value.shape[1:]])
            for name, value in found.items()
        }
        return {**found, "motion": motion(found["latent"], training=False)}

    picture = [None, None, None, 3]
    images = tf.TensorSpec(picture, tf.uint8, "images")
    boxed = [
        tf.TensorSpec(picture, tf.uint8, "frames"),
        tf.TensorSpec([None, 4], tf.float32, "boxes"),
        tf.TensorSpec([None], tf.int32, "frame"),
    ]
    clip = tf.TensorSpec(
        [None, motion_autoencoder.NUM_FRAMES, None, None, 3], tf.uint8, "clips"
    )
    return (
        tf.function(serve, input_signature=[images], autograph=False),
        tf.function(frames, input_signature=boxed, autograph=False),
        tf.function(clips, input_signature=[clip], autograph=False)
        if motion is not None
        else None,
    )


def cropped(picture: tf.Tensor, box: tf.Tensor, size: int) -> tf.Tensor:
    """Cuts a person out by the crop rule for a single picture.

    `crop.extract` with the square of `crop.square_box`, in TensorFlow.

    Args:
        picture: `[H, W, 3]` uint8.
        box: `[4]`, x1 y1 x2 y2, pixels.
        size: pixels, of both sides of the result.

    Returns:
        `[size, size, 3]` float32 in [0, 1], in steps of a grey level.
    """
    longer = tf.reduce_max(box[2:] - box[:2])
    count = tf.maximum(1, tf.cast(tf.round(crop.SIDE_FACTOR * longer), tf.int32))
    start = (box[:2] + box[2:]) / 2 - tf.cast(count, tf.float32) / 2
    start = tf.cast(tf.floor(start + 0.5), tf.int32)  # x, y
    square = _square(picture[None], start, count)
    return tf.round(resized(square, size)[0] * 255.0) / 255.0


def whole(pictures: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Makes whole pictures square, as `crop.extract` does around their middle.

    Args:
        pictures: `[N, H, W, 3]`, uint8.

    Returns:
        `[N, S, S, 3]`, S the longer side, and the place of its corner in the picture,
        `[2]`, x y, pixels.
    """
    shape = tf.shape(pictures)[1:3]
    count = tf.reduce_max(shape)
    start = (shape[::-1] - count) // 2
    return _square(pictures, start, count), start


def _square(pictures: tf.Tensor, start: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Cuts `[N, count, count, 3]` out, its corner at `start [2]`, x y."""
    steps, shape = tf.range(count), tf.shape(pictures)[1:3]
    # What lies outside repeats the edge.
    rows = tf.clip_by_value(start[1] + steps, 0, shape[0] - 1)
    columns = tf.clip_by_value(start[0] + steps, 0, shape[1] - 1)
    return tf.gather(tf.gather(pictures, rows, axis=1), columns, axis=2)


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


def copied(
    encoder: image_encoders.ImageEncoder, precision: str = "float32"
) -> image_encoders.ImageEncoder:
    """Returns G with the same weights; the policy stays as is.

    Args:
        encoder: under any policy.
        precision: the policy that the copy computes under.
    """
    policy = tf.keras.mixed_precision.global_policy()
    tf.keras.mixed_precision.set_global_policy(precision)
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
