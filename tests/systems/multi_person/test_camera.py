"""People placed in the fixed camera and projected."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.systems.multi_person import camera

CAMERA = camera.Camera(224)


def test_a_placed_person_stands_where_the_pelvis_was_seen():
    rng = np.random.default_rng(0)
    joints = rng.normal(size=(5, 17, 3)).astype(np.float32) * 300
    joints -= joints[:, :1]
    roots = rng.uniform(20, 200, (5, 2)).astype(np.float32)
    depth = rng.uniform(-1, 1, 5).astype(np.float32)
    found = CAMERA.placed(joints, tf.constant(roots), tf.constant(depth))
    np.testing.assert_allclose(found - found[:, :1], joints, atol=1e-2)
    np.testing.assert_allclose(CAMERA.projected(found)[:, 0], roots, atol=1e-3)
    np.testing.assert_allclose(CAMERA.depth(found[:, 0, 2]), depth, atol=1e-5)


def test_depth_runs_from_near_to_far():
    ends = tf.constant([CAMERA.near, CAMERA.far])
    np.testing.assert_allclose(CAMERA.depth(ends), [-1, 1], atol=1e-6)
    found = CAMERA.millimetres(tf.constant([-1.0, 0.0, 1.0]))
    np.testing.assert_allclose(found[1], np.sqrt(CAMERA.near * CAMERA.far), rtol=1e-5)


def test_the_axis_meets_the_middle_and_a_size_of_picture_scales_it():
    joints = tf.constant([[0.0, 0.0, 3000.0], [500.0, 0.0, 3000.0]])
    middle, right = CAMERA.projected(joints).numpy()
    assert middle == pytest.approx([111.5, 111.5])
    assert right[0] - middle[0] == pytest.approx(1.2 * 224 / 6)
    assert np.isfinite(CAMERA.projected(-joints)).all()
