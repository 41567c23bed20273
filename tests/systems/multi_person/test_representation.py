"""A scene -> s -> M gives the scene back; flips and turns commute with projection."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial import transform

from sa3dhp.systems.multi_person import camera, canonical
from sa3dhp.systems.multi_person import representation as rep

SIZE, PEOPLE = 224, 3
CAMERA = camera.Camera(SIZE)


def _decode(latent):
    """Stands for FK Psi: a pose that z says in full."""
    joints = tf.reshape(latent[:, :30], [-1, 10, 3]) * 500.0
    return tf.concat([tf.zeros_like(joints[:, :1]), joints], axis=1)


@pytest.fixture
def scene():
    """People, each in a cell of its own, and the roots of their pelvises."""
    rng = np.random.default_rng(0)
    turns = transform.Rotation.random(2 * PEOPLE, random_state=1).as_matrix()
    turns = turns.reshape(2, PEOPLE, 3, 3).astype(np.float32)
    person = rep.Person(
        tf.constant(rng.uniform(-1, 1, (2, PEOPLE, 32)), tf.float32),
        canonical.to_angles(tf.constant(turns)),
        tf.constant(rng.uniform(-0.9, 0.9, (2, PEOPLE)), tf.float32),
    )
    roots = rng.permuted(np.tile(np.arange(14), (4, 1)), axis=1)[:, :PEOPLE]
    roots = roots.reshape(2, 2, PEOPLE).transpose(0, 2, 1) * 16 + 3.7
    return person, tf.constant(roots, tf.float32)


def test_a_scene_is_what_its_s_says_to_a_millimetre(scene):
    person, roots = scene
    there = rep.composed(person, roots, _decode, CAMERA)
    s = rep.written(person, roots, SIZE)
    assert s.shape == (2, 14, 14, 39)
    assert np.count_nonzero(np.abs(s).sum(axis=-1)) == 2 * PEOPLE
    again = rep.composed(rep.pooled(s, roots, SIZE), roots, _decode, CAMERA)
    np.testing.assert_allclose(again, there, atol=0.5)
    np.testing.assert_allclose(CAMERA.projected(again)[..., 0, :], roots, atol=1e-2)


def test_cells_are_rows_and_columns_and_end_at_the_border():
    roots = tf.constant([[0.0, 0.0], [15.4, 15.6], [223.0, 100.0], [-50.0, 900.0]])
    want = [[0, 0], [1, 0], [6, 13], [13, 0]]
    np.testing.assert_array_equal(rep.cells_of(roots, SIZE), want)


def test_the_nearer_of_two_people_in_a_cell_is_written(scene):
    person, roots = scene
    depth = tf.constant([[0.5, -0.5, 0.9], [-0.7, 0.2, 0.9]])
    person = person._replace(depth=depth)
    roots = tf.concat([roots[:, :1], roots[:, :1] + 1.0, roots[:, 2:]], axis=1)
    found = rep.pooled(rep.written(person, roots, SIZE), roots, SIZE)
    np.testing.assert_allclose(found.depth[:, :2], [[-0.5] * 2, [-0.7] * 2])
    np.testing.assert_allclose(found.depth[:, 2], [0.9] * 2)


def test_a_flip_of_the_scene_is_a_flip_of_its_picture(scene):
    person, roots = scene
    there = rep.composed(person, roots, _decode, CAMERA)
    flipped = there * tf.constant([-1.0, 1.0, 1.0])
    seen, mirrored = CAMERA.projected(there), CAMERA.projected(flipped)
    np.testing.assert_allclose(mirrored[..., 0], SIZE - 1 - seen[..., 0], rtol=1e-4)
    np.testing.assert_allclose(mirrored[..., 1], seen[..., 1], rtol=1e-4)


def test_a_turn_about_the_axis_is_a_turn_of_the_picture(scene):
    person, roots = scene
    there = rep.composed(person, roots, _decode, CAMERA)
    c, s = np.cos(0.3), np.sin(0.3)
    turn = tf.constant([[c, s, 0], [-s, c, 0], [0, 0, 1]], tf.float32)
    seen = CAMERA.projected(there) - CAMERA.middle
    turned = CAMERA.projected(there @ turn) - CAMERA.middle
    np.testing.assert_allclose(turned, seen @ turn[:2, :2], rtol=1e-3, atol=0.05)


def test_every_channel_of_an_occupied_cell_gets_a_gradient(scene):
    person, roots = scene
    s = tf.Variable(rep.written(person, roots, SIZE))
    with tf.GradientTape() as tape:
        there = rep.composed(rep.pooled(s, roots, SIZE), roots, _decode, CAMERA)
        loss = tf.reduce_sum(CAMERA.projected(there) ** 2)
    gradient = tf.convert_to_tensor(tape.gradient(loss, s)).numpy()
    felt = np.abs(gradient).sum(axis=-1) > 0
    assert felt.sum() == 2 * PEOPLE and np.isfinite(gradient).all()
    used = np.abs(gradient[felt]) > 0
    assert used[:, :30].all() and used[:, 32:].all()  # this decoder leaves two out
