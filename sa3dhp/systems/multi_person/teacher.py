"""E, pictures to features, and F, features to maps (Cao et al.; [P] 3.1.2).

Our own, after stage 1 and 2 of OpenPose: a trunk that ImageNet's pictures taught, to
28 x 28 cells (ResNet-50, where theirs is VGG-19 [D]), then twice convolutions to the 43
maps, the second time with the first answer beside the features.
"""

from __future__ import annotations

import math

import tensorflow as tf

from sa3dhp import errors
from sa3dhp.models import backbone
from sa3dhp.systems.multi_person import maps

CELLS = maps.OWN.cells
_BLOCKS = ("conv2_block", "conv3_block")  # Res-2 and Res-3, by Keras' names


class Trunk(tf.keras.Model):
    """E: ResNet-50 up to Res-3, its two last resolutions brought to one."""

    def __init__(
        self,
        image_size: int = 224,
        features: int = 1024,
        weights: str | None = None,
        name: str = "E",
    ):
        """Builds the network.

        Args:
            image_size: pixels, of both sides; 28 times a power of 2.
            features: channels of the result.
            weights: of ResNet-50, see `models.backbone.resnet50`.
            name: of the model.

        Raises:
            InputError: if the picture has another size, or the weights cannot be had.
        """
        super().__init__(name=name, dtype="float32")
        halves = math.log2(image_size / CELLS) if image_size > CELLS else 0.5
        if halves != int(halves):
            raise errors.InputError(
                f"image_size: got {image_size}, expected {CELLS} times 2, 4, 8 ..., "
                "such as 224"
            )
        self.image_size = image_size
        whole = backbone.resnet50(image_size, weights)
        blocks = [backbone.end_of(whole, name) for name in _BLOCKS]
        self.backbone = tf.keras.Model(whole.input, blocks, name="backbone")
        self._joined = _convolutions([features], size=1)
        self._last = _convolutions([features])
        self(tf.zeros([1, image_size, image_size, 3]))

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns v `[B, 28, 28, features]`, at least 0, of RGB in [0, 1].

        Raises:
            InputError: if the pictures have another size.
        """
        pixels = backbone.prepared(backbone.checked(images, self.image_size))
        blocks = self.backbone(pixels, training=training)
        sides = [tf.image.resize(x, [CELLS, CELLS]) for x in blocks]
        x = tf.concat([tf.cast(x, blocks[0].dtype) for x in sides], axis=-1)
        for layer in (*self._joined, *self._last):
            x = layer(x, training=training)
        return x


class MapReader(tf.keras.Model):
    """F.

    Attributes:
        layout: of its maps.
    """

    layout = maps.OWN

    def __init__(self, features: int = 1024, width: int = 128, name: str = "F"):
        """Builds the network.

        Args:
            features: channels of E's.
            width: of the convolutions of both stages.
            name: of the model.
        """
        super().__init__(name=name, dtype="float32")
        self._first = _convolutions([width, width])
        self._second = _convolutions([width, width])
        self._answers = [
            tf.keras.layers.Conv2D(
                self.layout.channels,
                1,
                # Most of a map is empty: answers begin near 0.
                kernel_initializer=tf.keras.initializers.RandomNormal(stddev=0.01),
                dtype="float32",
                name=f"maps_{n}",
            )
            for n in (1, 2)
        ]
        self(tf.zeros([1, CELLS, CELLS, features]))

    def call(self, features: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns the maps `[B, 28, 28, 43]`, float32, of stage 2."""
        return self.both(features, training)[1]

    def both(
        self, features: tf.Tensor, training: bool | None = None
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns the maps of stage 1 and of stage 2; both learn."""
        x = features
        for layer in self._first:
            x = layer(x, training=training)
        first = self._answers[0](x)
        x = tf.concat([features, tf.cast(first, features.dtype)], axis=-1)
        for layer in self._second:
            x = layer(x, training=training)
        return first, self._answers[1](x)


def _convolutions(widths: list[int], size: int = 3) -> list[tf.keras.layers.Layer]:
    """Convolutions, each with batch norm and ReLU."""
    layers, found = tf.keras.layers, []
    for width in widths:
        found += [
            layers.Conv2D(
                width,
                size,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
            ),
            layers.BatchNormalization(),
            layers.ReLU(),
        ]
    return found
