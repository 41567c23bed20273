"""[M] eq. 2-3."""

import numpy as np
import tensorflow as tf

from sa3dhp.systems.relation_distillation import relation


def test_residual_by_hand():
    related = tf.constant([[3.0, 4.0], [0.0, 0.0]])
    assert relation.residual(related, tf.zeros([2, 2])) == 2.5


def test_residual_is_the_mean_norm_in_float32():
    related, partner = np.random.default_rng(0).normal(size=(2, 7, 3, 32))
    expected = np.linalg.norm(related - partner, axis=-1).mean()
    found = relation.residual(tf.constant(related), tf.constant(partner))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_gradient_is_finite_where_both_agree():
    related = tf.Variable(tf.ones([2, 4]))
    with tf.GradientTape() as tape:
        loss = relation.residual(related, tf.ones([2, 4]))
    np.testing.assert_array_equal(tape.gradient(loss, related), np.zeros([2, 4]))
