"""Crowds of a folder: prepared ones with their labels, or pictures without any.

Prepared crowds (`muco`) hold a record for each person; those of a picture share its
clip. They must be seen by the one fixed camera, see `camera.py`. Of other prepared data
a picture is what it is, and nobody in it is known; of a folder of plain pictures, too,
which are made square with a margin, as for a prediction. Pictures are read when a step
needs them.
"""

from __future__ import annotations

import functools
import hashlib
import pathlib
from collections.abc import Callable
from typing import cast

import numpy as np

from sa3dhp import errors
from sa3dhp.data import labelled, prepared, records, shards
from sa3dhp.data.videos import video
from sa3dhp.geometry import crop
from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import crowd

SKELETON = skeletons.SA3DHP17
_OFF = 0.02  # sides of the picture, by which a camera may differ from the fixed one
_SAMPLED = 16  # records that are looked at before the work


class Images:
    """Pictures uint8 `[N, S, S, 3]`, read when they are indexed as an array is."""

    def __init__(
        self, read: Callable[[np.ndarray], np.ndarray], count: int, size: int
    ) -> None:
        """Keeps how they are read.

        Args:
            read: row numbers `[n]` -> `[n, S, S, 3]`.
            count: N.
            size: S, pixels.
        """
        self._read, self.shape = read, (count, size, size, 3)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice | np.ndarray) -> np.ndarray:
        """Reads some of them."""
        return self._read(np.arange(len(self))[rows])


def check(folder: str, size: int, focal: float, *, labels: bool) -> str:
    """Returns the hash of a folder that can be used.

    Args:
        folder: a place of the configuration.
        size: of the pictures that the network sees, pixels.
        focal: focal length of the fixed camera, sides of the picture.
        labels: whether 2D and 3D labels of crowds are needed.

    Raises:
        InputError: if it is missing, empty, or of another size or camera.
    """
    if not _is_prepared(folder):
        if labels:
            raise errors.InputError(
                f"{folder}: has no manifest, so that nobody in its pictures is known, "
                "expected prepared crowds for the labels of data.source and of "
                "student.labels; make them: python tools/prepare_data.py "
                f"--dataset=muco --input=DIR --output={folder}"
            )
        return _digest(_pictures(folder))
    part = _split(folder, prepared.TRAIN, size)
    rows = np.unique(np.linspace(0, len(part) - 1, _SAMPLED).astype(int))
    frames = part.frames(rows, image=False) if len(part) else []
    if not frames:
        raise errors.InputError(f"{folder}: train is empty, expected pictures in it")
    if _holds_crowds(folder):
        for frame in frames:
            _check_camera(folder, frame, part.manifest, focal)
    elif labels:
        raise errors.InputError(
            f"{folder}: holds {part.manifest.dataset}, where a picture is cut out "
            "around one person, expected crowds as whole pictures with labels; take "
            "--dataset=muco of tools/prepare_data.py"
        )
    return part.manifest.data_hash


def _check_camera(
    folder: str, frame: records.Frame, manifest: records.Manifest, focal: float
) -> None:
    """Raises InputError if a person of a crowd is not seen by the fixed camera."""
    assert frame.projection is not None  # what makes it a crowd
    size, matrix = manifest.image_size, frame.projection
    middle = (manifest.stored_size - 1) / 2
    found = float(matrix[0, 0] + matrix[1, 1]) / 2 / size
    if abs(found - focal) > _OFF:
        raise errors.InputError(
            f"data.focal: got {focal:g}, expected {found:.2f} sides of the picture, as "
            f"{folder} has it; set data.focal={found:.2f}"
        )
    if np.abs(matrix[:2, 2] - middle).max() > _OFF * size:
        x, y = matrix[:2, 2]
        raise errors.InputError(
            f"{folder}: {frame.clip}: the camera's axis goes through ({x:.0f}, "
            f"{y:.0f}), expected the middle, {middle:g} px: not of the fixed camera"
        )


def unseen_split(folder: str) -> str:
    """Returns the split of crowds that measures, "" for none."""
    if not _is_prepared(folder) or not _holds_crowds(folder):
        return ""
    has = shards.manifest(folder).splits
    return next((name for name in prepared.UNSEEN if name in has), "")


def crowds(folder: str, size: int, unseen: int | None = None) -> crowd.Crowds:
    """Returns the pictures of a folder.

    Args:
        folder: prepared crowds, other prepared pictures, or plain ones.
        size: S, pixels.
        unseen: at most so many that never train; None for those that do.

    Raises:
        InputError: if there are none of them.
    """
    split = prepared.TRAIN if unseen is None else unseen_split(folder)
    if not split:
        raise errors.InputError(
            f"{folder}: has no labelled pictures that never train, expected crowds "
            "with a split val or test"
        )
    if not _is_prepared(folder):
        paths = _pictures(folder)
        read = functools.partial(_squares, paths, size)
        return _unknown(read, len(paths), size)
    sizes = prepared.Sizes(size, shards.manifest(folder).stored_size)
    found = labelled.of_prepared(folder, split, sizes, SKELETON.id, complete=False)
    if not _holds_crowds(folder):
        return _unknown(found.images, len(found), size)
    return _known(found, size, unseen)


def _known(found: labelled.Pictures, size: int, most: int | None) -> crowd.Crowds:
    """Crowds of records: those that follow each other in one clip are one picture."""
    assert found.points is not None and found.joints is not None  # of crowds
    first = np.flatnonzero(np.r_[True, found.clips[1:] != found.clips[:-1]])
    ends = np.append(first, len(found))
    chosen = np.arange(len(first))
    if most is not None:
        chosen = np.unique(np.linspace(0, len(first) - 1, most).astype(int))
    people = int(np.diff(ends)[chosen].max())
    shape = (len(chosen), people, SKELETON.num_joints)
    joints, points = np.zeros((*shape, 3), np.float32), np.full((*shape, 2), np.nan)
    there = np.zeros(shape[:2], bool)
    for n, number in enumerate(chosen):
        own = slice(ends[number], ends[number + 1])
        count = own.stop - own.start
        joints[n, :count], points[n, :count] = found.joints[own], found.points[own]
        there[n, :count] = True
    outside = ((points < -0.5) | (points > size - 0.5)).any(axis=-1)
    points[outside] = np.nan
    rows = first[chosen]
    images = Images(lambda wanted: found.images(rows[wanted]), len(rows), size)
    return crowd.Crowds(
        cast(np.ndarray, images), joints, points.astype(np.float32), there
    )


def _unknown(
    read: Callable[[np.ndarray], np.ndarray], count: int, size: int
) -> crowd.Crowds:
    """Pictures in which nobody is known."""
    shape = (count, 1, SKELETON.num_joints)
    return crowd.Crowds(
        cast(np.ndarray, Images(read, count, size)),
        np.zeros((*shape, 3), np.float32),
        np.full((*shape, 2), np.nan, np.float32),
        np.zeros((count, 1), bool),
    )


def _split(folder: str, name: str, size: int) -> shards.Split:
    """A split of a prepared folder, at whatever margin it was stored."""
    sizes = prepared.Sizes(size, shards.manifest(folder).stored_size)
    return prepared.split(folder, name, sizes)


def _is_prepared(folder: str) -> bool:
    return (pathlib.Path(folder) / records.MANIFEST).is_file()


@functools.lru_cache(maxsize=8)
def _holds_crowds(folder: str) -> bool:
    """Whether records are people in pictures that no clip of a video holds.

    Of clips, and of a person's own crop, the camera is another in each picture.
    """
    manifest = shards.manifest(folder)
    part = shards.Split(folder, next(iter(manifest.splits)))
    if manifest.fps or not len(part):
        return False
    (frame,) = part.frames([0], image=False)
    labels = (frame.joints, frame.keypoints, frame.projection)
    whole = conversion.matrix(frame.skeleton, SKELETON)[1].all()
    return bool(whole) and all(value is not None for value in labels)


@functools.lru_cache(maxsize=4)
def _pictures(folder: str) -> tuple[pathlib.Path, ...]:
    """The pictures below a folder, in the order of their names."""
    root = pathlib.Path(folder)
    found = tuple(
        path
        for path in sorted(root.rglob("*"))
        if path.suffix.lower() in video.IMAGE_SUFFIXES and not path.name.startswith(".")
    )
    if not found:
        known = ", ".join(sorted(video.IMAGE_SUFFIXES))
        lacks = "no picture in it" if root.is_dir() else "not a folder"
        raise errors.InputError(
            f"{folder}: {lacks}, expected prepared data or pictures ({known}); give "
            "their folder as data.target"
        )
    return found


def _digest(paths: tuple[pathlib.Path, ...]) -> str:
    """The hash of names and sizes."""
    listed = "".join(f"{path.name} {path.stat().st_size}\n" for path in paths)
    return hashlib.sha256(listed.encode()).hexdigest()


def _squares(
    paths: tuple[pathlib.Path, ...], size: int, rows: np.ndarray
) -> np.ndarray:
    """Plain pictures as squares."""
    return np.stack([_square(paths[row], size) for row in rows])


def _square(path: pathlib.Path, size: int) -> np.ndarray:
    picture = video.read_image(path)
    if picture is None:
        raise errors.InputError(f"{path}: cannot be decoded; remove it, and go on")
    height, width = picture.shape[:2]
    middle = np.array([width - 1, height - 1]) / 2
    return crop.extract(picture, middle, float(max(height, width)), size)
