"""A configuration of which every stage takes seconds."""

import pytest
import small_resnet
from small_multi_person import SMALL
from small_networks import eagerly, snapshot, unchanged  # noqa: F401
from small_nrsfm import motions  # noqa: F401

from sa3dhp.systems.multi_person import config as configs


@pytest.fixture(scope="module", autouse=True)
def small_trunk():
    """E has three blocks."""
    with small_resnet.used():
        yield


@pytest.fixture(scope="session")
def load():
    """`load(*overrides)`: the small configuration, and differences."""
    return lambda *overrides: configs.load(None, [*SMALL, *overrides])
