"""Single pictures of Human3.6M and MPI-INF-3DHP, in the form of SPIN's `.npz`.

What public code ships to test its readers: a picture or two with the genuine pose. Too
few for any claim; but they are real, with marker-based or marker-less capture behind
them. All are brought to the joints of the project, so that one
card measures them together.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Iterator

import numpy as np

from sa3dhp import errors
from sa3dhp.data import schema
from sa3dhp.data.datasets import dataset
from sa3dhp.data.formats import annotated_npz, restricted_pickle
from sa3dhp.data.preparing import units
from sa3dhp.skeleton import skeleton as skeletons

SKELETON = skeletons.SA3DHP17.id
# How the pictures of a data set are named -> the skeleton of its 17 joints.
_NAMES = {
    r"S\d+_.+\.\d{8}_\d{6}": "h36m17",
    r"(S\d_Seq\d_Cam\d+|TS\d)_\d{6}": "mpi_inf_3dhp17",
}
_JOINTS = 17


def skeleton_of(path: str | pathlib.Path) -> str:
    """Returns the skeleton of an `.npz` by its pictures' names, "" for another file."""
    try:
        data = restricted_pickle.load_npz(path)
    except errors.InputError:
        return ""
    if not {"imgname", "part", "S"} <= set(data):
        return ""
    shapes = [data[key].shape for key in ("part", "S")]
    if any(len(shape) != 3 or shape[1] != _JOINTS for shape in shapes):
        return ""
    if data["imgname"].shape != shapes[0][:1]:
        return ""
    names = [pathlib.Path(str(name)).stem for name in data["imgname"]]
    for pattern, skeleton in _NAMES.items():
        if all(re.fullmatch(pattern, name) for name in names):
            return skeleton
    return ""


def plan(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit per `.npz` whose pictures are named as one of the two data sets does."""
    del settings
    made = []
    for file in sorted(root.rglob("*.npz")):
        if skeleton := skeleton_of(file):
            name = file.relative_to(root).as_posix()
            made.append(units.unit(root, name, "test", file, part=skeleton))
    if not made:
        raise errors.InputError(
            f"{root}: no .npz with imgname, part and S [N, {_JOINTS}, 4] of Human3.6M "
            "or MPI-INF-3DHP below it"
        )
    return units.Plan("frames", tuple(made), {"test": SKELETON}, 0.0, 16, ("test",))


def read(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[schema.Frames]:
    """The pictures of a file, each named by itself."""
    del settings
    file = root / unit.files[0]
    whole = annotated_npz.read(file, unit.part, file.parent).as_skeleton(SKELETON)
    for row, image in enumerate(whole.images):
        stem = pathlib.Path(image).stem
        name = re.sub(r"_\d{6}$", "", stem)
        yield dataclasses.replace(
            whole.select(slice(row, row + 1)),
            name=name,
            frame_numbers=np.array([int(stem[-6:])]),
            subject=re.split("[_.]", name)[0],
            action=unit.part,
            split=unit.split,
        )


DATASET = dataset.Dataset(
    plan,
    read,
    "pictures and poses of Human3.6M (academic use) and MPI-INF-3DHP (non-commercial "
    "research); no redistribution",
)
