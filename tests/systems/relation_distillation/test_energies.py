"""[M] eq. 1-3 against loops from the formulas and numbers by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.systems.relation_distillation import energies


def _slow(anchor, positive, group, temperature, normalise):
    """[M] eq. 1, one anchor at a time, in float64."""
    if normalise:
        anchor = anchor / np.linalg.norm(anchor, axis=-1, keepdims=True)
        positive = positive / np.linalg.norm(positive, axis=-1, keepdims=True)
    losses, right = [], []
    for i in range(len(anchor)):
        top = anchor[i] @ positive[i] / temperature
        others = [
            anchor[i] @ anchor[j] / temperature
            for j in range(len(anchor))
            if group[j] != group[i]
        ]
        denominator = math.exp(top) + sum(math.exp(x) for x in others)
        losses.append(-math.log(math.exp(top) / denominator))
        right.append(all(top > x for x in others))
    return np.mean(losses), np.mean(right)


@pytest.mark.parametrize("normalise", [False, True])
@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_loss_is_the_formula(normalise, temperature):
    rng = np.random.default_rng(0)
    anchor, positive = rng.uniform(-1, 1, (2, 12, 5))
    group = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3])
    loss, accuracy = energies.info_nce(
        tf.constant(anchor), tf.constant(positive), group, temperature, normalise
    )
    expected = _slow(anchor, positive, group, temperature, normalise)
    np.testing.assert_allclose(loss, expected[0], rtol=1e-5)
    np.testing.assert_allclose(accuracy, expected[1], rtol=1e-6)


def test_loss_by_hand():
    # Two videos of one frame: a.p = 1 and a.n = 0 for both, so -log(e / (e + 1)).
    eye = tf.eye(2)
    loss, accuracy = energies.info_nce(eye, eye, tf.constant([0, 1]), 1.0)
    np.testing.assert_allclose(loss, 0.3132617, rtol=1e-6)
    assert accuracy == 1.0


def test_frames_of_the_same_video_are_no_negatives():
    rng = np.random.default_rng(1)
    anchor, positive = rng.uniform(-1, 1, (2, 6, 4)).astype(np.float32)
    variable = tf.Variable(anchor)
    with tf.GradientTape() as tape:
        loss, _ = energies.info_nce(variable, positive, tf.zeros([6], tf.int32), 1.0)
    assert loss == 0.0
    np.testing.assert_array_equal(tape.gradient(loss, variable), 0.0 * anchor)


def test_gradient_is_finite_for_saturated_float16_latents():
    anchor = tf.Variable(tf.ones([4, 128], tf.float16))
    with tf.GradientTape() as tape:
        loss, _ = energies.info_nce(anchor, -anchor, tf.range(4), 0.05)
    assert loss.dtype == tf.float32
    assert np.isfinite(loss.numpy())
    assert np.isfinite(tape.gradient(loss, anchor).numpy()).all()


def test_gradient_is_finite_for_zero_latents_and_cosine():
    anchor = tf.Variable(tf.zeros([4, 8]))
    with tf.GradientTape() as tape:
        loss, _ = energies.info_nce(anchor, anchor, tf.range(4), 0.1, True)
    assert np.isfinite(tape.gradient(loss, anchor).numpy()).all()


def test_residual_by_hand():
    related = tf.constant([[3.0, 4.0], [0.0, 0.0]])
    assert energies.residual(related, tf.zeros([2, 2])) == 2.5


def test_residual_is_the_mean_norm_in_float32():
    related, partner = np.random.default_rng(0).normal(size=(2, 7, 3, 32))
    expected = np.linalg.norm(related - partner, axis=-1).mean()
    found = energies.residual(tf.constant(related), tf.constant(partner))
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_gradient_is_finite_where_both_agree():
    related = tf.Variable(tf.ones([2, 4]))
    with tf.GradientTape() as tape:
        loss = energies.residual(related, tf.ones([2, 4]))
    np.testing.assert_array_equal(tape.gradient(loss, related), np.zeros([2, 4]))
