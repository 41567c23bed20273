"""The first pass over a video: who is in it, where, and from when to when.

The pass sees small pictures at `LOOKS_PER_SECOND`, finds hard cuts, and links the
detections within each shot. Results are in pixels of the source, at the rate asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np

from sa3dhp.data.videos import boxes_file, detection, screening, tracking, video

LOOKS_PER_SECOND = 10.0  # how often the detector is asked
LOOK_SIZE = 640  # pixels, longer side of the picture it sees
BATCH = 16  # pictures per call of the detector
CUT = 0.45  # Bhattacharyya distance of colour histograms that ends a shot


@dataclasses.dataclass
class Scan:
    """What the first pass over a source found.

    Attributes:
        tracks: to use, the best first.
        seconds: that could be read.
        notes: what had to be assumed or was left out.
        dropped: tracks that are no person or not one, each with its reason.
        fps: of the source.
        size: of its pictures, width and height, pixels.
    """

    tracks: list[screening.Track]
    seconds: float
    notes: list[str]
    dropped: list[screening.Track] = dataclasses.field(default_factory=list)
    fps: float = video.ASSUMED_FPS
    size: tuple[int, int] = (0, 0)


def scan(
    source: video.Source,
    fps: float | None,
    frames_fps: float,
    detector: detection.Detector | None,
    given: dict[str, tracking.Path] | None,
    *,
    together: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Scan:
    """Finds the people of one source.

    Args:
        source: the video or frame folder.
        fps: of the tracks; that of the source if None.
        frames_fps: rate of frame folders.
        detector: asked where `given` is None; needed then.
        given: tracks of a boxes file.
        together: whether people who stand together are wanted: crops of one show the
            other too, which is no good for learning.
        progress: told how many frames were searched, and how many there seem to be.

    Raises:
        UnreadableError: if it cannot be decoded, or its given boxes cannot be used.
    """
    info = video.probe(source, frames_fps)
    fps = fps or info.fps
    notes = list(info.notes)
    path = None
    if given is not None:
        path = boxes_file.find(given, source.name)
        if path is None:
            raise video.UnreadableError("not in the boxes file")
        count, size = _measure(source)
    elif detector is not None:
        every = max(1, round(info.fps / LOOKS_PER_SECOND))
        count, size, found, shots = _look(
            source, every, detector, lambda done: progress(done, info.declared_frames)
        )
    else:
        raise ValueError("scan: expected a detector or given boxes, got neither")
    if count == 0:
        raise video.UnreadableError("no frame can be decoded")
    if source.images and count < info.declared_frames:
        broken = info.declared_frames - count
        notes.append(f"{broken} of {info.declared_frames} pictures cannot be read")
    elif count < info.declared_frames - max(5, 0.05 * info.declared_frames):
        notes.append(
            f"ends at frame {count} of {info.declared_frames} (truncated); its last "
            "second is left out"
        )
        count = max(0, count - round(info.fps))
    shown = video.timeline(count, info.fps, fps)  # [T] source frame
    if path is not None:
        paths = [_given(path, shown, size)]
    else:
        paths = _link(found, shots, every, shown, fps)
    if together:
        paths = [
            dataclasses.replace(p, doubt="") if p.doubt == tracking.BESIDE else p
            for p in paths
        ]
    found_tracks = [_track(source.name, p, shown, fps) for p in paths if len(p.boxes)]
    judged = screening.screened(source, found_tracks, judge=path is None)
    dropped = [track for track in judged if track.dropped]
    notes += [screening.note(track) for track in dropped]
    kept = [track for track in judged if not track.dropped]
    return Scan(kept, count / info.fps, notes, dropped, info.fps, size)


def _measure(source: video.Source) -> tuple[int, tuple[int, int]]:
    """Counts the frames; returns the count and (width, height)."""
    count, size = 0, (0, 0)
    for index, frame in video.frames(source, lambda number: number == 0):
        if frame is not None:
            size = (frame.shape[1], frame.shape[0])
        count = index + 1
    return count, size


def _look(
    source: video.Source,
    every: int,
    detector: detection.Detector,
    progress: Callable[[int], None],
) -> tuple[int, tuple[int, int], list[np.ndarray], list[int]]:
    """Asks the detector about every `every`th frame.

    Returns:
        The number of frames, their width and height, the boxes `[M, 5]` (source pixels)
        per look, and the looks at which a new shot begins.
    """
    count, size = 0, (0, 0)
    found: list[np.ndarray] = []
    batch: list[np.ndarray] = []
    shots, histogram = [0], None
    for index, frame in video.frames(source, lambda number: number % every == 0):
        count = index + 1
        if frame is None:
            continue
        size = (frame.shape[1], frame.shape[0])
        scale = min(1.0, LOOK_SIZE / max(size))
        small = [max(1, round(scale * length)) for length in size]
        batch.append(cv2.resize(frame, small, interpolation=cv2.INTER_AREA))
        previous, histogram = histogram, _histogram(batch[-1])
        if previous is not None:
            distance = cv2.compareHist(previous, histogram, cv2.HISTCMP_BHATTACHARYYA)
            if distance > CUT:
                shots.append(len(found) + len(batch) - 1)
        if len(batch) == BATCH:
            found += _ask(detector, batch, scale)
            batch = []
            progress(count)
    if batch:
        found += _ask(detector, batch, scale)
    return count, size, found, shots


def _ask(
    detector: detection.Detector, batch: list[np.ndarray], scale: float
) -> list[np.ndarray]:
    """Runs the detector; returns boxes in source pixels."""
    boxes = [np.asarray(b, np.float32) for b in detector(np.stack(batch))]
    return [b / np.array([scale] * 4 + [1.0], np.float32) for b in boxes]


def _histogram(frame: np.ndarray) -> np.ndarray:
    """Colour histogram of a picture; it ignores where things are."""
    small = cv2.resize(frame, (64, 64), interpolation=cv2.INTER_AREA)
    bins = cv2.calcHist([small], [0, 1, 2], None, [6, 6, 6], [0, 256] * 3)
    flat = bins.ravel()
    return np.asarray(cv2.normalize(flat, flat, 1.0, 0.0, cv2.NORM_L1))


def _link(
    found: list[np.ndarray],
    shots: list[int],
    every: int,
    shown: np.ndarray,
    fps: float,
) -> list[tracking.Path]:
    """Links the looks of each shot, at the rate of the set."""
    looks = np.searchsorted(shown, np.arange(len(found)) * every)  # [L]
    use = np.flatnonzero(np.diff(looks, prepend=-1) * (looks < len(shown)))
    paths = []
    for begin, end in zip(shots, [*shots[1:], len(found)]):
        shot = use[(use >= begin) & (use < end)]
        if len(shot):
            last = len(shown) if end == len(found) else looks[shot[-1]] + 1
            boxes = [found[look] for look in shot]
            paths += tracking.link(looks[shot], boxes, fps, last)
    return sorted(paths, key=lambda path: -path.rank)


def _given(
    path: tracking.Path, shown: np.ndarray, size: tuple[int, int]
) -> tracking.Path:
    """Brings given boxes (per source frame) to the rate of the set."""
    low, high = path.boxes[:, :2], path.boxes[:, 2:]
    good = (low < size).all(axis=1) & (high > 0).all(axis=1)
    good &= (high - low).max(axis=1) <= 2 * max(size)
    if not good.all():
        raise video.UnreadableError(
            f"box of frame {path.first + int(good.argmin())} in the boxes file lies "
            f"outside the picture of {size[0]} x {size[1]}"
        )
    inside = (shown >= path.first) & (shown < path.first + len(path.boxes))
    boxes = path.boxes[shown[inside] - path.first]
    scores = np.full(len(boxes), path.confidence, np.float32)
    return tracking.Path(int(inside.argmax()), boxes, path.confidence, scores)


def _track(
    name: str, path: tracking.Path, shown: np.ndarray, fps: float
) -> screening.Track:
    """Makes the repeats of one source picture share one box."""
    frames = shown[path.first : path.first + len(path.boxes)]
    same = first_of_each(frames)
    return screening.Track(
        name,
        frames,
        path.boxes[same],
        path.confidence,
        path.scores[same],
        fps,
        seen=path.seen,
        dropped=path.doubt,
        bridged=path.bridged[same] if len(path.bridged) else path.bridged,
    )


def first_of_each(frames: np.ndarray) -> np.ndarray:
    """For each position, the first position that shows the same source frame."""
    _, first, inverse = np.unique(frames, return_index=True, return_inverse=True)
    return first[inverse]
