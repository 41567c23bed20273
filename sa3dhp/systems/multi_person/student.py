"""H, features to the neural representation, and G, maps to features ([P] Fig. 2)."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from sa3dhp.systems.multi_person import representation

_SLOPE = 0.2  # of leaky ReLU [D]
_GROUPS = 8  # of channels that are normalised together, at most [D]


class ChannelwiseDense(tf.keras.layers.Layer):
    """Connects all places of a channel to all of the same channel ([P] suppl. 2).

    On 7 x 7 x 128 it is 128 dense layers of 49 values to 49.
    """

    def build(self, shape: tf.TensorShape) -> None:
        """Makes a matrix and a bias for each channel."""
        _, height, width, channels = shape
        places = height * width
        self.kernel = self.add_weight(
            "kernel",
            [channels, places, places],
            # Keras takes the channels for places that are summed over.
            initializer=tf.keras.initializers.VarianceScaling(
                channels, "fan_in", "untruncated_normal"
            ),
        )
        self.bias = self.add_weight("bias", [channels, places], initializer="zeros")

    def call(self, x: tf.Tensor) -> tf.Tensor:
        """Returns `[B, H, W, C]` of the same."""
        flat = tf.reshape(x, [-1, x.shape[1] * x.shape[2], x.shape[3]])
        flat = tf.einsum("bpc,cpq->bqc", flat, tf.cast(self.kernel, flat.dtype))
        flat += tf.cast(tf.transpose(self.bias), flat.dtype)
        return tf.reshape(flat, tf.shape(x))


def _norm(channels: int) -> tf.keras.layers.Layer:
    """Normalises each picture by itself.

    H sees the features of E and of G in turn. Batch norm would train on the statistics
    of one of them at a time and predict with those of a mixture of both (README).
    """
    groups = math.gcd(_GROUPS, channels)
    return tf.keras.layers.GroupNormalization(groups, epsilon=1e-6)


class Student(tf.keras.Model):
    """H: features to s, 14 x 14 x 39; the form is [P] Fig. 2, widths are ours."""

    def __init__(
        self, features: int = 1024, cells: int = 28, width: int = 128, name: str = "H"
    ):
        """Builds the network.

        Args:
            features: channels of E's and G's features.
            cells: of their sides; 28 times 1, 2, 4 ...
            width: channels of the innermost map.
            name: of the model.
        """
        super().__init__(name=name, dtype="float32")
        layers = tf.keras.layers

        def convolution(channels: int, stride: int, number: int) -> tf.keras.Sequential:
            return tf.keras.Sequential(
                [
                    layers.Conv2D(channels, 3, strides=stride, padding="same"),
                    _norm(channels),
                    layers.LeakyReLU(_SLOPE),
                ],
                name=f"conv_{number}",
            )

        self._first = convolution(2 * width, cells // 28, 0)  # 28
        self._half = convolution(2 * width, 2, 1)  # 14
        self._quarter = convolution(width, 2, 2)  # 7
        self._everywhere = ChannelwiseDense(name="channelwise")
        self._up = layers.Conv2DTranspose(
            width, 4, strides=2, padding="same", name="deconv"
        )
        self._relu = layers.LeakyReLU(_SLOPE, name="relu")
        self._joined = convolution(2 * width, 1, 3)  # 14
        self._last = layers.Conv2D(
            representation.CHANNELS, 1, activation="tanh", dtype="float32", name="s"
        )
        self(tf.zeros([1, cells, cells, features]))

    def call(self, features: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns s `[B, 14, 14, 39]` in (-1, 1), float32.

        Args:
            features: `[B, cells, cells, features]`, of 28 cells 1024 ([P]).
            training: the network does the same in training and afterwards.
        """
        half = self._half(self._first(features, training=training), training=training)
        quarter = self._quarter(half, training=training)
        quarter += self._relu(self._everywhere(quarter))
        back = self._relu(self._up(quarter))
        joined = tf.concat([half, back], axis=-1)
        return self._last(self._joined(joined, training=training))


class DeltaOrthogonal(tf.keras.initializers.Initializer):
    """A kernel that is an orthogonal map in its middle and 0 around it.

    Xiao et al., *Dynamical isometry and a mean field theory of CNNs* (ICML 2018). Five
    random layers of 7 x 7 are a blur of the whole picture, from which H learns next to
    nothing in the time that five of this kind need to be of use (README).
    """

    def __init__(self, slope: float = _SLOPE):
        """`slope`: of the leaky ReLU behind it, whose loss of size it makes up for."""
        self._slope = slope

    def __call__(self, shape: Any, dtype: Any = None, **_: Any) -> tf.Tensor:
        """Returns a kernel `[H, W, inputs, outputs]`."""
        height, width, inputs, outputs = shape
        gain = math.sqrt(2 / (1 + self._slope**2) * max(1, outputs / inputs))
        middle = tf.keras.initializers.Orthogonal(gain)([inputs, outputs], dtype)
        rows, columns = height // 2, width // 2
        around = [[rows, height - 1 - rows], [columns, width - 1 - columns]]
        return tf.pad(middle[None, None], [*around, [0, 0], [0, 0]])


# Five layers of Keras' own initial weights made features 90 times smaller than E's.
_INITIAL = {"kernel_initializer": DeltaOrthogonal()}


class MapEncoder(tf.keras.Model):
    """G: maps `[B, 28, 28, 43]` to features, five 7 x 7 convolutions ([P] Fig. 2)."""

    def __init__(
        self,
        channels: int = 43,
        features: int = 1024,
        width: int = 128,
        activation: str | None = "relu",
        name: str = "G",
    ):
        """Builds the network.

        Args:
            channels: of the maps.
            features: of the teacher's trunk.
            width: of the first four convolutions [D].
            activation: of the last, that of E's features.
            name: of the model.
        """
        super().__init__(name=name, dtype="float32")
        layers = tf.keras.layers
        self._hidden = [
            layers.Conv2D(width, 7, padding="same", name=f"conv_{n}", **_INITIAL)
            for n in range(4)
        ]
        self._relu = layers.LeakyReLU(_SLOPE, name="relu")
        self._last = layers.Conv2D(
            features,
            7,
            padding="same",
            activation=activation,
            name="conv_4",
            **_INITIAL,
        )
        self(tf.zeros([1, 28, 28, channels]))

    def call(self, maps: tf.Tensor) -> tf.Tensor:
        """Returns features `[B, cells, cells, features]`."""
        x = maps
        for layer in self._hidden:
            x = self._relu(layer(x))
        return self._last(x)
