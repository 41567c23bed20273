"""People followed through a video: what is known of each, and whether he is one.

Some pictures of every track are kept, for a sheet to look at; and they tell tracks of
things, which do not move, and tracks that go over from one person to another.
"""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from sa3dhp.data.videos import video
from sa3dhp.geometry import crop

SIDE = 128  # pixels, of the pictures
FIXED_SIDE = 32  # of those that tell whether anything moves
EVERY = 0.4  # seconds from one picture to the next
FEWEST, MOST = 6, 40  # pictures of a track
STILL = 2.0  # grey levels by which pictures of what does not move differ
STILL_SECONDS = 0.25  # that it takes to tell
SURE = 0.8  # confidence of a detector with which people may keep still
CHANGED = 0.4  # distance of the colours of two people; of one it is below 0.15
_TRUNK = slice(32, 70), slice(50, 78)  # rows and columns of it in a picture
_HELD = 3  # pictures that a person must have before and after a change


@dataclasses.dataclass(frozen=True)
class Track:
    """One person followed through one source, at the rate of the set.

    Attributes:
        name: of the source.
        source_frames: `[T]` int, source frame at each frame of the track.
        boxes: `[T, 4]` float32, x1 y1 x2 y2, pixels of the source picture.
        confidence: 0 to 1; 1 for given boxes.
        scores: `[T]` float32, the same of each frame.
        fps: of the track.
        seen: share of the looks in which the detector found the person.
        dropped: why the track is not used, or "".
        pictures: `[K, S, S, 3]` uint8 RGB, evenly spaced crops of it, to look at.
        pictured: `[K]` int, their places in `source_frames`.
        bridged: `[T]` bool, see `tracking.Path`; empty for none.
    """

    name: str
    source_frames: np.ndarray
    boxes: np.ndarray
    confidence: float
    scores: np.ndarray
    fps: float
    seen: float = 1.0
    dropped: str = ""
    pictures: np.ndarray = dataclasses.field(
        default_factory=lambda: np.zeros((0, SIDE, SIDE, 3), np.uint8)
    )
    pictured: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, int))
    bridged: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, bool))


def screened(source: video.Source, tracks: list[Track], *, judge: bool) -> list[Track]:
    """Adds their pictures to tracks, and drops those that are not one person.

    Args:
        source: of all of them, streamed once.
        tracks: as they were linked.
        judge: whether to drop any.

    Raises:
        UnreadableError: if the source cannot be decoded.
    """
    places = [_places(len(track.boxes), track.fps) for track in tracks]
    wanted: dict[int, list[tuple[int, int]]] = {}
    for number, (track, chosen) in enumerate(zip(tracks, places)):
        for place in chosen:
            frame = int(track.source_frames[place])
            wanted.setdefault(frame, []).append((number, int(place)))
    found: list[dict[int, tuple]] = [{} for _ in tracks]
    for frame, picture in video.until(source, wanted):
        for number, place in wanted[frame]:
            boxes = tracks[number].boxes
            fixed = _square(picture, np.median(boxes, axis=0), FIXED_SIDE)
            grey = cv2.cvtColor(fixed, cv2.COLOR_RGB2GRAY).astype(np.float32)
            found[number][place] = _square(picture, boxes[place], SIDE), grey
    return [_screened(*pair, judge) for pair in zip(tracks, found)]


def _screened(track: Track, found: dict[int, tuple], judge: bool) -> Track:
    """One track with its pictures, by place: the crop, and one of a fixed square."""
    if not found:
        return track
    pictured = np.array(sorted(found))
    pictures, fixed = (np.stack([found[p][k] for p in pictured]) for k in (0, 1))
    reason = track.dropped
    if judge and not reason:
        told = len(track.boxes) >= STILL_SECONDS * track.fps and len(pictured) > 2
        if told and track.confidence < SURE and stillness(fixed) < STILL:
            reason = "it does not move, and the detector is not sure: a thing"
        elif change(pictures) >= CHANGED:
            reason = "it goes over from one person to another: the colours change"
    return dataclasses.replace(
        track, dropped=reason, pictures=pictures, pictured=pictured
    )


def note(track: Track) -> str:
    """A sentence about a track that was dropped."""
    seconds = len(track.boxes) / track.fps
    return f"a track of {seconds:.1f} s was dropped: {track.dropped}"


def stillness(pictures: np.ndarray) -> float:
    """How far pictures `[K, h, w]` of one place differ at most, mean grey levels."""
    typical = np.median(pictures, axis=0)
    return float(np.abs(pictures - typical).mean(axis=(1, 2)).max())


def change(pictures: np.ndarray) -> float:
    """How far the colours of the trunk change for good, 0 to 1.

    Args:
        pictures: `[K, S, S, 3]` in order.

    Returns:
        The largest Bhattacharyya distance between all before and all after a moment,
        less what they differ among themselves there.
    """
    colours = np.array([_colours(picture[_TRUNK]) for picture in pictures])  # [K, C]
    best = 0.0
    for at in range(_HELD, len(colours) - _HELD + 1):
        sides = colours[:at], colours[at:]
        middles = [side.mean(axis=0) for side in sides]
        within = max(
            sum(_distance(one, middle) for one in side) / len(side)
            for side, middle in zip(sides, middles)
        )
        best = max(best, _distance(*middles) - within)
    return best


def _colours(picture: np.ndarray) -> np.ndarray:
    """Share of the pixels in each colour, `[C]`; light counts less than hue."""
    hsv = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2HSV)
    ranges, bins = [0, 180, 0, 256, 0, 256], [8, 3, 3]
    found = cv2.calcHist(
        [cv2.GaussianBlur(hsv, (5, 5), 0)], [0, 1, 2], None, bins, ranges
    )
    return found.ravel() / found.sum()


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """Bhattacharyya distance of two distributions, 0 to 1."""
    return float(np.sqrt(max(0.0, 1 - np.sqrt(one * other).sum())))


def _places(length: int, fps: float) -> np.ndarray:
    """Which frames of a track are pictured."""
    count = min(length, MOST, max(FEWEST, round(length / fps / EVERY)))
    return np.linspace(0, length - 1, count).round().astype(int)


def _square(picture: np.ndarray, box: np.ndarray, size: int) -> np.ndarray:
    """The crop of a person's box."""
    side = crop.SIDE_FACTOR * float((box[2:] - box[:2]).max())
    return crop.extract(picture, (box[:2] + box[2:]) / 2, side, size)
