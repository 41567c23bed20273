"""Ways to smooth: each on the same predictions, error and jitter of each told."""

import json

import numpy as np
import pytest

from sa3dhp.experiments import smoothing


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
