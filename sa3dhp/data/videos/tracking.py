"""Links the detections of a shot into tracks of one person each.

A weak detector scatters windows of several sizes around a person and misses him in
some frames. A track is therefore the best path through *all* windows of a video
(dynamic programming over confidence and smoothness, with gaps), and its box in each
frame is the mean of the windows that agree with the path.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import ndimage

from sa3dhp.geometry import crop

BIAS = 0.2  # confidence below which a window weakens the path it is on
SPEED = 1.5  # body heights per second that a person may move
SLACK = 0.25  # body heights of jitter on top
MAX_GAP = 1.0  # seconds without a detection that a track survives
MISS = 0.05  # what each missed look costs, in confidence
MIN_MEAN = 0.5  # confidence over the looks of a track; below, it is no person
MIN_MEAN_OTHERS = 0.6  # the same for all but the best: false tracks are leftovers
MIN_TOLD = 0.3  # the same of a track that is worth a word
MAX_JUMP = 0.2  # median change of the box from look to look, in its heights
HOLD = 0.25  # seconds a track reaches beyond its first and last detection
SMOOTHING = 0.15  # seconds, standard deviation of the boxes' Gaussian
MAX_TRACKS = 16  # per video
ALIKE, APART = 1.6, 0.25  # sizes and distance, in them, of two people side by side
BESIDE = "stands beside another person, whom his crops would show too"


@dataclasses.dataclass(frozen=True)
class Path:
    """One person followed through a video.

    Attributes:
        first: the frame of `boxes[0]`.
        boxes: `[T, 4]` float32, x1 y1 x2 y2 in pixels for each frame.
        confidence: the mean over the looks, a miss counting 0.
        scores: `[T]` float32, the same of each frame, between the looks around it.
        seen: share of the looks with a detection.
        doubt: why this is no person, or "".
        named: `[K]` int, the boxes that were given, the others lie between them; None
            if all were.
        bridged: `[T]` bool, frames in a gap in which the detector missed the person, of
            `MAX_GAP` seconds at most; empty for none.
    """

    first: int
    boxes: np.ndarray
    confidence: float
    scores: np.ndarray
    seen: float = 1.0
    doubt: str = ""
    named: np.ndarray | None = None
    bridged: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, bool))

    @property
    def rank(self) -> float:
        """Duration x height x confidence, the order of tracks: best first."""
        heights = self.boxes[:, 3] - self.boxes[:, 1]
        return float(len(heights) * heights.mean() * self.confidence)


def link(
    looks: np.ndarray, detections: list[np.ndarray], fps: float, num_frames: int
) -> list[Path]:
    """Finds the persons of one shot, the best first.

    Args:
        looks: `[L]` int, rising: the frames that were searched.
        detections: `[M, 5]` per look: x1 y1 x2 y2 confidence.
        fps: of the frames.
        num_frames: tracks lie in `[looks[0], num_frames)`.

    Returns:
        Up to `MAX_TRACKS` paths; those that are hardly a person say so.
    """
    looks = np.asarray(looks, int)
    left = [np.asarray(boxes, np.float64).reshape(-1, 5) for boxes in detections]
    paths: list[Path] = []
    for _ in range(MAX_TRACKS):
        chosen = _best_path(looks, left, fps)
        if not chosen:
            break
        steps = np.array([step for step, _ in chosen])
        raw = np.stack([_agreeing(left[s], n) for s, n in chosen])  # [K, 5]
        seen = np.arange(steps[0], steps[-1] + 1)
        inside = _interpolate(looks[seen], looks[steps], raw[:, :4])
        for step, box in zip(seen, inside):
            left[step] = left[step][~_covered(left[step], box)]
        if raw[:, 4].sum() >= MIN_TOLD * len(seen):
            path = _path(looks, steps, raw, fps, num_frames)
            if not path.doubt and any(_beside(path, other) for other in paths):
                path = dataclasses.replace(path, doubt=BESIDE)
            paths.append(path)
    return _told(sorted(paths, key=lambda path: -path.rank))


def _told(paths: list[Path]) -> list[Path]:
    """The same, those of low confidence with this doubt.

    The best of those that pass the lower bar need not pass the higher one.
    """
    told: list[Path] = []
    for path in paths:
        best = not any(other.confidence >= MIN_MEAN for other in told)
        least = MIN_MEAN if best else MIN_MEAN_OTHERS
        if path.confidence < least and path.doubt in ("", BESIDE):
            doubt = f"low confidence: {path.confidence:.2f}, needs {least:g}"
            path = dataclasses.replace(path, doubt=doubt)
        told.append(path)
    return told


def _beside(path: Path, other: Path) -> bool:
    """Whether a path is in the crops of a good one for half of its time."""
    if other.doubt or other.confidence < MIN_MEAN:
        return False
    first = max(path.first, other.first)
    last = min(path.first + len(path.boxes), other.first + len(other.boxes))
    if last <= first:
        return False
    mine = path.boxes[first - path.first : last - path.first]
    theirs = other.boxes[first - other.first : last - other.first]
    inside = _apart(mine, theirs) <= crop.SIDE_FACTOR / 2
    return bool(2 * inside.sum() >= len(path.boxes))


def _apart(boxes: np.ndarray, person: np.ndarray) -> np.ndarray:
    """Distance of centres along the axes, in longer sides of the persons' boxes."""
    middle, other = ((b[..., :2] + b[..., 2:4]) / 2 for b in (boxes, person))
    side = (person[..., 2:4] - person[..., :2]).max(axis=-1)
    return np.abs(middle - other).max(axis=-1) / side


def _jump(raw: np.ndarray) -> float:
    """Median change of boxes `[K, 5]` from one to the next, in their heights."""
    if len(raw) < 3:
        return 0.0
    height = raw[:, 3] - raw[:, 1]
    centres = (raw[:, :2] + raw[:, 2:4]) / 2
    moved = np.linalg.norm(np.diff(centres, axis=0), axis=1) / height[1:]
    return float(np.median(np.maximum(moved, np.abs(np.diff(np.log(height))))))


def smooth(boxes: np.ndarray, fps: float) -> np.ndarray:
    """Smooths boxes `[T, 4]` over time with a Gaussian of `SMOOTHING` seconds."""
    sigma = SMOOTHING * fps
    return ndimage.gaussian_filter1d(
        np.asarray(boxes, np.float64), sigma, axis=0, mode="nearest"
    ).astype(np.float32)


def from_boxes(frames: np.ndarray, boxes: np.ndarray) -> Path:
    """Makes a track of given boxes, filling the frames in between linearly.

    Args:
        frames: `[K]` int, rising.
        boxes: `[K, 4]`, x1 y1 x2 y2, pixels.
    """
    every = np.arange(frames[0], frames[-1] + 1)
    filled = _interpolate(every, frames, boxes).astype(np.float32)
    scores = np.ones(len(filled), np.float32)
    named = np.asarray(frames) - frames[0]
    return Path(int(frames[0]), filled, 1.0, scores, named=named)


def overlap(box: np.ndarray, other: np.ndarray) -> float:
    """Returns the intersection over union of two boxes `[4]`."""
    return float(_iou(box[None], other)[0])


def _best_path(
    looks: np.ndarray, detections: list[np.ndarray], fps: float
) -> list[tuple[int, int]]:
    """Returns the (look, window) pairs of the path with the largest sum, or []."""
    nodes = [(s, n) for s, boxes in enumerate(detections) for n in range(len(boxes))]
    if not nodes:
        return []
    boxes = np.concatenate(detections)  # [K, 5]
    step = np.array([s for s, _ in nodes])
    starts = np.searchsorted(step, np.arange(len(looks) + 1))
    total = boxes[:, 4] - BIAS
    before = np.full(len(nodes), -1)
    oldest = np.searchsorted(looks, looks - MAX_GAP * fps)
    for s in range(1, len(looks)):
        new = slice(starts[s], starts[s + 1])
        old = slice(starts[oldest[s]], starts[s])
        if new.start == new.stop or old.start == old.stop:
            continue
        seconds = (looks[s] - looks[step[old]]) / fps  # [O]
        value = total[old] - _cost(boxes[old], boxes[new], seconds)  # [N, O]
        value -= MISS * (s - step[old] - 1)
        best = value.argmax(axis=1)
        gain = value[np.arange(len(best)), best]
        total[new] += np.maximum(gain, 0)
        before[new] = np.where(gain > 0, best + old.start, -1)
    node, chosen = int(total.argmax()), []
    if total[node] <= 0:
        return []
    while node >= 0:
        chosen.append(nodes[node])
        node = int(before[node])
    return chosen[::-1]


def _cost(old: np.ndarray, new: np.ndarray, seconds: np.ndarray) -> np.ndarray:
    """Price of going from each old window to each new one, `[N, O]`; inf: too far."""
    height_old, height_new = old[:, 3] - old[:, 1], (new[:, 3] - new[:, 1])[:, None]
    centre_old, centre_new = (
        (old[:, :2] + old[:, 2:4]) / 2,
        (new[:, :2] + new[:, 2:4]) / 2,
    )
    distance = np.linalg.norm(centre_new[:, None] - centre_old, axis=-1)  # [N, O]
    distance = distance / np.sqrt(height_new * height_old)
    growth = np.abs(np.log(height_new / height_old))
    reach = SLACK + SPEED * seconds
    allowed = (distance <= reach) & (growth <= reach)
    return np.where(allowed, 0.5 * (distance + growth) / reach, np.inf)


def _agreeing(boxes: np.ndarray, chosen: int) -> np.ndarray:
    """Mean box `[5]` of the windows of one look that overlap the chosen one well."""
    weight = boxes[:, 4] * (_iou(boxes, boxes[chosen]) >= 0.6)
    mean = (weight[:, None] * boxes[:, :4]).sum(axis=0) / weight.sum()
    return np.append(mean, boxes[chosen, 4])


def _covered(boxes: np.ndarray, person: np.ndarray) -> np.ndarray:
    """Which windows `[M]` in the crop of a person already tracked are of that person.

    All but those that are as large as he and at some distance: a second person.
    """
    apart = _apart(boxes, person)
    longer = (boxes[:, 2:4] - boxes[:, :2]).max(axis=1)
    alike = np.abs(np.log(longer / (person[2:] - person[:2]).max())) <= np.log(ALIKE)
    return (apart <= crop.SIDE_FACTOR / 2) & ~(alike & (apart > APART))


def _iou(boxes: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Intersection over union `[M]` of boxes with one box."""
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:4], box[2:4])
    common = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:4] - boxes[:, :2], axis=1)
    return common / (areas + np.prod(box[2:4] - box[:2]) - common)


def _interpolate(at: np.ndarray, frames: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Linear interpolation of boxes `[K, 4]` over time, held beyond both ends."""
    columns = [np.interp(at, frames, boxes[:, c]) for c in range(4)]
    return np.stack(columns, axis=-1)


def _path(
    looks: np.ndarray,
    steps: np.ndarray,
    raw: np.ndarray,
    fps: float,
    num_frames: int,
) -> Path:
    """Fills gaps, reaches `HOLD` beyond the ends, takes out outliers and smooths."""
    hold = round(HOLD * fps)
    first = max(looks[0], looks[steps[0]] - hold)
    last = min(num_frames - 1, looks[steps[-1]] + hold)
    width = min(5, len(raw) // 2 * 2 + 1)
    clean = ndimage.median_filter(raw[:, :4], size=(width, 1), mode="nearest")
    every = np.arange(first, last + 1)
    boxes = smooth(_interpolate(every, looks[steps], clean), fps)
    count = steps[-1] - steps[0] + 1
    confidence, jump = float(raw[:, 4].sum() / count), _jump(raw)
    doubt = f"its box jumps by {100 * jump:.0f} % of its height" * (jump > MAX_JUMP)
    at = np.arange(steps[0], steps[-1] + 1)
    score = np.zeros(count)
    score[steps - steps[0]] = raw[:, 4]
    scores = np.interp(every, looks[at], score).astype(np.float32)
    bridged = np.zeros(len(every), bool)
    for before, after in zip(steps, steps[1:]):
        if after - before > 1:
            bridged |= (every > looks[before]) & (every < looks[after])
    share = len(steps) / count
    return Path(int(first), boxes, confidence, scores, share, doubt, bridged=bridged)
