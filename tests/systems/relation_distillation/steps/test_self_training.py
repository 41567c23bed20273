"""The control without relations: it learns its teacher's word, and only its block."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.systems.relation_distillation.steps import self_training


class _Looks:
    """What it borrows from the adaptation's step."""

    rule_ids = voters = ("z3",)

    @staticmethod
    def residuals(clips):
        return {"z3": tf.constant(1.0)}


def _darker(images, seed):
    change = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed)
    return images * (0.4 + 0.5 * change)


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    return tf.constant(rng.integers(0, 255, (2, 60, 16, 16, 3)), tf.uint8)


@pytest.fixture
def make(small_encoder):
    teacher = type(small_encoder)()

    def build(**options):
        options = {"learning_rate": 3e-3, **options}
        return self_training.SelfTrainingStep(
            small_encoder, teacher, _darker, _Looks, **options
        )

    return build, small_encoder, teacher


def test_loss_falls_and_only_the_block_moves(make, clips, snapshot, unchanged):
    build, encoder, _ = make
    step, before = build(), snapshot(encoder)
    losses = [float(step(clips)[self_training.TERM]) for _ in range(20)]
    assert np.mean(losses[-4:]) < 0.8 * losses[0]
    block = {id(v) for v in encoder.res_variables("res3")}
    still = unchanged(encoder, before)
    assert [id(v) in block for v in encoder.variables] == [not x for x in still]


def test_teacher_starts_as_the_model_and_follows_slowly(make, clips):
    build, encoder, teacher = make
    step = build(momentum=0.9)
    start = [v.numpy() for v in teacher.res_variables("res3")]
    step(clips)
    pairs = zip(start, teacher.res_variables("res3"), encoder.res_variables("res3"))
    for old, average, new in pairs:
        expected = old + 0.1 * (new.numpy() - old)
        np.testing.assert_allclose(average, expected, atol=1e-6)


def test_full_momentum_keeps_the_first_predictions(make, clips, snapshot, unchanged):
    build, _, teacher = make
    step = build(momentum=1.0)
    before = snapshot(teacher)
    step(clips)
    assert all(unchanged(teacher, before))


def test_it_has_what_an_adaptation_asks_of_a_step(make, clips):
    build, encoder, _ = make
    step = build()
    assert step.rule_ids == ("z3",) and step.residuals(clips)["z3"] == 1
    assert set(step.trackables) >= {"image_encoder", "teacher", "optimizer"}
    assert len(step.variables) == len(encoder.res_variables("res3"))
    assert step.turns == (self_training.TERM,)
