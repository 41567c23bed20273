"""Data sets of labelled pictures but Human3.6M, and folders of videos."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterator

from sa3dhp import errors
from sa3dhp.data import boxes_file, detection, people, records, schema, video
from sa3dhp.data.preparing import units
from sa3dhp.data.sources import (
    lsp,
    mpi_inf_3dhp,
    smpl_files,
    surreal,
    threedpw,
    video_folder,
)
from sa3dhp.skeleton import skeleton as skeletons

_LSP_IMAGES = 250  # in a unit


def plan_surreal(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit per video; split by the folders `train`, `val` and `test`."""
    del settings
    files = sorted(root.rglob("*_info.mat"))
    if not files:
        raise errors.InputError(
            f"{root}: no *_info.mat below it; give the folder SURREAL/data"
        )
    plan = []
    for file in files:
        name = file.name[: -len("_info.mat")]
        split = surreal.split_of(file.relative_to(root)) or "train"
        movie = file.with_name(f"{name}.mp4")
        place = file.parent.relative_to(root) / name
        plan.append(units.unit(root, place.as_posix(), split, file, movie))
    skeleton = {unit.split: surreal.SKELETON for unit in plan}
    note = (
        "the pictures are mirrored, as SURREAL renders them; sides are those that the "
        "pictures show"
    )
    return units.Plan("frames", tuple(plan), skeleton, per_shard=20, notes=(note,))


def read_surreal(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[schema.Frames]:
    """The video of an `*_info.mat`."""
    del settings
    yield surreal.read_info(root / unit.files[0])


def plan_mpi_inf_3dhp(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit per training video of the common cameras, and per test scene."""
    del settings
    train = sorted(root.rglob("annot.mat"))
    test = sorted(root.rglob("annot_data.mat"))
    if not train and not test:
        raise errors.InputError(
            f"{root}: neither S*/Seq*/annot.mat nor TS*/annot_data.mat below it"
        )
    plan = []
    for file in train:
        name = "/".join(file.parts[-3:-1])
        home = file.parent
        for camera in mpi_inf_3dhp.COMMON_CAMERAS:
            movie = home / f"imageSequence/video_{camera}.avi"
            files = (file, home / "camera.calibration", movie)
            plan.append(
                units.unit(root, f"{name} {camera}", "train", *files, part=str(camera))
            )
    plan += [units.unit(root, file.parent.name, "test", file) for file in test]
    skeleton = {"train": mpi_inf_3dhp.TRAIN_SKELETON} if train else {}
    skeleton |= {"test": mpi_inf_3dhp.TEST_SKELETON} if test else {}
    notes = (
        "train: annot3, true to the pictures, of the cameras at chest height; test: "
        "univ_annot3 of the valid frames, which the official evaluation uses",
    )
    return units.Plan("frames", tuple(plan), skeleton, single=("test",), notes=notes)


def read_mpi_inf_3dhp(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[schema.Frames]:
    """One camera's video, or a test scene."""
    del settings
    home = (root / unit.files[0]).parent
    if unit.split == "test":
        yield mpi_inf_3dhp.read_test_scene(home)
    else:
        yield from mpi_inf_3dhp.read_train_sequence(home, cameras=[int(unit.part)])


def plan_threedpw(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit per sequence; the test split is scored picture by picture."""
    files = sorted(root.glob("sequenceFiles/*/*.pkl"))
    if not files:
        raise errors.InputError(
            f"{root}: no sequenceFiles/<split>/*.pkl in it; give the folder that holds "
            "sequenceFiles and imageFiles"
        )
    plan = [units.unit(root, file.stem, file.parent.name, file) for file in files]
    joints = threedpw.SKELETON
    notes = (
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
    skeleton = {unit.split: joints for unit in plan}
    return units.Plan("frames", tuple(plan), skeleton, single=("test",), notes=notes)


def read_threedpw(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[schema.Frames]:
    """The people of a sequence, one after the other."""
    bodies = _bodies(settings.smpl) if settings.smpl else None
    yield from threedpw.read_sequence(root / unit.files[0], bodies)


@functools.lru_cache(maxsize=1)
def _bodies(folder: str) -> smpl_files.Bodies:
    return smpl_files.read_folder(folder)


def plan_lsp(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """Units of 250 images of each `joints.mat`: LSP, its extension, or both."""
    del settings
    files = sorted(root.rglob("joints.mat"))
    if not files:
        raise errors.InputError(
            f"{root}: no joints.mat below it; give the folder of LSP or its extension, "
            "or one that holds both"
        )
    plan = []
    for file in files:
        for frames in lsp.read_folder(file.parent):
            for start in range(0, len(frames), _LSP_IMAGES):
                name = f"{frames.name}+{start}"
                part = f"{frames.name}:{start}"
                plan.append(units.unit(root, name, frames.split, file, part=part))
    skeleton = {unit.split: lsp.SKELETON for unit in plan}
    return units.Plan(
        "frames", tuple(plan), skeleton, 0.0, single=tuple(sorted(skeleton))
    )


def read_lsp(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[schema.Frames]:
    """250 images."""
    del settings
    name, _, start = unit.part.partition(":")
    for frames in lsp.read_folder((root / unit.files[0]).parent):
        if frames.name == name:
            yield frames.select(slice(int(start), int(start) + _LSP_IMAGES))


def plan_videos(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit per video or frame folder."""
    if not settings.boxes:
        detection.make(settings.detector)  # what is wrong with it is said now
    plan = []
    for source in video.discover(root):
        files = source.images or (source.path,)
        made = units.unit(root, source.name, "train", *files)
        plan.append(units.Unit(made.name, made.split, (), source.name, made.size))
    skeleton = {"train": skeletons.SA3DHP17.id}
    return units.Plan("frames", tuple(plan), skeleton)


def read_videos(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[tuple[video.Source, people.Scan]]:
    """The people in one video; raises `UnreadableError` if there is no clip in it."""
    source = _source(root, unit.part)
    given = boxes_file.read(settings.boxes) if settings.boxes else None
    detector = None if given is not None else detection.make(settings.detector)
    scan = people.scan(source, units.FPS, video.ASSUMED_FPS, detector, given)
    if not any(video_folder.windows_of(t, 0, units.CLIP_FRAMES) for t in scan.tracks):
        raise video.UnreadableError(
            video_folder.why_none(scan, units.CLIP_FRAMES, units.FPS)
        )
    yield source, scan


def _source(root: pathlib.Path, name: str) -> video.Source:
    """A source of `video.discover`, found without looking at the others."""
    path = root / name
    if path.is_file():
        return video.Source(name, path)
    (here,) = (source for source in video.discover(path) if source.name == ".")
    return video.Source(name, path, here.images)
