"""The points and pictures of a run, chosen by the configuration."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from scipy.spatial import transform

from sa3dhp import errors
from sa3dhp.data import pipeline, prepared, records, schema, shards
from sa3dhp.evaluation import poses
from sa3dhp.geometry import pictures
from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import domain, world
from sa3dhp.systems.nrsfm import config as configs
from sa3dhp.systems.nrsfm import points as points_

Images = Callable[[np.ndarray], np.ndarray]  # row numbers -> uint8 [n, S, S, 3]
_CHUNK = 50  # people of the embedded world that are drawn from one seed
_UNSEEN_CHUNKS = 1 << 20  # where those begin that measure


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
    images: Images | None = None
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
        InputError: if it, or the .npz file, is not there or not usable.
    """
    del uses  # both stages read the same
    data = config.data
    if data.source == "npz":
        training(config)
    if data.source in ("world", "npz"):
        return {}
    return {data.path: shards.manifest(data.path).data_hash}


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
    count, first = (data.unseen, _UNSEEN_CHUNKS) if unseen else (data.pictures, 0)
    make = functools.partial(_chunks, config, first, count)
    flat, joints = make(world.keypoints)
    drawn = functools.lru_cache(maxsize=1)(lambda: make(world.frames)[0])
    people = np.array([f"person_{n:06d}" for n in range(count)])
    return Projections(
        points=flat.astype(np.float64),
        truth=joints.astype(np.float64),
        skeleton=skeletons.SA3DHP17.id,
        subjects=people,
        sequences=people,
        images=lambda rows: drawn()[rows],
        source=f"the embedded world ({data.domain})",
    )


def _chunks(
    config: configs.Config, first: int, count: int, draw: Callable[..., tuple]
) -> tuple[np.ndarray, ...]:
    """Draws people, or their pictures, in chunks with a seed each."""
    data = config.data
    parts = [
        draw(
            domain.get(data.domain),
            pipeline.rng(config.training.seed, "cast", first + number),
            count=_CHUNK,
            size=data.image_size,
            rolled=0.0,
        )
        for number in range(-(-count // _CHUNK))
    ]
    return tuple(np.concatenate(part)[:count] for part in zip(*parts))


def _pictures(config: configs.Config, unseen: bool) -> Projections:
    """Prepared pictures with their 2D labels."""
    data = config.data
    sizes = prepared.Sizes(data.image_size, data.stored_size)
    name = data.split
    if unseen:
        has = shards.manifest(data.path).splits
        name = next((name for name in prepared.UNSEEN if name in has), "test")
    part = prepared.split(data.path, name, sizes)
    frames = part.frames(range(len(part)), image=False)
    bare = [frame.clip for frame in frames if frame.keypoints is None]
    if bare or not frames:
        raise errors.InputError(
            f"{data.path}: {len(bare)} of {len(frames)} pictures of {name} have no 2D "
            "points, expected them in all; prepare a data set with cameras or 2D labels"
        )
    margin = (data.stored_size - data.image_size) // 2
    skeleton = data.skeleton or frames[0].skeleton
    points = np.stack([_converted(f, f.keypoints, skeleton) for f in frames])
    labelled = all(frame.joints is not None for frame in frames)
    truth = [_converted(f, f.joints, skeleton) for f in frames if labelled]

    def images(rows: np.ndarray) -> np.ndarray:
        shown = [frame.image for frame in part.frames(rows)]
        return pictures.center_crop(np.stack(shown), data.image_size)

    return Projections(
        points=points - margin,
        truth=np.stack(truth) if labelled else None,
        skeleton=skeleton,
        subjects=np.array([frame.subject for frame in frames]),
        sequences=np.array([frame.sequence for frame in frames]),
        images=images,
        source=f"{data.path} ({name})",
    )


def _converted(
    frame: records.Frame, values: np.ndarray | None, skeleton: str
) -> np.ndarray:
    """Labels of a picture in another skeleton; what is missing is NaN."""
    assert values is not None
    given = np.where(frame.mask[:, None], values, np.nan).astype(np.float64)
    if skeleton == frame.skeleton:
        return given
    moved, valid = conversion.convert(given, frame.skeleton, skeleton)
    if not valid.all():
        names = skeletons.get(skeleton).joint_names
        lacking = [name for name, good in zip(names, valid) if not good]
        raise errors.InputError(
            f"data.skeleton: got {skeleton!r}, whose {', '.join(lacking)} the pictures "
            f"({frame.skeleton}) do not have; expected '' for their own points"
        )
    return moved


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
