"""The camera nearest to a matrix: equal to the SVD's, with a gradient everywhere."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.systems.nrsfm import stiefel


def _gradient(blocks, weights):
    blocks = tf.constant(blocks)
    with tf.GradientTape() as tape:
        tape.watch(blocks)
        value = tf.reduce_sum(stiefel.nearest(blocks) * weights)
    return tape.gradient(value, blocks).numpy()


def test_it_is_the_polar_factor_of_the_svd():
    blocks = np.random.default_rng(0).normal(size=(50, 3, 2))
    left, _, right = np.linalg.svd(blocks, full_matrices=False)
    np.testing.assert_allclose(stiefel.nearest(blocks), left @ right, atol=1e-9)


def test_columns_are_orthonormal_in_float32_too():
    blocks = np.random.default_rng(1).normal(size=(50, 3, 2)).astype(np.float32)
    camera = stiefel.nearest(blocks).numpy()
    eyes = np.tile(np.eye(2), [50, 1, 1])
    np.testing.assert_allclose(camera.transpose(0, 2, 1) @ camera, eyes, atol=1e-5)


@pytest.mark.parametrize("ratio", [1.0, 1.0 + 1e-9, 0.3])
def test_gradient_is_right_where_singular_values_are_equal(ratio):
    rng = np.random.default_rng(2)
    left, _ = np.linalg.qr(rng.normal(size=(3, 2)))
    blocks, weights = left * [2.0, 2.0 * ratio], rng.normal(size=(3, 2))
    step = 1e-6
    slopes = np.zeros((3, 2))
    for place in np.ndindex(3, 2):
        moved = [blocks.copy(), blocks.copy()]
        moved[0][place] += step
        moved[1][place] -= step
        values = [np.sum(stiefel.nearest(x).numpy() * weights) for x in moved]
        slopes[place] = (values[0] - values[1]) / (2 * step)
    np.testing.assert_allclose(_gradient(blocks, weights), slopes, atol=1e-7)


@pytest.mark.parametrize("rank", [0, 1])
def test_value_and_gradient_are_finite_where_no_camera_is_nearest(rank):
    blocks = (rank * np.outer([1.0, 2.0, 3.0], [1.0, 1.0])).astype(np.float32)
    assert np.isfinite(stiefel.nearest(blocks)).all()
    assert np.isfinite(_gradient(blocks, np.ones((3, 2), np.float32))).all()


def test_rotation_is_right_handed_and_keeps_the_projection():
    rng = np.random.default_rng(3)
    camera = stiefel.nearest(rng.normal(size=(20, 3, 2)))
    turn = stiefel.rotation(camera).numpy()
    np.testing.assert_allclose(np.linalg.det(turn), 1.0)
    np.testing.assert_array_equal(turn[..., :2], camera)
