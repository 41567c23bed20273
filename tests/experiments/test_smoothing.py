"""Ways to smooth: each on the same predictions, error and jitter of each told."""

import json

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.experiments import smoothing
from sa3dhp.models import pose_prior
from sa3dhp.skeleton import skeleton as skeletons

SKELETON = skeletons.SA3DHP17


class _Same:
    """Stands for E_m and D_m that lose nothing: v is all of the window's z."""

    def __call__(self, x):
        size = 3 * SKELETON.num_joints
        return tf.reshape(x, [len(x), -1] if len(x.shape) == 3 else [len(x), 30, size])


class _Pose:
    """Stands for a prior whose z is the pose itself."""

    skeleton = SKELETON

    def encode(self, joints):
        return tf.reshape(joints, [len(joints), -1])

    def decode(self, latent):
        return tf.reshape(latent, [len(latent), SKELETON.num_joints, 3])


def test_an_auto_encoder_that_loses_nothing_changes_nothing():
    """Whatever the windows' places and weights: each frame is a mean of itself."""
    prior = pose_prior.MotionPrior(_Same(), _Same(), _Pose())
    rng = np.random.default_rng(0)
    for frames in (30, 31, 60, 67):
        clips = rng.normal(0, 300, (2, frames, 17, 3)).astype(np.float32)
        for hop in (5, 30):
            np.testing.assert_allclose(
                smoothing.denoise(clips, prior, hop), clips, atol=1e-3
            )


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
    assert pairs == [(name, seed) for seed in (0, 1) for name in smoothing.METHODS]
    by = {(row["method"], row["seed"]): row for row in found["rows"]}
    for seed in (0, 1):
        assert by["zero_lag", seed]["jitter"] < by["none", seed]["jitter"]
        assert 0 < by["motion", seed]["mpjpe"] and by["motion", seed]["pa_mpjpe"] > 0
    assert found["true_jitter"] > 0 and found["commits"] == ["abc"]
    assert found["protocol"] == "procedural" and found["clips_per_seed"] == 2
