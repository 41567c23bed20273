"""3DPW: one pickle per sequence, with one or two people in it.

The joints are SMPL's 24 kinematic ones. The 14 joints of published numbers come from
SMPL's *mesh* and need its licensed model (`smpl_files`), that of the actor's gender
with the `betas` of the naked body (not `betas_clothed`); numbers on the 24 are not
comparable with these.

Read after the data set's public readers; no genuine file was at hand, nor a model.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterator

import numpy as np

from sa3dhp import errors
from sa3dhp.data import calibration, records, schema
from sa3dhp.data.datasets import dataset
from sa3dhp.data.formats import restricted_pickle, smpl, smpl_files
from sa3dhp.data.preparing import units

SKELETON = "smpl24"
FPS = 30.0
_KEYS = frozenset(
    "sequence jointPositions poses2d cam_poses campose_valid cam_intrinsics".split()
)
_BODY_KEYS = frozenset("genders betas poses trans".split())
_FAR = 0.1  # m, of a model's joints from those in the file, at which it is another


def read_sequence(
    path: str | pathlib.Path, bodies: smpl_files.Bodies | None = None
) -> list[schema.Frames]:
    """Reads `sequenceFiles/<split>/<sequence>.pkl`.

    Frames without a valid camera pose, or without any 2D detection, are left out, as
    the official evaluation does.

    Args:
        path: of the file.
        bodies: the user's SMPL, for the joints of published numbers.

    Returns:
        `smpl24`, or with `bodies` the 14 joints of `lsp14`; mm, camera frame; one item
        per person, images counted from 0.

    Raises:
        InputError: if it is not such a file, or not safe to read, or its joints are not
            those of `bodies`.
    """
    path = pathlib.Path(path)
    data = restricted_pickle.load(path)
    keys = _KEYS | (_BODY_KEYS if bodies else frozenset())
    if not isinstance(data, dict) or keys - set(data):
        raise errors.InputError(
            f"{path}: not a 3DPW sequence: expected the keys {', '.join(sorted(keys))}"
        )
    with errors.reading(path, "a 3DPW sequence"):
        return _people(path, data, bodies)


def _people(
    path: pathlib.Path, data: dict, bodies: smpl_files.Bodies | None
) -> list[schema.Frames]:
    """One item per person of a sequence, see `read_sequence`."""
    sequence, split = str(data["sequence"]), path.parent.name
    folder = path.parent.parent.parent / "imageFiles" / sequence
    extrinsics = np.asarray(data["cam_poses"], np.float64)
    rotation, translation = extrinsics[:, :3, :3], extrinsics[:, :3, 3]
    matrix = np.asarray(data["cam_intrinsics"], np.float64)
    # Images are upright or lying; the principal point is near their middle.
    size = (1080, 1920) if matrix[0, 2] < matrix[1, 2] else (1920, 1080)
    items = []
    for person, flat in enumerate(data["jointPositions"]):
        world = 1000.0 * np.asarray(flat, np.float64).reshape(-1, 24, 3)
        count = len(world)
        seen = np.asarray(data["poses2d"][person])[:count].any(axis=(1, 2))
        placed = np.asarray(data["campose_valid"][person])[:count].astype(bool)
        if bodies:
            world = 1000.0 * _published(path, data, person, bodies)
        joints = np.einsum("nij,nkj->nki", rotation[:count], world)
        joints += 1000.0 * translation[:count, None]
        numbers = np.arange(count)
        frames = schema.Frames(
            f"{sequence}_{person}",
            smpl_files.SKELETON if bodies else SKELETON,
            numbers,
            images=tuple(str(folder / f"image_{n:05d}.jpg") for n in numbers),
            joints=joints,
            camera=calibration.Camera(sequence, matrix, size),
            fps=FPS,
            subject=f"{sequence}_{person}",
            action=sequence,
            split=split,
            note="3DPW, 14 joints of SMPL's mesh" if bodies else "3DPW, SMPL joints",
        )
        items.append(frames.select(seen & placed))
    return items


def _published(
    path: pathlib.Path, data: dict, person: int, bodies: smpl_files.Bodies
) -> np.ndarray:
    """The 14 joints of a person `[N, 14, 3]`, m, world; checks the 24 on the way."""
    gender = str(data["genders"][person])[:1].lower()
    if gender not in bodies.models:
        raise errors.InputError(
            f"{path}: genders expected m or f, got {data['genders'][person]!r}"
        )
    given = np.asarray(data["jointPositions"][person], np.float64).reshape(-1, 24, 3)
    body = [np.asarray(data[key][person]) for key in ("betas", "poses", "trans")]
    own = smpl.joints(bodies.models[gender], *body)
    if own.shape != given.shape:
        raise errors.InputError(
            f"{path}: {len(own)} poses of person {person}, expected {len(given)} as of "
            "jointPositions"
        )
    gap = np.median(np.linalg.norm(own - given, axis=-1)) if len(own) else 0.0
    if not gap < _FAR:
        raise errors.InputError(
            f"{path}: person {person}: SMPL's joints are {1000 * gap:.0f} mm from the "
            f"file's own, expected less than {1000 * _FAR:.0f}; give SMPL's models of "
            "men and women, each under its own name"
        )
    return bodies.published(gender, *body)


def plan(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit per sequence; the test split is scored picture by picture."""
    files = sorted(root.glob("sequenceFiles/*/*.pkl"))
    if not files:
        raise errors.InputError(
            f"{root}: no sequenceFiles/<split>/*.pkl in it; give the folder that holds "
            "sequenceFiles and imageFiles"
        )
    made = [units.unit(root, file.stem, file.parent.name, file) for file in files]
    joints = SKELETON
    notes: tuple[str, ...] = (
        "the 24 joints of SMPL, not the 14 of published numbers, which need its mesh",
    )
    if settings.smpl:
        _bodies.cache_clear()
        _bodies(settings.smpl)  # what is wrong with it is said now
        joints = smpl_files.SKELETON
        notes = (
            "the 14 joints of published numbers, of SMPL's mesh; score them by 3dpw_14",
        )
        for path in smpl_files.find(settings.smpl).values():
            notes += (f"of {path.name}, sha256 {records.checksum(path)}",)
    skeleton = {unit.split: joints for unit in made}
    return units.Plan("frames", tuple(made), skeleton, single=("test",), notes=notes)


def read(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[schema.Frames]:
    """The people of a sequence, one after the other."""
    bodies = _bodies(settings.smpl) if settings.smpl else None
    yield from read_sequence(root / unit.files[0], bodies)


@functools.lru_cache(maxsize=1)
def _bodies(folder: str) -> smpl_files.Bodies:
    return smpl_files.read_folder(folder)


DATASET = dataset.Dataset(
    plan,
    read,
    "3DPW: non-commercial scientific research only, no redistribution; cite it",
    settings=("smpl",),
    published={
        "train": dataset.Published(sequences=24),
        "validation": dataset.Published(sequences=12),
        "test": dataset.Published(sequences=24),
    },
    ending=r"_\d+$",  # the person
    shared=frozenset({"subjects"}),
)
