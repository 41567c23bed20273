"""The step of an adaptation: turns, and what may move."""

import numpy as np
import pytest
import small_adaptation as small
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.systems.relation_distillation.steps import terms
from sa3dhp.training import optimisation
from sa3dhp.training.steps import source


def test_terms_take_turns_and_only_the_block_moves(bench, snapshot, unchanged):
    step = bench.step(("cr", "z3", "v2", "v3"))
    networks = [network for _, network in bench.relations.values()]
    frozen = [bench.motion_encoder, *networks]
    before = {id(model): snapshot(model) for model in (bench.encoder, *frozen)}
    names = []
    bench.encoder.frames_seen.clear()
    for _ in range(8):
        readings = step(bench.batch)
        assert all(np.isfinite(value) for value in readings.values())
        names.append(next(name for name in readings if name in step.turns))
    assert names == ["cr", "z3", "v2", "v3"] * 2
    assert step.iteration == 8
    assert len(bench.encoder.frames_seen) == 4  # each term was traced once
    for model in frozen:
        assert all(unchanged(model, before[id(model)]))
    block = {v.ref() for v in bench.encoder.res_variables("res3")}
    assert {v.ref() for v in step.variables} == block
    same = unchanged(bench.encoder, before[id(bench.encoder)])
    for variable, untouched in zip(bench.encoder.variables, same):
        assert untouched == (variable.ref() not in block), variable.name


@pytest.mark.parametrize("name", ["lcr", "hcr", "z3", "v2", "v3"])
def test_thirty_steps_lower_each_energy(name, bench):
    step = bench.step((name,))
    before = step.terms(bench.batch)[name]
    for _ in range(30):
        step(bench.batch)
    assert step.terms(bench.batch)[name] < before


@pytest.mark.parametrize("name", ["cr", "lcr", "hcr"])
def test_contrast_of_a_single_video_moves_nothing(
    name, eagerly, bench, snapshot, unchanged
):
    """Rounding noise would be all that Adam has to go by."""
    step = bench.step((name, "z3"))
    alone = bench.batch._replace(videos=np.full(small.VIDEOS, 4))
    before = snapshot(bench.encoder)
    optimizer = step.trackables[f"{name}_optimizer"]
    assert step(alone) == {}
    assert all(unchanged(bench.encoder, before)) and optimizer.iterations == 0
    assert step.iteration == 1
    assert set(step(alone)) == {"z3"}  # other terms learn from one video
    assert not all(unchanged(bench.encoder, before))
    before = snapshot(bench.encoder)
    assert name in step(bench.batch)  # several videos
    assert not all(unchanged(bench.encoder, before)) and optimizer.iterations == 1


def test_the_slow_copy_does_not_follow_where_nothing_was_learnt(
    eagerly, bench, snapshot, unchanged
):
    teacher = bench.teacher(momentum=0.5)
    step = bench.step(("cr",), teacher=teacher)
    bench.encoder.set_weights([0.9 * w for w in bench.encoder.get_weights()])
    before = snapshot(teacher.model)
    step(bench.batch._replace(videos=np.zeros(small.VIDEOS, int)))
    assert all(unchanged(teacher.model, before))


def test_learning_rate_by_term(eagerly, bench, snapshot, unchanged):
    step = bench.step(("z3", "v3"), {"z3": 0.0, "v3": 1e-3})
    before = snapshot(bench.encoder)
    step(bench.batch)
    assert all(unchanged(bench.encoder, before))
    step(bench.batch)
    assert not all(unchanged(bench.encoder, before))


def test_labelled_images_take_their_turn(eagerly, bench, pose_prior, poses):
    loss = source.SourceLoss(pose_prior, joints_weight=1.0, latent_weight=0.5)
    labelled = terms.Labelled(bench.encode, loss)
    step = bench.step({"source": labelled, "z3": bench.term("z3")})
    images, joints = tf.random.stateless_uniform([4, 12, 12, 3], [0, 0]), poses(4)
    batch = bench.batch._replace(images=images, joints=joints)
    expected = loss.terms(bench.encode(images), joints)
    readings = step(batch)
    for name, value in expected.items():
        np.testing.assert_allclose(readings[name], value, rtol=1e-4)
    np.testing.assert_allclose(readings["source"], loss.total(expected), rtol=1e-4)
    assert set(step(batch)) == {"z3"}
    before = step.terms(batch)["source"]
    for _ in range(20):
        step(batch)
    assert step.terms(batch)["source"] < before


def test_teacher_starts_as_the_student_and_follows(eagerly, bench):
    teacher = bench.teacher(momentum=0.75)
    step = bench.step(("z3",), teacher=teacher)
    start = [v.numpy() for v in bench.encoder.variables]
    for slow, first in zip(teacher.model.variables, start):
        np.testing.assert_array_equal(slow, first)
    step(bench.batch)
    pairs = zip(teacher.model.variables, bench.encoder.variables, start)
    for slow, fast, first in pairs:
        mean = 0.75 * first + 0.25 * fast.numpy()
        np.testing.assert_allclose(slow, mean, rtol=1e-5, atol=1e-7)
    assert step.trackables["teacher"] is teacher.model


def test_the_learning_rates_fall_along_a_cosine(eagerly, bench):
    step = bench.step(("lcr", "z1"), 1e-3, decay_steps=4)
    rates = []
    for turn in range(6):
        step(bench.batch)
        optimizer = step.trackables[f"{('lcr', 'z1')[turn % 2]}_optimizer"]
        rates.append(float(optimizer.learning_rate))
    half = 0.5 + 0.5 * np.cos(np.pi * np.arange(6) / 4)
    expected = 1e-3 * np.where(np.arange(6) < 4, half, 0.0)
    np.testing.assert_allclose(rates, expected, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_learns(policy, bench):
    tf.keras.mixed_precision.set_global_policy(policy)
    try:
        bench.encoder = type(bench.encoder)()
        step = bench.step(("z3",))
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    scaled = isinstance(
        step.trackables["z3_optimizer"], optimisation.LossScaleOptimizer
    )
    assert scaled == (policy == "mixed_float16")
    before = step.terms(bench.batch)["z3"]
    for _ in range(20):
        assert np.isfinite(step(bench.batch)["z3"])
    assert before.dtype == tf.float32 and step.terms(bench.batch)["z3"] < before


def test_a_resumed_run_ends_where_an_undisturbed_one_ends(
    eagerly, bench, tmp_path, snapshot
):
    start = bench.encoder.get_weights()
    names = ("lcr", "z3", "v3")
    whole = bench.step(names)
    for _ in range(5):
        whole(bench.batch)
    expected = snapshot(bench.encoder)
    bench.encoder.set_weights(start)
    first = bench.step(names)
    for _ in range(2):
        first(bench.batch)
    path = tf.train.Checkpoint(**first.trackables).write(str(tmp_path / "half"))
    bench.encoder.set_weights([0.0 * w for w in start])
    second = bench.step(names)
    tf.train.Checkpoint(**second.trackables).read(path).assert_consumed()
    for _ in range(3):
        second(bench.batch)
    for variable, value in zip(bench.encoder.variables, expected):
        np.testing.assert_allclose(variable, value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("names", "rates", "message"),
    [
        (("cr", "z3"), {"cr": 1e-3}, "got z3 without a learning rate"),
        ((), {}, "got no term at all"),
    ],
)
def test_terms_without_what_they_need_are_refused(names, rates, message, bench):
    with pytest.raises(errors.InputError, match=message):
        bench.step(names, rates)


def test_clips_of_another_length_are_refused(bench):
    step = bench.step(("z3",))
    short = bench.batch._replace(clips=bench.batch.clips[:, :30])
    for read in (step, step.terms):
        with pytest.raises(errors.InputError, match=r"expected \[V, 60, S, S, 3\]"):
            read(short)


def test_labels_that_are_missing_are_named_by_the_traced_step(bench, pose_prior):
    loss = source.SourceLoss(pose_prior, joints_weight=1.0, latent_weight=0.5)
    step = bench.step({"source": terms.Labelled(bench.encode, loss)})
    with pytest.raises(errors.InputError, match="no labelled pictures"):
        step(bench.batch)
