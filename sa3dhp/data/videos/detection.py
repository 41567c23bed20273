"""Person detectors: BlazePose's, OpenCV's own, an ONNX file, a TensorFlow SavedModel.

A detector is a callable: frames `[N, H, W, 3]` uint8 RGB -> a list of N arrays
`[M, 5]` float32, x1 y1 x2 y2 in pixels of the frame and a confidence in [0, 1], best
first. Overlapping boxes may stay: tracking chooses among them.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Protocol

import cv2
import numpy as np

from sa3dhp import errors
from sa3dhp.data.videos import blazepose

AUTO, BLAZEPOSE, HOG = "auto", "blazepose", "hog"  # detectors without a file
MAX_BOXES = 40  # per frame
MIN_SCORE = 0.05
ONNX_SIZE = 640  # pixels, side of the ONNX network's square input
_IN_CELLS = 50.0  # places of YOLOX are below, those in pixels beyond
_NORMALISED = 1.5  # places that are shares of the picture are below
_ROUNDING = 0.01  # of scores


_PROGRAM = "the SavedModel {} is a program, and runs with your rights"


class Detector(Protocol):
    """Finds persons in pictures."""

    def __call__(self, frames: np.ndarray) -> list[np.ndarray]:
        """Returns `[M, 5]` per frame of `[N, H, W, 3]`: x1 y1 x2 y2 score."""


def choose(detector: str | os.PathLike) -> tuple[str, str]:
    """Says which detector a name stands for.

    Args:
        detector: as for `make`.

    Returns:
        The name or path of one detector, and a sentence that a user should read, or "".
        `auto` is BlazePose where its file is installed, else HOG.
    """
    if str(detector) != AUTO:
        program = (pathlib.Path(detector) / "saved_model.pb").is_file()
        return str(detector), _PROGRAM.format(detector) if program else ""
    if blazepose.find():
        return BLAZEPOSE, ""
    return HOG, (
        "people are searched with OpenCV's old detector (hog), which takes some things "
        f"for people; for a better one: {blazepose.REMEDY}"
    )


def make(detector: str | os.PathLike) -> Detector:
    """Builds a detector from its name or file.

    Args:
        detector: `auto`, `blazepose`, `hog`, a `.tflite` file of BlazePose's detector,
            a `.onnx` file, or the folder of a SavedModel.

    Raises:
        InputError: if it is none of these or cannot be loaded.
    """
    name, _ = choose(detector)
    path = pathlib.Path(name)
    if name == HOG:
        return hog()
    if name == BLAZEPOSE:
        found = blazepose.find()
        if found is None:
            raise errors.InputError(
                f"detector: {name} is not installed; run `{blazepose.REMEDY}`, or give "
                f"the path of {blazepose.FILE}"
            )
        return blazepose.BlazePose(found)
    if path.suffix.lower() == ".tflite" and path.is_file():
        return blazepose.BlazePose(path)
    if path.suffix.lower() == ".onnx" and path.is_file():
        return onnx(path)
    if (path / "saved_model.pb").is_file():
        return saved_model(path)
    raise errors.InputError(
        f"detector: got {detector}, which is no .tflite or .onnx file and no "
        f"SavedModel folder; give '{BLAZEPOSE}', '{HOG}', such a path, or a boxes file"
    )


def hog() -> Detector:
    """OpenCV's built-in pedestrian detector (HOG and a linear SVM), all its windows.

    It knows upright whole bodies, standing to squatting, from 15 % of the picture's
    longer side (at the 640 pixels that the reader gives it) to its full height, and
    misses people who lie, stand on their hands or are cut by the picture's edge.
    Its windows hold a margin around the person, which is taken off; the picture is
    padded so that a person who fills it is found. Confidence 0.5 is an SVM margin of
    0.6.
    """
    descriptor = cv2.HOGDescriptor()
    weights = np.array(cv2.HOGDescriptor.getDefaultPeopleDetector())
    descriptor.setSVMDetector(weights)

    def detect(frames: np.ndarray) -> list[np.ndarray]:
        return [_hog_frame(descriptor, frame) for frame in frames]

    return detect


def _hog_frame(descriptor: cv2.HOGDescriptor, frame: np.ndarray) -> np.ndarray:
    """Returns the boxes `[M, 5]` of one frame."""
    height, width = frame.shape[:2]
    pad = (max(height, width) // 8 + 15) // 16 * 16
    tall = max(0, 128 - height - 2 * pad)
    wide = max(0, 64 - width - 2 * pad)
    padded = cv2.copyMakeBorder(
        frame, pad, pad + tall, pad, pad + wide, cv2.BORDER_REPLICATE
    )
    windows, margins = descriptor.detectMultiScale(
        cv2.cvtColor(padded, cv2.COLOR_RGB2GRAY),
        hitThreshold=-0.3,
        winStride=(8, 8),
        padding=(0, 0),
        scale=1.16,  # finer steps double the time and raise the walls' scores
        groupThreshold=0,
    )
    if not len(windows):
        return np.zeros((0, 5), np.float32)
    x, y, w, h = np.asarray(windows, np.float32).reshape(-1, 4).T
    score = 1 / (1 + np.exp(-3 * (np.asarray(margins, np.float32).ravel() - 0.6)))
    # The person is about 0.8 of the window's height and 0.7 of its width.
    x, y = x - pad + 0.15 * w, y - pad + 0.1 * h
    boxes = np.stack([x, y, x + 0.7 * w, y + 0.8 * h, score], axis=-1)
    return _best(boxes[_visible(boxes, width, height) >= 0.75])


def _visible(boxes: np.ndarray, width: int, height: int) -> np.ndarray:
    """The part `[M]` of each box that lies inside the picture."""
    low = np.clip(boxes[:, :2], 0, None)
    high = np.minimum(boxes[:, 2:4], [width, height])
    inside = np.prod(np.clip(high - low, 0, None), axis=1)
    return inside / np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)


def onnx(path: pathlib.Path) -> Detector:
    """A detector of the YOLO family in an ONNX file, run by OpenCV.

    Input `[1, 3, 640, 640]`, the picture fitted into the top left corner, the rest
    grey. The first output is one of

    * `[1, M, 6]`: x1 y1 x2 y2 score class, or
    * `[1, 4 + C, M]` (C classes): cx cy w h and a score per class, or
    * `[1, M, 5 + C]`: cx cy w h, a score for anything and one per class (YOLOv5), or
      the same from the corner of a cell and in cells, w h as logarithms (YOLOX, where M
      is 8400, one per cell),

    in pixels of the input; class 0 is the person. Pose heads may follow with their
    points, which are not used. What fits none of these, in its shape or its numbers, is
    refused. Pictures are RGB in [0, 1], of YOLOX BGR in 0..255.

    Raises:
        InputError: if the file does not load, or the output is none of these.
    """
    try:
        net = cv2.dnn.readNetFromONNX(str(path))
    except cv2.error:
        raise errors.InputError(
            f"detector: {path} does not load as ONNX; export it again (opset 11 to 13)"
        ) from None
    grey = np.full((ONNX_SIZE, ONNX_SIZE, 3), 114, np.uint8)
    yolox = _is_yolox(_run_onnx(net, grey, path))

    def detect(frames: np.ndarray) -> list[np.ndarray]:
        return [_onnx_frame(net, frame, path, yolox) for frame in frames]

    return detect


def _cells() -> np.ndarray:
    """The cells of YOLOX `[8400, 3]`: x and y of the corner, and the side, pixels."""
    parts = []
    for stride in (8, 16, 32):
        y, x = np.mgrid[:ONNX_SIZE:stride, :ONNX_SIZE:stride]
        parts.append(np.stack([x, y, np.full_like(x, stride)], axis=-1).reshape(-1, 3))
    return np.concatenate(parts).astype(np.float32)


def _is_yolox(output: np.ndarray) -> bool:
    """Places in cells, a few at most, where others have pixels."""
    if output.ndim != 3 or not len(_cells()) == output.shape[1] > output.shape[2] > 5:
        return False
    places = output[0, :, :4][np.isfinite(output[0, :, :4]).all(axis=1)]
    if _are_shares(places):
        return False
    return bool(np.abs(places[:, :2]).max(initial=0.0) < _IN_CELLS)


def _are_shares(places: np.ndarray) -> bool:
    """Whether all four numbers of each box are shares of the picture."""
    return bool(places.min(initial=0.0) >= 0 and places.max(initial=0.0) <= _NORMALISED)


def _run_onnx(
    net: cv2.dnn.Net, canvas: np.ndarray, path: pathlib.Path, yolox: bool = False
) -> np.ndarray:
    """Runs the network on a square picture `[640, 640, 3]`, RGB."""
    scale = 1.0 if yolox else 1 / 255.0
    net.setInput(cv2.dnn.blobFromImage(canvas, scale, swapRB=yolox))
    try:
        return np.asarray(net.forward())
    except cv2.error:
        raise errors.InputError(
            f"detector: {path} does not run on [1, 3, {ONNX_SIZE}, {ONNX_SIZE}]; "
            "export it for that input"
        ) from None


def _onnx_frame(
    net: cv2.dnn.Net, frame: np.ndarray, path: pathlib.Path, yolox: bool
) -> np.ndarray:
    """Returns the boxes `[M, 5]` of one frame."""
    scale = ONNX_SIZE / max(frame.shape[:2])
    size = [max(1, round(v * scale)) for v in frame.shape[1::-1]]  # w, h
    canvas = np.full((ONNX_SIZE, ONNX_SIZE, 3), 114, np.uint8)
    canvas[: size[1], : size[0]] = cv2.resize(frame, tuple(size))
    boxes = _decode_onnx(_run_onnx(net, canvas, path, yolox), path, yolox)
    boxes[:, :4] /= scale
    return _best(boxes)


def _decode_onnx(
    output: np.ndarray, path: pathlib.Path, yolox: bool | None = None
) -> np.ndarray:
    """Returns the person boxes `[M, 5]` of any of the output layouts."""
    found = _layout(output, _is_yolox(output) if yolox is None else yolox)
    if found is None:
        raise errors.InputError(
            f"detector: {path} gives {output.shape}; expected [1, M, 6] (x1 y1 x2 y2 "
            "score class), [1, 4 + C, M] (cx cy w h scores) or [1, M, 5 + C] (YOLOv5, "
            "YOLOX), in pixels and with scores from 0 to 1; export it with such an "
            "output"
        )
    rows, scores = found
    if scores is None:
        return rows[np.rint(rows[:, 5]) == 0][:, :5]
    return _persons(np.concatenate([rows[:, :4], scores], axis=1))


def _layout(
    output: np.ndarray, yolox: bool
) -> tuple[np.ndarray, np.ndarray | None] | None:
    """Rows `[M, K]` in pixels and the scores `[M, C]` of classes; None if unknown.

    Shapes alone do not tell layouts apart, but their numbers do: 25200 and 8400 rows
    are those of networks with and without anchors, places are pixels, and scores lie
    between 0 and 1. Of other counts those with COCO's 80 classes are known by their
    width. Without scores the rows are x1 y1 x2 y2 score class.
    """
    if output.shape == (1, 0, 6):  # nothing is found
        return np.zeros((0, 6), np.float32), None
    if output.ndim != 3 or output.shape[0] != 1 or min(output.shape) < 1:
        return None
    rows = np.asarray(output[0], np.float32)
    turned = rows.shape[1] != 6 and rows.shape[0] < rows.shape[1]
    rows = rows.T if turned else rows
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not len(rows):
        return None
    count, width = output.shape[2 if turned else 1], rows.shape[1]
    cells = _cells()
    if yolox and width > 5 and len(rows) == len(cells):
        rows[:, :2] = rows[:, :2] * cells[:, 2:] + cells[:, :2]
        rows[:, 2:4] = np.exp(np.minimum(rows[:, 2:4], 20.0)) * cells[:, 2:]
    anchors = count == 3 * len(cells)
    if width >= 5 and not rows[:, :4].any():  # nothing is found
        return rows[:0], rows[:0, 4:5]
    if width < 5 or _are_shares(rows[:, :4]):
        return None
    if width == 6 and not turned and count not in (len(cells), 3 * len(cells)):
        ends = (rows[:, 2:4] >= rows[:, :2]).all() and _are_scores(rows[:, 4])
        whole = (np.abs(rows[:, 5] - np.rint(rows[:, 5])) < _ROUNDING).all()
        return (rows, None) if ends and whole else None
    if not (turned or anchors or yolox or width in (84, 85)):
        return None  # with objectness or without: one column tells, and misleads
    if anchors or yolox or (width == 85 and not turned):
        return _with_objectness(rows)
    scores = _class_scores(rows[:, 4:])
    return None if scores is None else (rows, scores)


def _with_objectness(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Rows cx cy w h, a score for anything, and one per class."""
    scores = _class_scores(rows[:, 5:])
    if scores is None or not _are_scores(rows[:, 4]):
        return None
    return rows, rows[:, 4:5] * scores


def _class_scores(columns: np.ndarray) -> np.ndarray | None:
    """The scores per class; of a pose head, which knows one, without its points."""
    if not columns.shape[1]:
        return None
    if _are_scores(columns):
        return columns
    points = columns.shape[1] - 1
    pose = points >= 6 and (points % 3 == 0 or points % 2 == 0)
    return columns[:, :1] if pose and _are_scores(columns[:, 0]) else None


def _are_scores(values: np.ndarray) -> bool:
    return bool(values.min() >= -_ROUNDING and values.max() <= 1 + _ROUNDING)


def _persons(rows: np.ndarray) -> np.ndarray:
    """Boxes `[K, 5]` of the rows `[M, 4 + C]`, cx cy w h scores, of class 0."""
    rows = rows[rows[:, 4:].argmax(axis=1) == 0]
    centre, half = rows[:, :2], rows[:, 2:4] / 2
    parts = [centre - half, centre + half, rows[:, 4:5]]
    return np.concatenate(parts, axis=1).astype(np.float32)


def saved_model(path: pathlib.Path) -> Detector:
    """A SavedModel with the signature of TensorFlow's object detection models.

    `serving_default` takes uint8 `[1, H, W, 3]` RGB and gives `detection_boxes`
    `[1, M, 4]` (ymin xmin ymax xmax, 0 to 1), `detection_classes` `[1, M]` (1 is the
    person) and `detection_scores` `[1, M]`.

    Raises:
        InputError: if it does not load or the signature is another.
    """
    import tensorflow as tf  # the other detectors do without

    wanted = {"detection_boxes", "detection_classes", "detection_scores"}
    try:
        model = tf.saved_model.load(str(path))
        function = model.signatures["serving_default"]
    except (OSError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise errors.InputError(
            f"detector: {path} does not load ({reason}); give a SavedModel with a "
            "serving_default signature"
        ) from None
    inputs = list(function.structured_input_signature[1])
    if len(inputs) != 1 or not wanted <= set(function.structured_outputs):
        raise errors.InputError(
            f"detector: {path} takes {inputs} and gives "
            f"{sorted(function.structured_outputs)}; expected one picture and "
            f"{sorted(wanted)}: use an object detection export"
        )

    def detect(frames: np.ndarray) -> list[np.ndarray]:
        # `model` is named here so that its variables live as long as the function.
        call: Callable[..., Mapping] = model.signatures["serving_default"]
        found = (call(**{inputs[0]: tf.constant(f[None])}) for f in frames)
        return [_decode_saved_model(f, g) for f, g in zip(frames, found)]

    return detect


def _decode_saved_model(frame: np.ndarray, output: Mapping) -> np.ndarray:
    """Returns the person boxes `[M, 5]` of one frame's output."""
    height, width = frame.shape[:2]
    y1, x1, y2, x2 = np.asarray(output["detection_boxes"])[0].T
    score = np.asarray(output["detection_scores"])[0]
    person = np.rint(np.asarray(output["detection_classes"])[0]) == 1
    columns = [x1 * width, y1 * height, x2 * width, y2 * height, score]
    return _best(np.stack(columns, axis=-1)[person])


def _best(boxes: np.ndarray) -> np.ndarray:
    """Keeps the best valid boxes, in an order that does not depend on threads."""
    boxes = np.asarray(boxes, np.float32)
    good = np.isfinite(boxes).all(axis=1) & (boxes[:, 4] >= MIN_SCORE)
    good &= (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    boxes = boxes[good]
    order = np.lexsort((*boxes[:, :4].T, -boxes[:, 4]))
    return boxes[order][:MAX_BOXES]
