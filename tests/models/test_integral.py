"""The expectation of volumes, form and errors of the network."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.models import integral


def test_expectation_is_the_centre_of_mass_of_the_softmax():
    volumes = np.random.default_rng(0).normal(size=(2, 3, 4, 5, 6)).astype(np.float32)
    got = integral.expectation(tf.constant(volumes)).numpy()
    for b in range(2):
        for p in range(3):
            share = np.exp(volumes[b, p]) / np.exp(volumes[b, p]).sum()
            want = np.zeros(3)
            for y, x, z in np.ndindex(4, 5, 6):
                place = [(2 * i + 1) / n - 1 for i, n in ((x, 5), (y, 4), (z, 6))]
                want += share[y, x, z] * np.array(place)
            np.testing.assert_allclose(got[b, p], want, atol=1e-5)


def test_a_peak_is_found_where_it_stands():
    volumes = np.full((1, 1, 4, 4, 4), -50.0, np.float32)
    volumes[0, 0, 3, 0, 2] = 50.0  # bottom, left, behind the middle
    got = integral.expectation(tf.constant(volumes))[0, 0]
    np.testing.assert_allclose(got, [-0.75, 0.75, 0.25], atol=1e-5)


@pytest.fixture
def volumes(monkeypatch):
    """The shapes of the volumes that are averaged, `[B, P, H, W, Z]`, as they come."""
    shapes, expectation = [], integral.expectation

    def told(values):
        shapes.append(tuple(values.shape))
        return expectation(values)

    monkeypatch.setattr(integral, "expectation", told)
    return shapes


@pytest.fixture(scope="module")
def network():
    tf.keras.utils.set_random_seed(0)
    return integral.IntegralRegressor(5, 32, strides=(1, 2), channels=4, depth_cells=4)


def test_points_lie_in_the_volume_and_start_near_its_middle(network):
    images = np.random.default_rng(0).uniform(size=(2, 32, 32, 3)).astype(np.float32)
    joints = network(images).numpy()
    assert joints.shape == (2, 5, 3) and joints.dtype == np.float32
    assert np.abs(joints).max() < 0.2


def test_strides_give_the_size_of_the_volumes(network, volumes):
    network(np.zeros((1, 32, 32, 3), np.float32))
    assert volumes == [(1, 5, 4, 4, 4)]  # 5 points; 32 px / 16 * 1 * 2


def test_pictures_of_another_size_are_refused(network):
    with pytest.raises(errors.InputError, match=r"expected \[B, 32, 32, 3\], got"):
        network(np.zeros((1, 16, 16, 3), np.float32))


def test_the_papers_size_has_volumes_of_64(volumes):
    integral.IntegralRegressor(17, 256, weights=None)
    assert volumes == [(1, 17, 64, 64, 64)]


def _normal(target, sizes):
    """Logits `[1, P, H, W, Z]` of normal volumes, a cell wide, around `[1, P, 3]`."""
    down, right, deep = ((2 * np.arange(n) + 1) / n - 1 for n in sizes)
    x, y, z = (target[0, :, i, None] for i in range(3))
    height, width, depth = sizes
    parts = [
        -(((down - y) * height / 2) ** 2) / 2,
        -(((right - x) * width / 2) ** 2) / 2,
        -(((deep - z) * depth / 2) ** 2) / 2,
    ]
    whole = parts[0][:, :, None, None] + parts[1][:, None, :, None]
    return tf.constant((whole + parts[2][:, None, None])[None], tf.float32)


def test_heat_is_nothing_for_the_wanted_volumes_and_grows_with_their_distance():
    rng = np.random.default_rng(0)
    target = rng.uniform(-0.8, 0.8, (1, 3, 3)).astype(np.float32)
    wanted = _normal(target, (6, 5, 4))
    np.testing.assert_allclose(integral.heat_error(wanted, target), 0.0, atol=1e-5)
    for axis in range(3):
        found = []
        for far in (0.1, 0.4, 0.8):
            moved = target + far * np.eye(3, dtype=np.float32)[axis]
            found.append(float(integral.heat_error(wanted, moved)))
        assert 0.0 < found[0] < found[1] < found[2], axis


def test_heat_leaves_out_points_that_are_not_known_and_what_they_would_feel():
    target = np.zeros((1, 2, 3), np.float32)
    wanted = _normal(target, (4, 4, 4))
    target[0, 1, 2] = np.nan  # its depth
    volumes = tf.Variable(wanted + np.array([0.0, 3.0])[None, :, None, None, None])
    volumes[0, 1, 0, 0, 0].assign(9.0)
    with tf.GradientTape() as tape:
        error = integral.heat_error(volumes, tf.constant(target))
    np.testing.assert_allclose(error, 0.0, atol=1e-5)
    assert not np.any(tape.gradient(error, volumes)[0, 1])
    nothing = np.full((1, 2, 3), np.nan, np.float32)
    assert integral.heat_error(volumes, tf.constant(nothing)) == 0.0
