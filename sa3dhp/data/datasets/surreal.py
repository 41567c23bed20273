"""SURREAL: synthetic people in front of photographs, one `*_info.mat` per video.

Checked on one genuine file (100 frames): projection gives `joints2D` to the pixel. The
renderer's camera matrix is a mirror (its determinant is -1): a video shows the body
mirrored, and what the arrays call left is seen, and labelled here, as right.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import numpy as np

from sa3dhp import errors
from sa3dhp.data import calibration, schema
from sa3dhp.data.datasets import dataset
from sa3dhp.data.formats import matlab
from sa3dhp.data.preparing import units
from sa3dhp.skeleton import skeleton as skeletons

SKELETON = "smpl24"
SIZE = (320, 240)
MATRIX = calibration.pinhole(600.0, 600.0, 160.0, 120.0)
# World to camera, up to the camera's place.
ROTATION = np.array([[0.0, 0.0, -1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
# Every fourth frame of motion captured at 120 fps: the genuine file follows CMU 01_01
# with a correlation of 0.994 at that rate, and of 0.65 at any other.
FPS = 30.0
NO_BODY = (0, 238)  # all key-points of a frame where none was rendered


def read_info(path: str | pathlib.Path) -> schema.Frames:
    """Reads the annotation of one video, `<name>_info.mat` beside `<name>.mp4`.

    Returns:
        Its rendered frames (those without a body in them are left out) as `smpl24`,
        sides as seen in the video.

    Raises:
        InputError: if it is not such a file.
    """
    path = pathlib.Path(path)
    if not path.name.endswith("_info.mat"):
        raise errors.InputError(f"{path}: expected a name like 01_01_c0001_info.mat")
    wanted = {"joints2D", "joints3D", "camLoc"}
    data = matlab.read(path, wanted, "a SURREAL file")
    if missing := wanted - set(data):
        raise errors.InputError(f"{path}: not a SURREAL file: no {sorted(missing)}")
    with errors.reading(path, "a SURREAL file"):
        world = _per_frame(path, data["joints3D"], 3)
        keypoints = _per_frame(path, data["joints2D"], 2)
        if len(world) != len(keypoints):
            raise ValueError(f"{len(world)} frames in 3D, {len(keypoints)} in 2D")
        rendered = (keypoints != 0).any((1, 2)) & (world != 0).any((1, 2))
        rendered &= (keypoints != NO_BODY).any((1, 2))
        joints = (world - data["camLoc"].reshape(3)) @ ROTATION.T
    name = path.name[: -len("_info.mat")]
    sides = list(skeletons.get(SKELETON).flip_indices)
    numbers = np.flatnonzero(rendered)
    return schema.Frames(
        name,
        SKELETON,
        numbers,
        video=str(path.with_name(f"{name}.mp4")),
        video_indices=numbers,
        joints=1000.0 * joints[rendered][:, sides],
        keypoints=keypoints[rendered][:, sides],
        camera=calibration.Camera("blender", MATRIX, SIZE),
        fps=FPS,
        subject=_subject(name),
        action=name.rsplit("_c", 1)[0],
        split=split_of(path),
        mirrored=True,
        note="SURREAL, sides swapped as the image is a mirror",
    )


def _per_frame(path: pathlib.Path, values: np.ndarray, axes: int) -> np.ndarray:
    """`[axes, 24, T]`, or `[axes, 24]` for a single frame, to `[T, 24, axes]`."""
    if values.ndim == 2:
        values = values[..., None]
    if values.shape[:2] != (axes, 24):
        raise errors.InputError(
            f"{path}: joints{axes}D expected ({axes}, 24, T), got {values.shape}"
        )
    return values.transpose(2, 1, 0).astype(np.float64)


def _subject(name: str) -> str:
    """The captured person: `01_01_c0001` -> `01`, `ung_104_46_c0003` -> `104`."""
    digits = [part for part in name.split("_") if part.isdigit()]
    return digits[0] if digits else name


def split_of(path: pathlib.Path) -> str:
    """`.../cmu/train/run0/...` -> `train`."""
    parts = [part for part in path.parts if part in ("train", "val", "test")]
    return parts[-1] if parts else ""


def plan(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit per video; split by the folders `train`, `val` and `test`."""
    del settings
    files = sorted(root.rglob("*_info.mat"))
    if not files:
        raise errors.InputError(
            f"{root}: no *_info.mat below it; give the folder SURREAL/data"
        )
    made = []
    for file in files:
        name = file.name[: -len("_info.mat")]
        split = split_of(file.relative_to(root)) or "train"
        movie = file.with_name(f"{name}.mp4")
        place = file.parent.relative_to(root) / name
        made.append(units.unit(root, place.as_posix(), split, file, movie))
    note = (
        "the pictures are mirrored, as SURREAL renders them; sides are those that the "
        "pictures show"
    )
    return units.Plan(
        "frames",
        tuple(made),
        {unit.split: SKELETON for unit in made},
        per_shard=20,
        notes=(note,),
    )


def read(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[schema.Frames]:
    """The video of an `*_info.mat`."""
    del settings
    yield read_info(root / unit.files[0])


DATASET = dataset.Dataset(
    plan,
    read,
    "SURREAL: non-commercial scientific research only, no redistribution; cite it",
    published={
        "train": dataset.Published(sequences=1964),
        "test": dataset.Published(sequences=703),
    },
    ending=r"_c\d+$",  # the piece of the motion
)
