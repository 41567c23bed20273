"""Statistics of another place: the mean over its batches, and nothing else moves."""

import numpy as np
import tensorflow as tf

from sa3dhp.models import image_encoder
from sa3dhp.training import batch_norm


class _Network(tf.keras.Model):
    image_size = 8

    def __init__(self):
        super().__init__()
        self._first = tf.keras.layers.BatchNormalization(momentum=0.9)
        self._middle = tf.keras.layers.Conv2D(4, 3)
        self._second = tf.keras.layers.BatchNormalization(momentum=0.9)

    def call(self, x, training=None):
        x = self._first(x, training=training)
        return self._second(self._middle(x), training=training)


def _network():
    tf.keras.utils.set_random_seed(0)
    network = _Network()
    network(tf.zeros([1, 8, 8, 3]))
    return network


def _pictures(count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 200, (count, 8, 8, 3)).astype(np.uint8)


def test_statistics_become_the_mean_over_the_batches():
    network, pictures = _network(), _pictures(14)
    batch_norm.reestimate(network, pictures, batch_size=4)
    batches = pictures[:12].reshape(3, -1, 3) / 255.0
    mean, variance = network._first.moving_mean, network._first.moving_variance
    np.testing.assert_allclose(mean, batches.mean((0, 1)), rtol=1e-4)
    np.testing.assert_allclose(variance, batches.var(1).mean(0), rtol=1e-2)


def test_only_the_statistics_move():
    network = _network()
    before = [v.numpy() for v in network.trainable_variables]
    statistics = [v.numpy() for v in network.non_trainable_variables]
    batch_norm.reestimate(network, _pictures(6), batch_size=4)
    for old, new in zip(before, network.trainable_variables):
        np.testing.assert_array_equal(old, new)
    for old, new in zip(statistics, network.non_trainable_variables):
        assert not np.array_equal(old, new)
    assert network._first.momentum == network._second.momentum == 0.9


def test_they_do_not_depend_on_what_was_there_before():
    network, pictures = _network(), _pictures(8)
    batch_norm.reestimate(network, _pictures(8, seed=1), batch_size=8)
    batch_norm.reestimate(network, pictures, batch_size=8)
    again = _network()
    batch_norm.reestimate(again, pictures, batch_size=8)
    for a, b in zip(network.weights, again.weights):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_every_batch_norm_of_the_image_encoder_gets_new_statistics():
    encoder = image_encoder.ImageEncoder(32, head_channels=(8, 8, 8), head_units=8)
    kinds = ("moving_mean", "moving_variance")
    rest = [v for v in encoder.weights if not v.name.split("/")[-1].startswith(kinds)]
    before, kept = encoder.get_weights(), [v.numpy() for v in rest]
    pictures = np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3), np.uint8)
    batch_norm.reestimate(encoder, pictures, batch_size=2)
    pairs = zip(encoder.weights, before)
    moved = [not np.array_equal(v, b) for v, b in pairs]
    assert sum(moved) == len(before) - len(rest) > 60
    for variable, old in zip(rest, kept):
        np.testing.assert_array_equal(variable, old)
