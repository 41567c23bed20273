"""A small body of poses, a small image encoder: fixtures of the step tests."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.models import pose_autoencoder
from sa3dhp.models import pose_prior as priors
from sa3dhp.skeleton import kinematics
from sa3dhp.skeleton import skeleton as skeletons

SKELETON = skeletons.SA3DHP17


class SmallEncoder(tf.keras.Model):
    """Has what the steps ask of an image encoder: blocks, batch norm, a latent."""

    image_size = 12

    def __init__(self, latent_size: int = 32):
        super().__init__(dtype="float32")
        conv = tf.keras.layers.Conv2D
        self._stem = conv(4, 3, strides=2, padding="same", activation="relu")
        self._stem_norm = tf.keras.layers.BatchNormalization()
        self._middle = conv(8, 3, strides=2, padding="same", activation="relu")
        self._middle_norm = tf.keras.layers.BatchNormalization()
        self._flatten = tf.keras.layers.Flatten()
        self._latent = tf.keras.layers.Dense(
            latent_size, activation="tanh", dtype="float32"
        )
        self.frames_seen = []  # batch sizes; static shapes only, when traced
        self(tf.zeros([1, self.image_size, self.image_size, 3]))

    def call(self, images, training=None):
        self.frames_seen.append(images.shape[0])
        x = self._stem_norm(self._stem(images), training=training)
        x = self._middle_norm(self._middle(x), training=training)
        return self._latent(self._flatten(x))

    def res_variables(self, block):
        if block == "all":
            return self.trainable_variables
        assert block == "res3"
        return self._middle.trainable_variables + self._middle_norm.trainable_variables


@pytest.fixture(autouse=True)
def _seeded():
    tf.keras.utils.set_random_seed(0)


@pytest.fixture
def eagerly():
    """Tracing takes longer than a few steps; other tests trace."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def skeleton():
    return SKELETON


@pytest.fixture(scope="session")
def bone_lengths():
    lengths = np.full(17, 250.0, np.float32)
    lengths[SKELETON.root] = 0.0
    return lengths


@pytest.fixture
def small_encoder():
    return SmallEncoder()


@pytest.fixture
def poses(bone_lengths):
    """`poses(*shape)`: joints `[*shape, 17, 3]`, mm, from a few hidden numbers."""

    def make(*shape, seed=0):
        rng = np.random.default_rng(seed)
        mix = np.random.default_rng(99).normal(size=(4, 51))
        hidden = np.tanh(rng.normal(size=(*shape, 4)) @ mix).reshape(*shape, 17, 3)
        local = kinematics.rest_directions(SKELETON) + 0.4 * hidden
        local = tf.constant(local, tf.float32)
        return kinematics.from_local(local, SKELETON, bone_lengths)

    return make


@pytest.fixture
def pose_networks():
    return pose_autoencoder.PoseEncoder(), pose_autoencoder.PoseDecoder()


@pytest.fixture
def pose_prior(pose_networks, bone_lengths):
    return priors.PosePrior(*pose_networks, SKELETON, bone_lengths)


@pytest.fixture
def snapshot():
    """`snapshot(model)`: the values of all its variables, to be compared bit by bit."""
    return lambda model: [v.numpy().copy() for v in model.variables]


@pytest.fixture
def unchanged():
    """`unchanged(model, before)`: which of its variables are what they were."""

    def compare(model, before):
        return [np.array_equal(v.numpy(), b) for v, b in zip(model.variables, before)]

    return compare
