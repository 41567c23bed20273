"""Human3.6M in each of the forms that `readers` knows.

* `annot.h5` of h36m-fetch: only frames in which the person moved, so single pictures.
* the CDF files, or VideoPose3D's `data_3d_h36m.npz`, with `S*/Videos`: clips to train
  on. Without any videos the `.npz` is motion capture.

Of the test subjects every 64th frame is kept, by its number, as the protocols do.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from sa3dhp import errors
from sa3dhp.data import schema
from sa3dhp.data.datasets import dataset
from sa3dhp.data.datasets.human36m import cameras as cameras_file
from sa3dhp.data.datasets.human36m import readers
from sa3dhp.data.preparing import units

TEST_STRIDE = 64  # frame numbers 1, 65, 129, ... (cards h36m_p1 and h36m_p2)
_CAMERA_FILES = ("camera-parameters.json", "cameras.h5", "cameras.pkl")
_NPZ, _NPZ_2D = "data_3d_h36m.npz", "data_2d_h36m_gt.npz"


def plan(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit per video, or per `annot.h5`."""
    del settings
    if npz := _find(root, _NPZ):
        return _plan_npz(root, npz)
    if files := sorted(root.rglob("annot.h5")):
        made = [_unit(root, file.parent.parent.name, file) for file in files]
        return _frames(made, readers.SKELETON, ("train", "test"), per_shard=4)
    try:
        files = readers.original_files(root)
    except errors.InputError:
        raise errors.InputError(
            f"{root}: no Human3.6M below it: expected {_NPZ} (VideoPose3D), annot.h5 "
            "(h36m-fetch) or D3_Positions_mono/*.cdf"
        ) from None
    cameras = _camera_file(root)
    made = []
    for file in files:
        subject = readers.subject_of(file.relative_to(root))
        home = next(p for p in file.parents if p.name == subject)
        movie = home / "Videos" / f"{file.stem}.mp4"
        parts = (file, readers.flat_file(file), *cameras, movie)
        made.append(_unit(root, subject, *parts))
    return _frames(made, readers.SKELETON, ("test",))


def _camera_file(root: pathlib.Path) -> list[pathlib.Path]:
    """The file of cameras that is there, or none."""
    return [file for name in _CAMERA_FILES if (file := _find(root, name))][:1]


def _unit(
    root: pathlib.Path, subject: str, *files: pathlib.Path, part: str = ""
) -> units.Unit:
    """A unit; subjects whose poses were never published have no split."""
    split = readers.split_of(subject)
    name = part or files[0].relative_to(root).as_posix()
    return units.unit(root, name, split, *files, part=part)


def _frames(
    made: list[units.Unit], skeleton: str, single: tuple[str, ...], per_shard: int = 1
) -> units.Plan:
    """The plan of labelled pictures; subjects of neither split are left out."""
    kept = [unit for unit in made if unit.split]
    test = " and ".join(readers.TEST_SUBJECTS)
    notes = [f"test: every {TEST_STRIDE}th frame, by its number, of {test}"]
    if len(kept) < len(made):
        notes.append(f"{len(made) - len(kept)} of subjects that are in neither split")
    skeletons = {unit.split: skeleton for unit in kept}
    return units.Plan(
        "frames",
        tuple(kept),
        skeletons,
        0.0 if "train" in single else units.FPS,
        per_shard,
        tuple(split for split in single if split in skeletons),
        tuple(notes),
    )


def _find(root: pathlib.Path, name: str) -> pathlib.Path | None:
    """A file directly in the folder, or else the first one below it."""
    if (root / name).is_file():
        return root / name
    return next(iter(sorted(root.rglob(name))), None)


def _plan_npz(root: pathlib.Path, npz: pathlib.Path) -> units.Plan:
    """Videos beside the `.npz`, or the motions alone."""
    actions = [
        (subject, action)
        for subject, actions in _load(npz, "positions_3d").items()
        for action in actions
    ]
    if not any(root.rglob("Videos/*.mp4")):
        made = [_unit(root, s, npz, part=f"{s}/{a}") for s, a in sorted(actions)]
        kept = tuple(unit for unit in made if unit.split)
        skeletons = {unit.split: readers.SKELETON for unit in kept}
        note = "no videos below the folder, so these are motions without pictures"
        return units.Plan("motions", kept, skeletons, per_shard=16, notes=(note,))
    cameras = _camera_file(root)
    if not cameras:
        raise errors.InputError(
            f"{root}: {_NPZ} holds world coordinates; put one of "
            f"{', '.join(_CAMERA_FILES)} beside it"
        )
    flat = [file for file in (_find(root, _NPZ_2D),) if file]
    made = []
    for subject, action in sorted(actions):
        for camera in cameras_file.SIZES:
            movie = npz.parent / f"{subject}/Videos/{action}.{camera}.mp4"
            part = f"{subject}/{action}/{camera}"
            files = (npz, *cameras, *flat, movie)
            made.append(_unit(root, subject, *files, part=part))
    skeleton = readers.SKELETON_2D if flat else readers.SKELETON
    return _frames(made, skeleton, ("test",))


@functools.lru_cache(maxsize=2)
def _load(path: pathlib.Path, key: str) -> dict:
    return readers.load_object(path, key)


def _part(path: pathlib.Path, key: str, subject: str, action: str) -> Any:
    """What a file of VideoPose3D has of an action."""
    known = _load(path, key).get(subject, {})
    if action not in known:
        raise errors.InputError(f"{path}: {key} has no {subject}/{action}")
    return known[action]


@functools.lru_cache(maxsize=1)
def _cameras(path: pathlib.Path) -> cameras_file.Cameras:
    return cameras_file.read(path)


def read(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[schema.Frames | schema.Sequence]:
    """What a unit holds; of the test subjects, the frames that are scored."""
    del settings
    for item in _read(root, unit):
        if unit.split == "test" and isinstance(item, schema.Frames):
            item = item.select((item.frame_numbers - 1) % TEST_STRIDE == 0)
        yield item


def _read(
    root: pathlib.Path, unit: units.Unit
) -> Iterator[schema.Frames | schema.Sequence]:
    files = [root / name for name in unit.files]
    if files[0].name == "annot.h5":
        yield from readers.read_annot(files[0])
    elif files[0].suffix == ".cdf":
        known = [f for f in files[2:] if f.name in _CAMERA_FILES]
        cameras = _cameras(known[0]) if known else None
        subject = readers.subject_of(pathlib.Path(unit.files[0]))
        yield readers.read_video(files[0], subject, cameras)
    else:
        yield _read_npz(files, *unit.part.split("/"))


def _read_npz(
    files: list[pathlib.Path], subject: str, action: str, camera: str = ""
) -> schema.Frames | schema.Sequence:
    """A motion, or what one camera sees of it."""
    world = _part(files[0], "positions_3d", subject, action)
    if not camera:
        return readers.motion(subject, action, world)
    detected = None
    if files[2].name == _NPZ_2D:
        number = list(cameras_file.SIZES).index(camera)
        with errors.reading(files[2], "key-points of four cameras"):
            flat = _part(files[2], "positions_2d", subject, action)
            detected = np.asarray(flat[number], np.float64)
    place = _cameras(files[1]).get((subject, camera))
    if place is None:
        raise errors.InputError(f"{files[1]}: has no camera {camera} of {subject}")
    frames = readers.seen(subject, action, world, place, detected)
    return dataclasses.replace(frames, video=str(files[-1]))


DATASET = dataset.Dataset(
    plan,
    read,
    "Human3.6M: academic use by its licence agreement, no redistribution; cite it",
    published={
        "train": dataset.Published(subjects=readers.TRAIN_SUBJECTS),
        "test": dataset.Published(subjects=readers.TEST_SUBJECTS),
    },
)
