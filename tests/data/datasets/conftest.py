"""Data sets as preparation reads them."""

import pathlib

import pytest

from sa3dhp.data import datasets
from sa3dhp.data.preparing import units


@pytest.fixture(scope="session")
def read_all():
    """From a name and a folder to what all units of the data set hold, in order."""

    def read(name: str, folder: pathlib.Path) -> list:
        settings = units.Settings(96, 64)
        known = datasets.DATASETS[name]
        plan = known.plan(folder, settings)
        return [
            item for unit in plan.units for item in known.read(folder, unit, settings)
        ]

    return read
