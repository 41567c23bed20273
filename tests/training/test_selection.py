"""The kept step is chosen by monitors alone, and harm is rolled back."""

import numpy as np
import pytest

from sa3dhp.errors import InputError
from sa3dhp.training import selection

FLOOR = {"z3": 1.0, "v2": 0.5}


def _look(step, z3, v2, spread=0.4, **more):
    return {"step": step, "z3": z3, "v2": v2, "spread": spread, **more}


def test_distance_is_zero_at_the_floor_and_grows_on_both_sides():
    assert selection.distance(_look(0, 1.0, 0.5), FLOOR) == 0
    above = selection.distance(_look(0, 2.0, 1.0), FLOOR)
    below = selection.distance(_look(0, 0.5, 0.25), FLOOR)
    assert above == pytest.approx(np.log(2)) == pytest.approx(below)


def test_residuals_are_taken_in_units_of_the_spread():
    floor = {**FLOOR, "spread": 0.4}
    half = _look(0, 0.5, 0.25, spread=0.2)
    assert selection.distance(half, floor) == pytest.approx(0)
    history = [_look(0, 2.0, 1.0, spread=0.3), _look(8, 2.02, 1.01, spread=0.33)]
    assert selection.choose(history, floor).step == 8
    assert selection.choose(history, FLOOR).step == 0


def test_the_step_nearest_to_the_floor_is_kept_not_the_lowest_residual():
    history = [
        _look(0, 2.0, 1.0),
        _look(40, 1.4, 0.7),
        _look(80, 1.02, 0.51),
        _look(120, 0.5, 0.2),  # agreement without truth
    ]
    choice = selection.choose(history, FLOOR)
    assert choice.step == 80 and choice.adapted and choice.label_free


def test_a_collapse_of_the_spread_is_rolled_back():
    history = [_look(0, 2.0, 1.0), _look(40, 1.0, 0.5, spread=0.1)]
    choice = selection.choose(history, FLOOR)
    assert choice.step == 0 and not choice.adapted
    assert "source model" in choice.verdict and "spread" in choice.verdict


def test_nothing_better_than_the_start_keeps_the_source_model():
    history = [_look(0, 1.5, 0.7), _look(40, 1.8, 0.9)]
    assert not selection.choose(history, FLOOR).adapted


def test_a_gain_within_the_noise_keeps_the_source_model():
    history = [_look(0, 2.0, 1.0), _look(40, 1.995, 0.9975)]
    assert not selection.choose(history, FLOOR).adapted


def test_a_target_like_the_source_needs_no_adaptation():
    assert "nothing to adapt to" in selection.alike(_look(0, 1.08, 0.54), FLOOR)
    assert not selection.alike(_look(0, 1.15, 0.575), FLOOR)


def test_a_look_that_is_not_finite_is_never_kept():
    history = [_look(0, 2.0, 1.0), _look(40, 1.0, 0.5, acceleration=float("nan"))]
    assert selection.choose(history, FLOOR).step == 0


def test_a_missing_rule_is_named():
    with pytest.raises(InputError, match="v2"):
        selection.distance({"z3": 1.0}, FLOOR)


def test_oracle_and_last_are_labelled_as_such():
    history = [
        _look(0, 2, 1, test=200.0),
        _look(40, 2, 1, test=150.0),
        _look(80, 2, 1, test=170.0),
    ]
    oracle = selection.choose_oracle(history, "test")
    assert oracle.step == 40 and not oracle.label_free and "oracle" in oracle.verdict
    last = selection.choose_last(history)
    assert last.step == 80 and not last.label_free


def test_a_relation_that_fails_on_the_source_is_not_trusted():
    source = {"z1": 2.9, "z3": 0.6, "spread": 0.3}
    start = {"spread": 0.25}
    why = selection.doubt(start, source, {"z1": 0.4, "z3": 0.4})
    assert "z1" in why and "2.90" in why
    assert not selection.doubt(start, {**source, "z1": 0.7}, {"z1": 0.4, "z3": 0.4})
    assert not selection.doubt(start, source, {})


def test_a_target_without_people_is_not_trusted():
    source = {"z1": 0.7, "spread": 0.3}
    assert "people" in selection.doubt({"spread": 0.1}, source, {"z1": 0.4})
    assert not selection.doubt({"spread": 0.2}, source, {"z1": 0.4})


def test_the_latest_of_equally_near_steps_is_kept():
    residuals = (2.0, 1.5, 1.55, 1.7)
    history = [
        {"step": 8 * i, "z1": value, "spread": 0.3} for i, value in enumerate(residuals)
    ]
    assert selection.choose(history, {"z1": 1.0}).step == 16


def test_a_late_step_that_gains_nothing_is_not_kept_for_being_near():
    residuals = (2.0, 1.9, 1.99)
    history = [
        {"step": 8 * i, "z1": value, "spread": 0.3} for i, value in enumerate(residuals)
    ]
    assert selection.choose(history, {"z1": 1.0}).step == 8


def test_an_objection_keeps_the_source_model_whatever_the_steps_did():
    history = [
        {"step": 0, "z1": 2.0, "spread": 0.3},
        {"step": 8, "z1": 1.0, "spread": 0.3},
    ]
    assert selection.choose(history, {"z1": 1.0}).step == 8
    choice = selection.choose(history, {"z1": 1.0}, "nobody is there")
    assert choice.step == 0 and not choice.adapted
    assert "nobody is there" in choice.verdict
