"""Canonical poses: view-free, and put back by their rotation."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial import transform

from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import world
from sa3dhp.systems.multi_person import canonical

SKELETON = skeletons.SA3DHP17


@pytest.fixture(scope="module")
def joints():
    moving = world.motions(np.random.default_rng(0), count=2, num_frames=8, rolled=0.5)
    found = np.concatenate(list(moving)).astype(np.float32)
    return found - found[:, SKELETON.root, None]


@pytest.fixture(scope="module")
def rotations():
    return transform.Rotation.random(16, random_state=0).as_matrix().astype(np.float32)


def test_a_pose_is_put_back_by_its_rotation(joints):
    flat, turns = canonical.split(tf.constant(joints), SKELETON)
    np.testing.assert_allclose(canonical.turned(flat, turns), joints, atol=1e-2)
    square = tf.matmul(turns, turns, transpose_b=True)
    np.testing.assert_allclose(
        square, np.broadcast_to(np.eye(3), square.shape), atol=1e-5
    )
    np.testing.assert_allclose(tf.linalg.det(turns), 1.0, atol=1e-5)


def test_the_view_changes_nothing(joints, rotations):
    flat, _ = canonical.split(tf.constant(joints), SKELETON)
    seen = np.einsum("nij,nkj->nki", rotations, joints)
    again, _ = canonical.split(tf.constant(seen), SKELETON)
    np.testing.assert_allclose(again, flat, atol=1e-2)


def test_the_chest_looks_along_x_and_the_hips_lie_below_the_neck(joints):
    flat = canonical.split(tf.constant(joints), SKELETON)[0].numpy()
    at = {name: flat[:, SKELETON.index(name)] for name in SKELETON.joint_names}
    for name in ("left_hip", "right_hip"):
        np.testing.assert_allclose(at["neck"][:, 0], at[name][:, 0], atol=1e-2)
        assert (at[name][:, 1] > at["neck"][:, 1]).all()
    toes = at["left_foot"] + at["right_foot"] - at["left_ankle"] - at["right_ankle"]
    assert np.median(toes[:, 0]) > 0  # feet point to where the chest looks


def test_angles_give_the_rotation_back(rotations):
    angles = canonical.to_angles(tf.constant(rotations))
    np.testing.assert_allclose(canonical.from_angles(angles), rotations, atol=1e-3)
    assert np.abs(angles).max() <= 1 + 1e-6
    longer = canonical.from_angles(3.0 * angles)
    np.testing.assert_allclose(longer, rotations, atol=1e-3)


def test_any_answer_is_a_rotation_with_a_finite_gradient():
    angles = tf.Variable(np.zeros((1, 6), np.float32))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(canonical.from_angles(angles))
    assert np.isfinite(tape.gradient(loss, angles)).all()
    drawn = tf.random.stateless_uniform([32, 6], [0, 0], -1, 1)
    found = canonical.from_angles(drawn)
    np.testing.assert_allclose(tf.linalg.det(found), 1.0, atol=1e-4)
