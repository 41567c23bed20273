"""E and M: the form of Table 1, codes, the divergence."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.systems.interventions import generator, vae

CONVOLUTIONS = ((3, 8), (8, 16), (16, 32), (32, 64), (64, 128), (128, 256))


@pytest.fixture(scope="module")
def small():
    tf.keras.utils.set_random_seed(0)
    return vae.Encoder(16, 8), vae.Decoder(16, 8)


def _sizes(model, kind):
    """Values of the variables of a kind, layer by layer."""
    return [tf.size(v).numpy() for v in model.weights if f"/{kind}:" in v.name]


def test_encoder_and_decoder_have_the_sizes_of_the_papers_table():
    encoder, decoder = vae.Encoder(), vae.Decoder()
    kernels = [9 * i * o for i, o in CONVOLUTIONS]
    assert _sizes(encoder, "kernel") == [*kernels, 4096 * 256, 4096 * 256]
    assert _sizes(encoder, "gamma") == [o for _, o in CONVOLUTIONS]
    back = [9 * i * o for o, i in CONVOLUTIONS[::-1]]
    assert _sizes(decoder, "kernel") == [256 * 4096, *back]
    assert _sizes(decoder, "gamma") == [i for i, _ in CONVOLUTIONS[:0:-1]]
    assert encoder.count_params() == 2_493_232
    assert decoder.count_params() == 1_446_963


def test_generator_and_discriminator_have_the_sizes_of_the_papers_table():
    made_by = generator.Generator(17, 128)
    assert _sizes(made_by, "kernel") == [179 * 1024, 1024 * 1024, 1024 * 256]
    assert _sizes(made_by, "gamma") == [1024, 1024, 256]
    assert made_by.count_params() == 1_505_536
    assert generator.Discriminator().count_params() == 256 * 1024 + 1024 + 1025


def test_smaller_pictures_leave_out_the_first_convolutions():
    assert vae.channels_of(64) == (32, 64, 128, 256)
    assert vae.channels_of(256) == vae.CHANNELS
    assert vae.channels_of(8) == (256,)


@pytest.mark.parametrize("size", [4, 48, 100, 512])
def test_other_sizes_are_refused(size):
    with pytest.raises(errors.InputError, match=f"got {size}, expected one of 8, 16"):
        vae.channels_of(size)


def test_a_picture_comes_back_in_its_size(small):
    encoder, decoder = small
    images = np.random.default_rng(0).uniform(size=(3, 16, 16, 3)).astype(np.float32)
    codes = encoder.features(tf.constant(images))
    assert codes.shape == (3, 8) and np.abs(codes).max() < 1
    assert decoder(codes).shape == (3, 16, 16, 3)


def test_borders_are_replicated():
    x = np.arange(4, dtype=np.float32).reshape(1, 2, 2, 1)
    want = [[0, 0, 1, 1], [0, 0, 1, 1], [2, 2, 3, 3], [2, 2, 3, 3]]
    np.testing.assert_array_equal(vae.replicated(tf.constant(x))[0, ..., 0], want)


def test_divergence_is_that_of_two_gaussians():
    mean = tf.constant([[0.0, 0.0], [1.0, -2.0]])
    log_variance = tf.math.log(tf.constant([[1.0, 1.0], [4.0, 0.25]]))
    want = 0.5 * (4 + 1 - 1 - np.log(4)) + 0.5 * (0.25 + 4 - 1 - np.log(0.25))
    found = vae.divergence(mean, log_variance)
    np.testing.assert_allclose(found, [0, want], rtol=1e-5)


def test_codes_are_drawn_around_their_mean():
    noise = tf.random.stateless_normal([4000, 1], [0, 0])
    mean, log_variance = tf.fill([4000, 1], 0.5), tf.fill([4000, 1], np.log(0.04))
    drawn = np.arctanh(vae.sampled(mean, tf.cast(log_variance, tf.float32), noise))
    assert drawn.mean() == pytest.approx(0.5, abs=0.01)
    assert drawn.std() == pytest.approx(0.2, abs=0.01)
