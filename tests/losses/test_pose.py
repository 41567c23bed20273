"""Distances of poses: hand numbers and the point where the root sits."""

import numpy as np
import tensorflow as tf

from sa3dhp.losses import pose


def test_joint_distance_by_hand():
    pred = tf.constant([[[0.0, 0.0, 0.0], [3.0, 4.0, 0.0]]])
    assert pose.joint_distance(pred, tf.zeros_like(pred)) == 2.5


def test_joint_distance_is_the_mean_of_norms():
    pred, target = np.random.default_rng(0).normal(size=(2, 3, 5, 17, 3))
    expected = np.linalg.norm(pred - target, axis=-1).mean()
    found = pose.joint_distance(tf.constant(pred), tf.constant(target, tf.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_joint_distance_has_no_gradient_at_an_exact_joint():
    pred = tf.Variable([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    with tf.GradientTape() as tape:
        loss = pose.joint_distance(pred, tf.zeros([2, 3]))
    np.testing.assert_allclose(tape.gradient(loss, pred), [[0, 0, 0], [0.5, 0, 0]])


def test_joint_distance_leaves_unknown_joints_out_and_their_gradient_too():
    target = np.random.default_rng(1).normal(size=(4, 17, 3)).astype(np.float32)
    target[0, 3], target[2] = np.nan, np.nan
    target[3, 5, 1] = np.nan
    pred = tf.Variable(np.random.default_rng(2).normal(size=(4, 17, 3)).astype("f"))
    known = np.isfinite(target).all(-1)
    with tf.GradientTape() as tape:
        loss = pose.joint_distance(pred, tf.constant(target))
    off = np.linalg.norm(pred.numpy() - target, axis=-1)
    np.testing.assert_allclose(loss, off[known].mean(), rtol=1e-6)
    gradient = tape.gradient(loss, pred).numpy()
    assert np.isfinite(gradient).all()
    assert (np.abs(gradient).sum(-1) > 0).tolist() == known.tolist()
    np.testing.assert_array_equal(pose.known_joints(tf.constant(target)), known)
    assert pose.joint_distance(pred, tf.fill([4, 17, 3], np.nan)) == 0.0


def test_absolute_difference_by_hand():
    found = pose.absolute_difference(tf.constant([1.0, -2.0]), tf.constant([0.0, 1.0]))
    assert found == 2.0


def test_joint_distance_is_no_smaller_for_the_root_that_is_zero_by_definition():
    target = tf.random.stateless_normal([5, 17, 3], [0, 1])
    pred = tf.concat([target[:, :1], target[:, 1:] + [3.0, 4.0, 0.0]], axis=1)
    np.testing.assert_allclose(pose.joint_distance(pred, target, root=0), 5.0, 1e-6)
    np.testing.assert_allclose(pose.joint_distance(pred, target), 5 * 16 / 17, 1e-6)
