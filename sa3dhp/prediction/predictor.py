"""Videos to 3D poses: detection, tracking, crops by the crop rule, the model."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from sa3dhp import errors
from sa3dhp.data.videos import boxes_file, detection, people, screening, video
from sa3dhp.geometry import crop
from sa3dhp.prediction import prediction, smoothing
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.visualisation import turntable

BATCH = 120  # crops at once
NO_MOTION = (
    "this model has no motion auto-encoder with it, as exported models have none: name "
    "its networks or the folder of its adaptation"
)
Progress = Callable[[str, int, int], None]


class Described(Protocol):
    """A model that says what it is."""

    @property
    def description(self) -> Mapping:
        """What it says about itself: `image_size`, `image_encoder_hash`."""


class Model(Described, Protocol):
    """A model that predicts poses of crops, see `export.saved_model.Model`."""

    @property
    def skeleton(self) -> skeletons.Skeleton:
        """Of the joints."""

    def predict(self, images: np.ndarray) -> np.ndarray:
        """From uint8 `[N, S, S, 3]` to `[N, J, 3]`, mm."""


def predict_video(
    model: Model,
    source: str | os.PathLike | video.Source,
    *,
    name: str = "",
    detector: str | os.PathLike | detection.Detector = detection.AUTO,
    boxes: str | os.PathLike | None = None,
    frames_fps: float = video.ASSUMED_FPS,
    smooth: str = smoothing.ZERO_LAG,
    pictures: int = 0,
    progress: Progress = lambda stage, done, total: None,
) -> prediction.Prediction:
    """Predicts the pose of every person in every frame of a video.

    An interrupt while it predicts ends it with what is done; while it searches, nothing
    is.

    The video is decoded twice and never held. People are cut out by the crop rule of
    the training, see `crop.square_boxes`.

    Args:
        model: such as `sa3dhp.load` returns.
        source: a video, a folder of its frames, or a single picture.
        name: of the model, for the record.
        detector: see `detection.make`, or a detector; not asked where `boxes` is given.
        boxes: a boxes file, see `boxes_file.read`.
        frames_fps: rate of a folder of frames.
        smooth: over time, one of `smoothing.METHODS`; a picture stays as it is.
        pictures: of how many frames with people small pictures are kept.
        progress: told a stage, how many frames are done, and how many there seem to be.

    Raises:
        InputError: if there is no such video, several, or an argument is no good.
        UnreadableError: if it cannot be decoded.
    """
    smoothing.check(smooth)
    if getattr(model, "motion", None) is None:
        smoothing.refuse_motion(smooth, NO_MOTION)
    source = source if isinstance(source, video.Source) else _only(source)
    notes = []
    given = None if boxes is None else boxes_file.read(boxes)
    asked = detector if callable(detector) else None
    if given is None and not callable(detector):
        chosen, note = detection.choose(detector)
        asked, notes = detection.make(chosen), [note] if note else []

    if model.description.get("mirrored"):
        notes.append("the mean of each picture and its mirror image")
    if (policy := model.description.get("precision", "float32")) != "float32":
        notes.append(f"the network computed in {policy}")

    def searched(done: int, total: int) -> None:
        progress("searching", done, total)

    scan = people.scan(
        source, None, frames_fps, asked, given, together=True, progress=searched
    )
    columns = _rows(scan.tracks, scan.fps)
    frames, count = np.unique(columns["frame"]), len(columns["frame"])
    kept = frames[turntable.shown(len(frames), pictures)] if pictures else frames[:0]
    small = dict.fromkeys(kept.tolist(), b"")
    views = _views(model.description["image_size"], source, columns, small)
    joints = _predicted(model, views, count, progress)
    done = len(joints)
    interrupted = done < count
    if interrupted:
        notes.append(f"interrupted: {done} of {count} poses")
        columns = {key: values[:done] for key, values in columns.items()}
    still = source.images == (source.path,)
    smooth, told = smoothing.chosen(smooth, 0.0 if still else scan.fps)
    for person in np.unique(columns["person"]) if smooth != smoothing.NONE else ():
        rows = np.flatnonzero(columns["person"] == person)
        joints[rows] = _smoothed(model, joints[rows], scan.fps, smooth)
    return prediction.Prediction(
        joints=joints,
        frame=columns["frame"],
        time=_seconds(columns["frame"], scan),
        person=columns["person"],
        box=columns["box"],
        confidence=columns["confidence"],
        bridged=columns["bridged"],
        skeleton=model.skeleton.id,
        fps=0.0 if still else scan.fps,
        size=scan.size,
        source=source.name,
        model=name,
        model_hash=str(model.description.get("image_encoder_hash", "")),
        smoothing=smooth,
        tracks=tuple(scan.tracks),
        dropped=tuple(scan.dropped),
        notes=(*notes, *scan.notes, *told),
        length=round(scan.seconds * scan.fps),
        pictures={frame: data for frame, data in small.items() if data},
        interrupted=interrupted,
    )


def _smoothed(model: Model, joints: np.ndarray, fps: float, method: str) -> np.ndarray:
    """The poses `[T, J, 3]` of one person, by a method that there is."""
    if method == smoothing.ZERO_LAG:
        return smoothing.zero_lag(joints, fps, model.skeleton)
    from sa3dhp.prediction import denoising  # with TensorFlow

    return denoising.track(joints, fps, model.motion())  # type: ignore[attr-defined]


def _seconds(frames: np.ndarray, scan: people.Scan) -> np.ndarray:
    """When frames are shown, from the first one; their own times where these vary."""
    return frames / scan.fps if scan.times is None else scan.times[frames]


def crops(
    source: video.Source, size: int, detector: detection.Detector, most: int
) -> list[np.ndarray]:
    """Returns what a model would see of the people in a source, evenly taken.

    Args:
        source: the video.
        size: pixels, of both sides.
        detector: of people.
        most: pictures.

    Returns:
        uint8 `[size, size, 3]` each, RGB.

    Raises:
        UnreadableError: if it cannot be decoded.
    """
    scan = people.scan(source, None, video.ASSUMED_FPS, detector, None, together=True)
    columns = _rows(scan.tracks, scan.fps)
    chosen = turntable.shown(len(columns["frame"]), most)
    columns = {key: values[chosen] for key, values in columns.items()}
    return list(_views(size, source, columns, {}))


def _only(where: str | os.PathLike) -> video.Source:
    """The one source that a path names."""
    found = video.discover(where)
    if len(found) > 1:
        names = ", ".join(source.name for source in found[:3])
        raise errors.InputError(
            f"{where}: holds {len(found)} videos ({names}, ..); give one at a time, or "
            "use tools/predict.py, which takes them all"
        )
    return found[0]


def _rows(tracks: Sequence[screening.Track], fps: float) -> dict[str, np.ndarray]:
    """One row per person and frame, sorted by frame, then person."""
    names = ("frame", "person", "box", "confidence", "bridged", "centre", "side")
    columns: dict[str, list] = {key: [] for key in names}
    for number, track in enumerate(tracks):
        centres, sides = crop.square_boxes(track.boxes, fps)
        columns["frame"].append(track.source_frames)
        columns["person"].append(np.full(len(sides), number))
        columns["box"].append(track.boxes)
        columns["confidence"].append(track.scores)
        none = np.zeros(len(sides), bool)
        columns["bridged"].append(track.bridged if len(track.bridged) else none)
        columns["centre"].append(centres)
        columns["side"].append(sides)
    if not tracks:
        shapes = {"box": (0, 4), "centre": (0, 2)}
        kinds = {"frame": int, "person": int, "bridged": bool}
        return {
            key: np.zeros(shapes.get(key, 0), kinds.get(key, np.float32))
            for key in columns
        }
    whole = {key: np.concatenate(parts) for key, parts in columns.items()}
    order = np.lexsort((whole["person"], whole["frame"]))
    return {key: values[order] for key, values in whole.items()}


def _views(
    side: int,
    source: video.Source,
    columns: Mapping[str, np.ndarray],
    kept: dict[int, bytes],
) -> Iterator[np.ndarray]:
    """Yields what the model sees of each row, uint8 `[S, S, 3]`, in their order.

    Args:
        side: S, pixels.
        source: decoded once.
        columns: the rows.
        kept: its keys are frames, whose small pictures are put there.
    """
    frame = columns["frame"]
    for index, picture in video.until(source, np.unique(frame)):
        if index in kept:
            kept[index] = turntable.jpeg(picture)
        for row in range(*np.searchsorted(frame, [index, index + 1])):
            square = columns["centre"][row], float(columns["side"][row])
            yield crop.extract(picture, *square, side)


def _predicted(
    model: Model, views: Iterator[np.ndarray], count: int, progress: Progress
) -> np.ndarray:
    """The joints `[N, J, 3]` of so many rows; of fewer after an interrupt.

    Raises:
        KeyboardInterrupt: before anything is done.
        UnreadableError: if there are fewer views.
    """
    parts: list[np.ndarray] = []
    done = 0
    try:
        while crops := list(itertools.islice(views, BATCH)):
            parts.append(model.predict(np.stack(crops)))
            done += len(crops)
            progress("predicting", done, count)
    except KeyboardInterrupt:
        if not parts:
            raise
    else:
        if done < count:
            raise video.UnreadableError("its frames could not be decoded a second time")
    if not parts:
        return np.zeros((0, model.skeleton.num_joints, 3), np.float32)
    return np.concatenate(parts).astype(np.float32, copy=False)
