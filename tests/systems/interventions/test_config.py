"""What a configuration refuses, and the shipped ones."""

import pathlib

import pytest

from sa3dhp import errors
from sa3dhp.evaluation import protocol
from sa3dhp.experiments import interventions
from sa3dhp.systems.interventions import config as configs

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.unlabelled=[]", r"data.unlabelled: got \[\], expected a place"),
        ("estimator.strides=[1, 3]", r"strides: got \[1, 3\]"),
        ("data.image_size=48", "image_size: got 48, expected one of 32, 64, 128, 256"),
        ("data.stored_size=100", "at least data.image_size = 256"),
        (
            ["estimator.frozen_up_to=res3", "estimator.weights=none"],
            "frozen_up_to: got res3, expected nothing where",
        ),
        ("estimator.method=magic", "estimator.method"),
    ],
)
def test_values_that_do_not_fit_are_told(override, words):
    with pytest.raises(errors.InputError, match=words):
        configs.load(None, [override] if isinstance(override, str) else override)


SHIPPED = sorted((ROOT / "configs").glob("interventions*.yaml"))


def test_what_is_measured_may_change_when_a_run_goes_on(tmp_path):
    configs.begin(configs.load(), tmp_path)
    later = [
        "data.unseen=3",
        "data.evaluation_card=h36m_p1",
        "data.others=[park, hall]",
    ]
    configs.begin(configs.load(None, later), tmp_path)
    with pytest.raises(errors.InputError, match="a run of another configuration"):
        configs.begin(configs.load(None, ["data.target=hall"]), tmp_path)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configurations_are_read(path):
    config = configs.load(path)
    assert interventions.rows("interventions", config)  # its places fit each other
    card = protocol.load(config.data.evaluation_card)
    assert set(interventions._METRICS) <= set(card.metrics)
    assert config.estimator.method == "counterfactual"
    assert config.data.target in config.data.unlabelled
