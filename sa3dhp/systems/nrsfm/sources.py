"""The points and pictures of a run, chosen by the configuration."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Callable

import numpy as np
from scipy.spatial import transform

from sa3dhp import errors
from sa3dhp.data import labelled, pipeline, prepared, schema, shards
from sa3dhp.evaluation import poses, protocol
from sa3dhp.models import backbone
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.nrsfm import config as configs
from sa3dhp.systems.nrsfm import points as points_


@dataclasses.dataclass(frozen=True, eq=False)
class Projections:
    """2D points with what belongs to them.

    Attributes:
        points: `[N, P, 2]`, float64; mm under an orthographic camera, or pixels of the
            pictures, the centre of the first is 0. All known, see `points.check`.
        truth: `[N, P, 3]`, mm, camera frame, or None. Only ever measured on, but by
            the student's bound.
        skeleton: id, "" for points that are no skeleton's.
        subjects: `[N]` texts.
        sequences: `[N]` texts.
        images: their pictures, or None.
        source: where they come from, for messages.
    """

    points: np.ndarray
    truth: np.ndarray | None
    skeleton: str
    subjects: np.ndarray
    sequences: np.ndarray
    images: labelled.Images | None = None
    source: str = "points"

    def __len__(self) -> int:
        return len(self.points)

    def take(self, rows: np.ndarray) -> Projections:
        """Returns some of the rows."""
        images = self.images
        return dataclasses.replace(
            self,
            points=self.points[rows],
            truth=None if self.truth is None else self.truth[rows],
            subjects=self.subjects[rows],
            sequences=self.sequences[rows],
            images=None if images is None else lambda chosen: images(rows[chosen]),
        )

    def evenly(self, count: int) -> Projections:
        """Returns at most `count` rows, evenly taken."""
        last = len(self) - 1
        return self.take(np.unique(np.linspace(0, last, count).astype(int)))


@functools.lru_cache(maxsize=4)
def training(config: configs.Config) -> Projections:
    """Returns the points that both networks train on.

    Raises:
        InputError: if there are none, or they are not usable, see `points.check`.
    """
    data = config.data
    found = _READ[data.source](config, False)
    kept = ~np.isin(found.subjects, data.held_out_subjects)
    if data.subjects:
        kept &= np.isin(found.subjects, data.subjects)
    if not kept.any() or not set(data.held_out_subjects) <= set(found.subjects):
        there = ", ".join(sorted(set(found.subjects.tolist())))
        raise errors.InputError(
            f"{found.source}: data.subjects = {list(data.subjects)} and "
            f"data.held_out_subjects = {list(data.held_out_subjects)}: expected some "
            f"but not all of the subjects there: {there}"
        )
    return _checked(found.take(np.flatnonzero(kept)), config.teacher.atoms[0])


@functools.lru_cache(maxsize=4)
def unseen(config: configs.Config) -> Projections | None:
    """Returns points of people that neither network sees, at most `data.unseen`.

    They are those of `data.held_out_subjects`; without such, other people of the
    embedded world, or the test split of prepared pictures; else None.
    """
    data = config.data
    if data.held_out_subjects:
        found = _READ[data.source](config, False)
        kept = np.isin(found.subjects, data.held_out_subjects)
        found = found.take(np.flatnonzero(kept))
    elif data.source == "world" or (
        data.source == "pictures" and data.split == prepared.TRAIN
    ):
        found = _READ[data.source](config, True)
    else:
        return None
    return _checked(found.evenly(data.unseen), 1)


def _checked(found: Projections, atoms: int) -> Projections:
    names = skeletons.get(found.skeleton).joint_names if found.skeleton else ()
    points_.check(found.points, source=found.source, names=names, atoms=atoms)
    return found


def check(config: configs.Config, *uses: str) -> dict[str, str]:
    """Returns the hashes of the prepared folder in use, which results carry.

    Raises:
        InputError: if it, the .npz file or that of weights is not there or not usable.
    """
    data = config.data
    protocol.load(data.evaluation_card)
    if "pictures" in uses:
        backbone.check(config.student.weights)
        check_pictures(config)
    if data.source == "world":
        return {}
    if data.source == "npz":
        training(config)
        content = pathlib.Path(data.path).read_bytes()
        return {data.path: hashlib.sha256(content).hexdigest()}
    return {data.path: shards.manifest(data.path).data_hash}


def check_pictures(config: configs.Config) -> None:
    """Raises InputError if there is nothing that a student can learn from."""
    data = config.data
    lacks = data.source == "motions"
    if data.source == "npz":
        lacks = training(config).images is None
    if lacks:
        raise errors.InputError(
            f"{data.path}: has no pictures, expected some for the student; train "
            "--stage=teacher alone, or take data.source=world or pictures"
        )


def _motions(config: configs.Config, unseen: bool) -> Projections:
    """Captured poses, each under cameras of its own."""
    del unseen  # all subjects; the caller divides them
    data = config.data
    skeleton = skeletons.get(data.skeleton or skeletons.SA3DHP17.id)
    sequences = prepared.motions(data.path, 30.0, skeleton)
    joints = np.concatenate([s.joints for s in sequences]).astype(np.float64)
    joints = np.repeat(joints - joints.mean(axis=1, keepdims=True), data.views, axis=0)
    turns = _cameras(config, len(joints))
    truth = np.einsum("nij,nkj->nki", turns, joints)
    lengths = [len(s) * data.views for s in sequences]
    return Projections(
        points=truth[..., :2],
        truth=truth,
        skeleton=skeleton.id,
        subjects=np.repeat([s.subject for s in sequences], lengths),
        sequences=np.repeat([s.name for s in sequences], lengths),
        source=data.path,
    )


def _cameras(config: configs.Config, count: int) -> np.ndarray:
    """`[count, 3, 3]`, world to camera."""
    rng = pipeline.rng(config.training.seed, "cameras", 0)
    if config.data.cameras == "level":
        return np.stack(
            [schema.view_matrix(*schema.random_view(rng)) for _ in range(count)]
        )
    quaternions = rng.normal(size=(count, 4))  # uniform over all rotations
    return transform.Rotation.from_quat(quaternions).as_matrix()


def _world(config: configs.Config, unseen: bool) -> Projections:
    """People of the embedded world, upright, each in a picture of their own."""
    data = config.data
    if data.skeleton not in ("", skeletons.SA3DHP17.id):
        raise errors.InputError(
            f"data.skeleton: got {data.skeleton!r}, expected '' or "
            f"{skeletons.SA3DHP17.id!r}, which the people of the embedded world have"
        )
    found = labelled.of_world(
        data.domain,
        config.training.seed,
        count=data.unseen if unseen else data.pictures,
        size=data.image_size,
        first=labelled.UNSEEN if unseen else 0,
    )
    return _projections(found)


def _pictures(config: configs.Config, unseen: bool) -> Projections:
    """Prepared pictures with their 2D labels."""
    data = config.data
    sizes = prepared.Sizes(data.image_size, data.stored_size)
    name = labelled.unseen_split(data.path) if unseen else data.split
    return _projections(labelled.of_prepared(data.path, name, sizes, data.skeleton))


def _projections(found: labelled.Pictures) -> Projections:
    if found.points is None:
        raise errors.InputError(
            f"{found.source}: {found.bare} of {len(found)} pictures have no 2D points, "
            "expected them in all; prepare a data set with cameras or 2D labels"
        )
    return Projections(
        points=found.points,
        truth=found.joints,
        skeleton=found.skeleton,
        subjects=found.subjects,
        sequences=found.sequences,
        images=found.images,
        source=found.source,
    )


def _npz(config: configs.Config, unseen: bool) -> Projections:
    """`points [N, P, 2]` of a file, with what else it has."""
    del unseen  # all subjects; the caller divides them
    data = config.data
    arrays = poses.read_arrays(data.path, "points")
    if "points" not in arrays:
        raise errors.InputError(
            f"{data.path}: the array `points` is missing, got "
            f"{', '.join(sorted(arrays)) or 'nothing'}; save points [N, P, 2], x right "
            "and y down, the same P points in every frame"
        )
    skeleton = data.skeleton or str(arrays.get("skeleton", ""))
    known = skeletons.get(skeleton).joint_names if skeleton else ()
    names = arrays["names"].astype(str).tolist() if "names" in arrays else known
    points = points_.check(
        arrays["points"],
        source=data.path,
        mask=arrays.get("mask"),
        names=names,
        expected=len(known) if skeleton else None,
    )
    count = len(points)
    images = arrays.get("images")
    if images is not None and images.shape[1:] != (data.image_size,) * 2 + (3,):
        raise errors.InputError(
            f"{data.path}: images: got {images.shape}, expected [N, {data.image_size}, "
            f"{data.image_size}, 3] as data.image_size says; set it, or resize them"
        )
    per_frame = {
        "truth": (*points.shape[:2], 3), "subject": (count,), "sequence": (count,),
    }  # fmt: skip
    for key, shape in per_frame.items():
        if key in arrays and arrays[key].shape != shape:
            raise errors.InputError(
                f"{data.path}: {key}: got {arrays[key].shape}, expected {shape}"
            )
    nobody = np.full(count, "")
    truth = arrays.get("truth")
    return Projections(
        points=points,
        truth=None if truth is None else truth.astype(np.float64),
        skeleton=skeleton,
        subjects=arrays.get("subject", nobody).astype(str),
        sequences=arrays.get("sequence", nobody).astype(str),
        images=None if images is None else lambda rows: images[rows],
        source=data.path,
    )


_READ: dict[str, Callable[[configs.Config, bool], Projections]] = {
    "motions": _motions,
    "world": _world,
    "pictures": _pictures,
    "npz": _npz,
}
