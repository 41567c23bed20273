"""3DPW: one pickle per sequence, with one or two people in it.

The joints are SMPL's 24 kinematic ones. The 14 joints of published numbers come from
SMPL's *mesh* and need its licensed model; numbers on these 24 are not comparable.

Read after the data set's public readers; no genuine file was at hand.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import numpy as np

from sa3dhp import errors
from sa3dhp.data import calibration, restricted_pickle, schema

SKELETON = "smpl24"
FPS = 30.0
_KEYS = frozenset(
    "sequence jointPositions poses2d cam_poses campose_valid cam_intrinsics".split()
)


def read_sequence(path: str | pathlib.Path) -> list[schema.Frames]:
    """Reads `sequenceFiles/<split>/<sequence>.pkl`.

    Frames without a valid camera pose, or without any 2D detection, are left out, as
    the official evaluation does.

    Returns:
        `smpl24`, mm, camera frame; one item per person, images counted from 0.

    Raises:
        InputError: if it is not such a file, or not safe to read.
    """
    path = pathlib.Path(path)
    data = restricted_pickle.load(path)
    if not isinstance(data, dict) or _KEYS - set(data):
        raise errors.InputError(
            f"{path}: not a 3DPW sequence: expected the keys {', '.join(sorted(_KEYS))}"
        )
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
        joints = np.einsum("nij,nkj->nki", rotation[:count], world)
        joints += 1000.0 * translation[:count, None]
        seen = np.asarray(data["poses2d"][person])[:count].any(axis=(1, 2))
        placed = np.asarray(data["campose_valid"][person])[:count].astype(bool)
        numbers = np.arange(count)
        frames = schema.Frames(
            f"{sequence}_{person}",
            SKELETON,
            numbers,
            images=tuple(str(folder / f"image_{n:05d}.jpg") for n in numbers),
            joints=joints,
            camera=calibration.Camera(sequence, matrix, size),
            fps=FPS,
            subject=f"{sequence}_{person}",
            action=sequence,
            split=split,
            note="3DPW, SMPL joints",
        )
        items.append(frames.select(seen & placed))
    return items


def read_folder(
    path: str | pathlib.Path, split: str | None = None
) -> Iterator[schema.Frames]:
    """Reads all `sequenceFiles/<split>/*.pkl` below a folder.

    Args:
        path: the data set's own folder.
        split: `train`, `validation` or `test`; None for all.
    """
    files = sorted(pathlib.Path(path).glob(f"sequenceFiles/{split or '*'}/*.pkl"))
    if not files:
        raise errors.InputError(f"{path}: no sequenceFiles/{split or '*'}/*.pkl in it")
    return (frames for file in files for frames in read_sequence(file))
