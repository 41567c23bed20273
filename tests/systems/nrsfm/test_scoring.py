"""Errors without unit and direction; one reflection for a data set."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sa3dhp.systems.nrsfm import scoring


def _truth(count=12, points=17):
    return np.random.default_rng(0).normal(size=(count, points, 3)) * 300


def test_reflection_is_found_whatever_the_scale_and_place():
    truth = _truth()
    for sign in (1, -1):
        seen = (truth * [1, 1, sign]) * 0.01 + [3, 4, 500]
        assert scoring.reflection(seen, truth) == sign


def test_reflection_is_one_for_the_set_and_follows_the_many():
    truth = _truth()
    mixed = truth.copy()
    mixed[:4, :, 2] *= -1
    assert scoring.reflection(mixed, truth) == 1
    assert scoring.reflection(mixed * [1, 1, -1], truth) == -1


def test_a_sample_counts_as_much_as_any_other_whatever_its_size():
    truth = _truth(3)
    mixed = truth * [1, 1, -1]
    mixed[0], truth[0] = 1e3 * truth[0], 1e3 * truth[0]
    assert scoring.reflection(mixed, truth) == -1


def test_shapes_are_scored_by_the_card_of_scaled_limbs():
    truth = _truth()
    result = scoring.score(0.02 * truth, truth, "sa3dhp17", "nrsfm")
    assert result["protocol"] == "nrsfm" and result["target_information"] == "G"
    assert max(result["overall"].values()) < 1e-9
    flat = truth * [1, 1, 0.5]
    got = scoring.score(flat, truth, "sa3dhp17", "nrsfm")["overall"]
    assert set(got) == set(scoring.METRICS) and got["depth_error"] > 50


def test_bare_points_are_scored_by_the_same_metrics():
    truth = _truth(points=6)
    got = scoring.score(9 * truth + 5, truth, "", "nrsfm")
    assert set(got["overall"]) == set(scoring.METRICS)
    assert max(got["overall"].values()) < 1e-9
    zero = scoring.score(0 * truth, truth, "", "nrsfm")["overall"]
    assert zero["normalised_error"] == pytest.approx(100.0)


def test_the_error_of_public_code_forgives_camera_and_reflection():
    truth = _truth()
    turns = Rotation.random(len(truth), random_state=0).as_matrix()
    moved = 0.1 * (truth @ turns) * [1, 1, -1] + 40
    assert scoring.turned_error(moved, truth) < 1e-6
    noisy = truth + np.random.default_rng(1).normal(size=truth.shape) * 100
    assert 10 < scoring.turned_error(noisy, truth) < 40


def test_the_card_of_the_real_clip_knows_no_size_and_no_place():
    truth = np.random.default_rng(3).normal(size=(4, 12, 3)) * 300
    pred = 0.01 * truth + np.array([5, 6, 7])
    found = scoring.score(pred, truth, "blazepose12", "nrsfm_real")
    assert max(found["overall"].values()) < 1e-6
    turned = scoring.score(pred * [1, 1, -1], truth, "blazepose12", "nrsfm_real")
    assert turned["overall"]["depth_error"] > 100
