"""G on a few pictures at a time: the latents and the gradient of all of them."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.models import chunked
from sa3dhp.systems.relation_distillation import energies


class _Encoder:
    """A convolution that trains, its mean over the picture; counts what it sees."""

    def __init__(self):
        rng = np.random.default_rng(0)
        self.kernel = tf.Variable(rng.normal(0, 0.3, (3, 3, 3, 8)), dtype=tf.float32)
        self.seen = []

    def __call__(self, images):
        self.seen.append(images.shape[0])
        maps = tf.nn.relu(tf.nn.conv2d(images, self.kernel, 2, "SAME"))
        return tf.tanh(tf.reduce_mean(maps, [1, 2]))


def _images(count=10):
    rng = np.random.default_rng(1)
    return tf.constant(rng.uniform(0, 1, (count, 8, 8, 3)), tf.float32)


def _contrast(encode, kernel, images):
    """L_LCR of the pictures, and its gradient: each latent meets all others."""

    def run(images):
        with tf.GradientTape() as tape:
            z = encode(images)
            group = tf.range(images.shape[0])
            loss, _ = energies.info_nce(z, z[::-1], group, 0.1)
        return loss, tape.gradient(loss, kernel)

    return tf.function(run, autograph=False)(images)


@pytest.mark.parametrize("size", [1, 3, 5, 9])
def test_a_contrastive_term_has_the_gradient_of_all_pictures(size):
    encoder = _Encoder()
    expected = _contrast(encoder, encoder.kernel, _images())
    encoder.seen.clear()
    found = _contrast(chunked.Chunked(encoder, size), encoder.kernel, _images())
    assert max(encoder.seen) == size
    for a, b in zip(found, expected):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_few_pictures_are_seen_at_once_and_never_again():
    encoder = _Encoder()
    _contrast(chunked.Chunked(encoder, 10), encoder.kernel, _images())
    assert encoder.seen == [10]


def test_an_unknown_number_of_pictures_is_seen_at_once():
    encoder = _Encoder()
    shape = tf.TensorSpec([None, 8, 8, 3], tf.float32)
    encode = tf.function(chunked.Chunked(encoder, 2), input_signature=[shape])
    np.testing.assert_allclose(encode(_images()), encoder(_images()), atol=1e-6)


def test_no_picture_at_once_is_refused():
    with pytest.raises(errors.InputError, match="got 0, expected 1 or more"):
        chunked.Chunked(_Encoder(), 0)
