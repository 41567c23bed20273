"""g against D: only they move, and g learns to keep the pose."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.systems.interventions import generator, vae
from sa3dhp.systems.interventions.steps import generator as step_


@pytest.fixture
def parts():
    frozen = {"encoder": vae.Encoder(32, 8), "reader": generator.CodeReader(17, 8)}
    return generator.Generator(17, 3, 8), generator.Discriminator(8), frozen


def _step(parts, **changes):
    made_by, discriminator, frozen = parts
    values = {"learning_rate": 1e-3, "pose_weight": 1.0, "apart_weight": 0.1, "seed": 0}
    return step_.GeneratorStep(made_by, discriminator, **frozen, **values | changes)


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    poses = rng.uniform(-0.5, 0.5, size=(4, 17, 3)).astype(np.float32)
    images = rng.uniform(size=(4, 32, 32, 3)).astype(np.float32)
    return step_.Batch(tf.constant(poses), tf.constant(images))


def test_the_generator_and_the_discriminator_move_and_nothing_else(parts, batch):
    step, frozen = _step(parts), parts[2].values()
    before = [v.numpy() for m in frozen for v in m.weights]
    moving = {
        k: [v.numpy() for v in m.trainable_weights] for k, m in step.models.items()
    }
    for _ in range(2):
        step(batch)
    for old, new in zip(before, [v for m in frozen for v in m.weights]):
        np.testing.assert_array_equal(old, new)
    for name, model in step.models.items():
        moved = [
            (a != b.numpy()).any()
            for a, b in zip(moving[name], model.trainable_weights)
        ]
        assert all(moved), name


def test_the_discriminator_learns_from_its_own_terms_alone(parts, batch):
    """Whatever the weights of g's terms, D takes the same first step."""
    start = [v.numpy() for v in parts[0].weights + parts[1].weights]
    found = []
    for weight in (0.0, 5.0):
        for variable, value in zip(parts[0].weights + parts[1].weights, start):
            variable.assign(value)
        tf.random.set_seed(0)
        step = _step(parts, pose_weight=weight, apart_weight=weight)
        step(batch)
        found.append([v.numpy() for v in parts[1].weights])
    # The dropout of g differs from call to call, so only Adam's first step is compared:
    # its size is that of the rate wherever there is a gradient.
    for one, other, old in zip(*found, start[len(parts[0].weights) :]):
        assert np.abs(one - old).max() <= 1.01e-3 >= np.abs(other - old).max()


def test_a_joint_that_is_not_known_is_not_asked_for(parts, batch):
    poses = batch.poses.numpy()
    poses[1, 3] = np.nan
    lacking = batch._replace(poses=tf.constant(poses))
    step = _step(parts)
    found = [{k: float(v) for k, v in step(lacking).items()} for _ in range(2)]
    assert all(np.isfinite(list(terms.values())).all() for terms in found)
    for model in step.models.values():
        assert all(np.isfinite(v.numpy()).all() for v in model.weights)


def test_the_pose_that_is_asked_for_is_in_the_feature(parts, batch):
    step = _step(parts, pose_weight=100.0, apart_weight=0.0, learning_rate=1e-2)
    codes = np.random.default_rng(0).uniform(-0.9, 0.9, (4, 8)).astype(np.float32)
    there = batch._replace(poses=parts[2]["reader"](codes))  # R reads these somewhere
    found = [float(step(there)["pose"]) for _ in range(60)]
    assert np.mean(found[-5:]) < 0.8 * np.mean(found[:3])


def test_terms_are_told_unweighted(parts, batch):
    terms = _step(parts, pose_weight=100.0).terms(batch)
    assert set(terms) == {"real", "made", "fooled", "pose", "apart"}
    assert 0 < float(terms["pose"]) < 1 and 0 < float(terms["apart"]) < 1
    # At the start D tells nothing apart: a coin's entropy.
    assert float(terms["real"]) == pytest.approx(np.log(2), abs=0.3)


def _values(models):
    """The trainable values of networks, by name."""
    return {k: [v.numpy() for v in m.trainable_weights] for k, m in models.items()}
