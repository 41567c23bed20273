"""Pictures to joints: the same numbers as its parts, in any batch."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.models import pose_autoencoder, pose_model, pose_prior
from sa3dhp.skeleton import skeleton as skeletons

SKELETON = skeletons.SA3DHP17
SIZE = 8


class _Encoder(tf.keras.Model):
    """A dense G."""

    image_size = SIZE

    def __init__(self):
        super().__init__()
        self.latent = tf.keras.layers.Dense(32, "tanh")
        self.training_asked = set()
        self(tf.zeros([1, SIZE, SIZE, 3]))

    def call(self, images, training=None):
        self.training_asked.add(training)
        return self.latent(tf.reshape(images, [-1, SIZE * SIZE * 3]))


@pytest.fixture(scope="module")
def model():
    tf.keras.utils.set_random_seed(0)
    bones = np.full(17, 200.0, np.float32)
    bones[SKELETON.root] = 0.0
    networks = pose_autoencoder.PoseEncoder(), pose_autoencoder.PoseDecoder()
    prior = pose_prior.PosePrior(*networks, SKELETON, bones)
    return pose_model.PoseModel(_Encoder(), prior)


def _pictures(*shape, side=SIZE):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (*shape, side, side, 3), np.uint8)


def test_joints_are_what_the_parts_say_one_after_the_other(model):
    images = _pictures(3)
    latent = model.encoder(images.astype(np.float32) / 255, training=False)
    decoded = model.decoded(images)
    assert set(decoded) == {"joints", "local", "latent"}
    np.testing.assert_allclose(decoded["latent"], latent, atol=1e-5)
    local = model.prior.decoder(latent)
    np.testing.assert_allclose(decoded["local"], local, atol=1e-4)
    expected = model.prior.decode(latent)
    np.testing.assert_allclose(decoded["joints"], expected, atol=0.05)
    np.testing.assert_array_equal(model.predict(images), decoded["joints"])
    assert not any(model.encoder.training_asked - {None})
    assert model.image_size == SIZE


def test_batches_make_no_difference_and_no_pictures_are_no_poses(model):
    images = _pictures(5)
    whole = model.predict(images)
    assert whole.shape == (5, 17, 3) and whole.dtype == np.float32
    np.testing.assert_allclose(model.predict(images, batch_size=2), whole, atol=0.01)
    assert model.predict(images[:0]).shape == (0, 17, 3)


def test_of_stored_pictures_the_centre_is_seen(model):
    stored = _pictures(2, side=SIZE + 4)
    centre = np.ascontiguousarray(stored[:, 2:-2, 2:-2])
    np.testing.assert_allclose(model.predict(stored), model.predict(centre), atol=0.01)


def test_clips_are_predicted_frame_by_frame(model):
    clips = _pictures(2, 3)
    found = model.predict_clips(clips)
    assert found.shape == (2, 3, 17, 3)
    np.testing.assert_allclose(found[1], model.predict(clips[1]), atol=0.01)


def test_weights_that_change_are_followed(model):
    images = _pictures(2)
    before, weights = model.predict(images), model.encoder.get_weights()
    model.encoder.set_weights([0.5 * w for w in weights])
    assert np.abs(model.predict(images) - before).max() > 1.0
    model.encoder.set_weights(weights)
    np.testing.assert_array_equal(model.predict(images), before)


def test_another_form_of_the_encoder_takes_its_place(model):
    def nothing(images):
        return tf.zeros([tf.shape(images)[0], 32])

    other = pose_model.PoseModel(model.encoder, model.prior, nothing)
    expected = model.prior.decode(tf.zeros([1, 32]))
    np.testing.assert_allclose(other.predict(_pictures(1)), expected, atol=0.05)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros([2, SIZE, SIZE, 3], np.float32),
        np.zeros([SIZE, SIZE, 3], np.uint8),
        np.zeros([2, SIZE, SIZE, 1], np.uint8),
    ],
    ids=["float", "one picture", "grey"],
)
def test_what_is_no_batch_of_pictures_is_refused(model, images):
    with pytest.raises(errors.InputError, match=r"expected uint8 \[N, S, S, 3\]"):
        model.predict(images)


def test_pictures_smaller_than_it_sees_are_refused(model):
    with pytest.raises(errors.InputError):
        model.predict(_pictures(1, side=SIZE - 2))
