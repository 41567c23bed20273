"""Generator g of features, its discriminator D ([C] 1, Table 1), and its reader R."""

from __future__ import annotations

import tensorflow as tf

_WIDTH = 1024
_DROPOUT = 0.5
_READ = 512


class Generator(tf.keras.Model):
    """g: a pose and a noise to the feature of a picture of that pose."""

    def __init__(
        self, num_points: int, noise_size: int, code_size: int = 256, name: str = "g"
    ):
        """Builds the network.

        Args:
            num_points: P, of a pose.
            noise_size: values of a noise.
            code_size: values of a feature.
            name: of the model.
        """
        super().__init__(name=name, dtype="float32")
        self.num_points, self.noise_size = num_points, noise_size
        self.code_size = code_size
        layers = tf.keras.layers
        self._hidden: list[tf.keras.layers.Layer] = []
        for number in range(2):
            self._hidden += [
                layers.Dense(_WIDTH, name=f"fc_{number}"),
                layers.BatchNormalization(name=f"bn_{number}"),
                layers.ReLU(name=f"relu_{number}"),
                layers.Dropout(_DROPOUT, name=f"dropout_{number}"),
            ]
        self._last = layers.Dense(code_size, name="fc_2")
        self._norm = layers.BatchNormalization(name="bn_2")
        self._tanh = layers.Activation("tanh", dtype="float32", name="tanh")
        self(tf.zeros([1, num_points, 3]), tf.zeros([1, noise_size]))

    def call(
        self, poses: tf.Tensor, noise: tf.Tensor, training: bool | None = None
    ) -> tf.Tensor:
        """Returns features `[B, code_size]` in (-1, 1), float32.

        Args:
            poses: `[B, P, 3]`, half sides of the picture, see `sources`.
            noise: `[B, noise_size]`, standard normal: the intervention.
            training: whether batch norm uses the batch's statistics, and dropout acts.
        """
        flat = tf.reshape(poses, [-1, self.num_points * 3])
        x = tf.concat([flat, tf.cast(noise, flat.dtype)], axis=-1)
        for layer in self._hidden:
            x = layer(x, training=training)
        return self._tanh(self._norm(self._last(x), training=training))


class Discriminator(tf.keras.Model):
    """D: a feature to the logit of its being that of a real picture.

    The baseline DANN uses the same form on the estimator's features.
    """

    def __init__(self, code_size: int = 256, name: str = "D"):
        """Builds the network for features of `code_size` values."""
        super().__init__(name=name, dtype="float32")
        self._hidden = tf.keras.layers.Dense(_WIDTH, "relu", name="fc_0")
        self._logit = tf.keras.layers.Dense(1, dtype="float32", name="logit")
        self(tf.zeros([1, code_size]))

    def call(self, features: tf.Tensor) -> tf.Tensor:
        """Returns logits `[B]`, float32, of features `[B, code_size]`."""
        return self._logit(self._hidden(features))[:, 0]


class CodeReader(tf.keras.Model):
    """R: a feature to the pose that is in it [D]."""

    def __init__(self, num_points: int, code_size: int = 256, name: str = "R"):
        """Builds the network for poses of `num_points` joints."""
        super().__init__(name=name, dtype="float32")
        self.num_points = num_points
        layers = tf.keras.layers
        self._dense = [
            layers.Dense(_READ, "relu", name="fc_0"),
            layers.Dense(_READ, "relu", name="fc_1"),
            layers.Dense(3 * num_points, dtype="float32", name="fc_2"),
        ]
        self(tf.zeros([1, code_size]))

    def call(self, features: tf.Tensor) -> tf.Tensor:
        """Returns poses `[B, P, 3]`, half sides, float32, of `[B, code_size]`."""
        x = features
        for layer in self._dense:
            x = layer(x)
        return tf.reshape(x, [-1, self.num_points, 3])
