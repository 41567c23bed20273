"""People before a camera, live: each frame is searched, cropped, predicted, smoothed.

What is not known yet cannot be used: boxes and poses are smoothed by their past alone,
and a person who is missed for `tracking.MAX_GAP` seconds at most keeps his last box,
marked as bridged. Frames that come while one is worked on are lost.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from typing import Any, Protocol

import cv2
import numpy as np

from sa3dhp import errors, files
from sa3dhp.data.videos import detection, screening, tracking
from sa3dhp.geometry import crop
from sa3dhp.prediction import job, prediction, predictor, smoothing
from sa3dhp.visualisation import turntable

SURE = tracking.MIN_MEAN  # confidence of a detection that is followed
_SAME = 0.3  # intersection over union of one person's boxes in two frames
_PICTURE_SECONDS = 0.2  # from one picture of the report to the next, at least


class Capture(Protocol):
    """A camera, as OpenCV's."""

    def read(self) -> tuple[bool, np.ndarray | None]:
        """Whether there was a frame, and it: `[H, W, 3]` uint8 BGR."""

    def release(self) -> None:
        """Gives it back."""


def camera(named: str) -> int | None:
    """Returns the number of a camera that an input names, or None."""
    return int(named) if named.isdecimal() and not os.path.exists(named) else None


def open_camera(number: int) -> Capture:
    """Opens a camera.

    Raises:
        InputError: if there is none of this number, or another program has it.
    """
    level = cv2.getLogLevel()
    cv2.setLogLevel(0)
    try:
        capture = cv2.VideoCapture(number)
    finally:
        cv2.setLogLevel(level)
    if not capture.isOpened():
        raise errors.InputError(
            f"camera {number}: there is none, or another program has it; give another "
            "number, from 0, or a video"
        )
    return capture


@dataclasses.dataclass
class _Person:
    """Who is followed."""

    number: int
    box: np.ndarray  # [4], smoothed
    seen: float  # seconds
    score: float
    filter: smoothing.OneEuro | None


class Watch:
    """People in one frame after the other.

    Attributes:
        rows: one tuple per person and frame, in the order of `prediction.ROWS`.
        smooth: whether poses are.
    """

    def __init__(
        self, model: predictor.Model, detector: detection.Detector, smooth: bool
    ) -> None:
        """Starts without anybody.

        Args:
            model: see `predictor.predict_video`.
            detector: of people.
            smooth: poses by One-Euro filters.
        """
        self._model, self._detector, self.smooth = model, detector, smooth
        self._people: list[_Person] = []
        self._known, self._last = 0, 0.0
        self.rows: list[tuple] = []

    def __call__(self, frame: int, seconds: float, picture: np.ndarray) -> int:
        """Predicts one frame; returns how many people are in it.

        Args:
            frame: its number, rising.
            seconds: when it was taken, later than before.
            picture: `[H, W, 3]` uint8 RGB.
        """
        (found,) = self._detector(picture[None])
        self._follow(found[found[:, 4] >= SURE], seconds)
        if not self._people:
            return 0
        side = self._model.description["image_size"]
        crops = [crop.extract(picture, *_square(p.box), side) for p in self._people]
        for person, joints in zip(self._people, self._model.predict(np.stack(crops))):
            if person.filter is not None:
                joints = person.filter(joints, seconds)
            missed = person.seen < seconds
            score = 0.0 if missed else person.score
            row = (joints, frame, seconds, person.number, person.box, score, missed)
            self.rows.append(row)
        return len(self._people)

    def _follow(self, found: np.ndarray, seconds: float) -> None:
        """Gives each detection, the best first, to the person whose box it is on."""
        share = 1 - np.exp(-(seconds - self._last) / tracking.SMOOTHING)
        self._last = seconds
        free = [p for p in self._people if seconds - p.seen <= tracking.MAX_GAP]
        new: list[_Person] = []
        self._people = list(free)
        for row in found[np.argsort(-found[:, 4], kind="stable")]:
            box, score = row[:4].astype(np.float64), float(row[4])
            overlaps = [tracking.overlap(box, p.box) for p in free]
            if overlaps and max(overlaps) >= _SAME:
                person = free.pop(int(np.argmax(overlaps)))
                person.box = person.box + share * (box - person.box)
                person.seen, person.score = seconds, score
            elif all(tracking.overlap(box, p.box) < _SAME for p in self._people + new):
                skeleton = self._model.skeleton
                smooth = smoothing.OneEuro(skeleton) if self.smooth else None
                new.append(_Person(self._known, box, seconds, score, smooth))
                self._known += 1
        self._people += new


def run(
    model: predictor.Model,
    capture: Capture,
    output: str | os.PathLike,
    options: job.Options,
    *,
    name: str = "",
    seconds: float = float("inf"),
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Watches a camera until an interrupt, its end or a time, and writes a folder.

    The folder is that of `job.run`, without drawn videos: no frame is kept but small
    pictures for the report.

    Args:
        model: such as `sa3dhp.load` returns.
        capture: the camera; it is released.
        output: of an earlier prediction, which is replaced, or new.
        options: see there; boxes are of no use here.
        name: of the model, for the record.
        seconds: how long to watch.
        clock: tells the seconds.

    Returns:
        What `prediction.json` holds.

    Raises:
        InputError: if there is no frame, or the output holds other things.
    """
    files.check_folder(output, job.RESULT)
    chosen, advice = detection.choose(options.detector)
    smoothing.refuse_motion(options.smooth, "a camera's next frames are not known")
    smooth = options.smooth != smoothing.NONE
    watch = Watch(model, detection.make(chosen), smooth)
    pictures: dict[int, bytes] = {}
    count, size, began, now, shown = 0, (0, 0), clock(), 0.0, -np.inf
    try:
        while now < seconds:
            good, picture = capture.read()
            if not good or picture is None:
                break
            now = max(clock() - began, now + 1e-3)
            size = picture.shape[1], picture.shape[0]
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
            people = watch(count, now, picture)
            if people and options.frames and now - shown >= _PICTURE_SECONDS:
                pictures[count], shown = turntable.jpeg(picture), now
            count += 1
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        capture.release()
    if not count:
        raise errors.InputError("camera: it gave no frame; give another, or a video")
    fps = count / now
    made = _prediction(model, watch, fps, size)
    made = dataclasses.replace(made, model=name, length=count, pictures=pictures)
    with files.replaced_folder(output, job.RESULT) as new:
        told = job.begun(model, name, chosen)
        told["notes"] = [advice] if advice else []
        told["sources"] = {"camera": {"folder": ".", **job.written(new, made, options)}}
        job.finish(new, [made], told, options, now)
    return told


def _square(box: np.ndarray) -> tuple[np.ndarray, float]:
    return (box[:2] + box[2:]) / 2, crop.SIDE_FACTOR * float((box[2:] - box[:2]).max())


def _prediction(
    model: predictor.Model, watch: Watch, fps: float, size: tuple[int, int]
) -> prediction.Prediction:
    """What was seen, with its tracks; they have no pictures."""
    none = np.zeros((0, model.skeleton.num_joints, 3)), *[np.zeros(0)] * 6
    found = list(zip(*watch.rows)) or none
    kinds = np.float32, int, float, int, np.float32, np.float32, bool
    rows: dict[str, Any] = {
        key: np.array(values, kind)
        for key, values, kind in zip(prediction.ROWS, found, kinds)
    }
    rows["box"] = rows["box"].reshape(-1, 4)
    tracks = []
    for person in np.unique(rows["person"]):
        mine = np.flatnonzero(rows["person"] == person)
        scores = rows["confidence"][mine]
        track = screening.Track(
            *("camera", rows["frame"][mine], rows["box"][mine]),
            *(float(scores.mean()), scores, fps),
            seen=float(1 - rows["bridged"][mine].mean()),
        )
        tracks.append(track)
    return prediction.Prediction(
        **rows,
        skeleton=model.skeleton.id,
        fps=fps,
        size=size,
        source="camera",
        model="",
        model_hash=str(model.description.get("image_encoder_hash", "")),
        smoothing="one_euro" if watch.smooth else smoothing.NONE,
        tracks=tuple(tracks),
    )
