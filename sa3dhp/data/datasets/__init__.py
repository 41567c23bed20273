"""The data sets that can be prepared: the one list of them.

Adding one is a module here with a `DATASET`, its name in `_NAMES`, and tests. Naming
them costs nothing: a module is imported when its data set is asked for. `mupots` is
none of them: it is for measuring only, and read as it comes.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sa3dhp.data.datasets import dataset

_NAMES = (
    "cmu",
    "cmu31",
    "bandai_namco",
    "surreal",
    "human36m",
    "mpi_inf_3dhp",
    "muco",
    "threedpw",
    "lsp",
    "lsp_2d",
    "real_multiview",
    "person_clips",
    "single_frames",
    "rendered_people",
    "own",
    "videos",
)


class _Datasets(Mapping[str, "dataset.Dataset"]):
    """From a name to the `DATASET` of its module."""

    def __getitem__(self, name: str) -> dataset.Dataset:
        if name not in _NAMES:
            raise KeyError(name)
        found: dataset.Dataset = importlib.import_module(module(name)).DATASET
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(_NAMES)

    def __len__(self) -> int:
        return len(_NAMES)


DATASETS: Mapping[str, dataset.Dataset] = _Datasets()


def module(name: str) -> str:
    """Returns the full name of the module that holds a data set."""
    return f"{__name__}.{name}"
