"""MuPoTS-3D: `TS1` to `TS20`, each with pictures and `annot.mat`; for measuring only.

`annot3` is true to the picture: its projection is where the person is. `univ_annot3`
has everybody at one height; the official evaluation of poses relative to the pelvis
uses it. The layout is that of public readers (Mehta et al., 3DV 2018); no genuine file
was at hand. The sequences are read as they are, and never prepared.
"""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from sa3dhp import errors
from sa3dhp.data import calibration
from sa3dhp.data.datasets import mpi_inf_3dhp
from sa3dhp.data.formats import matlab
from sa3dhp.skeleton import skeleton as skeletons

SKELETON = mpi_inf_3dhp.TEST_SKELETON
NAMES = tuple(f"TS{n}" for n in range(1, 21))
_ANNOTATION, _OCCLUSION = "annot.mat", "occlusion.mat"
_SIZES = {"annot2": (2, 17), "annot3": (3, 17), "univ_annot3": (3, 17)}


@dataclasses.dataclass(frozen=True, eq=False)
class Sequence:
    """The people of a sequence, in every frame.

    Attributes:
        name: `TS1` to `TS20`.
        images: `F` paths of pictures.
        points: `[F, P, 17, 2]`, pixels.
        joints: `[F, P, 17, 3]`, mm, camera frame (`annot3`).
        universal: `[F, P, 17, 3]`, mm, everybody at one height (`univ_annot3`).
        valid: `[F, P]`, who counts; of others the rest may be anything, NaN too.
        occluded: `[F, P, 17]`, which joints are hidden; None where nobody says it.
    """

    name: str
    images: tuple[pathlib.Path, ...]
    points: np.ndarray
    joints: np.ndarray
    universal: np.ndarray
    valid: np.ndarray
    occluded: np.ndarray | None


def sequences(root: pathlib.Path) -> tuple[pathlib.Path, ...]:
    """Returns the folders `TS1` to `TS20` that there are.

    Raises:
        InputError: if there is none of them.
    """
    found = tuple(root / name for name in NAMES if (root / name).is_dir())
    if not found:
        raise errors.InputError(
            f"{root}: has no folder of {NAMES[0]} to {NAMES[-1]}, expected the "
            "MultiPersonTestSet of MuPoTS-3D"
        )
    return found


def read(folder: pathlib.Path) -> Sequence:
    """Reads one sequence.

    Args:
        folder: e.g. `MultiPersonTestSet/TS1`, which holds `annot.mat`, pictures
            `img_000000.jpg` and so on, and maybe `occlusion.mat`.

    Raises:
        InputError: if a file is missing or of another form, there are not as many
            pictures as annotated frames, or somebody who counts has a number that is
            not finite or stands behind the camera.
    """
    file, what = folder / _ANNOTATION, "an annotation of MuPoTS-3D"
    with errors.reading(file, what):
        cells = matlab.read(file, ["annotations"], what)["annotations"]
        if cells.ndim != 2 or cells.dtype != object or not cells.size:
            raise ValueError(f"annotations: expected cells [F, P], got {cells.shape}")
        people = [_person(cell, index) for index, cell in np.ndenumerate(cells)]
        parts, valid = {}, np.array([x["valid"] for x in people]).reshape(cells.shape)
        for key, (size, _) in _SIZES.items():
            stacked = np.stack([person[key] for person in people])
            parts[key] = stacked.reshape(*cells.shape, 17, size)
        _check(parts, valid)
    return Sequence(
        folder.name,
        _images(folder, len(cells)),
        points=parts["annot2"],
        joints=parts["annot3"],
        universal=parts["univ_annot3"],
        valid=valid,
        occluded=_occluded(folder / _OCCLUSION, valid.shape),
    )


def _person(cell: np.ndarray, index: tuple[int, ...]) -> dict[str, np.ndarray]:
    """What a cell says of a person; an empty one is of nobody."""
    if not cell.size:
        none = {key: np.full((17, size), np.nan) for key, (size, _) in _SIZES.items()}
        return {**none, "valid": np.asarray(False)}
    if cell.shape != (1, 1) or not isinstance(cell[0, 0], dict):
        raise ValueError(f"annotations {index}: expected one struct, got {cell.shape}")
    found = {key: _numbers(cell, index, key, size).T for key, size in _SIZES.items()}
    valid = _numbers(cell, index, "isValidFrame", (1, 1))[0, 0] == 1
    return {**found, "valid": np.asarray(valid)}


def _numbers(
    cell: np.ndarray, index: tuple[int, ...], key: str, shape: tuple[int, int]
) -> np.ndarray:
    """A field of the struct in a cell, float64."""
    value = cell[0, 0].get(key)
    got = "nothing" if value is None else value.shape
    if got != shape or value.dtype == object:
        raise ValueError(f"annotations {index}: {key}: expected {shape}, got {got}")
    return np.asarray(value, np.float64)


def _check(parts: dict[str, np.ndarray], valid: np.ndarray) -> None:
    """Raises ValueError where somebody who counts cannot be measured."""
    if not valid.any():
        raise ValueError("nobody in it counts (isValidFrame is 0 everywhere)")
    for key, values in parts.items():
        if not np.isfinite(values[valid]).all():
            raise ValueError(f"{key}: not finite where isValidFrame is 1")
    if not (parts["annot3"][valid][..., 2] > 0).all():
        raise ValueError("annot3: behind the camera where isValidFrame is 1")


def _images(folder: pathlib.Path, count: int) -> tuple[pathlib.Path, ...]:
    """The pictures, as many as there are frames."""
    paths = tuple(folder / f"img_{n:06d}.jpg" for n in range(count))
    there = set(folder.glob("img_*.jpg"))
    if there != set(paths):
        missing = [path.name for path in paths if path not in there]
        lack = f", of which {missing[0]} is missing" if missing else ""
        raise errors.InputError(
            f"{folder}: got {len(there)} pictures img_*.jpg, expected {count}, from "
            f"img_000000.jpg on{lack}, as {_ANNOTATION} has {count} frames; copy the "
            "sequence again"
        )
    return paths


def _occluded(path: pathlib.Path, shape: tuple[int, ...]) -> np.ndarray | None:
    """Which joints are hidden, `[F, P, 17]`, False in empty cells; None: no file."""
    if not path.is_file():
        return None
    what = "occlusion labels of MuPoTS-3D"
    with errors.reading(path, what):
        cells = matlab.read(path, ["occlusion_labels"], what)["occlusion_labels"]
        if cells.shape != shape or cells.dtype != object:
            raise ValueError(f"expected cells {shape}, got {cells.shape}")
        found = np.zeros((*shape, 17), bool)
        for index, cell in np.ndenumerate(cells):
            if cell.size and (cell.shape != (1, 17) or cell.dtype == object):
                raise ValueError(f"{index}: expected (1, 17), got {cell.shape}")
            if cell.size:
                found[index] = cell[0] == 1
    return found


def camera_of(sequence: Sequence) -> np.ndarray:
    """Returns the `[3, 3]` pinhole matrix, pixels, as no file holds it.

    Focal lengths and centre that project `annot3` onto `annot2` best, by least squares
    over everybody who counts. Hips and spine are left out, whose key-points lie up to 2
    px beside their joints in MPI-INF-3DHP [D].

    Raises:
        InputError: if what fits best is no camera.
    """
    names = skeletons.get(SKELETON).joint_names
    firm = [n for n, name in enumerate(names) if name not in mpi_inf_3dhp.LOOSE]
    joints, points = (
        x[sequence.valid][:, firm] for x in (sequence.joints, sequence.points)
    )
    with errors.reading(sequence.name, "a sequence that a camera fits"):
        matrix = calibration.fit_pinhole(joints, points)
    if not min(matrix[0, 0], matrix[1, 1]) > 0:
        raise errors.InputError(
            f"{sequence.name}: no camera fits annot2 and annot3, got focal lengths "
            f"{matrix[0, 0]:g} and {matrix[1, 1]:g} px; copy {_ANNOTATION} again"
        )
    return matrix
