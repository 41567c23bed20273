"""Everybody in a video: pictures made square, people linked from frame to frame.

The network knows nobody: who is who follows from where the pelvises stand in the
camera. Distances assume the fixed camera, see `camera.py`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import tensorflow as tf
from scipy import optimize

from sa3dhp import files
from sa3dhp.data.videos import screening, video
from sa3dhp.export import saved_model
from sa3dhp.geometry import crop
from sa3dhp.prediction import prediction, smoothing
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.multi_person import config as configs
from sa3dhp.systems.multi_person import networks, stages
from sa3dhp.visualisation import turntable

SPEED = 4.0  # mm per millisecond, the fastest that a pelvis is taken to move
SLACK = 600.0  # mm that distances jump by, of people who stand still
GAP = 0.5  # seconds that somebody may be missed for
FEWEST = 0.2  # seconds below which nobody is believed
_BATCH = 16


class Watcher:
    """An exported model of several people, in memory.

    Attributes:
        description: what it says about itself, see `serving.of_composer`.
    """

    def __init__(self, loaded: tf.Module) -> None:
        """Keeps what `tf.saved_model.load` made; ValueError for one of one person."""
        self._loaded = loaded  # owns the variables
        self._serve = loaded.signatures["serving_default"]
        text = loaded.signatures["describe"]()["json"].numpy()
        self.description: Mapping = json.loads(text)
        if "camera" not in self.description:
            raise ValueError("it is a model of one person")
        self.size = int(self.description["image_size"])

    @property
    def skeleton(self) -> skeletons.Skeleton:
        """Of the joints."""
        return skeletons.get(self.description["skeleton"])

    def see(
        self, images: np.ndarray
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """Returns the people of square pictures uint8 `[B, S, S, 3]`, RGB.

        Returns:
            Of each picture joints `[n, J, 3]`, mm in the camera; points `[n, J, 2]`,
            shares of its sides; scores `[n]`.
        """
        found = self._serve(images=tf.constant(images))
        joints, points, score, count = (
            found[key].numpy() for key in ("joints", "points", "score", "count")
        )
        return [
            (joints[i, :n], points[i, :n], score[i, :n]) for i, n in enumerate(count)
        ]


def load(folder: str | os.PathLike) -> Watcher:
    """Reads the model of a run.

    Args:
        folder: of the run, its exported model, or its networks; networks that do not
            lie in a run are of the shipped configuration.

    Raises:
        InputError: if there is none, or it is damaged or of another kind.
    """
    folder = files.find(folder)
    if (folder / f"{networks.STUDENT}.npz").is_file():
        places = (folder / "config.yaml", folder.parent / "config.yaml")
        own = next((path for path in places if path.is_file()), None)
        path = own or files.find(configs.SHIPPED)
        return Watcher(stages.exported(configs.load(path), folder))
    inside = folder / stages.MODEL
    place = inside if (inside / saved_model.MARKER).is_file() else folder
    remedy = (
        "give the WORKDIR of tools/pretrain.py --system=multi_person --stage=all, or "
        f"the {stages.MODEL} or checkpoints in it"
    )
    return saved_model.read(place, Watcher, remedy)


def people_of(
    watcher: Watcher, pictures: list[np.ndarray]
) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Returns the people of whole pictures, which are made square with a margin.

    Args:
        watcher: the model.
        pictures: uint8 `[H, W, 3]`, RGB, all of one size.

    Returns:
        Of each picture joints `[n, J, 3]`, mm in the camera; points `[n, J, 2]`, its
        pixels; scores `[n]`.
    """
    height, width = pictures[0].shape[:2]
    side = max(height, width)
    middle = (np.array([width, height]) - side) // 2 + (side - 1) / 2  # whole pixels
    square = [crop.extract(x, middle, float(side), watcher.size) for x in pictures]
    return [
        # Shares of the square's sides to pixels of the picture.
        (joints, (points - 0.5) * side + middle, score)
        for joints, points, score in watcher.see(np.stack(square))
    ]


def link(
    roots: list[np.ndarray], times: np.ndarray, gap: float = GAP
) -> list[np.ndarray]:
    """Returns who is who, by the nearest pelvises from frame to frame.

    Args:
        roots: of each frame `[n, 3]`, mm in the camera.
        times: `[frames]`, seconds.
        gap: seconds that somebody may be missed for.

    Returns:
        Of each frame the numbers of its people, from 0; whoever is seen in most frames
        has the least.
    """
    last: dict[int, tuple[float, np.ndarray]] = {}
    found, born = [], 0
    for here, time in zip(roots, times.tolist()):
        last = {k: (t, x) for k, (t, x) in last.items() if time - t <= gap}
        known = list(last)
        names = np.full(len(here), -1)
        if known and len(here):
            away = np.array([last[k][1] for k in known])[:, None] - here[None]
            reach = [SLACK + SPEED * 1e3 * (time - last[k][0]) for k in known]
            cost = np.linalg.norm(away, axis=-1) / np.array(reach)[:, None]
            # Whoever is out of reach costs more than all that are within.
            rows, columns = optimize.linear_sum_assignment(
                np.where(cost < 1, cost, 1e3)
            )
            for row, column in zip(rows, columns):
                if cost[row, column] < 1:
                    names[column] = known[row]
        for n in np.flatnonzero(names < 0):
            names[n], born = born, born + 1
        last.update({int(k): (time, x) for k, x in zip(names, here)})
        found.append(names)
    seen = np.bincount(np.concatenate([*found, np.zeros(0, int)]), minlength=born)
    order = np.empty(born, int)
    order[np.argsort(-seen, kind="stable")] = np.arange(born)
    return [order[names] for names in found]


def predict_video(
    watcher: Watcher,
    source: video.Source,
    *,
    name: str = "",
    frames_fps: float = video.ASSUMED_FPS,
    smooth: str = smoothing.ZERO_LAG,
    pictures: int = 0,
    progress: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> prediction.Prediction:
    """Predicts everybody in every frame of a video, in one pass.

    An interrupt ends it with what is done.

    Args:
        watcher: the model.
        source: a video, a folder of its frames, or a single picture.
        name: of the model, for the record.
        frames_fps: rate of a folder of frames.
        smooth: over time, one of `smoothing.METHODS`; a picture stays as it is.
        pictures: of how many frames small pictures are kept.
        progress: told a stage, how many frames are done, and how many there seem to be.

    Returns:
        Joints relative to the pelvis; `root` says where that is in the camera, and
        `points` where all joints fall in the picture.

    Raises:
        UnreadableError: if it cannot be decoded.
    """
    smoothing.check(smooth)
    smoothing.refuse_motion(smooth, "models of several people have no such part")
    info = video.probe(source, frames_fps)
    seen = _Seen(
        max(1, round(screening.EVERY * info.fps)), info.declared_frames, pictures
    )
    still, interrupted = source.images == (source.path,), False
    try:
        for batch in _batches(source, seen):
            seen.add(batch, watcher)
            progress("predicting", seen.count, info.declared_frames)
    except KeyboardInterrupt:
        if not seen.people:
            raise
        interrupted = True
    if not seen.count:
        raise video.UnreadableError("no frame could be decoded")
    times = video.uneven(seen.times[: seen.count], info.fps)
    if times is None:
        times = np.arange(seen.count) / info.fps
    names = link(
        [joints[:, watcher.skeleton.root] for joints, *_ in seen.people], times
    )
    made = _made(watcher, seen, names, times, info.fps)
    fewest = 0 if still else FEWEST * info.fps
    made, dropped = _believed(made, fewest)
    tracks = _tracks(source.name, made, seen, info.fps)
    smooth, told = smoothing.chosen(smooth, 0.0 if still else info.fps)
    if smooth == smoothing.ZERO_LAG:
        for person in np.unique(made["person"]):
            rows = np.flatnonzero(made["person"] == person)
            made["joints"][rows] = smoothing.zero_lag(
                made["joints"][rows], info.fps, watcher.skeleton
            )
    who = "1 person was" if dropped == 1 else f"{dropped} people were"
    note = [f"{who} seen for less than {FEWEST} s: left out"]
    note += [f"interrupted after {seen.count} frames"] if interrupted else []
    return prediction.Prediction(
        joints=made["joints"],
        frame=made["frame"],
        time=made["time"],
        person=made["person"],
        box=made["box"],
        confidence=made["confidence"],
        root=made["root"],
        points=made["points"],
        skeleton=watcher.skeleton.id,
        fps=0.0 if still else info.fps,
        size=seen.size,
        source=source.name,
        model=name,
        model_hash=str(watcher.description.get("weights_hash", "")),
        smoothing=smooth,
        tracks=tracks,
        notes=(*note[0 if dropped else 1 :], *info.notes, *told),
        length=seen.count,
        pictures=seen.small,
        interrupted=interrupted,
    )


class _Seen:
    """What is kept of the frames of a source."""

    def __init__(self, every: int, declared: int, pictures: int) -> None:
        self.every, self.count, self.size = every, 0, (0, 0)
        self.times: list[float] = []
        self.people: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.crops: dict[tuple[int, int], np.ndarray] = {}  # by frame and row
        self.small: dict[int, bytes] = {}
        chosen = turntable.shown(max(declared, 1), pictures)
        self._shown = set(chosen.tolist() if pictures else [])

    def add(self, batch: list[np.ndarray], watcher: Watcher) -> None:
        """Looks at the next frames of the source."""
        height, width = batch[0].shape[:2]
        self.size = (width, height)
        for picture, (joints, flat, score) in zip(batch, people_of(watcher, batch)):
            self.people.append((joints, flat, score))
            if self.count in self._shown:
                self.small[self.count] = turntable.jpeg(picture)
            if self.count % self.every == 0:
                for row, place in enumerate(flat):
                    (centre,), extent = crop.square_box(_bounds(place[None]))
                    cut = crop.extract(picture, centre, extent, screening.SIDE)
                    self.crops[self.count, row] = cut
            self.count += 1


def _batches(source: video.Source, seen: _Seen) -> Iterator[list[np.ndarray]]:
    batch = []
    for _, picture in video.frames(source, lambda index: True, seen.times):
        if picture is not None:
            batch.append(picture)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _bounds(points: np.ndarray) -> np.ndarray:
    """x1 y1 x2 y2 of points `[n, J, 2]`."""
    return np.concatenate([points.min(axis=1), points.max(axis=1)], axis=-1)


def _made(
    watcher: Watcher,
    seen: _Seen,
    names: list[np.ndarray],
    times: np.ndarray,
    fps: float,
) -> dict[str, np.ndarray]:
    """One row per person and frame, sorted by frame, then person."""
    skeleton = watcher.skeleton
    counts = [len(score) for *_, score in seen.people]
    frame = np.repeat(np.arange(seen.count), counts)
    empty = (
        np.zeros((0, skeleton.num_joints, 3)),
        np.zeros((0, skeleton.num_joints, 2)),
        np.zeros(0),
    )
    joints, points, score = (
        np.concatenate([x[k] for x in (*seen.people, empty)]).astype(np.float32)
        for k in range(3)
    )
    root = joints[:, skeleton.root]
    made = {
        "joints": joints - root[:, None],
        "root": root,
        "points": points,
        "frame": frame,
        "row": np.concatenate([*map(np.arange, counts), np.zeros(0)]).astype(int),
        "time": times[frame],
        "person": np.concatenate([*names, np.zeros(0, int)]).astype(int),
        "box": _bounds(points) if len(points) else np.zeros((0, 4), np.float32),
        "confidence": np.clip(score, 0, 1),
    }
    order = np.lexsort((made["person"], frame))
    return {key: values[order] for key, values in made.items()}


def _believed(
    made: dict[str, np.ndarray], fewest: float
) -> tuple[dict[str, np.ndarray], int]:
    """Leaves out whoever is seen in too few frames; says how many they were."""
    people, counts = np.unique(made["person"], return_counts=True)
    kept = np.isin(made["person"], people[counts >= fewest])
    return {k: v[kept] for k, v in made.items()}, int((counts < fewest).sum())


def _tracks(
    name: str, made: dict[str, np.ndarray], seen: _Seen, fps: float
) -> tuple[screening.Track, ...]:
    """The people as tracks, with some pictures of each to look at."""
    tracks = []
    for person in np.unique(made["person"]):
        rows = np.flatnonzero(made["person"] == person)
        frames = made["frame"][rows]
        places = [
            (n, seen.crops[frame, row])
            for n, (frame, row) in enumerate(zip(frames, made["row"][rows]))
            if (frame, row) in seen.crops
        ][: screening.MOST]
        shown = [picture for _, picture in places]
        none = np.zeros((0, screening.SIDE, screening.SIDE, 3), np.uint8)
        tracks.append(
            screening.Track(
                name=name,
                source_frames=frames,
                boxes=made["box"][rows],
                confidence=float(made["confidence"][rows].mean()),
                scores=made["confidence"][rows],
                fps=fps,
                seen=len(rows) / max(1, frames[-1] - frames[0] + 1),
                pictures=np.stack(shown) if shown else none,
                pictured=np.array([n for n, _ in places], int),
            )
        )
    return tuple(tracks)
