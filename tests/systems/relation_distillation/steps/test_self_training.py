"""The control without relations: it learns its teacher's word, and only its block."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.systems.relation_distillation.steps import terms


def _darker(images, seed):
    change = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed)
    return images * (0.4 + 0.5 * change)


@pytest.fixture
def make(bench):
    def build(momentum=0.99):
        teacher = bench.teacher(momentum)
        term = terms.self_training(bench.observer(augmentation=_darker), teacher)
        return bench.step({"self_training": term}, teacher=teacher), teacher.model

    return build


def test_loss_falls_and_only_the_block_moves(make, bench, snapshot, unchanged):
    step, _ = make()
    before = snapshot(bench.encoder)
    losses = [float(step(bench.batch)["self_training"]) for _ in range(20)]
    assert np.mean(losses[-4:]) < 0.8 * losses[0]
    block = {id(v) for v in bench.encoder.res_variables("res3")}
    still = unchanged(bench.encoder, before)
    assert [id(v) in block for v in bench.encoder.variables] == [not x for x in still]


def test_teacher_starts_as_the_model_and_follows_slowly(eagerly, make, bench):
    step, teacher = make(momentum=0.9)
    start = [v.numpy() for v in teacher.res_variables("res3")]
    for old, new in zip(start, bench.encoder.res_variables("res3")):
        np.testing.assert_array_equal(old, new)
    step(bench.batch)
    pairs = zip(
        start, teacher.res_variables("res3"), bench.encoder.res_variables("res3")
    )
    for old, average, new in pairs:
        expected = old + 0.1 * (new.numpy() - old)
        np.testing.assert_allclose(average, expected, atol=1e-6)


def test_full_momentum_keeps_the_first_predictions(
    eagerly, make, bench, snapshot, unchanged
):
    step, teacher = make(momentum=1.0)
    before = snapshot(teacher)
    step(bench.batch)
    assert all(unchanged(teacher, before))


def test_it_takes_its_turn_as_any_term(make, bench):
    step, _ = make()
    assert step.turns == ("self_training",)
    trackables = {"image_encoder", "teacher", "self_training_optimizer", "iteration"}
    assert set(step.trackables) == trackables
    assert len(step.variables) == len(bench.encoder.res_variables("res3"))
