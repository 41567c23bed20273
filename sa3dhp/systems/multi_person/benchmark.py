"""A model of several people on MuPoTS-3D: pictures in, the card's numbers out."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable

import numpy as np

from sa3dhp import errors, progress, provenance
from sa3dhp.data.datasets import mupots as dataset
from sa3dhp.data.videos import video
from sa3dhp.systems.multi_person import mupots, watching

_BATCH = 16


def evaluate(
    watcher: watching.Watcher,
    focal: float,
    folder: str | os.PathLike,
    information: str = "N",
) -> dict:
    """Returns the result of a model, see `mupots.result`; shows how far it is.

    Beside it `model_hash`, `focal`, what `provenance.describe` says, and `cameras`, the
    `[3, 3]` matrices that were fitted to the sequences.

    Args:
        watcher: the model.
        focal: focal length that it assumes, sides of its square pictures.
        folder: MultiPersonTestSet, see `sa3dhp.data.datasets.mupots`.
        information: class of target information, see `protocol`.

    Raises:
        InputError: as that reader, which reads all before the work begins; if a
            picture is damaged or of another size than those before it; or if the model
            lacks a joint.
    """
    mupots.check_skeleton(watcher.skeleton)
    sequences = [dataset.read(x) for x in dataset.sequences(pathlib.Path(folder))]
    cameras = {x.name: dataset.camera_of(x) for x in sequences}
    measured, done = {}, 0
    total = sum(len(x.images) for x in sequences)
    with progress.Progress("pictures", 0, total) as bar:
        for sequence in sequences:

            def show(count: int, done: int = done) -> None:
                bar.update(done + count, {})

            found = people(watcher, focal, sequence, cameras[sequence.name], show)
            measured[sequence.name] = mupots.measure(sequence, found)
            done += len(sequence.images)
    return {
        **mupots.result(measured, information),
        "model_hash": str(watcher.description.get("weights_hash", "")),
        "focal": focal,
        "cameras": {name: matrix.tolist() for name, matrix in cameras.items()},
        **provenance.describe(),
    }


def people(
    watcher: watching.Watcher,
    focal: float,
    sequence: dataset.Sequence,
    matrix: np.ndarray,
    show: Callable[[int], None] = lambda done: None,
) -> list[mupots.People]:
    """Returns whoever a model sees in each frame, placed for the true camera.

    Args:
        watcher: the model.
        focal: focal length that it assumes, sides of its square pictures.
        sequence: of which the pictures are used.
        matrix: `[3, 3]`, the true camera, pixels.
        show: told how many pictures are done.

    Raises:
        InputError: if a picture is damaged or of another size than the first.
    """
    found: list[mupots.People] = []
    size: tuple[int, ...] = ()
    for start in range(0, len(sequence.images), _BATCH):
        paths = sequence.images[start : start + _BATCH]
        pictures = [_picture(path) for path in paths]
        size = size or pictures[0].shape
        for path, picture in zip(paths, pictures):
            if picture.shape != size:
                raise errors.InputError(
                    f"{path}: got {picture.shape[1]} x {picture.shape[0]} pixels, "
                    f"expected {size[1]} x {size[0]} as the first of {sequence.name}"
                )
        for joints, points, _ in watching.people_of(watcher, pictures):
            seen = mupots.people(joints, points, watcher.skeleton)
            found.append(mupots.placed(seen, focal * max(size), matrix))
        show(len(found))
    return found


def _picture(path: pathlib.Path) -> np.ndarray:
    picture = video.read_image(path)
    if picture is None:
        raise errors.InputError(f"{path}: cannot be decoded; copy the sequence again")
    return picture
