"""The student's training step: eq. 15 and its variants."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.systems.nrsfm import distillation, stiefel
from sa3dhp.systems.nrsfm.steps import student as student_step

P, K, B = 5, 12, 3


class Answer(tf.keras.Model):
    """A student that always says the same."""

    def __init__(self, joints):
        super().__init__(name="student")
        self.joints = self.add_weight("joints", joints.shape)
        self.joints.assign(joints)

    def call(self, images, training=None):
        return self.joints + 0.0 * tf.reduce_sum(images)


@pytest.fixture
def world():
    rng = np.random.default_rng(0)
    dictionary = tf.constant(rng.normal(size=(P, 3, K)), tf.float32)
    camera = tf.cast(stiefel.nearest(rng.normal(size=(B, 3, 2))), tf.float32)
    code = tf.constant(np.abs(rng.normal(size=(B, K))), tf.float32)
    seen = distillation.basis(dictionary, camera)
    size = np.array([0.5, 0.8, 0.3], np.float32)[:, None, None]
    flat = tf.reshape(tf.linalg.matvec(seen.xy, code), [B, P, 2])
    flat -= tf.reduce_mean(flat, axis=1, keepdims=True)
    depth = student_step.centred(tf.linalg.matvec(seen.z, code))
    batch = student_step.Batch(
        images=tf.zeros([B, 4, 4, 3]),
        points=flat * size + 0.1,
        size=tf.constant(size),
        camera=camera,
        code=code,
        depth=tf.constant(rng.normal(size=(B, P)), tf.float32),
    )
    return dictionary, batch, depth


def _right(batch, depth, reflection=1, place=0.0):
    """The joints whose depth is the given one in the teacher's unit."""
    z = reflection * depth * batch.size[..., 0] + place
    return tf.concat([batch.points, z[..., None]], axis=-1)


def _step(joints, loss, reflection=1):
    return student_step.StudentStep(
        Answer(joints), loss, learning_rate=5e-2, reflection=reflection
    )


@pytest.mark.parametrize("reflection", [1, -1])
def test_the_teachers_answer_costs_weaksup_nothing(eagerly, world, reflection):
    dictionary, batch, depth = world
    joints = _right(batch, depth, reflection, place=0.4)
    terms = _step(joints, student_step.of_teacher(dictionary), reflection).terms(batch)
    np.testing.assert_allclose(terms["points"], 0.0, atol=1e-6)
    np.testing.assert_allclose(terms["depth"], 0.0, atol=1e-4)
    turned = _step(joints, student_step.of_teacher(dictionary), -reflection)
    assert float(turned.terms(batch)["depth"]) > 1.0


@pytest.mark.parametrize("reflection", [1, -1])
def test_the_truth_costs_the_bound_nothing(eagerly, world, reflection):
    """True depth runs away from the camera, whichever way the teacher's does."""
    _, batch, _ = world
    joints = _right(batch, batch.depth, 1)
    step = _step(joints, student_step.of_truth(reflection), reflection)
    np.testing.assert_allclose(step.terms(batch)["depth"], 0.0, atol=1e-4)


def test_distilled_is_the_bound_of_equation_14(eagerly, world):
    dictionary, batch, depth = world
    seen = distillation.basis(dictionary, batch.camera)
    flat = batch.points - tf.reduce_mean(batch.points, axis=1, keepdims=True)
    given = depth + tf.constant([[0.3, -0.1, 0.0, 0.2, -0.4]])
    want = distillation.upper_bound(given, batch.code, flat / batch.size, seen, 0.3)
    step = _step(_right(batch, given), student_step.distilled(dictionary, 0.3))
    terms = step.terms(batch)
    np.testing.assert_allclose(terms["depth"], tf.reduce_mean(want), rtol=1e-4)


def test_points_are_an_l1_norm_in_the_teachers_unit(eagerly, world):
    dictionary, batch, depth = world
    joints = tf.constant([0.01, -0.02, 0.0]) + _right(batch, depth)
    terms = _step(joints, student_step.of_teacher(dictionary)).terms(batch)
    want = np.mean(P * 0.03 / batch.size.numpy())
    np.testing.assert_allclose(terms["points"], want, rtol=1e-4)


def test_steps_bring_student_and_points_together(eagerly, world):
    dictionary, batch, _ = world
    step = _step(tf.zeros([B, P, 3]), student_step.distilled(dictionary, 0.3))
    first = step.terms(batch)
    for _ in range(60):
        step(batch)
    last = step.terms(batch)
    assert float(last["points"]) < 0.5 * float(first["points"])
    assert float(last["depth"]) < float(first["depth"])
    assert set(step.trackables) == {"student", "optimizer", "iteration"}
