"""BlazePose, the pose model of MediaPipe, beside ours on the same pictures.

Its landmark network (`pose_landmark_full.tflite` or `_lite`, Apache-2.0) is run by
TensorFlow's own interpreter on the square that our network sees, and then, as MediaPipe
does from the second frame on, on the upright square that its own landmarks ask for.
MediaPipe's smoothing over time is left out: one picture in, one pose out, as for ours.
"""

from __future__ import annotations

import pathlib
from typing import Protocol

import cv2
import numpy as np
import tensorflow as tf

from sa3dhp import errors, progress
from sa3dhp.data.videos import blazepose as detector
from sa3dhp.evaluation import poses

SUFFIX = ".tflite"
SKELETON = "blazepose12"
LANDMARKS = (11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_SIZE = 256  # pixels
# Pixels, visibility and presence; metres around the middle of the hips.
_FLAT, _WORLD = (1, 39 * 5), (1, 39 * 3)
_CIRCLE = (33, 34)  # helpers among the landmarks, see `_person`
_ROOM = 1.25  # side of the square over the circle's diameter
_HOW, _BORDER = cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
_BATCH = 64
_FILE = "pose_landmark_full.tflite"


class Images(Protocol):
    """Pictures uint8 `[N, S, S, 3]`, RGB, in memory or read when asked for."""

    def __len__(self) -> int:
        """N."""

    def __getitem__(self, rows: slice) -> np.ndarray:
        """Reads pictures `[n, S, S, 3]`."""


def find() -> pathlib.Path | None:
    """Returns the landmark network of an installed `mediapipe`, None without one."""
    return detector.find(_FILE)


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
    network = _Network(path)
    joints = []
    for start in range(0, len(images), _BATCH):
        for image in images[start : start + _BATCH]:
            first, _ = network.run(_resized(image))
            matrix, turn = _person(first, image.shape[0])
            square = cv2.warpAffine(
                image, matrix, (_SIZE, _SIZE), flags=_HOW, borderMode=_BORDER
            )
            joints.append(network.run(square)[1] @ turn.T)
    chosen = np.stack(joints)[:, list(LANDMARKS)]
    return poses.Poses(1000.0 * chosen, SKELETON, source=f"BlazePose ({path})")


class _Network:
    """The landmark network."""

    def __init__(self, path: str | pathlib.Path) -> None:
        try:
            with progress.silent():
                self._run = tf.lite.Interpreter(model_path=str(path), num_threads=1)
                self._run.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise errors.InputError(f"model {path}: not readable: {error}") from None
        given = self._run.get_input_details()[0]
        sizes = {tuple(x["shape"]): x["index"] for x in self._run.get_output_details()}
        wanted = (1, _SIZE, _SIZE, 3)
        if tuple(given["shape"]) != wanted or not {_FLAT, _WORLD} <= set(sizes):
            raise errors.InputError(
                f"model {path}: takes {tuple(given['shape'])}, expected the landmark "
                f"network of BlazePose, {wanted} to {_FLAT} and {_WORLD}; give "
                f"{_FILE} or pose_landmark_lite.tflite"
            )
        self._given, self._outputs = given["index"], (sizes[_FLAT], sizes[_WORLD])

    def run(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """`[256, 256, 3]` uint8 -> pixels `[39, 5]`, metres `[39, 3]`, float64."""
        self._run.set_tensor(self._given, image[None] / np.float32(255))
        self._run.invoke()
        flat, world = (self._run.get_tensor(n)[0] for n in self._outputs)
        return (
            flat.reshape(39, 5).astype(np.float64),
            world.reshape(39, 3).astype(np.float64),
        )


def _resized(image: np.ndarray) -> np.ndarray:
    shrink = image.shape[0] > _SIZE
    how = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    return cv2.resize(image, (_SIZE, _SIZE), interpolation=how)


def _person(landmarks: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The square of one person, upright, by MediaPipe's rule.

    Args:
        landmarks: `[39, 5]`, pixels of the network's input: the middle of the hips and
            a point above the head, on the circle that holds the whole body, are two.
        side: of the picture that the network's input was made of, pixels.

    Returns:
        `[2, 3]`, from that picture to another input; `[3, 3]`, which turns a pose that
        is seen there back.
    """
    scale = side / _SIZE
    # Pixels' centres are whole numbers to OpenCV, halves to a network's output.
    hips, end = (scale * landmarks[n, :2] - 0.5 for n in _CIRCLE)
    way = end - hips
    reach = max(float(np.hypot(*way)), 1.0)
    sin, cos = way[0] / reach, -way[1] / reach  # of the body's turn, x towards y
    zoom = _SIZE / (2 * _ROOM * reach)
    upright = zoom * np.array([[cos, sin], [-sin, cos]])
    shift = (_SIZE - 1) / 2 - upright @ hips
    turn = np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    return np.column_stack([upright, shift]), turn
