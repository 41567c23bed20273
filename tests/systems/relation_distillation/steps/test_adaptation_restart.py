"""Beginning again with the same compiled functions, as if nothing had been."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.errors import InputError
from sa3dhp.models import motion_autoencoder
from sa3dhp.systems.relation_distillation import relation_network, rules
from sa3dhp.systems.relation_distillation.steps import adaptation

RULES = {name: rules.table()[name] for name in ("z1", "z3")}
RATES = {"cr": 1e-2, "z1": 1e-2, "z3": 1e-2}


def _changed(images, seed):
    return images * tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed)


@pytest.fixture
def step(small_encoder):
    networks = {name: relation_network.RelationNetwork((8, 32)) for name in RULES}
    motion = motion_autoencoder.MotionEncoder(units=8, motion_size=8)
    return adaptation.AdaptationStep(
        small_encoder,
        motion,
        networks,
        RULES,
        _changed,
        terms=("cr", "z1", "z3"),
        learning_rate=RATES,
    )


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    return tf.constant(rng.integers(0, 255, (2, 60, 16, 16, 3)), tf.uint8)


def _run(step, clips, count):
    for _ in range(count):
        step(clips)
    return [v.numpy() for v in step.variables]


def test_the_same_run_twice_is_the_same_to_the_bit(step, clips, small_encoder):
    start = small_encoder.get_weights()
    first = _run(step, clips, 6)
    small_encoder.set_weights(start)
    step.restart(("cr", "z1", "z3"), RATES, 0)
    for a, b in zip(first, _run(step, clips, 6)):
        np.testing.assert_array_equal(a, b)
    small_encoder.set_weights(start)
    step.restart(("cr", "z1", "z3"), RATES, 1)  # another light
    second = _run(step, clips, 6)
    assert not all(np.array_equal(a, b) for a, b in zip(first, second))


def test_some_of_the_terms_take_turns_at_other_rates(step, clips, small_encoder):
    start = [v.numpy() for v in step.variables]
    step.restart(("z1",), {"z1": 0.0}, 0)
    names = [set(step(clips)) for _ in range(2)]
    assert names == [{"z1"}, {"z1"}] and step.turns == ("z1",)
    for a, b in zip(start, step.variables):
        np.testing.assert_array_equal(a, b)
    assert set(step.trackables) == {"image_encoder", "z1_optimizer", "iteration"}


def test_a_term_that_was_not_built_is_named(step):
    with pytest.raises(InputError, match="got v2; expected some of cr, z1, z3"):
        step.restart(("cr", "v2"), {"cr": 1.0, "v2": 1.0}, 0)


def test_monitors_see_the_rules_they_are_told_to(step, clips):
    step.monitor(["z3"])
    assert step.rule_ids == ["z3"]
    step.monitor(["z1", "z3"])
    assert step.voters == ["z3"]  # it turns the picture
    step.monitor(["z1"])
    assert step.voters == ["z1"]
    step.monitor(["z3"])
    assert "z3" in (found := step.residuals(clips)) and "z1" not in found
