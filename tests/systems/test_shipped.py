"""The weights of a sister system that are shipped, on pictures that never trained."""

import pytest

from sa3dhp import files
from sa3dhp.systems.multi_person import config as configs
from sa3dhp.systems.multi_person import networks, predictions, scoring, sources


@pytest.fixture(scope="module")
def config():
    """What they were trained with, on few pictures."""
    shipped = files.find(configs.SHIPPED)
    return configs.load(shipped, ["data.unseen=24", "teacher.weights=none"])


@pytest.fixture(scope="module")
def made(config):
    """The networks."""
    return networks.Networks(config, files.networks("multi_person"))


def test_they_are_small_and_all_that_phase_two_needs(made):
    size = sum(path.stat().st_size for path in made.store.folder.iterdir())
    assert size < 12e6
    for stage in ("poses", "teacher", "alignment"):
        assert made.store.complete(stage)
    assert made.store.meta("canonical_decoder")["measured"]["joint_error"] < 20


@pytest.mark.parametrize(
    ("place", "recall", "error"), [("studio", 90, 265), ("street", 75, 275)]
)
def test_people_are_seen_in_places_with_and_without_labels(
    config, made, place, recall, error
):
    """One pose for everybody errs by 293 mm in `street`."""
    found = sources.crowds(config, place, unseen=True)
    composer = made.trained(networks.ALIGNED[0])
    seen = predictions.see(composer, *made.teacher(), found.images)
    pairs = scoring.match(*seen, *sources.people_of(found), config.data.image_size)
    told = scoring.measure(pairs)
    assert told["recall"] > recall and told["mpjpe"] < error, told
