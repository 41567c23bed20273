"""Videos and frame folders as streams of RGB pictures; no video is held in memory."""

from __future__ import annotations

import dataclasses
import glob
import itertools
import math
import os
import pathlib
import re
from collections.abc import Callable, Collection, Iterator, Sequence

# FFmpeg reads this when the first file is opened; its decoder messages are not ours.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")

import cv2
import numpy as np

from sa3dhp import errors

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v"})
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png"})
ASSUMED_FPS = 30.0
PLAUSIBLE_FPS = (1.0, 480.0)
_LONGEST = 4 * 86400.0  # seconds of a video whose rate varies
_PIXELS = 1 << 27  # of a picture, at most: 400 MB
_FILE = 1 << 28  # bytes of a picture's file
_PNG_PART = 1 << 26  # bytes that a part of a picture may claim
_WIDEST, _SQUARE = 4.0, 0.005  # pixels' sides: the most, and a difference nobody sees


@dataclasses.dataclass(frozen=True)
class Source:
    """One video file, one picture, or the pictures of one frame folder in order."""

    name: str  # path below the folder that was searched, '/' as separator
    path: pathlib.Path
    images: tuple[pathlib.Path, ...] = ()  # of a single picture: the path itself


@dataclasses.dataclass(frozen=True)
class Info:
    """What a source says about itself; `notes` holds what had to be assumed."""

    fps: float
    declared_frames: int  # 0 where the container does not say
    notes: tuple[str, ...] = ()
    seconds: float = 0.0  # 0 where the container does not say


class UnreadableError(Exception):
    """A source that cannot be decoded; its text is the reason given to the user."""


def natural_key(text: str) -> list:
    """A sorting key under which `f2` comes before `f10`."""
    parts = re.split(r"(\d+)", text)
    numbers = [(int(part), "") for part in parts[1::2]]
    texts = [(0, part.lower()) for part in parts[0::2]]
    mixed = [item for pair in zip(texts, [*numbers, (0, "")]) for item in pair]
    return [*mixed, (0, text)]


def discover(where: str | os.PathLike | Sequence[str | os.PathLike]) -> list[Source]:
    """Finds all videos and frame folders, in a fixed (natural) order.

    A folder that holds at least two pictures directly is a frame folder. Hidden files
    and folders are left out, links to folders are not followed. A single picture is a
    source where it is named itself.

    Args:
        where: a folder, a video, a picture; or several of them, also as one text with
            commas. Names of sources are paths below the folder; with several, below
            the folder that it is in. A pattern (`clips/*/a*.mp4`) is all videos and
            pictures that it fits, with paths below the folder before its first sign.

    Raises:
        InputError: if one does not exist or holds neither.
    """
    paths = _paths(where)
    sources = []
    for path in paths:
        if _is_pattern(path):
            sources += _matching(str(path))
            continue
        found = _in_folder(path) if path.is_dir() else [_named(path)]
        if len(paths) > 1 and path.is_dir():
            top = path.resolve().name
            found = [
                dataclasses.replace(s, name=top if s.name == "." else f"{top}/{s.name}")
                for s in found
            ]
        sources += found
    sources.sort(key=lambda source: natural_key(source.name))
    names = [source.name for source in sources]
    for source in sources:
        if names.count(source.name) > 1:
            raise errors.InputError(
                f"videos: {source.name} is named twice ({source.path}); give each "
                "once, or the folder that holds them"
            )
    return sources


def _paths(
    where: str | os.PathLike | Sequence[str | os.PathLike],
) -> list[pathlib.Path]:
    """The files and folders that are named, all of which exist."""
    if isinstance(where, (str, os.PathLike)):
        # A comma may belong to the name.
        text, whole = os.fspath(where), pathlib.Path(where).exists()
        where = [text] if whole else [part.strip() for part in text.split(",")]
    named = [str(part) for part in where]
    for name in named or [""]:
        path = pathlib.Path(name)
        if not name or not (path.exists() or _is_pattern(path)):
            raise errors.InputError(
                f"{name or 'videos'}: no such file or folder; give a folder of videos "
                "or of frame folders, one video, or several with commas between them"
            )
    return [pathlib.Path(name) for name in named]


def _is_pattern(path: pathlib.Path) -> bool:
    return glob.has_magic(str(path)) and not path.exists()


def _matching(pattern: str) -> list[Source]:
    """The videos and pictures that a pattern fits; of other files it may be silent."""
    plain = itertools.takewhile(
        lambda part: not glob.has_magic(part), pathlib.Path(pattern).parts
    )
    root = pathlib.Path(*plain)
    paths = [pathlib.Path(name) for name in glob.glob(pattern, recursive=True)]
    known = VIDEO_SUFFIXES | IMAGE_SUFFIXES
    sources = [
        dataclasses.replace(_named(path), name=path.relative_to(root).as_posix())
        for path in paths
        if path.is_file() and path.suffix.lower() in known
    ]
    if not sources:
        raise errors.InputError(
            f"{pattern}: no video and no picture fits it; give another pattern, or a "
            "folder"
        )
    return sources


def _named(path: pathlib.Path) -> Source:
    """The source that one file is."""
    suffix = path.suffix.lower()
    if suffix in IMAGE_SUFFIXES:
        return Source(path.name, path, (path,))
    if suffix in VIDEO_SUFFIXES:
        return Source(path.name, path)
    known = " ".join(sorted(VIDEO_SUFFIXES | IMAGE_SUFFIXES))
    raise errors.InputError(
        f"{path}: not a video nor a picture ({known}); give one, or a folder"
    )


def _in_folder(root: pathlib.Path) -> list[Source]:
    """The sources in a folder."""
    sources = []
    for current, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if not name.startswith(".")]
        here = pathlib.Path(current)
        files = sorted((n for n in names if not n.startswith(".")), key=natural_key)
        suffix = {name: pathlib.Path(name).suffix.lower() for name in files}
        for name in files:
            if suffix[name] in VIDEO_SUFFIXES:
                path = here / name
                sources.append(Source(path.relative_to(root).as_posix(), path))
        images = tuple(here / n for n in files if suffix[n] in IMAGE_SUFFIXES)
        if len(images) >= 2:
            name = here.relative_to(root).as_posix()
            sources.append(Source(name, here, images))
    if not sources:
        known = " ".join(sorted(VIDEO_SUFFIXES))
        raise errors.InputError(
            f"{root}: holds no video ({known}) and no folder of jpg or png frames; "
            "give a folder that does"
        )
    return sources


def probe(source: Source, frames_fps: float = ASSUMED_FPS) -> Info:
    """Reads frame rate and declared length.

    Args:
        source: the video or frame folder.
        frames_fps: rate of frame folders, which do not carry one.

    Raises:
        UnreadableError: if the file cannot be opened.
    """
    if source.images == (source.path,):
        return Info(frames_fps, 1)
    if source.images:
        note = f"frame folder taken as {frames_fps:g} fps"
        return Info(frames_fps, len(source.images), (note,))
    capture = _open(source)
    try:
        fps = capture.get(cv2.CAP_PROP_FPS)
        declared = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    finally:
        capture.release()
    declared = int(declared) if math.isfinite(declared) and declared > 0 else 0
    low, high = PLAUSIBLE_FPS
    seconds = declared / fps if math.isfinite(fps) and fps > 0 else 0.0
    if math.isfinite(fps) and low <= fps <= high:
        return Info(fps, declared, seconds=seconds)
    note = f"frame rate {fps:g} is not credible, taken as {ASSUMED_FPS:g} fps"
    # A browser's 1000 fps go with as many frames a second; below 1 they are counted.
    return Info(ASSUMED_FPS, declared, (note,), seconds if fps > high else 0.0)


def frames(
    source: Source, wanted: Callable[[int], bool], times: list[float] | None = None
) -> Iterator[tuple[int, np.ndarray | None]]:
    """Streams a source once from its start.

    Args:
        source: the video or frame folder.
        wanted: says of which frames the pictures are decoded.
        times: gets the seconds at which each frame of a video is shown, as it says.

    Yields:
        `(index, frame)` for each picture in order; `frame` is `[H, W, 3]` uint8 RGB,
        upright (rotation marks are obeyed) and as wide as it is shown (pixels need not
        be square), or None where `wanted(index)` is false.
        The stream ends where decoding does; unreadable pictures of a frame folder are
        left out and do not count.

    Raises:
        UnreadableError: if nothing can be opened or the picture size changes.
    """
    first: tuple[int, ...] = ()
    if source.images:
        stream = _image_frames(source)
    else:
        stream = _video_frames(source, wanted, [] if times is None else times)
    for index, frame in stream:
        if frame is not None:
            first = first or frame.shape
            if frame.shape != first:
                raise UnreadableError(
                    f"pictures of different sizes ({first[1]} x {first[0]} and "
                    f"{frame.shape[1]} x {frame.shape[0]})"
                )
        yield index, frame if wanted(index) else None


def until(source: Source, uses: Collection[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Streams the frames in use and stops after the last one.

    Raises:
        UnreadableError: as `frames`.
    """
    last = max(uses, default=-1)
    if last < 0:
        return
    for index, frame in frames(source, uses.__contains__):
        if frame is not None:
            yield index, frame
        if index >= last:
            return


def timeline(num_frames: int, source_fps: float, fps: float) -> np.ndarray:
    """Returns, for each frame at `fps`, the index of the source frame to show.

    Takes the source frame on screen at the middle of each output interval. A slow
    source repeats pictures; blending neighbours instead would draw two half-transparent
    persons, a sight that no camera gives. The rule is symmetric in time: a reversed
    video resamples to the reversed frames, so `backward` relations stay exact.

    Returns:
        `[T]` int, not decreasing, `T = floor(num_frames * fps / source_fps)`.
    """
    count = math.floor(num_frames * fps / source_fps + 1e-6)
    index = np.floor((np.arange(count) + 0.5) * (source_fps / fps) + 1e-9)
    return np.minimum(index.astype(int), max(num_frames - 1, 0))


def uneven(times: Sequence[float], fps: float) -> np.ndarray | None:
    """Returns the times of frames where a steady rate does not tell them.

    Browsers and phones record at a rate that varies, and declare another.

    Args:
        times: seconds at which each frame is shown, as the container says.
        fps: the rate that it declares.

    Returns:
        `[N]` seconds from the first frame, not falling; None where frame `n` is shown
        at `n / fps`, or the container says nothing of use.

    Raises:
        UnreadableError: if they go on for days with next to no pictures.
    """
    at = np.asarray(times, np.float64)
    if len(at) < 2 or not np.isfinite(at).all() or (np.diff(at) < 0).any():
        return None
    at = at - at[0]
    off = np.abs(at - np.arange(len(at)) / fps).max()
    if at[-1] * PLAUSIBLE_FPS[1] < len(at) - 1 or off <= 0.5 / fps:
        return None
    if duration(at) > _LONGEST:
        raise UnreadableError(
            f"its {len(at)} pictures are said to last {duration(at):.3g} s; convert it "
            "anew, at a steady rate"
        )
    return at


def timeline_of(times: np.ndarray, fps: float) -> np.ndarray:
    """Returns what `timeline` does, for frames that are shown at `times`, `[N]` s."""
    count = math.floor(duration(times) * fps + 1e-6)
    middles = (np.arange(count) + 0.5) / fps
    index = np.searchsorted(times, middles + 1e-9, side="right") - 1
    return np.clip(index, 0, len(times) - 1)


def duration(times: np.ndarray) -> float:
    """Returns seconds from the first frame to the end of the last one."""
    return float(times[-1] + np.median(np.diff(times)[-5:]))


def _open(source: Source) -> cv2.VideoCapture:
    """Opens a video quietly, with FFmpeg alone (no guessing of image sequences)."""
    if errors.is_special(source.path):
        raise UnreadableError("a device or a pipe, not a video")
    try:
        with source.path.open("rb") as file:  # what OpenCV says of no fault
            empty = not file.read(1)
    except OSError as error:
        if errors.is_machine_fault(error):
            raise
        raise UnreadableError(f"cannot be read ({error.strerror})") from None
    if empty:
        raise UnreadableError("empty file")
    level = cv2.getLogLevel()
    cv2.setLogLevel(0)
    try:
        capture = cv2.VideoCapture(str(source.path), cv2.CAP_FFMPEG)
    finally:
        cv2.setLogLevel(level)
    if not capture.isOpened():
        raise UnreadableError("cannot be decoded (truncated, or not a video)")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # off by default in some builds
    return capture


def _video_frames(
    source: Source, wanted: Callable[[int], bool], times: list[float]
) -> Iterator[tuple[int, np.ndarray | None]]:
    """Yields the frames of a video file, and adds the time of each to `times`."""
    capture = _open(source)
    index, wide, tall = 0, *_stretch(capture)
    try:
        while capture.grab():
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0)
            frame = None
            if wanted(index):
                good, frame = capture.retrieve()
                if not good or frame is None or frame.size == 0:
                    break
                frame = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
                if wide != 1 or tall != 1:
                    size = round(wide * frame.shape[1]), round(tall * frame.shape[0])
                    frame = cv2.resize(frame, size, interpolation=cv2.INTER_LINEAR)
            yield index, frame
            index += 1
    finally:
        capture.release()


def stretch(source: Source) -> tuple[float, float]:
    """Returns how much wider and taller a source is shown than its pixels are."""
    if source.images:
        return 1.0, 1.0
    capture = _open(source)
    try:
        return _stretch(capture)
    finally:
        capture.release()


def _stretch(capture: cv2.VideoCapture) -> tuple[float, float]:
    """The larger side grows, so that no pixel is lost."""
    up, down = (
        capture.get(key) for key in (cv2.CAP_PROP_SAR_NUM, cv2.CAP_PROP_SAR_DEN)
    )
    ratio = up / down if up > 0 and down > 0 else 1.0
    if not 1 / _WIDEST <= ratio <= _WIDEST or abs(ratio - 1) < _SQUARE:
        return 1.0, 1.0
    # The ratio is that of the stored picture, which may be shown lying on its side.
    if capture.get(cv2.CAP_PROP_ORIENTATION_META) % 180 == 90:
        ratio = 1 / ratio
    return (ratio, 1.0) if ratio > 1 else (1.0, 1 / ratio)


def _image_frames(source: Source) -> Iterator[tuple[int, np.ndarray | None]]:
    """Yields the pictures of a frame folder; unreadable ones are passed over.

    Every picture is read, wanted or not: which ones count, and whether their sizes
    agree, must not depend on which ones are wanted.
    """
    index = 0
    for path in source.images:
        frame = read_image(path)
        if frame is not None:
            yield index, frame
            index += 1


def _png_is_bounded(data: bytes) -> bool:
    """Whether a PNG claims no more than it may; True for others.

    OpenCV reserves what a part claims, up to 4 GB for a file of some bytes, and what
    the header says of width and height, up to 3 GB.
    """
    if data.startswith(b"\x89PNG") and len(data) >= 24:
        width, height = (int.from_bytes(data[n : n + 4], "big") for n in (16, 20))
        if width * height > _PIXELS:
            return False
    at = 8
    while data.startswith(b"\x89PNG") and at + 4 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size > max(_PNG_PART, len(data)):
            return False
        at += 12 + size
    return True


def read_image(path: pathlib.Path) -> np.ndarray | None:
    """Reads a picture as `[H, W, 3]` uint8 RGB, upright, or None if it is broken.

    Raises:
        OSError: if the machine fails to read it, which says nothing of the picture.
    """
    level = cv2.getLogLevel()
    cv2.setLogLevel(0)
    try:
        good = not errors.is_special(path) and os.path.getsize(path) <= _FILE
        data = path.read_bytes() if good else b""
        good = bool(data) and _png_is_bounded(data)
        pixels = np.frombuffer(data, np.uint8)
        frame = cv2.imdecode(pixels, cv2.IMREAD_COLOR) if good else None
    except (OSError, cv2.error) as error:
        if errors.is_machine_fault(error):
            raise
        frame = None
    finally:
        cv2.setLogLevel(level)
    return None if frame is None else cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
