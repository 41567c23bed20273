"""Batch norm of a shared batch; `test_replicas` has the numbers of several replicas."""

import numpy as np
import tensorflow as tf

from sa3dhp.training import shared_norm


def _normalised(kind):
    """What a layer makes of a batch, and what it keeps."""
    layer = kind(momentum=0.5)
    x = tf.constant(np.random.default_rng(0).normal(3, 2, (4, 5, 5, 2)), tf.float32)
    return [layer(x, training=True), layer(x, training=False), *layer.weights]


def test_outside_a_share_it_is_keras_own():
    ours, keras = map(
        _normalised,
        (shared_norm.SharedBatchNormalization, tf.keras.layers.BatchNormalization),
    )
    for one, other in zip(ours, keras, strict=True):
        np.testing.assert_array_equal(one, other)


def test_one_replica_leaves_the_layers_as_they_are():
    network = tf.keras.Sequential([tf.keras.layers.BatchNormalization()])
    shared_norm.synchronise(network)
    assert type(network.layers[0]) is tf.keras.layers.BatchNormalization
