"""A configuration of which every stage takes seconds."""

import pytest
from small_networks import eagerly, snapshot, unchanged  # noqa: F401

from sa3dhp.systems.multi_person import config as configs

SMALL = (
    "data.image_size=56",
    "data.pictures=8",
    "data.unseen=4",
    "data.people=2",
    "data.pool=40",
    "poses.steps=2",
    "poses.batch_size=8",
    "teacher.features=8",
    "teacher.width=8",
    "teacher.steps=2",
    "teacher.batch_size=2",
    "student.width=4",
    "student.map_width=4",
    "student.first_steps=1",
    "student.steps=2",
    "student.equivariance_steps=2",
    "student.batch_size=2",
    "student.labels=2d",
    "training.precision=float32",
)


@pytest.fixture(scope="session")
def load():
    """`load(*overrides)`: the small configuration, and differences."""
    return lambda *overrides: configs.load(None, [*SMALL, *overrides])
