"""Beginning again with the same compiled functions, as if nothing had been."""

import numpy as np
import pytest

from sa3dhp.errors import InputError

NAMES = ("cr", "z1", "z3")
RATES = dict.fromkeys(NAMES, 1e-2)


@pytest.fixture
def chosen(bench):
    return {name: bench.term(name) for name in NAMES}


@pytest.fixture
def step(bench, chosen):
    return bench.step(chosen, RATES)


def _run(step, batch, count):
    for _ in range(count):
        step(batch)
    return [v.numpy() for v in step.variables]


def test_the_same_run_twice_is_the_same_to_the_bit(step, bench, chosen):
    start = bench.encoder.get_weights()
    bench.encoder.frames_seen.clear()
    first = _run(step, bench.batch, 6)
    bench.encoder.set_weights(start)
    step.restart(chosen, RATES, decay_steps=0, seed=0)
    assert step.iteration == 0
    for a, b in zip(first, _run(step, bench.batch, 6)):
        np.testing.assert_array_equal(a, b)
    bench.encoder.set_weights(start)
    step.restart(chosen, RATES, decay_steps=0, seed=1)  # another light
    second = _run(step, bench.batch, 6)
    assert not all(np.array_equal(a, b) for a, b in zip(first, second))
    assert len(bench.encoder.frames_seen) == 3  # nothing was traced anew


def test_some_of_the_terms_take_turns_at_other_rates(step, bench, chosen):
    start = [v.numpy() for v in step.variables]
    step.restart({"z1": chosen["z1"]}, {"z1": 0.0}, decay_steps=0, seed=0)
    names = [set(step(bench.batch)) for _ in range(2)]
    assert names == [{"z1"}, {"z1"}] and step.turns == ("z1",)
    for a, b in zip(start, step.variables):
        np.testing.assert_array_equal(a, b)
    assert set(step.trackables) == {"image_encoder", "z1_optimizer", "iteration"}


def test_rates_may_begin_to_fall(step, bench, chosen):
    step.restart({"z1": chosen["z1"]}, {"z1": 1.0}, decay_steps=2, seed=0)
    rates = []
    for _ in range(3):
        step(bench.batch)
        rates.append(float(step.trackables["z1_optimizer"].learning_rate))
    np.testing.assert_allclose(rates, [1.0, 0.5, 0.0], atol=1e-7)


def test_a_term_that_another_takes_the_place_of_is_traced_anew(
    eagerly, step, bench, chosen
):
    # By the same name, but it sees no other light: both sides are then the same.
    bench.encoder.frames_seen.clear()
    other = bench.contrast("lcr", augmentation=lambda images, seed: 0.0 * images)
    chosen = {"z1": chosen["z1"], "lcr": other}
    step.restart(chosen, {"z1": 0.0, "lcr": 1e-2}, decay_steps=0, seed=0)
    assert step.turns == ("z1", "lcr")
    assert set(step(bench.batch)) == {"z1"}
    assert {"lcr", "lcr_accuracy"} == set(step(bench.batch))
    again = bench.contrast("lcr", temperature=2.0)
    step.restart({"lcr": again}, {"lcr": 0.0}, decay_steps=0, seed=0)
    expected = step.terms(bench.batch)["lcr"]
    np.testing.assert_allclose(step(bench.batch)["lcr"], expected, rtol=1e-5)


def test_a_term_without_a_rate_is_named(step, chosen):
    with pytest.raises(InputError, match="got z3 without a learning rate"):
        step.restart(chosen, {"cr": 1.0, "z1": 1.0}, decay_steps=0, seed=0)


def test_the_slow_copy_begins_again_as_well(eagerly, bench):
    teacher = bench.teacher(momentum=0.5)
    chosen = {"z1": bench.term("z1", teacher)}
    step = bench.step(chosen, 1e-2, teacher=teacher)
    start = bench.encoder.get_weights()
    step(bench.batch)
    bench.encoder.set_weights(start)
    step.restart(chosen, {"z1": 1e-2}, decay_steps=0, seed=0)
    for slow, first in zip(teacher.model.get_weights(), start):
        np.testing.assert_array_equal(slow, first)
