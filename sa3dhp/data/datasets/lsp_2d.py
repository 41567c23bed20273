"""The first pictures of LSP-extended, to measure on: photographs, joints in 2D alone.

They are people of all kinds in all poses, far from any studio. What is annotated was
clicked by hand in one picture; there is no depth, and about 13 % of the joints are
missing.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

from sa3dhp import errors
from sa3dhp.data import schema
from sa3dhp.data.datasets import dataset, lsp
from sa3dhp.data.preparing import units

PICTURES = 250  # the first ones, which the card `lsp_2d` counts


def plan(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """One unit, of the first `joints.mat` below the folder that is the extension's."""
    del settings
    for file in sorted(root.rglob("joints.mat")):
        if _extension(file.parent):
            made = units.unit(root, "lsp_2d", "test", file)
            skeleton = {"test": lsp.SKELETON}
            return units.Plan("frames", (made,), skeleton, 0.0, single=("test",))
    raise errors.InputError(
        f"{root}: no joints.mat of LSP-extended, (14, 3, N), below it; give its folder"
    )


def _extension(folder: pathlib.Path) -> list[schema.Frames]:
    return [x for x in lsp.read_folder(folder) if x.note == "lsp_extended"]


def read(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[schema.Frames]:
    """The first `PICTURES` of the extension."""
    del settings
    for frames in _extension((root / unit.files[0]).parent):
        yield dataclasses.replace(frames.select(slice(PICTURES)), name="lsp_2d")


DATASET = dataset.Dataset(
    plan,
    read,
    lsp.DATASET.licence,
    published={"test": dataset.Published(pictures=(PICTURES,))},
)
