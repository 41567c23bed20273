"""T: four dense layers that end in a tanh."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.systems.relation_distillation import relation_network


@pytest.mark.parametrize(
    "widths", [relation_network.POSE_WIDTHS, relation_network.MOTION_WIDTHS]
)
def test_maps_a_latent_space_to_itself(widths):
    network = relation_network.RelationNetwork(widths)
    latent = tf.random.uniform([5, widths[-1]], -1.0, 1.0)
    related = network(latent)
    assert related.shape == latent.shape and related.dtype == tf.float32
    assert np.abs(related).max() < 1.0
    assert len(network.layers) == 4
