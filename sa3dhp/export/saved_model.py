"""Writes the exported model, and reads it back with its description at hand."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

import numpy as np
import tensorflow as tf

from sa3dhp import errors, files
from sa3dhp.export import described
from sa3dhp.export import serving as servings
from sa3dhp.models import motion_autoencoder, pose_model, pose_prior
from sa3dhp.skeleton import skeleton as skeletons

MARKER = "saved_model.pb"
_BATCH = 120  # pictures at once
_Made = TypeVar("_Made")
DESCRIPTION = pathlib.Path("assets.extra") / "sa3dhp.json"
USAGE = """\
import tensorflow as tf
model = tf.saved_model.load({folder!r})
crops = tf.zeros([1, {size}, {size}, 3], tf.uint8)  # put yours here: [N, ...], RGB
out = model.signatures["serving_default"](images=crops)
out["joints"], model.signatures["describe"]()  # [N, 17, 3] mm; what it all means"""


def export_model(
    folder: str | os.PathLike,
    model: pose_model.PoseModel,
    *,
    motion: motion_autoencoder.MotionEncoder | None = None,
    metadata: Mapping | None = None,
) -> servings.Serving:
    """Writes a pose model as one SavedModel; returns what was written.

    Args:
        folder: of the SavedModel; an earlier one there is replaced.
        model: G, under any precision policy, with its prior; stays as it is.
        motion: E_m, for the signature `clips`.
        metadata: JSON values about the run, stored as `run` of the description.

    Raises:
        InputError: if the folder cannot be replaced.
    """
    check(folder)  # before the work, not after
    made = servings.Serving(model, motion=motion, metadata=metadata)
    write(folder, made)
    return made


def check(folder: str | os.PathLike) -> None:
    """Raises `InputError` if `write` would refuse the folder."""
    files.check_folder(folder, MARKER)


def write(
    folder: str | os.PathLike, serving: servings.Serving | described.Described
) -> None:
    """Writes a SavedModel whole or not at all; prints nothing.

    Raises:
        InputError: if there is a file of that name, or a folder of other things.
        OSError: if the disk is full or the folder cannot be written.
    """
    with files.replaced_folder(folder, MARKER) as new:
        try:
            with _quiet():
                tf.saved_model.save(serving, str(new), signatures=serving.signatures)
        except tf.errors.OpError as error:
            raise files.system_error(error, folder) from error
        path = new / DESCRIPTION
        path.parent.mkdir()
        text = json.dumps(serving.description, indent=1)
        path.write_text(text + "\n", encoding="utf-8")


class Model:
    """A model in memory that predicts 3D poses of pictures of persons.

    Attributes:
        description: what `serving.Serving` says about itself.
        motion: makes E_m and D_m on the same pose prior, or None.
    """

    def __init__(
        self,
        loaded: tf.Module,
        motion: Callable[[], pose_prior.MotionPrior] | None = None,
    ):
        """Keeps a `serving.Serving`, or what `tf.saved_model.load` made of one."""
        self._loaded = loaded  # owns the variables
        self.motion = motion
        self._serve = loaded.signatures["serving_default"]
        text = loaded.signatures["describe"]()["json"].numpy()
        self.description = json.loads(text)

    @property
    def skeleton(self) -> skeletons.Skeleton:
        """Of the joints: names, parents, left and right."""
        return skeletons.get(self.description["skeleton"])

    def describe(self) -> str:
        """Returns what goes in and what comes out, as text."""
        about = self.description
        lines = [f"in: {about['input']}", f"out: {about['output']}"]
        lines += [f"joints ({about['skeleton']}): {', '.join(about['joint_names'])}"]
        lines += [f"unit: {about['units']}", f"axes: {about['axes']}"]
        return "\n".join([*lines, f"crop rule: {about['crop_rule']}"])

    def predict(self, images: np.ndarray, batch_size: int = _BATCH) -> np.ndarray:
        """Returns the joints of pictures.

        Args:
            images: uint8 `[N, H, W, 3]`, RGB, one person in each, cropped by the crop
                rule.
            batch_size: pictures at once.

        Returns:
            `[N, 17, 3]`, mm, camera frame, root-relative, float32.

        Raises:
            InputError: as `__call__`.
        """
        parts = [
            self(images[i : i + batch_size])["joints"]
            for i in range(0, max(1, len(images)), batch_size)
        ]
        return np.concatenate(parts)

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Predicts poses in one batch.

        Args:
            images: uint8 `[N, H, W, 3]`, RGB, cropped by the crop rule.

        Returns:
            `joints` `[N, 17, 3]`, mm, camera frame, root-relative, and `latent`
            `[N, 32]`, both float32.

        Raises:
            InputError: if the images have another shape or type, or no pixels.
        """
        images = np.asarray(images)
        if images.ndim != 4 or images.shape[-1] != 3 or 0 in images.shape[1:]:
            raise errors.InputError(
                f"images: expected [N, H, W, 3], got {images.shape}; give a batch of "
                "RGB crops"
            )
        if images.dtype != np.uint8:
            raise errors.InputError(
                f"images: expected uint8 in 0..255, got {images.dtype}; convert them"
            )
        found = self._serve(images=tf.constant(images))
        return {name: value.numpy() for name, value in found.items()}


def load(folder: str | os.PathLike) -> Model:
    """Reads what `write` wrote.

    Raises:
        InputError: if there is no such model, or it is damaged.
    """
    again = "give a folder that tools/export.py or tools/adapt.py wrote"
    return read(folder, Model, again)


def read(
    folder: str | os.PathLike, make: Callable[[tf.Module], _Made], remedy: str
) -> _Made:
    """Reads a SavedModel and makes something of it.

    Args:
        folder: of the model.
        make: may raise `KeyError` or `ValueError` for a model of another kind.
        remedy: what to do about an error.

    Raises:
        InputError: if there is no model, or it is damaged or of another kind.
    """
    folder = pathlib.Path(folder)
    if not (folder / MARKER).is_file():
        raise errors.InputError(f"model: {folder} has no {MARKER}; {remedy}")
    try:
        return make(tf.saved_model.load(str(folder)))
    except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise errors.InputError(
            f"model: {folder} is damaged or of another kind ({reason[:200]}); {remedy}"
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """TensorFlow tells where it writes; here that is a temporary name."""
    loggers = [logging.getLogger(name) for name in ("tensorflow", "absl")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
