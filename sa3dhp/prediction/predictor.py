"""Videos to 3D poses: detection, tracking, crops by the crop rule, the model."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from sa3dhp import errors
from sa3dhp.data.videos import boxes_file, detection, people, screening, video
from sa3dhp.geometry import crop
from sa3dhp.prediction import prediction, smoothing
from sa3dhp.skeleton import skeleton as skeletons

BATCH = 120  # crops at once
Progress = Callable[[str, int, int], None]


class Model(Protocol):
    """A model that predicts poses of crops, see `export.saved_model.Model`."""

    @property
    def description(self) -> Mapping:
        """What it says about itself: `image_size`, `image_encoder_hash`."""

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
    progress: Progress = lambda stage, done, total: None,
) -> prediction.Prediction:
    """Predicts the pose of every person in every frame of a video.

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
        progress: told a stage, how many frames are done, and how many there seem to be.

    Raises:
        InputError: if there is no such video, several, or an argument is no good.
        UnreadableError: if it cannot be decoded.
    """
    smoothing.check(smooth)
    source = source if isinstance(source, video.Source) else _only(source)
    notes = []
    given = None if boxes is None else boxes_file.read(boxes)
    asked = detector if callable(detector) else None
    if given is None and not callable(detector):
        chosen, note = detection.choose(detector)
        asked, notes = detection.make(chosen), [note] if note else []

    def searched(done: int, total: int) -> None:
        progress("searching", done, total)

    scan = people.scan(
        source, None, frames_fps, asked, given, together=True, progress=searched
    )
    columns = _rows(scan.tracks, scan.fps)
    joints = _predicted(model, source, columns, progress)
    still = source.images == (source.path,)
    if smooth == smoothing.ZERO_LAG and not still:
        for person in np.unique(columns["person"]):
            rows = np.flatnonzero(columns["person"] == person)
            joints[rows] = smoothing.zero_lag(joints[rows], scan.fps, model.skeleton)
    return prediction.Prediction(
        joints=joints,
        frame=columns["frame"],
        time=_seconds(columns["frame"], scan),
        person=columns["person"],
        box=columns["box"],
        confidence=columns["confidence"],
        skeleton=model.skeleton.id,
        fps=0.0 if still else scan.fps,
        size=scan.size,
        source=source.name,
        model=name,
        model_hash=str(model.description.get("image_encoder_hash", "")),
        smoothing=smoothing.NONE if still else smooth,
        tracks=tuple(scan.tracks),
        dropped=tuple(scan.dropped),
        notes=(*notes, *scan.notes),
    )


def _seconds(frames: np.ndarray, scan: people.Scan) -> np.ndarray:
    """When frames are shown, from the first one; their own times where these vary."""
    return frames / scan.fps if scan.times is None else scan.times[frames]


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
    columns: dict[str, list] = {
        key: [] for key in ("frame", "person", "box", "confidence", "centre", "side")
    }
    for number, track in enumerate(tracks):
        centres, sides = crop.square_boxes(track.boxes, fps)
        columns["frame"].append(track.source_frames)
        columns["person"].append(np.full(len(sides), number))
        columns["box"].append(track.boxes)
        columns["confidence"].append(track.scores)
        columns["centre"].append(centres)
        columns["side"].append(sides)
    if not tracks:
        shapes = {"box": (0, 4), "centre": (0, 2)}
        kinds = {"frame": int, "person": int}
        return {
            key: np.zeros(shapes.get(key, 0), kinds.get(key, np.float32))
            for key in columns
        }
    whole = {key: np.concatenate(parts) for key, parts in columns.items()}
    order = np.lexsort((whole["person"], whole["frame"]))
    return {key: values[order] for key, values in whole.items()}


def _predicted(
    model: Model,
    source: video.Source,
    columns: Mapping[str, np.ndarray],
    progress: Progress,
) -> np.ndarray:
    """The joints `[N, J, 3]` of all rows."""
    frame = columns["frame"]
    joints = np.full((len(frame), model.skeleton.num_joints, 3), np.nan, np.float32)
    rows: list[int] = []
    crops: list[np.ndarray] = []

    def flush() -> None:
        if crops:
            joints[rows] = model.predict(np.stack(crops))
            progress("predicting", rows[-1] + 1, len(frame))
        rows.clear()
        crops.clear()

    for index, picture in video.until(source, np.unique(frame)):
        for row in range(*np.searchsorted(frame, [index, index + 1])):
            square = columns["centre"][row], float(columns["side"][row])
            side = model.description["image_size"]
            crops.append(crop.extract(picture, *square, side))
            rows.append(row)
            if len(crops) == BATCH:
                flush()
    flush()
    if np.isnan(joints).any():
        raise video.UnreadableError("its frames could not be decoded a second time")
    return joints
