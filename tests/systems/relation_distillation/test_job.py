"""What a finished adaptation is measured on."""

import pathlib

import pytest

from sa3dhp import errors
from sa3dhp.systems.relation_distillation import config as configs
from sa3dhp.systems.relation_distillation import job

SMOKE = pathlib.Path(__file__).resolve().parents[3] / "configs" / "smoke.yaml"


def test_a_run_on_videos_has_nothing_to_be_measured_on(tmp_path):
    """It is not scored on the embedded world, which it never saw."""
    overrides = ["data.target=videos", "data.target_path=clips"]
    configs.begin(configs.load(SMOKE, overrides), tmp_path / "run")
    with pytest.raises(errors.InputError, match=r"videos \(clips\), of which nobody"):
        job.unseen(tmp_path / "run")
