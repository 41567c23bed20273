"""BlazePose, the pose model of MediaPipe, beside ours on the same pictures.

Its landmark network (`pose_landmark_full.tflite` or `_lite`, Apache-2.0) is run by
TensorFlow's own interpreter on the square that our network sees, resized to 256 px. In
MediaPipe a detector chooses that square and turns it upright, and landmarks are
smoothed over time; neither is done here: one picture in, one pose out, as for ours.
"""

from __future__ import annotations

import importlib.util
import pathlib
from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.evaluation import poses

SUFFIX = ".tflite"
SKELETON = "blazepose12"
_LANDMARKS = (11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_SIZE = 256  # pixels
_WORLD = (1, 39 * 3)  # metres around the middle of the hips, and 6 helpers
_BATCH = 64
_IN_PACKAGE = "modules/pose_landmark/pose_landmark_full.tflite"


class Images(Protocol):
    """Pictures uint8 `[N, S, S, 3]`, RGB, in memory or read when asked for."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Reads pictures `[n, S, S, 3]`."""


def find() -> pathlib.Path | None:
    """Returns the landmark network of an installed `mediapipe`, None without one."""
    found = importlib.util.find_spec("mediapipe")
    for folder in (found.submodule_search_locations or ()) if found else ():
        path = pathlib.Path(folder) / _IN_PACKAGE
        if path.is_file():
            return path
    return None


def predict(path: str | pathlib.Path, images: Images) -> poses.Poses:
    """Returns what BlazePose makes of crops around one person.

    Args:
        path: of the landmark network.
        images: uint8 `[N, S, S, 3]`, RGB.

    Returns:
        `blazepose12`, mm, from the middle of the hips; x right, y down, z away.

    Raises:
        errors.InputError: if the file is no such network.
    """
    try:
        network = tf.lite.Interpreter(model_path=str(path), num_threads=1)
        network.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise errors.InputError(f"model {path}: not readable: {error}") from None
    (given,) = network.get_input_details()[:1]
    world = [x for x in network.get_output_details() if tuple(x["shape"]) == _WORLD]
    if tuple(given["shape"]) != (1, _SIZE, _SIZE, 3) or not world:
        raise errors.InputError(
            f"model {path}: takes {tuple(given['shape'])}, expected the landmark "
            f"network of BlazePose, (1, {_SIZE}, {_SIZE}, 3) to {_WORLD}; give "
            "pose_landmark_full.tflite or pose_landmark_lite.tflite"
        )
    joints = []
    for start in range(0, len(images), _BATCH):
        for image in images[start : start + _BATCH]:
            network.set_tensor(given["index"], _prepared(image))
            network.invoke()
            joints.append(network.get_tensor(world[0]["index"]).reshape(-1, 3))
    return poses.Poses(1000.0 * _chosen(joints), SKELETON, source=f"BlazePose ({path})")


def _prepared(image: np.ndarray) -> np.ndarray:
    """`[1, 256, 256, 3]`, RGB in [0, 1]."""
    shrink = image.shape[0] > _SIZE
    how = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    return cv2.resize(image, (_SIZE, _SIZE), interpolation=how)[None] / np.float32(255)


def _chosen(joints: Sequence[np.ndarray]) -> np.ndarray:
    """The joints of `blazepose12`, `[N, 12, 3]`, float64."""
    return np.stack(joints)[:, list(_LANDMARKS)].astype(np.float64)
