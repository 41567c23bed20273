"""The CMU database with all 31 joints of its skeleton; of Acclaim files alone.

The conversions to BVH lack some of the joints, see `cmu`.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator

from sa3dhp import errors
from sa3dhp.data import schema
from sa3dhp.data.datasets import cmu
from sa3dhp.data.preparing import units
from sa3dhp.skeleton import skeleton as skeletons

SKELETON = "cmu31"


def plan(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit per Acclaim clip: the clip, and the skeleton of its subject."""
    found = cmu.plan(root, settings)
    made = tuple(unit for unit in found.units if unit.files[0].endswith(".amc"))
    if not made:
        raise errors.InputError(
            f"{root}: no *.amc below it, expected some with their *.asf; unpack the "
            "Acclaim files of the database there"
        )
    return dataclasses.replace(found, units=made, skeletons={cmu.SPLIT: SKELETON})


def read(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[schema.Sequence]:
    """The clip."""
    del settings
    yield cmu.read_amc(root / unit.files[0], target=skeletons.get(SKELETON))


DATASET = dataclasses.replace(cmu.DATASET, plan=plan, read=read)
