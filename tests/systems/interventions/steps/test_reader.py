"""R learns to read poses in codes; E stays as it is."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.systems.interventions import generator, vae
from sa3dhp.systems.interventions.steps import reader


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(6, 1, 1, 3)).astype(np.float32)  # each of one colour
    images = np.tile(images, (1, 32, 32, 1))
    poses = rng.uniform(-0.5, 0.5, size=(6, 17, 3)).astype(np.float32)
    return reader.Batch(tf.constant(images), tf.constant(poses))


def _step(rate=1e-3):
    return reader.ReaderStep(
        generator.CodeReader(17, 8), vae.Encoder(32, 8), learning_rate=rate, seed=0
    )


def test_it_learns_and_the_encoder_does_not(batch):
    step = _step()
    step._encoder.layers[-1].bias.assign(tf.fill([8], -10.0))  # it draws what it means
    before = [v.numpy() for v in step._encoder.weights]
    found = [float(step(batch)["pose"]) for _ in range(100)]
    assert found[-1] < 0.5 * found[0]
    for old, new in zip(before, step._encoder.weights):
        np.testing.assert_array_equal(old, new)
    for variable in step.models["code_reader"].trainable_variables:
        assert np.isfinite(variable.numpy()).all()


def test_codes_are_drawn_anew_in_training_alone(batch):
    step = _step(rate=0.0)
    first, other = (float(step(batch)["pose"]) for _ in range(2))
    assert first != other
    assert float(step.terms(batch)["pose"]) == float(step.terms(batch)["pose"])


def test_a_joint_that_is_not_known_does_not_count(batch):
    poses = batch.poses.numpy()
    poses[2, 5] = np.nan
    step = _step()
    found = [step(batch._replace(poses=tf.constant(poses)))["pose"] for _ in range(2)]
    assert np.isfinite(found).all()
