"""What a configuration refuses, and the shipped ones."""

import pathlib

import pytest

from sa3dhp import errors
from sa3dhp.systems.interventions import config as configs

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.unlabelled=[]", r"data.unlabelled: got \[\], expected a place"),
        ("estimator.strides=[1, 3]", r"strides: got \[1, 3\]"),
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


@pytest.mark.parametrize("name", ["interventions", "interventions_world"])
def test_shipped_configurations_are_read(name):
    config = configs.load(ROOT / "configs" / f"{name}.yaml")
    assert config.estimator.method == "counterfactual"
    assert config.data.target in config.data.unlabelled
