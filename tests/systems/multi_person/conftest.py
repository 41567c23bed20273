"""A configuration of which every stage takes seconds."""

import pytest
from small_multi_person import SMALL
from small_networks import eagerly, snapshot, unchanged  # noqa: F401

from sa3dhp.systems.multi_person import config as configs


@pytest.fixture(scope="session")
def load():
    """`load(*overrides)`: the small configuration, and differences."""
    return lambda *overrides: configs.load(None, [*SMALL, *overrides])
