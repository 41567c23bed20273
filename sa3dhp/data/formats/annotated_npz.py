"""The `.npz` in which SPIN, MMPose and others pass annotated images around.

`imgname`, `center`, `scale` (a box of 200 * scale pixels), `part` (2D joints and a
flag), `S` (3D joints in metres, camera frame, and a flag). Checked on genuine files of
Human3.6M and MPI-INF-3DHP.
"""

from __future__ import annotations

import pathlib

import numpy as np

from sa3dhp import errors
from sa3dhp.data import schema
from sa3dhp.data.formats import restricted_pickle
from sa3dhp.skeleton import skeleton as skeletons


def read(
    path: str | pathlib.Path, skeleton: str, image_folder: str | pathlib.Path
) -> schema.Frames:
    """Reads a file.

    Args:
        path: the `.npz` file.
        skeleton: id of the skeleton that its first joints are: `h36m17` and
            `mpi_inf_3dhp17` for MMPose's, `lsp14` for SPIN's 24 joints.
        image_folder: what `imgname` is relative to.

    Returns:
        Single images, numbered by row from 0.

    Raises:
        InputError: if a key is missing or there are fewer joints.
    """
    data = restricted_pickle.load_npz(path)
    count = skeletons.get(skeleton).num_joints
    part, joints, names = data.get("part"), data.get("S"), data.get("imgname")
    for key, value, axes in (("part", part, 3), ("S", joints, 4)):
        if value is not None and not _fits(value, count, axes):
            raise errors.InputError(
                f"{path}: {key} expected [N, {count} or more, {axes}], got "
                f"{value.shape} of {value.dtype}"
            )
    if part is None or names is None or names.shape != part.shape[:1]:
        raise errors.InputError(
            f"{path}: expected imgname [N] and part [N, {count} or more, 3], got "
            f"{', '.join(f'{key} {value.shape}' for key, value in data.items())}"
        )
    mask = part[:, :count, 2] > 0
    if joints is not None:
        if len(joints) != len(part):
            raise errors.InputError(
                f"{path}: {len(part)} rows of part and {len(joints)} of S, expected "
                "as many of both"
            )
        mask &= joints[:, :count, 3] > 0
        joints = 1000.0 * joints[:, :count, :3]
    folder = pathlib.Path(image_folder)
    return schema.Frames(
        pathlib.Path(path).stem,
        skeleton,
        np.arange(len(part)),
        images=tuple(str(folder / str(name)) for name in names),
        joints=joints,
        keypoints=part[:, :count, :2],
        mask=mask,
        note="annotated npz",
    )


def _fits(value: np.ndarray, count: int, axes: int) -> bool:
    """Whether an array is numbers of `[N, count or more, axes or more]`."""
    shape = value.shape
    good = len(shape) == 3 and shape[1] >= count and shape[2] >= axes
    return good and value.dtype.kind in "fiu"
