"""The relation stage learns a map between latents."""

import numpy as np
import tensorflow as tf

from sa3dhp.systems.relation_distillation import relation_network
from sa3dhp.systems.relation_distillation.steps import relations


def test_learns_a_relation_in_thirty_steps():
    step = relations.RelationStep(
        relation_network.RelationNetwork(), learning_rate=1e-3
    )
    latent = tf.random.stateless_uniform([256, 32], [0, 1], -0.9, 0.9)
    batch = (latent, -tf.reverse(latent, [1]))
    before = step.terms(batch)["residual"]
    for _ in range(30):
        after = step(batch)["residual"]
        assert np.isfinite(after)
    assert after < 0.7 * before
    assert step.iteration == 30
    assert step.__call__.experimental_get_tracing_count() == 1


def test_returns_the_term_before_the_update():
    step = relations.RelationStep(
        relation_network.RelationNetwork(), learning_rate=1e-3
    )
    latent = tf.random.stateless_uniform([8, 32], [0, 1], -0.9, 0.9)
    expected = step.terms((latent, latent))["residual"]
    np.testing.assert_allclose(step((latent, latent))["residual"], expected, rtol=1e-5)
