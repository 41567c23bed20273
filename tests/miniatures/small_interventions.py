"""Small data and small networks, which the tests of the system share."""

import pytest
import tensorflow as tf

from sa3dhp.systems.interventions import config as configs

SMALL = (
    *("vae.code_size=8", "vae.steps=3", "vae.batch_size=4"),
    *("generator.noise_size=3", "generator.steps=3", "generator.batch_size=4"),
    *("estimator.weights=none", "estimator.channels=4", "estimator.depth_cells=4"),
    *("estimator.strides=[1, 1, 1]", "estimator.batch_size=4"),
    *("estimator.source_steps=3", "estimator.steps=3", "generator.reader_steps=3"),
    *("data.image_size=32", "data.stored_size=32", "data.unseen=6"),
    *("data.pictures=10", "training.precision=float32", "training.log_every=1"),
    *("training.checkpoint_every=2",),
)


@pytest.fixture(autouse=True)
def _fresh():
    tf.keras.utils.set_random_seed(0)


@pytest.fixture
def load():
    """From overrides to a small configuration."""
    return lambda *overrides: configs.load(None, (*SMALL, *overrides))
