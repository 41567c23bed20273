"""The kept step is chosen by monitors alone, and harm is rolled back."""

import numpy as np
import pytest

from sa3dhp.errors import InputError
from sa3dhp.systems.relation_distillation import selection

FLOOR = {"z3": 1.0, "v2": 0.5}
TURN = ("z3",)


def _look(step, z3, v2, spread=0.4, **more):
    return {"step": step, "z3": z3, "v2": v2, "spread": spread, **more}


def _look_of(step, lcr=1.0, acceleration=100.0, spread=0.4, prior=0.1, z3=1.0, **more):
    found = {"lcr": lcr, "acceleration": acceleration, "spread": spread, "z3": z3}
    return {"step": step, **found, "prior_distance": prior, **more}


def test_distance_is_zero_at_the_floor_and_grows_on_both_sides():
    assert selection.distance(_look(0, 1.0, 0.5), FLOOR) == 0
    above = selection.distance(_look(0, 2.0, 1.0), FLOOR)
    below = selection.distance(_look(0, 0.5, 0.25), FLOOR)
    assert above == pytest.approx(np.log(2)) == pytest.approx(below)


def test_residuals_are_taken_in_units_of_the_spread():
    floor = {**FLOOR, "spread": 0.4}
    half = _look(0, 0.5, 0.25, spread=0.2)
    assert selection.distance(half, floor) == pytest.approx(0)


def test_implausibility_is_the_geometric_mean_of_all_faults():
    start = selection.implausibility(_look_of(0), TURN)
    thrice = {"spread": 0.4 * np.cbrt(2)}  # counts for all but lcr
    halves = ({"lcr": 0.5}, {"acceleration": 50.0}, {"prior": 0.05}, {"z3": 0.5})
    for better in (*halves, thrice):
        found = selection.implausibility(_look_of(8, **better), TURN)
        assert found == pytest.approx(start / 2**0.25)


@pytest.mark.parametrize("name", ["acceleration", "lcr", "prior_distance"])
def test_what_is_next_to_nothing_has_no_say(name):
    looks = [{**_look_of(0), name: value} for value in (0.0, selection.LEAST[name])]
    first, second = (selection.implausibility(look, TURN) for look in looks)
    assert first == second > 0


@pytest.mark.parametrize(
    "missing", ["acceleration", "lcr", "prior_distance", "spread", "z3"]
)
def test_a_monitor_that_is_missing_is_named(missing):
    found = {k: v for k, v in _look_of(0).items() if k != missing}
    with pytest.raises(InputError, match=missing):
        selection.implausibility(found, TURN)


def test_the_most_plausible_step_is_kept():
    history = [
        _look_of(0),
        _look_of(40, 0.6),
        _look_of(80, 0.4, 80.0),
        _look_of(120, 0.9),
    ]
    choice = selection.choose(history, TURN)
    assert choice.step == 80 and choice.adapted and choice.label_free
    assert "25 % more plausible" in choice.verdict


def test_a_collapse_of_the_spread_is_rolled_back():
    history = [_look_of(0), _look_of(40, 0.2, 5.0, spread=0.1)]
    choice = selection.choose(history, TURN)
    assert choice.step == 0 and not choice.adapted
    assert "source model" in choice.verdict and "spread" in choice.verdict


def test_poses_that_are_none_are_rolled_back():
    off = _look_of(40, 0.9, 90.0, prior=0.125)
    assert not selection.choose([_look_of(0), off], TURN).adapted


def test_poses_nearer_to_the_mean_are_not_taken_for_better_ones():
    # Everything shrinks alike, within the loss of spread that is let pass.
    shrunk = _look_of(40, 1.0, 96.0, spread=0.96 * 0.4, prior=0.096, z3=0.96)
    choice = selection.choose([_look_of(0), shrunk], TURN)
    assert choice.step == 0 and "plausible" in choice.verdict


def test_nothing_better_than_the_start_keeps_the_source_model():
    assert not selection.choose([_look_of(0), _look_of(40, 1.1, 105.0)], TURN).adapted


def test_a_gain_within_the_noise_keeps_the_source_model():
    assert not selection.choose([_look_of(0), _look_of(40, 0.93)], TURN).adapted


def test_a_target_like_the_source_needs_no_adaptation():
    assert "nothing to adapt to" in selection.alike(_look(0, 1.08, 0.54), FLOOR)
    assert not selection.alike(_look(0, 1.15, 0.575), FLOOR)


def test_a_look_that_is_not_finite_is_never_kept():
    history = [_look_of(0), _look_of(40, 0.5, v3=float("nan"))]
    assert selection.choose(history, TURN).step == 0


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


def test_a_target_whose_pictures_get_one_pose_is_not_trusted():
    source = {"z1": 0.7, "spread": 0.3}
    why = selection.doubt({"spread": 0.1}, source, {"z1": 0.4})
    assert "0.10 over the target" in why and "guesses" in why
    assert "?" not in why  # nobody is asked whether there are people
    assert not selection.doubt({"spread": 0.2}, source, {"z1": 0.4})


def test_the_latest_of_equally_plausible_steps_is_kept():
    history = [_look_of(8 * i, lcr) for i, lcr in enumerate((1.0, 0.5, 0.54, 0.7))]
    assert selection.choose(history, TURN).step == 16


def test_a_late_step_that_gains_nothing_is_not_kept_for_being_late():
    history = [_look_of(8 * i, lcr) for i, lcr in enumerate((1.0, 0.8, 0.99))]
    assert selection.choose(history, TURN).step == 8


def test_an_objection_keeps_the_source_model_whatever_the_steps_did():
    history = [_look_of(0), _look_of(8, 0.5)]
    assert selection.choose(history, TURN).step == 8
    choice = selection.choose(history, TURN, "nobody is there")
    assert choice.step == 0 and not choice.adapted
    assert "nobody is there" in choice.verdict
