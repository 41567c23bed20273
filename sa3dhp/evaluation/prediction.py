"""Runs an exported model on a data set of crops."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import numpy as np

from sa3dhp import errors
from sa3dhp.evaluation import poses
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import world

_BATCH = 32


def read_dataset(path: str | pathlib.Path) -> tuple[np.ndarray, poses.Poses]:
    """Returns images and truth of an `.npz` data set.

    Keys: `images` uint8 `[N, H, W, 3]` RGB crops, and those of `poses.read`; `skeleton`
    is the project's own where the file does not name one.

    Raises:
        errors.InputError: if a key is missing or has a wrong shape or type.
    """
    arrays = poses.read_arrays(path, "dataset")
    source = f"dataset {path}"
    if "images" not in arrays:
        raise errors.InputError(
            f"{source}: the array `images` is missing, expected uint8 [N, H, W, 3]; "
            f"got {', '.join(sorted(arrays)) or 'nothing'}"
        )
    images = arrays["images"]
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[-1] != 3:
        raise errors.InputError(
            f"{source}: images have shape {images.shape} of {images.dtype}, expected "
            "uint8 [N, H, W, 3] RGB in 0..255"
        )
    arrays.setdefault("skeleton", np.array(skeletons.SA3DHP17.id))
    truth = poses.from_arrays(arrays, source)
    if len(images) != len(truth.joints):
        raise errors.InputError(
            f"{source}: got {len(images)} images and {len(truth.joints)} poses, "
            "expected as many of both"
        )
    return images, truth


def from_clips(clips: Sequence[world.Clip], size: int) -> tuple:
    """Returns images and truth of clips of the embedded world, as `read_dataset` does.

    Args:
        clips: with pictures at least `size` wide.
        size: side of the crops, pixels, cut from the pictures' middle.
    """
    edge = (clips[0].images.shape[1] - size) // 2
    images = np.concatenate([clip.images for clip in clips])
    lengths = [len(clip.images) for clip in clips]
    names = [f"clip_{number:03d}" for number in range(len(clips))]
    truth = poses.Poses(
        np.concatenate([clip.joints for clip in clips]).astype(np.float64),
        skeletons.SA3DHP17.id,
        labels={
            "action": np.repeat([clip.activity for clip in clips], lengths),
            "sequence": np.repeat(names, lengths),
        },
        source="the embedded world",
    )
    return images[:, edge : edge + size, edge : edge + size], truth


def check_model(model: str | pathlib.Path) -> pathlib.Path:
    """Returns the folder of a SavedModel; raises InputError if it visibly is none."""
    folder = pathlib.Path(model)
    if not (folder / "saved_model.pb").is_file():
        raise errors.InputError(
            f"model: {folder} is no SavedModel (it has no saved_model.pb); give the "
            "folder that tools/export.py or tools/adapt.py wrote"
        )
    return folder


def predict(model: str | pathlib.Path, images: np.ndarray) -> poses.Poses:
    """Returns what an exported model makes of images.

    Args:
        model: folder of a SavedModel whose signature takes `images` uint8
            `[N, H, W, 3]` and gives `joints [N, 17, 3]` in mm.
        images: uint8 `[N, H, W, 3]`, RGB.

    Raises:
        errors.InputError: if the folder holds no such model, or the model refuses the
            images or gives joints of another shape.
    """
    folder = check_model(model)
    import tensorflow as tf  # here, so that array evaluation starts at once

    try:
        loaded = tf.saved_model.load(str(folder))
        serve = loaded.signatures["serving_default"]
        wanted = serve.structured_input_signature[1]["images"]
    except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
        raise errors.InputError(
            f"model {folder}: not usable ({type(error).__name__}: {error}); export it "
            "again with tools/export.py"
        ) from None
    if wanted.dtype != tf.uint8 or not wanted.shape[1:].is_compatible_with(
        images.shape[1:]
    ):
        raise errors.InputError(
            f"model {folder}: takes images of {wanted.dtype.name} {wanted.shape}, got "
            f"uint8 {images.shape}; resize the crops"
        )
    joints = [
        serve(images=tf.constant(images[start : start + _BATCH]))["joints"].numpy()
        for start in range(0, len(images), _BATCH)
    ]
    joints = np.concatenate(joints).astype(np.float64)
    num = skeletons.SA3DHP17.num_joints
    if joints.shape != (len(images), num, 3):
        raise errors.InputError(
            f"model {folder}: gave joints {joints.shape}, expected "
            f"{(len(images), num, 3)}; export it again with tools/export.py"
        )
    return poses.Poses(joints, skeletons.SA3DHP17.id, source=f"model {folder}")
