"""H and G: their form, and the channel-wise layer against a loop."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.systems.multi_person import maps, student


def test_a_channel_is_a_dense_layer_of_its_own_places():
    layer = student.ChannelwiseDense()
    x = np.random.default_rng(0).normal(size=(2, 3, 2, 4)).astype(np.float32)
    found = layer(tf.constant(x)).numpy()
    layer.bias.assign(tf.random.stateless_normal([4, 6], [0, 0]))
    shifted = layer(tf.constant(x)).numpy()
    for channel in range(4):
        want = x[..., channel].reshape(2, 6) @ layer.kernel[channel].numpy()
        np.testing.assert_allclose(found[..., channel].reshape(2, 6), want, atol=1e-5)
        gap = (shifted - found)[..., channel].reshape(2, 6)
        np.testing.assert_allclose(gap, [layer.bias[channel]] * 2, atol=1e-5)


def test_the_papers_layer_is_128_of_49_to_49():
    layer = student.ChannelwiseDense()
    layer(tf.zeros([1, 7, 7, 128]))
    assert layer.count_params() == 128 * (49 * 49 + 49)


def test_a_dense_layer_keeps_the_size_of_what_it_is_given():
    layer = student.ChannelwiseDense()
    x = tf.random.stateless_normal([64, 7, 7, 32], [0, 0])
    assert np.std(layer(x)) == pytest.approx(1.0, abs=0.15)


@pytest.fixture(scope="module")
def networks():
    tf.keras.utils.set_random_seed(0)
    return student.Student(16, width=8), student.MapEncoder(
        maps.OWN.channels, 16, width=8
    )


def test_maps_become_features_and_these_s(networks):
    h, g = networks
    shown = np.random.default_rng(0).uniform(size=(2, 28, 28, 43)).astype(np.float32)
    features = g(tf.constant(shown))
    assert features.shape == (2, 28, 28, 16) and np.min(features) >= 0
    s = h(features)
    assert s.shape == (2, 14, 14, 39) and np.abs(s).max() <= 1
    assert s.dtype == tf.float32


def test_s_is_the_same_in_training_and_afterwards(networks):
    """H sees two kinds of features in turn: nothing of the one may stay."""
    h, g = networks
    rng = np.random.default_rng(0)
    ours = g(tf.constant(rng.uniform(size=(2, 28, 28, 43)), tf.float32))
    before = h(ours, training=False).numpy()
    h(tf.constant(9 * rng.uniform(size=(2, 28, 28, 16)), tf.float32), training=True)
    np.testing.assert_array_equal(h(ours, training=True), before)
    np.testing.assert_array_equal(h(ours, training=False), before)
    np.testing.assert_allclose(h(ours[:1]), before[:1], atol=1e-5)


def test_features_of_maps_are_born_as_large_as_the_maps():
    tf.keras.utils.set_random_seed(0)
    g = student.MapEncoder(43, 64, width=24)
    shown = tf.random.stateless_normal([2, 28, 28, 43], [0, 0])
    assert 0.2 < np.std(g(shown)) < 2.0


def test_g_begins_with_no_blur():
    """A peak of the maps is where it was in the features, and nowhere else."""
    tf.keras.utils.set_random_seed(0)
    g = student.MapEncoder(43, 64, width=24)
    peak = np.zeros((1, 28, 28, 43), np.float32)
    peak[0, 9, 17] = 1
    found = np.abs(g(tf.constant(peak)).numpy()).sum(axis=-1)[0]
    assert np.argwhere(found > 1e-6).tolist() == [[9, 17]]


@pytest.mark.parametrize("channels", [(43, 24), (24, 24), (24, 128)])
def test_a_delta_orthogonal_kernel_keeps_lengths(channels):
    kernel = student.DeltaOrthogonal(slope=1.0)([7, 7, *channels]).numpy()
    middle = kernel[3, 3].astype(np.float64)
    assert np.count_nonzero(kernel) == np.count_nonzero(middle)
    product = middle.T @ middle if channels[0] > channels[1] else middle @ middle.T
    gain = max(1, channels[1] / channels[0])
    np.testing.assert_allclose(product, gain * np.eye(min(channels)), atol=1e-4)


def test_every_place_can_reach_every_other(networks):
    """What convolutions of 3 x 3 alone do not: a corner moves the opposite one."""
    h, _ = networks
    features = np.zeros((1, 28, 28, 16), np.float32)
    before = h(tf.constant(features)).numpy()
    features[0, 0, 0] = 50
    moved = np.abs(h(tf.constant(features)).numpy() - before)[0, -1, -1]
    assert moved.max() > 0
