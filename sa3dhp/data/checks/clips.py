"""What the checks work on: motions and pictures in one form, and what they found.

A check looks at clips, not at the words that describe them: names, notes and the
manifest are never asked what a number means.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Sequence

import numpy as np

from sa3dhp.data import records, schema
from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons

BODY = skeletons.SA3DHP17
PASS, WARN, FAIL, NONE = "pass", "warn", "fail", "none"
_FEW = 0.02  # share of the clips that may be odd by nature: a handstand, a climb


@dataclasses.dataclass(frozen=True)
class Finding:
    """What one check says.

    Attributes:
        check: its name.
        status: `pass`, `warn`, `fail`, or `none` where there is nothing to check.
        found: what was measured, in a line.
        fault: the fault's name, "" for none.
        remedy: what to do about it, in a line.
    """

    check: str
    status: str
    found: str
    fault: str = ""
    remedy: str = ""


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Clip:
    """Consecutive frames of one person, or single pictures that belong together.

    Attributes:
        name: for messages.
        skeleton: id, gives `J`.
        joints: `[T, J, 3]`, float64, as given, NaN where masked; or None.
        keypoints: `[T, J, 2]`, float64, pixels, NaN where masked; or None.
        projections: `[T, 3, 3]`, or None.
        frame: `camera` or `world`, as stated.
        fps: as stated; 0 for single pictures.
        subject: as stated.
        sequence: as stated.
        split: as stated.
        size: side of the pictures, pixels; 0 for none.
        rows: `[T]`, the frames' numbers in the split.
        order: how the rows of the joints were rearranged by a check, or None.
    """

    name: str
    skeleton: str
    joints: np.ndarray | None
    frame: str
    fps: float
    keypoints: np.ndarray | None = None
    projections: np.ndarray | None = None
    subject: str = ""
    sequence: str = ""
    split: str = ""
    size: int = 0
    rows: np.ndarray | None = None
    order: np.ndarray | None = None

    @property
    def pose(self) -> np.ndarray:
        """The joints of a clip that has them."""
        return _given(self.joints, f"{self.name}: joints")

    @property
    def pixels(self) -> np.ndarray:
        """The key-points of a clip that has them."""
        return _given(self.keypoints, f"{self.name}: keypoints")

    @property
    def cameras(self) -> np.ndarray:
        """The projections of a clip that has them."""
        return _given(self.projections, f"{self.name}: projections")

    @functools.cached_property
    def body(self) -> np.ndarray:
        """`[T, 17, 3]`, the joints as `sa3dhp17`, NaN where there is none."""
        joints, valid = conversion.convert(self.pose, self.skeleton, BODY)
        return np.where(valid[:, None], joints, np.nan)

    def part(self, name: str) -> np.ndarray:
        """One joint of `body` by name, `[T, 3]`."""
        return self.body[:, BODY.index(name)]

    def place(self, row: int) -> int:
        """The number in its split of one of the clip's pictures."""
        return int(_given(self.rows, f"{self.name}: rows")[row])

    @property
    def person(self) -> str:
        """By whom to count: the subject, else the clip itself."""
        return self.subject or self.name

    @functools.cached_property
    def leg(self) -> float:
        """Thigh and shin, the mean of the sides, median over the frames; NaN: none."""
        lengths = []
        for side in ("left", "right"):
            hip, knee, ankle = (
                self.part(f"{side}_{p}") for p in ("hip", "knee", "ankle")
            )
            thigh = np.linalg.norm(hip - knee, axis=-1)
            lengths.append(thigh + np.linalg.norm(knee - ankle, axis=-1))
        known = np.concatenate(lengths)
        known = known[np.isfinite(known)]
        return float(np.median(known)) if len(known) else float("nan")

    def changed(
        self,
        order: Sequence[int] | np.ndarray | None = None,
        scale: np.ndarray | float = 1.0,
        skeleton: str | None = None,
    ) -> Clip:
        """The clip with other rows, unit, axes or skeleton; key-points stay."""
        joints, moved = self.pose, self.order
        if order is not None:
            rows = np.asarray(order)
            joints, moved = joints[:, rows], rows if moved is None else moved[rows]
        skeleton = skeleton or self.skeleton
        return dataclasses.replace(
            self, joints=joints * scale, skeleton=skeleton, order=moved
        )

    def turned(self, matrix: np.ndarray) -> Clip:
        """The clip with its axes changed by `[3, 3]`."""
        return dataclasses.replace(self, joints=self.pose @ matrix.T)


def _given(values: np.ndarray | None, what: str) -> np.ndarray:
    """The values; a check that asks for what is not there is our own mistake."""
    if values is None:
        raise ValueError(f"{what}: expected an array, got none")
    return values


def from_sequence(sequence: schema.Sequence) -> Clip:
    """Returns a motion as a clip."""
    joints = sequence.joints.astype(np.float64)
    if sequence.mask is not None:
        joints[~sequence.mask] = np.nan
    return Clip(
        sequence.name,
        sequence.skeleton,
        joints,
        sequence.frame,
        sequence.fps,
        subject=sequence.subject,
        sequence=sequence.name,
        split=sequence.split,
    )


def from_frames(frames: Iterable[records.Frame], size: int = 0) -> list[Clip]:
    """Returns pictures as clips; single ones by subject and sequence.

    Args:
        frames: in their order; pictures that were not decoded do.
        size: side of the pictures, where they were not.
    """
    groups: dict[tuple, list] = {}
    for row, frame in enumerate(frames):
        single = not frame.fps
        name = f"{frame.subject} {frame.sequence}".strip() if single else frame.clip
        kind = (frame.joints is None, frame.keypoints is None, frame.projection is None)
        key = (name, size or len(frame.image), single, frame.split, frame.skeleton)
        groups.setdefault((*key, *kind), []).append((row, frame))
    return [_clip(key[0], key[1], entries) for key, entries in groups.items()]


def _clip(name: str, size: int, entries: list) -> Clip:
    """Frames of one group as arrays."""
    frames = [frame for _, frame in entries]
    first = frames[0]
    return Clip(
        name,
        first.skeleton,
        _stacked(frames, "joints"),
        "camera",
        first.fps,
        _stacked(frames, "keypoints"),
        _stacked(frames, "projection"),
        first.subject,
        first.sequence,
        first.split,
        size,
        np.array([row for row, _ in entries]),
    )


def _stacked(frames: list[records.Frame], field: str) -> np.ndarray | None:
    """One field of all frames; NaN where masked; None if they have none."""
    values = [getattr(frame, field) for frame in frames]
    if values[0] is None:
        return None
    stack = np.stack(values).astype(np.float64)
    if field != "projection":
        stack[~np.stack([frame.mask for frame in frames])] = np.nan
    return stack


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors `[..., 3]` at length 1; zero stays zero."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(length, 1e-9)


def some(names: Sequence[str], count: int = 3) -> str:
    """`a, b, c and 4 more`."""
    shown = ", ".join(list(names)[:count])
    return shown + (f" and {len(names) - count} more" if len(names) > count else "")


def verdict(flagged: int, decided: int) -> str:
    """The status of a set in which so many of the clips are odd."""
    if not flagged:
        return PASS
    return FAIL if flagged > _FEW * decided else WARN
