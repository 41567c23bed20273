"""Prepared folders become batches here and nowhere else.

Pictures are read when a step needs them, by record number: what is drawn is a function
of (seed, step), and a data set of any size needs no more memory than its batch.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Sequence

import cv2
import numpy as np

from sa3dhp import errors
from sa3dhp.data import pipeline, records, schema, shards
from sa3dhp.geometry import camera, pictures
from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import world

SKELETON = skeletons.SA3DHP17
TRAIN = "train"
_CHUNK = 256  # clips whose labels are read at once
_SAMPLED = 64  # pictures whose labels are looked at before the work
UNSEEN = ("test", "val", "validation")  # the first that a data set has


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Pixels of what the network sees, and of what is stored with a margin."""

    image: int
    stored: int


def split(folder: str, name: str, sizes: Sizes) -> shards.Split:
    """Opens the pictures of a prepared folder.

    Raises:
        InputError: if they are not there, or were prepared at other sizes.
    """
    found = _open(str(folder), name)
    got = (found.manifest.image_size, found.manifest.stored_size)
    if got != (sizes.image, sizes.stored):
        raise errors.InputError(
            f"{folder}: prepared with image_size {got[0]} and stored_size {got[1]}, "
            f"expected data.image_size = {sizes.image} and data.stored_size = "
            f"{sizes.stored}; prepare it with --image_size={sizes.image} "
            f"--stored_size={sizes.stored}"
        )
    return found


@functools.lru_cache(maxsize=8)
def _open(folder: str, name: str) -> shards.Split:
    """Once: an index of a million records takes a while."""
    return shards.Split(folder, name)


def joints_of(frame: records.Frame) -> np.ndarray:
    """Returns the labels of a picture as `[17, 3]`, mm, root-relative; unknown = NaN.

    A joint is known if the data set has it, or an estimate with a length of its own
    (SMPL's top of the head): to a training label centimetres matter less than none.

    Raises:
        InputError: if the picture has no 3D joints.
    """
    if frame.joints is None:
        raise errors.InputError(
            f"{frame.clip}: no 3D joints ({frame.skeleton}): such pictures cannot "
            "label a source; take a data set in 3D"
        )
    given = np.where(frame.mask[:, None], frame.joints, np.nan).astype(np.float32)
    joints, _ = conversion.convert(given, frame.skeleton, SKELETON)
    joints[~present(frame.skeleton)] = np.nan
    return joints - joints[SKELETON.root]


def _keypoints_of(frame: records.Frame) -> np.ndarray:
    """2D labels of a picture, `[17, 2]`, pixels of the stored one; unknown = NaN."""
    if frame.keypoints is None:
        return np.full((SKELETON.num_joints, 2), np.nan)
    given = np.where(frame.mask[:, None], frame.keypoints, np.nan).astype(np.float64)
    points, _ = conversion.convert(given, frame.skeleton, SKELETON)
    points[~present(frame.skeleton)] = np.nan
    return points


@functools.cache
def present(skeleton: str) -> np.ndarray:
    """Returns `[17]`, which joints of `SKELETON` labels in another can tell.

    Those that it has, or an estimate of which is not merely put where its parent is.
    """
    weights, valid = conversion.matrix(skeleton, SKELETON)
    parents = weights[list(SKELETON.parents)]
    return valid | (np.abs(weights - parents).max(axis=1) > 0)


def view(
    frame: records.Frame, size: int, mirrored: bool = False, roll: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shows a labelled picture as the rules may: mirrored, then turned by `roll`.

    Args:
        frame: with the margin that a turn brings in.
        size: side of the result, pixels.
        mirrored: as by the rule `z1`.
        roll: radians, x towards y, as by the rule `z2`.

    Returns:
        uint8 `[size, size, 3]`, joints `[17, 3]`, mm, and where they are, `[17, 3]`, as
        `camera.half_sides` has it; unknown = NaN.
    """
    image, joints, flat = frame.image, joints_of(frame), _keypoints_of(frame)
    if mirrored:
        image = np.ascontiguousarray(pictures.flip(image))
        sides = list(SKELETON.flip_indices)
        joints = joints[sides] * np.array([-1, 1, 1], np.float32)
        flat = flat[sides] * [-1, 1] + [image.shape[1] - 1, 0]
    if not roll:
        flat -= (image.shape[0] - size) // 2
        return pictures.center_crop(image, size), joints, _located(flat, joints, size)
    cos, sin = np.cos(roll), np.sin(roll)
    turn = np.array([[cos, -sin], [sin, cos]])
    shift = (size - 1) / 2 - turn @ np.full(2, (image.shape[0] - 1) / 2)
    warp = np.column_stack([turn, shift])
    image = cv2.warpAffine(image, warp, (size, size), borderMode=cv2.BORDER_REFLECT)
    joints[:, :2] = joints[:, :2] @ turn.T.astype(np.float32)
    return image, joints, _located(flat @ turn.T + shift, joints, size)


def _located(flat: np.ndarray, joints: np.ndarray, size: int) -> np.ndarray:
    """Where joints are in a picture, `[17, 3]`; NaN without 2D labels."""
    if np.isnan(flat).all():
        return np.full((SKELETON.num_joints, 3), np.nan, np.float32)
    return camera.half_sides(flat[None], joints[None], size, SKELETON.root)[0]


def check_labelled(folder: str, sizes: Sizes) -> None:
    """Tells of a source that cannot be one, before hours of work need it.

    Some of its pictures are looked at, not all.

    Raises:
        InputError: if the pictures are not there, have other sizes, lack 3D joints, or
            none of them are kept apart to measure on.
    """
    part = split(folder, TRAIN, sizes)
    if not len(part):
        raise errors.InputError(f"{folder}: {TRAIN} is empty, expected pictures in it")
    rows = np.unique(np.linspace(0, len(part) - 1, _SAMPLED).astype(int))
    for frame in part.frames(rows, image=False):
        joints_of(frame)
    has = shards.manifest(folder).splits
    if not any(name in has for name in UNSEEN):
        raise errors.InputError(
            f"{folder}: has the splits {', '.join(has)}, expected one of "
            f"{', '.join(UNSEEN)} too, of people that never train"
        )


@dataclasses.dataclass(frozen=True, eq=False)
class Pool:
    """Some records of a split, to draw from; all of them if `rows` is None."""

    split: shards.Split
    rows: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.split) if self.rows is None else len(self.rows)

    def row(self, number: int) -> int:
        """The record's number in the split."""
        return int(number if self.rows is None else self.rows[number])


def draw(
    pools: Sequence[Pool],
    rng: np.random.Generator,
    *,
    count: int,
    size: int,
    rolled: float,
    mirrored: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws labelled pictures; `world.frames`' twin.

    Args:
        pools: each is drawn from as often as any other, whatever its size.
        rng: the source of randomness.
        count: of pictures.
        size: side of the pictures, pixels.
        rolled: share of pictures that are turned, see `world.draw_roll`.
        mirrored: share of pictures that are seen in a mirror, joints and all.

    Returns:
        uint8 `[count, size, size, 3]`, joints `[count, 17, 3]`, mm, root-relative, and
        where they are, `[count, 17, 3]`, see `view`; unknown = NaN.
    """
    owner = rng.integers(len(pools), size=count)
    numbers = [int(rng.integers(len(pools[n]))) for n in owner]
    looks = [
        (bool(rng.uniform() < mirrored), float(world.draw_roll(rng, rolled)))
        for _ in owner
    ]
    frames: list = [None] * count
    for n, pool in enumerate(pools):
        mine = np.flatnonzero(owner == n)
        found = pool.split.frames(pool.row(numbers[i]) for i in mine)
        for i, frame in zip(mine, found):
            frames[i] = frame
    shown = [view(frame, size, *look) for frame, look in zip(frames, looks)]
    images, joints, points = (np.stack(part) for part in zip(*shown))
    return images, joints, points


def unseen(
    folders: Sequence[str], sizes: Sizes, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns labelled pictures of source people that no stage trains on.

    Returns:
        As `draw`, evenly over the folders and over their splits `test`, or `val`.

    Raises:
        InputError: if a folder has no such split.
    """
    shown = []
    for number, folder in enumerate(folders):
        has = shards.manifest(folder).splits
        name = next((name for name in UNSEEN if name in has), UNSEEN[0])
        part = split(folder, name, sizes)
        share = (count + number) // len(folders)
        rows = np.unique(np.linspace(0, len(part) - 1, share).astype(int))
        shown += [view(frame, sizes.image) for frame in part.frames(rows)]
    images, joints, points = (np.stack(part) for part in zip(*shown))
    return images, joints, points


def _check_clips(part: shards.Split, num_frames: int) -> None:
    if part.clip_length != num_frames or not len(part):
        raise errors.InputError(
            f"{part.folder}: {part.name} has {len(part)} pictures in "
            f"{part.manifest.splits[part.name]['clips']} clips, expected clips of "
            f"{num_frames} pictures; prepare a data set of videos"
        )


def some_clips(
    folders: Sequence[str], sizes: Sizes, num_frames: int, count: int
) -> np.ndarray:
    """Returns clips of the sources, evenly over the folders and within them.

    Returns:
        uint8 `[count or fewer, num_frames, S, S, 3]`, at the stored size.

    Raises:
        InputError: if a folder does not hold clips of that length.
    """
    found = []
    for number, folder in enumerate(folders):
        part = split(folder, TRAIN, sizes)
        if part.clip_length < num_frames:  # single pictures train, clips measure
            others = [name for name in UNSEEN if name in part.manifest.splits]
            part = split(folder, others[0], sizes) if others else part
        _check_clips(part, num_frames)
        share = (count + number) // len(folders)
        last = len(part) // num_frames - 1
        for clip in np.unique(np.linspace(0, last, share).astype(int)):
            found.append([frame.image for frame in part.clip(clip)])
    return np.array(found)


class Clips:
    """Clips of a prepared split, read when they are asked for.

    Attributes:
        videos: `[N]` int, clips of one sequence have one number.
        subjects: `[N]` text.
        names: `[N]`, ids of the clips.
    """

    def __init__(self, part: shards.Split, num_frames: int) -> None:
        """Reads the labels of each clip's first picture.

        Raises:
            InputError: if the split does not hold clips of `num_frames` pictures.
        """
        _check_clips(part, num_frames)
        length = num_frames
        self._split = part
        self._numbers = np.arange(len(part) // length)
        labels = []
        for start in range(0, len(part), length * _CHUNK):
            rows = range(start, min(start + length * _CHUNK, len(part)), length)
            first = part.frames(rows, image=False)
            labels += [(frame.sequence, frame.subject, frame.clip) for frame in first]
        sequences, self.subjects, self.names = np.array(labels).T
        self.videos = np.unique(sequences, return_inverse=True)[1]

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Reads clips: a slice or a list of numbers -> uint8 `[n, T, S, S, 3]`."""
        clips = [self._split.clip(number) for number in self._numbers[rows]]
        return np.stack([[frame.image for frame in clip] for clip in clips])

    def take(self, rows: np.ndarray, axis: int = 0) -> Clips:
        """Some of the clips, still unread; named and called as NumPy's."""
        del axis  # clips are the first
        part = object.__new__(Clips)
        part._split, part._numbers = self._split, self._numbers[rows]
        for name in ("videos", "subjects", "names"):
            setattr(part, name, getattr(self, name)[rows])
        return part

    def pool(self) -> Pool:
        """The pictures of these clips, to draw from."""
        length = self._split.clip_length
        rows = self._numbers[:, None] * length + np.arange(length)
        return Pool(self._split, rows.ravel())


def semi_supervised(
    clips: Clips, subjects: Collection[str], share: float, seed: int
) -> tuple[Clips, Clips]:
    """Divides clips into labelled ones and the rest ([M] 4.2 a).

    Args:
        clips: of the target.
        subjects: whose labels are known; if none,
        share: of the clips, drawn by the seed.

    Returns:
        The labelled clips, maybe none, and the others.

    Raises:
        InputError: if no clip is left on the other side, or a subject is not there.
    """
    there = sorted(set(clips.subjects.tolist()))
    if missing := sorted(set(subjects) - set(there)):
        raise errors.InputError(
            f"data.labelled_subjects: got {', '.join(missing)}, expected some of "
            f"{', '.join(there)}"
        )
    known = np.isin(clips.subjects, list(subjects))
    if not subjects:
        order = pipeline.rng(seed, "labelled", 1 << 30).permutation(len(clips))
        known[order[: round(share * len(clips))]] = True
    if known.all():
        raise errors.InputError(
            "data.labelled_subjects: every target clip is labelled; none is left to "
            "adapt to"
        )
    return clips.take(np.flatnonzero(known)), clips.take(np.flatnonzero(~known))


def motions(
    folder: str, fps: float, skeleton: skeletons.Skeleton = SKELETON
) -> list[schema.Sequence]:
    """Returns the motions of a prepared folder, all splits, as one skeleton's.

    Raises:
        InputError: if there are none, or their skeleton lacks joints.
    """
    found: list[schema.Sequence] = []
    for name, entry in shards.manifest(folder).splits.items():
        before = len(found)
        for sequence in records.read_motions(folder, name):
            joints, valid = conversion.convert(
                sequence.joints, sequence.skeleton, skeleton
            )
            gaps = sequence.mask is not None and not sequence.mask.all()
            if gaps or not valid.all():
                raise errors.InputError(
                    f"{folder}: {sequence.name} ({sequence.skeleton}) lacks joints of "
                    f"{skeleton.id}; a prior needs them all: take motion capture"
                )
            whole = dataclasses.replace(
                sequence, joints=joints, skeleton=skeleton.id, mask=None
            )
            found.append(schema.resample(whole, fps))
        if len(found) - before != entry["records"]:
            raise errors.InputError(
                f"{folder}: the shards of {name} hold {len(found) - before} records, "
                f"expected {entry['records']}; prepare it again"
            )
    if not found:
        raise errors.InputError(f"{folder}: no motion in it; prepare it again")
    return found


def by_subject(
    sequences: Sequence[schema.Sequence], held_out: Collection[str], folder: str
) -> tuple[list[schema.Sequence], list[schema.Sequence]]:
    """Returns the motions that train, and those of the subjects that measure.

    Args:
        sequences: of `folder`.
        held_out: subjects, `data.held_out_subjects`.
        folder: for messages.

    Raises:
        InputError: if either has none.
    """
    kept = {sequence.subject in held_out for sequence in sequences}
    if kept != {True, False}:
        subjects = ", ".join(sorted({sequence.subject for sequence in sequences}))
        raise errors.InputError(
            f"data.held_out_subjects: got {', '.join(held_out)}; expected some but not "
            f"all of the subjects in {folder}: {subjects}"
        )
    return (
        [sequence for sequence in sequences if sequence.subject not in held_out],
        [sequence for sequence in sequences if sequence.subject in held_out],
    )
