"""Leeds Sports Poses and its extension: `joints.mat` beside `images/`, 2D only.

The two say the opposite by the same flag, and are told apart by their shape. LSP is
`(3, 14, N)` and flags what is *occluded*; its coordinates are good all the same. The
extension is `(14, 3, N)` and flags what is *annotated*; the coordinates of the rest are
junk. The latter was checked on 250 genuine images, the former is as its readers say.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import numpy as np

from sa3dhp import errors
from sa3dhp.data import schema
from sa3dhp.data.datasets import dataset
from sa3dhp.data.formats import matlab
from sa3dhp.data.preparing import units

SKELETON = "lsp14"
TRAIN_IMAGES = 1000  # of LSP: the first are for training, the rest for testing
UNIT_IMAGES = 250  # in a unit of preparation


def read_folder(path: str | pathlib.Path) -> list[schema.Frames]:
    """Reads one of the two data sets.

    Args:
        path: holds `joints.mat` and `images/`.

    Returns:
        `lsp14`, single images. LSP gives its training and its test images, the
        extension one item. Pixels count from 0 here, and from 1 in the file.

    Raises:
        InputError: if `joints.mat` is missing or of another form.
    """
    path = pathlib.Path(path)
    what = "joints.mat of LSP or its extension"
    with errors.reading(path / "joints.mat", what):
        joints = matlab.read(path / "joints.mat", ["joints"], what)["joints"]
        joints = joints.astype(np.float64)
    if joints.ndim == 3 and joints.shape[:2] == (14, 3):
        joints = joints.transpose(2, 0, 1)
        mask = joints[..., 2] == 1  # annotated
        return [_frames(path, joints, 1, mask, name="lsp_extended", split="train")]
    if joints.ndim == 3 and joints.shape[:2] == (3, 14):
        joints = joints.transpose(2, 1, 0)
        parts = (("train", 1, joints[:TRAIN_IMAGES]), ("test", 1001, joints[1000:]))
        return [
            _frames(
                path,
                part,
                first,
                np.ones(part.shape[:2], bool),
                name="lsp",
                split=split,
            )
            for split, first, part in parts
            if len(part)
        ]
    raise errors.InputError(
        f"{path}/joints.mat: joints expected (3, 14, N) for LSP or (14, 3, N) for its "
        f"extension, got {joints.shape}"
    )


def _frames(
    path: pathlib.Path,
    joints: np.ndarray,
    first: int,
    mask: np.ndarray,
    *,
    name: str,
    split: str,
) -> schema.Frames:
    """Images numbered from `first`, whose joints `[N, 14, 3]` count pixels from 1."""
    digits = {"lsp": 4, "lsp_extended": 5}[name]
    numbers = np.arange(first, first + len(joints))
    images = path / "images"
    return schema.Frames(
        f"{name}_{split}",
        SKELETON,
        numbers,
        images=tuple(str(images / f"im{n:0{digits}d}.jpg") for n in numbers),
        keypoints=joints[..., :2] - 1.0,
        mask=mask,
        split=split,
        note=name,
    )


def plan(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """Units of `UNIT_IMAGES` of each `joints.mat`: LSP, its extension, or both."""
    del settings
    files = sorted(root.rglob("joints.mat"))
    if not files:
        raise errors.InputError(
            f"{root}: no joints.mat below it; give the folder of LSP or its extension, "
            "or one that holds both"
        )
    made = []
    for file in files:
        for frames in read_folder(file.parent):
            for start in range(0, len(frames), UNIT_IMAGES):
                name = f"{frames.name}+{start}"
                part = f"{frames.name}:{start}"
                made.append(units.unit(root, name, frames.split, file, part=part))
    skeleton = {unit.split: SKELETON for unit in made}
    return units.Plan(
        "frames", tuple(made), skeleton, 0.0, single=tuple(sorted(skeleton))
    )


def read(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[schema.Frames]:
    """The images of a unit."""
    del settings
    name, _, start = unit.part.partition(":")
    for frames in read_folder((root / unit.files[0]).parent):
        if frames.name == name:
            yield frames.select(slice(int(start), int(start) + UNIT_IMAGES))


DATASET = dataset.Dataset(
    plan,
    read,
    "LSP and LSP-extended: photographs from Flickr, for research; cite them",
    published={
        # With the extension, or that alone.
        "train": dataset.Published(pictures=(1000, 10000, 11000)),
        "test": dataset.Published(pictures=(1000,)),
    },
    # A sequence is the name of the list here, not of a video.
    shared=frozenset({"subjects", "sequences"}),
)
