"""E_m and D_m: what they read, and the settings that the cuDNN kernel asks for."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.models import motion_autoencoder


@pytest.fixture(scope="module")
def models():
    tf.keras.utils.set_random_seed(0)
    return motion_autoencoder.MotionEncoder(), motion_autoencoder.MotionDecoder()


def _latents(count: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, (count, 30, 32)).astype(np.float32)


def test_shapes_and_ranges(models):
    encoder, decoder = models
    motion = encoder(_latents(3))
    latents = decoder(motion)
    assert motion.shape == (3, 128) and latents.shape == (3, 30, 32)
    assert np.abs(motion).max() < 1.0 and np.abs(latents).max() < 1.0
    assert motion_autoencoder.MotionDiscriminator()(motion).shape == (3, 1)


def test_encoder_reads_every_frame(models):
    encoder, _ = models
    latents = tf.constant(_latents(1))
    with tf.GradientTape() as tape:
        tape.watch(latents)
        motion = encoder(latents)
    gradient = tape.gradient(motion, latents).numpy()[0]
    assert np.isfinite(gradient).all()
    assert (np.abs(gradient).sum(-1) > 0).all()


def test_encoder_tells_a_motion_from_its_reverse(models):
    encoder, _ = models
    latents = _latents(2)
    assert np.abs(encoder(latents) - encoder(latents[:, ::-1])).mean() > 1e-3


def test_each_decoded_frame_depends_on_the_latent(models):
    _, decoder = models
    motion = np.random.default_rng(1).uniform(-1, 1, (1, 128)).astype(np.float32)
    moved = np.abs(decoder(motion + 0.1) - decoder(motion))  # [1, 30, 32]
    assert (moved.max(axis=(0, 2)) > 1e-4).all()


def test_rows_of_a_batch_do_not_mix(models):
    encoder, decoder = models
    latents = _latents(3)
    together = decoder(encoder(latents))
    alone = decoder(encoder(latents[1:2]))
    np.testing.assert_allclose(together[1:2], alone, atol=1e-5)


@pytest.fixture
def models_of_a_gpu(monkeypatch):
    """The networks as they are built where a GPU is found."""
    listed = tf.config.list_physical_devices
    monkeypatch.setattr(
        tf.config,
        "list_physical_devices",
        lambda kind=None: ["one"] if kind == "GPU" else listed(kind),
    )
    return motion_autoencoder.MotionEncoder(), motion_autoencoder.MotionDecoder()


def test_lstms_keep_the_settings_of_cudnn(models_of_a_gpu):
    layers = [layer for model in models_of_a_gpu for layer in model._flatten_layers()]
    lstms = [x for x in layers if isinstance(x, tf.keras.layers.LSTM)]
    assert len(lstms) == 8  # two layers of two directions, twice
    for lstm in lstms:
        assert lstm.activation is tf.keras.activations.tanh
        assert lstm.recurrent_activation is tf.keras.activations.sigmoid
        assert lstm.recurrent_dropout == 0 and not lstm.unroll and lstm.use_bias


def test_with_and_without_a_gpu_they_are_the_same_networks(
    models, models_of_a_gpu, tmp_path
):
    """Of the same variables, so that states and weights go from one to the other."""
    latents = _latents(2)
    for plain, other in zip(models, models_of_a_gpu):
        path = str(tmp_path / plain.name)
        tf.train.Checkpoint(model=plain).write(path)
        tf.train.Checkpoint(model=other).read(path).assert_consumed()
        assert [v.name for v in plain.variables] == [v.name for v in other.variables]
        answers = [tf.function(model)(latents) for model in (plain, other)]
        np.testing.assert_array_equal(*answers)
        latents = answers[0]
