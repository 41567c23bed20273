"""The first pass over a video: who is in it, where, and from when to when.

The pass sees small pictures at `LOOKS_PER_SECOND`, finds hard cuts, and links the
detections within each shot. Results are in pixels of the source, at the rate asked for.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np

from sa3dhp.data.videos import (
    boxes_file,
    detection,
    screening,
    track_sheet,
    tracking,
    video,
)

LOOKS_PER_SECOND = 10.0  # how often the detector is asked
LOOK_SIZE = 640  # pixels, longer side of the picture it sees
BATCH = 16  # pictures per call of the detector
MOVED = 0.01  # of a picture's side: the least that says something of boxes
GAP = 2.5  # times the usual distance of given boxes, beyond which nobody is there
CUT = 0.45  # Bhattacharyya distance of colour histograms that ends a shot


@dataclasses.dataclass
class Scan:
    """What the first pass over a source found.

    Attributes:
        tracks: to use, the best first.
        seconds: that could be read.
        notes: what had to be assumed or was left out.
        dropped: tracks that are no person or not one, each with its reason.
        fps: of the source; the mean where it varies.
        size: of its pictures, width and height, pixels.
        times: `[frames]`, seconds of each where the rate varies, else None.
    """

    tracks: list[screening.Track]
    seconds: float
    notes: list[str]
    dropped: list[screening.Track] = dataclasses.field(default_factory=list)
    fps: float = video.ASSUMED_FPS
    size: tuple[int, int] = (0, 0)
    times: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class _Clock:
    """When the frames of a source are shown.

    Attributes:
        count: of the frames.
        fps: of the source; the mean where it varies.
        times: `[count]` seconds where it varies, else None.
    """

    count: int
    fps: float
    times: np.ndarray | None

    @property
    def seconds(self) -> float:
        if self.times is None or not self.count:
            return self.count / self.fps
        return video.duration(self.times)

    def until(self, seconds: float) -> _Clock:
        """The same without what is shown later."""
        if self.times is None:
            return dataclasses.replace(self, count=max(0, round(seconds * self.fps)))
        count = max(2, int(np.searchsorted(self.times, seconds)))
        return dataclasses.replace(self, count=count, times=self.times[:count])

    def at(self, frames: np.ndarray) -> np.ndarray:
        """Seconds at which frames are shown."""
        if self.times is None:
            return frames / self.fps
        return self.times[np.clip(frames, 0, self.count - 1)]

    def shown(self, fps: float | None) -> np.ndarray:
        """The frame on screen at each step of `fps`; all frames if None."""
        if fps is None:
            return np.arange(self.count)
        if self.times is None:
            return video.timeline(self.count, self.fps, fps)
        return video.timeline_of(self.times, fps)


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
    times: list[float] = []
    notes = list(info.notes)
    path = None
    if given is not None:
        path = boxes_file.find(given, source.name)
        if path is None:
            raise video.UnreadableError("not in the boxes file")
        count, size = _measure(source, times)
    elif detector is not None:
        every = max(1, round(info.fps / LOOKS_PER_SECOND))
        count, size, found, shots = _look(
            source,
            every,
            detector,
            lambda done: progress(done, info.declared_frames),
            times,
        )
    else:
        raise ValueError("scan: expected a detector or given boxes, got neither")
    if count == 0:
        raise video.UnreadableError("no frame can be decoded")
    clock, noted = _clock(source, info, count, times)
    notes += noted
    if clock.times is not None:  # what was assumed of its rate does not matter
        notes = noted
    shown = clock.shown(fps)  # [T] source frame
    fps = fps or clock.fps
    if path is not None:
        # They are in pixels as stored.
        stretch = np.array([*video.stretch(source)] * 2, np.float32)
        path = dataclasses.replace(path, boxes=path.boxes * stretch)
        paths = _given(path, shown, size, clock)
        notes += _doubts(path, count, size)
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
    return Scan(kept, clock.seconds, notes, dropped, clock.fps, size, clock.times)


def _clock(
    source: video.Source, info: video.Info, count: int, times: list[float]
) -> tuple[_Clock, list[str]]:
    """When frames are shown, without the end of a truncated video; and notes."""
    uneven = video.uneven(times[:count], info.fps)
    if uneven is None:
        clock, notes = _Clock(count, info.fps, None), []
    else:
        seconds = video.duration(uneven)
        clock = _Clock(count, count / seconds, uneven)
        notes = [
            f"its rate varies: the times of its {count} pictures in {seconds:.1f} s "
            "are its own"
        ]
    declared = info.seconds or info.declared_frames / info.fps
    missing = declared - clock.seconds
    if source.images and count < info.declared_frames:
        broken = info.declared_frames - count
        notes.append(f"{broken} of {info.declared_frames} pictures cannot be read")
    elif not source.images and missing > max(5 / info.fps, 0.05 * declared):
        where = f"frame {count} of {info.declared_frames}"
        if uneven is not None:
            where = f"{clock.seconds:.1f} of {declared:.1f} s"
        notes.append(f"ends at {where} (truncated); its last second is left out")
        clock = clock.until(clock.seconds - 1.0)
    return clock, notes


def _measure(source: video.Source, times: list[float]) -> tuple[int, tuple[int, int]]:
    """Counts the frames and their times; returns the count and (width, height)."""
    count, size = 0, (0, 0)
    for index, frame in video.frames(source, lambda number: number == 0, times):
        if frame is not None:
            size = (frame.shape[1], frame.shape[0])
        count = index + 1
    return count, size


def _look(
    source: video.Source,
    every: int,
    detector: detection.Detector,
    progress: Callable[[int], None],
    times: list[float],
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
    for index, frame in video.frames(source, lambda n: n % every == 0, times):
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
    path: tracking.Path,
    shown: np.ndarray,
    size: tuple[int, int],
    clock: _Clock,
) -> list[tracking.Path]:
    """Brings given boxes (per source frame) to the rate of the set.

    Where none is given for long there is nobody: a track ends there, and another one
    begins.
    """
    low, high = path.boxes[:, :2], path.boxes[:, 2:]
    if _are_corners(low, high, size):
        raise video.UnreadableError(
            "its boxes in the boxes file look like x1 y1 x2 y2 (as x y w h they leave "
            "the picture, or grow as they move); give x y w h: the top left corner, "
            "width and height"
        )
    good = (low < size).all(axis=1) & (high > 0).all(axis=1)
    good &= (high - low).max(axis=1) <= 2 * max(size)
    if not good.all():
        raise video.UnreadableError(
            f"box of frame {path.first + int(good.argmin())} in the boxes file lies "
            f"outside the picture of {size[0]} x {size[1]}"
        )
    pieces = []
    for first, last in _runs(path, clock):
        inside = (shown >= first) & (shown <= last)
        boxes = path.boxes[shown[inside] - path.first]
        scores = np.full(len(boxes), path.confidence, np.float32)
        pieces.append(
            tracking.Path(int(inside.argmax()), boxes, path.confidence, scores)
        )
    return pieces


def _doubts(path: tracking.Path, count: int, size: tuple[int, int]) -> list[str]:
    """What given boxes are to be looked at for.

    Args:
        path: of the boxes.
        count: of the frames.
        size: of the picture, width and height.

    Raises:
        UnreadableError: if they are all of frames that are not there.
    """
    named = path.first + (
        np.arange(len(path.boxes)) if path.named is None else path.named
    )
    beyond = int((named >= count).sum())
    text = f"in the boxes file are of frames from {count} on, which it does not have"
    if beyond == len(named):
        raise video.UnreadableError(f"all its boxes {text}; frames count from 0")
    notes = [f"{beyond} of its {len(named)} boxes {text} (frames count from 0)"]
    notes = notes if beyond else []
    low, high = path.boxes[:, :2], path.boxes[:, 2:]
    half = (high - low) / 2
    leaves = (high > 1.1 * np.array(size)).any(axis=1).mean() > 0.5
    fits = (low - half >= -0.02 * np.array(size)).all()
    fits = fits and (low + half <= 1.02 * np.array(size)).all()
    if leaves and fits:
        notes.append(
            "its boxes in the boxes file leave the picture as x y w h, and would not "
            f"if x y were their centres; look at {track_sheet.NAME}"
        )
    return notes


def _are_corners(low: np.ndarray, high: np.ndarray, size: tuple[int, int]) -> bool:
    """Whether what was read as x y w h is visibly x1 y1 x2 y2.

    Args:
        low: `[T, 2]`, top left corners.
        high: `[T, 2]`, the other corners, if the last two numbers are w and h.
        size: of the picture, width and height.
    """
    other = high - low  # the last two numbers: are they the other corner?
    if not ((other > low) & (other <= 1.02 * np.array(size))).all():
        return False
    if (high > 1.1 * np.array(size)).any(axis=1).mean() > 0.5:
        return True
    # Corners move together, while widths know nothing of places.
    if len(low) < 10 or low.std(axis=0).max() < MOVED * max(size):
        return False
    together = (other - low).var(axis=0).sum()
    return bool(together < 0.1 * other.var(axis=0).sum())


def _runs(path: tracking.Path, clock: _Clock) -> list[tuple[int, int]]:
    """First and last frames between the gaps of given boxes.

    Boxes may be sparse: what is a gap depends on how far they lie apart elsewhere.
    """
    named = path.named if path.named is not None else np.arange(len(path.boxes))
    apart = np.diff(clock.at(path.first + named))
    usual = float(np.median(apart)) if len(apart) else 0.0
    gaps = np.flatnonzero(apart > max(tracking.MAX_GAP, GAP * usual))
    begins = [0, *(gaps + 1)]
    ends = [*gaps, len(named) - 1]
    return [
        (path.first + int(named[a]), path.first + int(named[b]))
        for a, b in zip(begins, ends)
    ]


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
