"""G: an image of one person to its pose latent ([S] 5, Fig. 1A)."""

from __future__ import annotations

import tensorflow as tf

from sa3dhp import errors
from sa3dhp.models import backbone as backbones

LATENT_SIZE = 32
BLOCKS = {"res2": "conv2_block", "res3": "conv3_block", "res4": "conv4_block"}


class ImageEncoder(tf.keras.Model):
    """G: ResNet-50 up to Res-4F, three convolutions, four blocks of two dense layers.

    Convolutions and dense layers follow the global precision policy, pre-processing
    and latent are float32. The skip connections around the dense blocks and the zeros
    that close each branch at the start are ours: eight plain layers on top of the
    backbone did not have to train from scratch in the paper.
    """

    def __init__(
        self,
        image_size: int = 224,
        weights: str | None = None,
        head_stride: int = 2,
        head_channels: tuple[int, ...] = (256, 256, 128),
        head_units: int = 512,
        name: str = "image_encoder",
    ):
        """Builds the network.

        Args:
            image_size: pixels, of both sides; at least 32.
            weights: None, `imagenet`, or a file of the backbone's weights; see
                `backbone.resnet50`.
            head_stride: of the first convolution of the head.
            head_channels: of the 3 x 3 convolutions.
            head_units: of the dense layers.
            name: of the model.

        Raises:
            InputError: if the image is too small or the weights cannot be had.
        """
        super().__init__(name=name, dtype="float32")
        self.image_size = image_size
        self.backbone = backbones.resnet50(image_size, weights)
        layers = tf.keras.layers
        self._convolutions = []
        for i, channels in enumerate(head_channels):
            convolution = layers.Conv2D(
                channels,
                3,
                strides=head_stride if i == 0 else 1,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
                name=f"head_conv_{i}",
            )
            self._convolutions += [
                convolution,
                layers.BatchNormalization(name=f"head_bn_{i}"),
                layers.ReLU(name=f"head_relu_{i}"),
            ]
        self._flatten = layers.Flatten(name="head_flatten")
        self._blocks = []
        for i in range(4):
            first = self._dense(head_units, "he_normal", f"fc_{i}_0")
            # The first block changes the width, so it has no skip and starts alive.
            second = "zeros" if i else "he_normal"
            self._blocks.append((first, self._dense(head_units, second, f"fc_{i}_1")))
        self._latent = layers.Dense(
            LATENT_SIZE,
            activation="tanh",
            # A small gain: tanh starts in its linear range.
            kernel_initializer=tf.keras.initializers.VarianceScaling(0.1),
            dtype="float32",
            name="latent",
        )
        self(tf.zeros([1, image_size, image_size, 3]))

    @staticmethod
    def _dense(units: int, initializer: str, name: str) -> tf.keras.layers.Dense:
        return tf.keras.layers.Dense(units, kernel_initializer=initializer, name=name)

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Encodes images.

        Args:
            images: `[B, H, W, 3]`, RGB in [0, 1], `H = W = image_size`.
            training: whether batch norm uses the batch's statistics.

        Returns:
            `[B, D]` latents in (-1, 1), float32.

        Raises:
            InputError: if the images have another shape.
        """
        images = self.checked(images)
        features = self.backbone(backbones.prepared(images), training=training)
        return self.head(features, training)

    def head(self, features: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns the latents `[B, D]`, float32, of the backbone's features.

        Args:
            features: `[B, H / 16, W / 16, 1024]`.
            training: whether the head's batch norm uses the batch's statistics.
        """
        x = features
        for layer in self._convolutions:
            x = layer(x, training=training)
        x = self._flatten(x)
        for i, (first, second) in enumerate(self._blocks):
            branch = second(tf.nn.relu(first(x)))
            x = tf.nn.relu(branch) if i == 0 else x + branch
        return self._latent(x)

    def checked(self, images: tf.Tensor) -> tf.Tensor:
        """Returns images as a tensor.

        Raises:
            InputError: if they are not `[B, image_size, image_size, 3]`.
        """
        images, size = tf.convert_to_tensor(images), self.image_size
        if images.shape.rank != 4 or images.shape[1:] != (size, size, 3):
            raise errors.InputError(
                f"images: expected [B, {size}, {size}, 3], got {tuple(images.shape)}; "
                "crop or resize them first"
            )
        return images

    def res_variables(self, block: str) -> list[tf.Variable]:
        """Returns the trainable variables of a part of the network.

        Args:
            block: `res2`, `res3`, `res4`; or `batch_norm` (scales and offsets of the
                whole network), or `all`.

        Raises:
            InputError: if there is no such block.
        """
        if block == "all":
            return list(self.trainable_variables)
        layers = [*self.backbone.layers, *self._convolutions]
        if block == "batch_norm":
            kind = tf.keras.layers.BatchNormalization
            chosen = [layer for layer in layers if isinstance(layer, kind)]
        elif block in BLOCKS:
            chosen = [x for x in layers if x.name.startswith(BLOCKS[block])]
        else:
            raise errors.InputError(
                f"block: expected one of {', '.join(BLOCKS)}, batch_norm, all; "
                f"got {block!r}"
            )
        return [v for layer in chosen for v in layer.trainable_variables]

    @property
    def res3_variables(self) -> list[tf.Variable]:
        """The variables that adaptation updates ([S] Alg. 1, line 10)."""
        return self.res_variables("res3")
