"""Encoder E and decoder M of pictures ([C] 1, Table 1): a variational auto-encoder."""

from __future__ import annotations

import tensorflow as tf

from sa3dhp import errors

# Of the convolutions, each of which halves the picture; smaller pictures leave out the
# first ones, so that the last always sees 8 x 8 ([C] Table 1 has 256 px and all six).
CHANNELS = (8, 16, 32, 64, 128, 256)
_SMALLEST = 4  # cells along a side of the innermost map
_SLOPE = 0.2  # of LeakyReLU [D]


def channels_of(image_size: int) -> tuple[int, ...]:
    """Returns the channels of the encoder's convolutions for a size of picture.

    Raises:
        InputError: if the size is not 4 times a power of two from 2 to 64.
    """
    stages = (image_size // _SMALLEST).bit_length() - 1
    if not 1 <= stages <= len(CHANNELS) or image_size != _SMALLEST << stages:
        sizes = ", ".join(str(_SMALLEST << n) for n in range(1, len(CHANNELS) + 1))
        raise errors.InputError(
            f"data.image_size: got {image_size}, expected one of {sizes}: the "
            "auto-encoder halves a picture down to 4 x 4"
        )
    return CHANNELS[-stages:]


class Encoder(tf.keras.Model):
    """E: a picture to the mean and the logarithm of the variance of its code."""

    def __init__(self, image_size: int = 256, code_size: int = 256, name: str = "E"):
        """Builds the network.

        Args:
            image_size: pixels, of both sides; see `channels_of`.
            code_size: values of a code.
            name: of the model.
        """
        super().__init__(name=name, dtype="float32")
        self.image_size, self.code_size = image_size, code_size
        layers = tf.keras.layers
        self._stages: list[tf.keras.layers.Layer] = []
        for number, channels in enumerate(channels_of(image_size)):
            self._stages += [
                layers.Conv2D(
                    channels, 3, strides=2, padding="same", name=f"conv_{number}"
                ),
                layers.BatchNormalization(name=f"bn_{number}"),
                layers.LeakyReLU(_SLOPE, name=f"relu_{number}"),
            ]
        self._flatten = layers.Flatten(name="flatten")
        self._mean = layers.Dense(code_size, dtype="float32", name="mean")
        self._log_variance = layers.Dense(
            code_size, dtype="float32", name="log_variance"
        )
        self(tf.zeros([1, image_size, image_size, 3]))

    def call(
        self, images: tf.Tensor, training: bool | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns mean and log variance, `[B, code_size]` each, float32.

        Args:
            images: `[B, S, S, 3]`, RGB in [0, 1].
            training: whether batch norm uses the batch's statistics.
        """
        x = 2.0 * images - 1.0
        for layer in self._stages:
            x = layer(x, training=training)
        x = self._flatten(x)
        return self._mean(x), self._log_variance(x)

    def features(self, images: tf.Tensor) -> tf.Tensor:
        """Returns the codes that pictures have on average, `[B, code_size]`."""
        return squashed(self(images, training=False)[0])


class Decoder(tf.keras.Model):
    """M: a code to a picture; nearest-neighbour upsampling, replicated borders."""

    def __init__(self, image_size: int = 256, code_size: int = 256, name: str = "M"):
        """Builds the network; arguments as of `Encoder`."""
        super().__init__(name=name, dtype="float32")
        self.image_size, self.code_size = image_size, code_size
        channels = channels_of(image_size)
        layers = tf.keras.layers
        self._first = layers.Dense(_SMALLEST**2 * channels[-1], name="fc")
        self._shape = layers.Reshape((_SMALLEST, _SMALLEST, channels[-1]))
        self._stages: list[list[tf.keras.layers.Layer]] = []
        for number, width in enumerate((*channels[-2::-1], 3)):
            last = number == len(channels) - 1
            stage: list[tf.keras.layers.Layer] = [
                layers.UpSampling2D(name=f"up_{number}"),
                layers.Conv2D(
                    width,
                    3,
                    padding="valid",
                    dtype="float32" if last else None,
                    name=f"conv_{number}",
                ),
            ]
            if not last:
                stage += [
                    layers.BatchNormalization(name=f"bn_{number}"),
                    layers.LeakyReLU(_SLOPE, name=f"relu_{number}"),
                ]
            self._stages.append(stage)
        self(tf.zeros([1, code_size]))

    def call(self, codes: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns pictures `[B, S, S, 3]`, RGB about [0, 1], float32.

        Args:
            codes: `[B, code_size]` in (-1, 1).
            training: whether batch norm uses the batch's statistics.
        """
        x = self._shape(self._first(codes))
        for up, convolution, *rest in self._stages:
            x = convolution(replicated(up(x)))
            for layer in rest:
                x = layer(x, training=training)
        return 0.5 * x + 0.5


def replicated(x: tf.Tensor) -> tf.Tensor:
    """Returns `[B, H, W, C]` with its border repeated once around it ([C] 1)."""
    # By its edges alone this is what a symmetric padding of one is.
    return tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], mode="SYMMETRIC")


def squashed(values: tf.Tensor) -> tf.Tensor:
    """Returns codes in (-1, 1) of a Gaussian's values: where g's tanh puts its own."""
    return tf.tanh(values)


def sampled(mean: tf.Tensor, log_variance: tf.Tensor, noise: tf.Tensor) -> tf.Tensor:
    """Returns codes drawn by the reparametrisation trick (Kingma, Welling, 2014).

    Args:
        mean: `[B, C]`.
        log_variance: `[B, C]`.
        noise: `[B, C]`, standard normal.
    """
    return squashed(mean + tf.exp(0.5 * log_variance) * noise)


def divergence(mean: tf.Tensor, log_variance: tf.Tensor) -> tf.Tensor:
    """Returns KL(N(mean, variance) || N(0, 1)), `[B]`, nats."""
    terms = tf.exp(log_variance) + mean**2 - 1.0 - log_variance
    return 0.5 * tf.reduce_sum(terms, axis=-1)
