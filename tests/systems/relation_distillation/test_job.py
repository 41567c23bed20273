"""What a finished adaptation is measured on."""

import pathlib

import pytest
import small_resnet

from sa3dhp import errors
from sa3dhp.systems.relation_distillation import config as configs
from sa3dhp.systems.relation_distillation import job
from sa3dhp.systems.relation_distillation import networks as networks_
from sa3dhp.training import store

SMOKE = pathlib.Path(__file__).resolve().parents[3] / "configs" / "smoke.yaml"


def test_a_run_on_videos_has_nothing_to_be_measured_on(tmp_path):
    """It is not scored on the embedded world, which it never saw."""
    overrides = ["data.target=videos", "data.target_path=clips"]
    configs.begin(configs.load(SMOKE, overrides), tmp_path / "run")
    with pytest.raises(errors.InputError, match=r"videos \(clips\), of which nobody"):
        job.unseen(tmp_path / "run")


def test_who_has_no_source_adapts_by_the_floor_beside_the_networks(untrained):
    prepared = ["data.source=prepared", "data.source_paths=[nowhere]"]
    config = configs.load(untrained.parent / "config.yaml", prepared)
    with small_resnet.used():
        networks = networks_.Networks(config, store.Store(untrained))
        made = job.Job(config, networks)
    with pytest.raises(errors.InputError, match="nowhere"):
        made.source_floor()
    kept = {"z3": 0.5, "spread": 0.25}
    networks.store.save_floor("image_encoder", {**kept, "other": 1.0})
    try:
        assert made.source_floor() == kept
        networks.store.save_floor("image_encoder", {"spread": 0.25})  # lacks a rule
        with pytest.raises(errors.InputError, match="nowhere"):
            made.source_floor()
    finally:
        (untrained / store.FLOOR).unlink()
