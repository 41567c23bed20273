"""Looks outlive the process, and the kept look is what G holds at the end."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.errors import InputError
from sa3dhp.systems.relation_distillation import adaptation


def test_a_look_can_be_restored_in_another_process(tmp_path):
    variable = tf.Variable([1.0, 2.0])
    looks = adaptation.Looks(tmp_path, [variable], lambda done: {"spread": 0.5})
    looks(0)
    variable.assign([5.0, 6.0])
    looks(40)
    again = adaptation.Looks(tmp_path, [variable], lambda done: {"spread": 0.5})
    assert [look["step"] for look in again.history] == [0, 40]
    again.restore(0)
    np.testing.assert_array_equal(variable, [1.0, 2.0])
    again.restore(40)
    np.testing.assert_array_equal(variable, [5.0, 6.0])


def test_a_repeated_look_replaces_the_earlier_one(tmp_path):
    readings = iter([{"spread": 1.0}, {"spread": 2.0}, {"spread": 3.0}])
    looks = adaptation.Looks(tmp_path, [tf.Variable(0.0)], lambda done: next(readings))
    looks(0)
    looks(40)
    looks(40)
    assert looks.history == [{"step": 0, "spread": 1.0}, {"step": 40, "spread": 3.0}]


def test_a_missing_look_is_an_error_with_the_remedy(tmp_path):
    looks = adaptation.Looks(tmp_path, [tf.Variable(0.0)], lambda done: {})
    with pytest.raises(InputError, match="workdir"):
        looks.restore(7)


def test_held_out_clips_are_apart_from_those_adapted_to():
    train, held_out = adaptation.split(10, 0.2, seed=0)
    assert len(train) == 8 and len(held_out) == 2
    assert sorted([*train, *held_out]) == list(range(10))
    assert (adaptation.split(10, 0.2, 0)[1] == held_out).all()


@pytest.mark.parametrize("num", [1, 2, 3])
def test_few_clips_leave_something_on_both_sides(num):
    train, held_out = adaptation.split(num, 0.2, seed=0)
    assert len(train) and len(held_out)


class _Step:
    """Its residual halves with every update; the first is the most plausible."""

    turns, rule_ids, voters = ("z1",), ["z1"], ["z1"]

    def __init__(self):
        self.variables = [tf.Variable(4.0)]
        self.trackables = {"block": self.variables[0]}

    def residuals(self, clips):
        value = self.variables[0]
        away = tf.abs(value - 2.0)
        return {"z1": value / 2.0, "lcr": 1.0 + 4.0 * away, "spread": tf.constant(0.3)}

    def __call__(self, clips):
        self.variables[0].assign(self.variables[0] / 2.0)
        return {"z1": self.variables[0]}


class _Model:
    """Whose poses are all the same."""

    def plausibility(self, clips):
        return {"within_limits": 1.0, "acceleration": 9.0, "prior_distance": 0.1}


def _run(tmp_path, own_error):
    step, clips = _Step(), np.zeros((4, 60, 2, 2, 3), np.uint8)
    outcome = adaptation.run(
        step,
        _Model(),
        clips,
        videos=np.arange(4),
        held_out=clips[:2],
        source_floor={"z1": 1.0, "spread": 0.3},
        num_steps=2,
        evaluate_every=1,
        batch_size=2,
        seed=0,
        workdir=tmp_path,
        relation_errors={"z1": own_error},
    )
    return step, outcome


def test_the_most_plausible_step_is_what_g_holds(tmp_path, capsys):
    step, outcome = _run(tmp_path, own_error=0.5)
    assert outcome.choice.step == 1 and outcome.choice.adapted
    assert float(step.variables[0]) == 2.0 and outcome.floor == {"z1": 1.0}


def test_a_doubtful_target_is_refused_before_the_first_update(tmp_path, capsys):
    step, outcome = _run(tmp_path, own_error=0.1)
    assert not outcome.choice.adapted and "z1" in outcome.choice.verdict
    assert [look["step"] for look in outcome.history] == [0]
    assert float(step.variables[0]) == 4.0
