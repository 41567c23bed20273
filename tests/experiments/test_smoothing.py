"""Ways to smooth: each on the same predictions, error and jitter of each told."""

import json

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.experiments import smoothing
from sa3dhp.export import domain_pack
from sa3dhp.systems.relation_distillation import networks
from sa3dhp.training import store


def test_jitter_is_the_second_difference():
    still = np.zeros((1, 10, 17, 3))
    assert smoothing._jerk(still) == 0
    walk = still + np.arange(10)[:, None, None] * [3.0, 0, 0]
    assert smoothing._jerk(walk) == pytest.approx(0)
    falling = still + (np.arange(10) ** 2)[:, None, None] * [0, 2.0, 0]
    assert smoothing._jerk(falling) == pytest.approx(4)


@pytest.mark.usefixtures("three_blocks")
def test_every_method_is_measured_on_every_seed(configure, checkpoints, tmp_path):
    facts = {"command": "python tools/reproduce.py --table=smoothing", "commit": "abc"}
    text = smoothing.run(configure, checkpoints, [0, 1], tmp_path, facts)
    found = json.loads((tmp_path / "smoothing.json").read_text())
    assert (tmp_path / "smoothing.md").read_text() == text == smoothing.markdown(found)
    pairs = [(row["method"], row["seed"]) for row in found["rows"]]
    names = [*smoothing.METHODS, *(f"mirrored_{n}" for n in smoothing.MIRRORED)]
    assert pairs == [(name, seed) for seed in (0, 1) for name in names]
    by = {(row["method"], row["seed"]): row for row in found["rows"]}
    for seed in (0, 1):
        for side in ("", "mirrored_"):
            rough = by[f"{side}none", seed]
            assert by[f"{side}zero_lag", seed]["jitter"] < rough["jitter"]
        assert by["mirrored_none", seed]["mpjpe"] != by["none", seed]["mpjpe"]
        assert 0 < by["motion", seed]["mpjpe"] and by["motion", seed]["pa_mpjpe"] > 0
    assert found["true_jitter"] > 0 and found["commits"] == ["abc"]
    assert found["protocol"] == "procedural" and found["clips_per_seed"] == 2


@pytest.mark.usefixtures("three_blocks")
def test_an_adapted_model_is_measured_as_well(configure, checkpoints, tmp_path):
    known = store.Store(checkpoints)
    encoder = networks.Networks(configure(()), known).load("image_encoder")
    encoder.trainable = True
    for weight in encoder.res_variables("res3"):
        weight.assign_add(1e-2 * tf.random.stateless_normal(weight.shape, [0, 1]))
    about = dict(target="street", monitors={}, verdict="", licence="", config={})
    base = known.hash("image_encoder")
    domain_pack.write(tmp_path / "run/domain_pack", encoder, "res3", base, **about)
    (tmp_path / "run/run.json").write_text(
        json.dumps({"checkpoints": str(checkpoints)})
    )
    found = {}
    for name, home in (("source", checkpoints), ("adapted", tmp_path / "run")):
        text = smoothing.run(configure, home, [0], tmp_path / name, {})
        assert f"The {name} model on 2 clips" in text
        told = json.loads((tmp_path / name / "smoothing.json").read_text())
        found[name] = told["rows"][0]["mpjpe"]
    assert found["source"] != found["adapted"]
