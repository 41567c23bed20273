"""The motion auto-encoder: stacked bidirectional LSTMs over pose latents ([S] 5b).

All LSTMs keep the settings of the cuDNN kernel. Where there is no GPU the same cells
run without Keras' LSTM layer, which traces itself a second time for cuDNN in every
graph. The networks compute in float32 whatever the global precision policy.
"""

from __future__ import annotations

import tensorflow as tf

from sa3dhp.models import pose_autoencoder

NUM_FRAMES = 30
MOTION_SIZE = 128


def _bilstm(
    units: int, name: str, return_sequences: bool
) -> tf.keras.layers.Bidirectional:
    """A bidirectional LSTM; its two directions are concatenated."""
    kept = {"return_sequences": return_sequences, "dtype": "float32", "name": "lstm"}
    if tf.config.list_physical_devices("GPU"):
        lstm = tf.keras.layers.LSTM(units, **kept)
    else:
        cell = tf.keras.layers.LSTMCell(units, dtype="float32", name="lstm_cell")
        lstm = tf.keras.layers.RNN(cell, **kept)
    return tf.keras.layers.Bidirectional(lstm, name=name, dtype="float32")


def _tanh(units: int, name: str) -> tf.keras.layers.Dense:
    return tf.keras.layers.Dense(units, activation="tanh", dtype="float32", name=name)


class MotionEncoder(tf.keras.Model):
    """E_m: a sequence of pose latents to its motion latent ([S] Fig. 1B)."""

    def __init__(
        self,
        latent_size: int = pose_autoencoder.LATENT_SIZE,
        motion_size: int = MOTION_SIZE,
        units: int = 128,
        num_frames: int = NUM_FRAMES,
        name: str = "motion_encoder",
    ):
        super().__init__(name=name, dtype="float32")
        self._first = _bilstm(units, "bilstm_0", return_sequences=True)
        self._second = _bilstm(units, "bilstm_1", return_sequences=False)
        self._latent = _tanh(motion_size, "motion_latent")
        self(tf.zeros([1, num_frames, latent_size]))

    def call(self, latents: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Encodes sequences.

        Args:
            latents: `[B, T, D]` pose latents, 30 frames at 30 fps.
            training: unused; the network is the same in training.

        Returns:
            `[B, V]` motion latents in (-1, 1), float32, from the final states of both
            directions.
        """
        return self._latent(self._second(self._first(latents)))


class MotionDecoder(tf.keras.Model):
    """D_m: a motion latent back to its sequence of pose latents ([S] 5b).

    The latent is the only input: it sets the initial states of both layers, and the
    first layer reads zeros.
    """

    def __init__(
        self,
        latent_size: int = pose_autoencoder.LATENT_SIZE,
        motion_size: int = MOTION_SIZE,
        units: int = 128,
        num_frames: int = NUM_FRAMES,
        name: str = "motion_decoder",
    ):
        super().__init__(name=name, dtype="float32")
        self._num_frames = num_frames
        # Hidden and cell state, forward and backward, of two layers.
        self._states = [_tanh(4 * units, f"states_{i}") for i in range(2)]
        self._lstms = [
            _bilstm(units, f"bilstm_{i}", return_sequences=True) for i in range(2)
        ]
        self._latents = _tanh(latent_size, "latents")
        self(tf.zeros([1, motion_size]))

    def call(self, motion_latent: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Decodes motion latents.

        Args:
            motion_latent: `[B, V]`.
            training: unused; the network is the same in training.

        Returns:
            `[B, T, D]` pose latents in (-1, 1), float32.
        """
        x = tf.zeros([tf.shape(motion_latent)[0], self._num_frames, 1])
        for state, lstm in zip(self._states, self._lstms):
            initial = tf.split(state(motion_latent), 4, axis=-1)
            x = lstm(x, initial_state=initial)  # [B, T, 2 * units]
        return self._latents(x)


class MotionDiscriminator(tf.keras.Model):
    """Tells draws of U[-1, 1]^V from encoded motions; the paper gives no sizes."""

    def __init__(
        self,
        motion_size: int = MOTION_SIZE,
        units: int = 512,
        name: str = "motion_discriminator",
    ):
        super().__init__(name=name, dtype="float32")
        self._hidden = [
            tf.keras.layers.Dense(
                units,
                activation=tf.nn.leaky_relu,
                dtype="float32",
                name=f"hidden_{i}",
            )
            for i in range(2)
        ]
        self._logit = tf.keras.layers.Dense(1, dtype="float32", name="logit")
        self(tf.zeros([1, motion_size]))

    def call(self, motion_latent: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns `[B, 1]` logits of `[B, V]` motion latents."""
        x = motion_latent
        for layer in self._hidden:
            x = layer(x)
        return self._logit(x)
