"""A folder of videos or frame folders -> person-centred clips without labels.

Each source is decoded twice and never held: once small, to find the people, once to
cut the crops. Tracks are cut into windows of `clip_frames`; what cannot be used is
named with its reason and left out.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Sequence

import numpy as np

from sa3dhp import errors
from sa3dhp.data.videos import (
    boxes_file,
    detection,
    people,
    screening,
    track_sheet,
    video,
)
from sa3dhp.geometry import crop

MIN_PICTURES = 8  # different source pictures in a window; fewer hold no motion


@dataclasses.dataclass(frozen=True)
class Window:
    """Where one clip comes from.

    Attributes:
        name: of the source, path below the folder.
        track: number of the person's track in `VideoSet.tracks`.
        frames: `[clip_frames]` int, source frame shown at each position.
        centres: `[clip_frames, 2]` float32, pixels of the source picture.
        side: of the network's square, pixels of the source picture.
    """

    name: str
    track: int
    frames: np.ndarray
    centres: np.ndarray
    side: float


@dataclasses.dataclass(frozen=True)
class VideoSet:
    """Unlabelled clips of persons.

    Attributes:
        clips: `[N, clip_frames, S, S, 3]` uint8 RGB, S = stored_size.
        windows: N of them, aligned with `clips`.
        tracks: all tracks that gave a clip.
        dropped: all others, each with its reason.
        skipped: (name, reason) of sources that gave none.
        notes: (name, what had to be assumed or was left out).
        sources: by name.
        fps: of the clips.
    """

    clips: np.ndarray
    windows: list[Window]
    tracks: list[screening.Track]
    dropped: list[screening.Track]
    skipped: list[tuple[str, str]]
    notes: list[tuple[str, str]]
    sources: dict[str, video.Source]
    fps: float

    @classmethod
    def searched(cls, sources: dict[str, video.Source], fps: float) -> VideoSet:
        """An empty set, to be filled source by source."""
        return cls(
            np.zeros((0, 0, 0, 0, 3), np.uint8), [], [], [], [], [], sources, fps
        )

    @property
    def video_ids(self) -> np.ndarray:
        """`[N]` int: which clips come from the same source."""
        order = {name: number for number, name in enumerate(self.sources)}
        return np.array([order[window.name] for window in self.windows], int)

    def source_frames(self, index: int, positions: list[int]) -> list[np.ndarray]:
        """Decodes the whole source pictures behind positions of a clip, for overlays.

        Returns:
            `[H, W, 3]` uint8 RGB per position; `windows[index].centres[position]` and
            `.side` are in its pixels.
        """
        window = self.windows[index]
        wanted = dict.fromkeys(int(window.frames[position]) for position in positions)
        found = dict(video.until(self.sources[window.name], wanted))
        return [found[int(window.frames[position])] for position in positions]

    def write_sheet(
        self, folder: str | os.PathLike, *, frames: bool = True
    ) -> pathlib.Path:
        """Writes the sheet of all tracks into a folder; returns its path."""
        path = pathlib.Path(folder) / track_sheet.NAME
        track_sheet.write(path, self.tracks, self.dropped, frames=frames)
        return path

    def summary(self) -> str:
        """A short table: what each source gave, and why others were left out."""
        lines = []
        for name in self.sources:
            count = sum(window.name == name for window in self.windows)
            people = [track for track in self.tracks if track.name == name]
            if count:
                seconds = sum(len(track.boxes) for track in people) / self.fps
                lines.append(
                    f"  used     {name}: {_plural(count, 'clip')} from "
                    f"{_plural(len(people), 'track')}, {seconds:.1f} s"
                )
        lines += [f"  skipped  {name}: {reason}" for name, reason in self.skipped]
        lines += [f"  note     {name}: {text}" for name, text in self.notes]
        used = len(self.sources) - len(self.skipped)
        head = (
            f"{_plural(len(self.clips), 'clip')} of {self.clips.shape[1]} frames at "
            f"{self.fps:g} fps from {used} of {_plural(len(self.sources), 'source')}"
        )
        return "\n".join([head, *lines])


def load(
    folder: str | os.PathLike | Sequence[str | os.PathLike],
    *,
    stored_size: int,
    image_size: int,
    fps: float = 30.0,
    clip_frames: int = 60,
    detector: str | os.PathLike | detection.Detector = detection.AUTO,
    boxes: str | os.PathLike | None = None,
    frames_fps: float = video.ASSUMED_FPS,
    max_bytes: int = 2 << 30,
    progress: Callable[[str, int, int], None] | None = None,
) -> VideoSet:
    """Finds, tracks and crops the people in videos.

    A window needs `clip_frames / 2` frames at `fps` and `MIN_PICTURES` different
    pictures; a track shorter than a window is played forth and back to fill it.

    Args:
        folder: of videos (mp4 avi mov mkv webm m4v) and frame folders, nested; or one
            file, or several, see `video.discover`.
        stored_size: pixels of the stored crops.
        image_size: pixels that the network sees, the crops' centre.
        fps: of the clips.
        clip_frames: frames of a clip.
        detector: see `detection.make`, or a detector; not asked where `boxes` is given.
        boxes: a boxes file, see `boxes_file.read`.
        frames_fps: rate of frame folders.
        max_bytes: of `clips`. Where more could be cut, windows are taken evenly.
        progress: called with (name, number, total) before each source is searched.

    Raises:
        InputError: if nothing is usable, or an argument is not.
    """
    if not 0 < image_size <= stored_size or clip_frames < 2:
        raise errors.InputError(
            f"crops: got image_size {image_size}, stored_size {stored_size}, "
            f"clip_frames {clip_frames}; expected image_size <= stored_size and "
            "clip_frames >= 2"
        )
    given = None if boxes is None else boxes_file.read(boxes)
    sources = {source.name: source for source in video.discover(folder)}
    found = VideoSet.searched(sources, fps)
    asked = detector if callable(detector) else None
    if given is None and not callable(detector):
        name, note = detection.choose(detector)
        found.notes.extend([("all", note)] if note else [])
        asked = detection.make(name)
    windows: list[Window] = []
    for number, source in enumerate(sources.values()):
        if progress:
            progress(source.name, number, len(sources))
        try:
            scan = people.scan(source, fps, frames_fps, asked, given)
        except video.UnreadableError as error:
            found.skipped.append((source.name, str(error)))
            continue
        windows += _windows(scan, source.name, found, clip_frames)
    kept = _thin(windows, max_bytes // (clip_frames * stored_size**2 * 3))
    if len(kept) < len(windows):
        found.notes.append(
            ("all", f"{len(kept)} of {len(windows)} clips fit the memory")
        )
    clips, kept = _cut(kept, sources, stored_size, image_size, found.notes)
    if not len(clips):
        reasons = "; ".join(f"{name}: {reason}" for name, reason in found.skipped)
        raise errors.InputError(
            f"{folder}: no usable clip ({reasons}); give videos that show one whole "
            f"person for {clip_frames / 2 / fps:g} s or more, or a boxes file"
        )
    return dataclasses.replace(found, clips=clips, windows=kept)


def check(
    folder: str | os.PathLike | Sequence[str | os.PathLike],
    detector: str | os.PathLike,
    boxes: str | os.PathLike | None,
) -> None:
    """Raises the `InputError` of arguments that `load` would refuse, at once."""
    video.discover(folder)
    if boxes is not None:
        boxes_file.read(boxes)
    else:
        detection.make(detector)


def _windows(
    scan: people.Scan, name: str, found: VideoSet, clip_frames: int
) -> list[Window]:
    """Cuts the tracks of one source, and enters all there is to say into the set."""
    found.notes.extend((name, note) for note in scan.notes)
    found.dropped.extend(scan.dropped)
    windows: list[Window] = []
    for track in scan.tracks:
        cut = windows_of(track, len(found.tracks), clip_frames)
        windows += cut
        if cut:
            found.tracks.append(track)
        else:
            short = "good, but too short for a clip"
            found.dropped.append(dataclasses.replace(track, dropped=short))
    if not windows:
        found.skipped.append((name, why_none(scan, clip_frames, found.fps)))
    return windows


def pieces(length: int, clip_frames: int) -> list[np.ndarray]:
    """Cuts a run of pictures into evenly spaced clips, or [] if it is too short.

    Clips overlap where the length is no multiple of theirs. A run of half their length
    or more is played forth and back.

    Returns:
        `[clip_frames]` int each, places in the run.
    """
    if length >= clip_frames:
        count = (length + clip_frames // 2) // clip_frames
        starts = np.linspace(0, length - clip_frames, count + 2 * (count == 1))
        starts = np.rint(starts[1:2] if count == 1 else starts).astype(int)
        return [start + np.arange(clip_frames) for start in starts]
    if 2 * length >= clip_frames:
        forth = np.arange(length)
        return [np.concatenate([forth, forth[::-1]])[:clip_frames]]
    return []


def windows_of(track: screening.Track, number: int, clip_frames: int) -> list[Window]:
    """Cuts a track into `pieces` that hold `MIN_PICTURES` different pictures."""
    found = []
    for piece in pieces(len(track.boxes), clip_frames):
        frames = track.source_frames[piece]
        if len(np.unique(frames)) >= MIN_PICTURES:
            centres, side = crop.square_box(track.boxes[piece])
            centres = centres[people.first_of_each(frames)]
            found.append(Window(track.name, number, frames, centres, side))
    return found


def why_none(scan: people.Scan, clip_frames: int, fps: float) -> str:
    """Why a source that could be read gave no clip."""
    need = clip_frames / 2 / fps
    if not scan.tracks:
        return "no person found" if scan.seconds >= need else _short(scan.seconds, need)
    longest = max(scan.tracks, key=lambda track: len(track.boxes))
    if 2 * len(longest.boxes) >= clip_frames:
        pictures = len(np.unique(longest.source_frames))
        return f"too few pictures: {pictures}, needs {MIN_PICTURES} in a clip"
    if scan.seconds < need:
        return _short(scan.seconds, need)
    seconds = len(longest.boxes) / fps
    return f"person seen for {seconds:.1f} s only, needs {need:g} s"


def _short(seconds: float, need: float) -> str:
    """The reason of a source that is too short."""
    return f"too short: {seconds:.1f} s, needs {need:g} s"


def _thin(windows: list[Window], limit: int) -> list[Window]:
    """Keeps at most `limit` windows, evenly over all."""
    if len(windows) <= limit:
        return windows
    keep = np.linspace(0, len(windows) - 1, max(1, limit)).astype(int)
    return [windows[index] for index in keep]


def _cut(
    windows: list[Window],
    sources: dict[str, video.Source],
    stored_size: int,
    image_size: int,
    notes: list[tuple[str, str]],
) -> tuple[np.ndarray, list[Window]]:
    """Decodes each source again and cuts its crops; drops what fails this time."""
    length = len(windows[0].frames) if windows else 0
    shape = (len(windows), length, stored_size, stored_size, 3)
    clips, filled = np.zeros(shape, np.uint8), np.zeros(shape[:2], bool)
    for name, source in sources.items():
        uses: dict[int, list[int]] = {}
        for clip, window in enumerate(windows):
            if window.name == name:
                for frame in np.unique(window.frames):
                    uses.setdefault(int(frame), []).append(clip)
        try:
            for index, frame in video.until(source, uses):
                for clip in uses[index]:
                    window = windows[clip]
                    same = window.frames == index  # one cut for all repeats
                    side = crop.stored_side(window.side, stored_size, image_size)
                    centre = window.centres[same.argmax()]
                    clips[clip, same] = crop.extract(frame, centre, side, stored_size)
                    filled[clip, same] = True
        except video.UnreadableError as error:
            notes.append((name, str(error)))
    good = filled.all(axis=1)
    kept = [window for window, whole in zip(windows, good) if whole]
    return (clips if good.all() else clips[good]), kept


def _plural(count: int, noun: str) -> str:
    """`1 clip`, `2 clips`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
