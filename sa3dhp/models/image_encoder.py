"""G: an image of one person to its pose latent ([S] 5, Fig. 1A)."""

from __future__ import annotations

import tensorflow as tf

from sa3dhp import errors
from sa3dhp.models import backbone as backbones
from sa3dhp.models import integral
from sa3dhp.skeleton import skeleton as skeletons

LATENT_SIZE = 32
SKELETON = skeletons.SA3DHP17
DEPTH_CELLS = 16  # of a joint's volume
HEADS = ("flat", "points")


class ImageEncoder(tf.keras.Model):
    """G: ResNet-50 up to Res-4F, three convolutions, four blocks of two dense layers.

    Convolutions and dense layers follow the global precision policy, pre-processing
    and latent are float32. The skip connections around the dense blocks and the zeros
    that close each branch at the start are ours: eight plain layers on top of the
    backbone did not have to train from scratch in the paper.

    Ours too: the head `points`. There the dense blocks read where the joints are, a
    volume of each, made by a deconvolution, and its expectation, instead of all values
    of the last convolution. It learns from far fewer pictures, and its points can be
    looked at; the latent, and all that comes after, stays the paper's.
    """

    def __init__(
        self,
        image_size: int = 224,
        weights: str | None = None,
        head_stride: int = 2,
        head_channels: tuple[int, ...] = (256, 256, 128),
        head_units: int = 512,
        head: str = "flat",
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
            head: what the dense layers read, one of `HEADS`.
            name: of the model.

        Raises:
            InputError: if the image is too small, the weights cannot be had, or there
                is no such head.
        """
        super().__init__(name=name, dtype="float32")
        if head not in HEADS:
            raise errors.InputError(
                f"head: expected one of {', '.join(HEADS)}; got {head!r}"
            )
        self.image_size, self.reads_points = image_size, head == "points"
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
        if self.reads_points:
            self._deconvolution = layers.Conv2DTranspose(
                head_channels[-1],
                4,
                strides=2,
                padding="same",
                use_bias=False,
                kernel_initializer="he_normal",
                name="head_deconv",
            )
            self._deconvolution_bn = layers.BatchNormalization(name="head_deconv_bn")
            self._volumes = layers.Conv2D(
                SKELETON.num_joints * DEPTH_CELLS,
                1,
                kernel_initializer=tf.keras.initializers.RandomNormal(stddev=0.01),
                dtype="float32",
                name="head_volumes",
            )
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
        return self.head(self.features(images, training), training)

    def features(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns what the backbone makes of images, `[B, H / 16, W / 16, 1024]`.

        Raises:
            InputError: if the images have another shape.
        """
        images = backbones.checked(images, self.image_size)
        return self.backbone(backbones.prepared(images), training=training)

    def head(self, features: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns the latents `[B, D]`, float32, of the backbone's features.

        Args:
            features: `[B, H / 16, W / 16, 1024]`.
            training: whether the head's batch norm uses the batch's statistics.
        """
        if self.reads_points:
            return self.latents(integral.expectation(self.volumes(features, training)))
        return self._dense_blocks(self._flatten(self._convolved(features, training)))

    def volumes(self, features: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns where the head `points` sees each joint, of the backbone's features.

        Args:
            features: as of `head`.
            training: as of `head`.

        Returns:
            `[B, 17, H / 8, W / 8, Z]`, float32, logits of volumes that reach from -1 to
            1 in half sides of the picture; `integral.expectation` makes points of them.
        """
        x = self._deconvolution(self._convolved(features, training))
        x = tf.nn.relu(self._deconvolution_bn(x, training=training))
        return integral.volumes(self._volumes(x), SKELETON.num_joints)

    def latents(self, points: tf.Tensor) -> tf.Tensor:
        """Returns the latents `[B, D]`, float32, of points `[B, 17, 3]`, half sides."""
        return self._dense_blocks(relative(points))

    def _convolved(self, features: tf.Tensor, training: bool | None) -> tf.Tensor:
        x = features
        for layer in self._convolutions:
            x = layer(x, training=training)
        return x

    def _dense_blocks(self, x: tf.Tensor) -> tf.Tensor:
        for i, (first, second) in enumerate(self._blocks):
            branch = second(tf.nn.relu(first(x)))
            x = tf.nn.relu(branch) if i == 0 else x + branch
        return self._latent(x)

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
        if self.reads_points:
            layers += [self._deconvolution, self._deconvolution_bn]
        if block == "batch_norm":
            kind = tf.keras.layers.BatchNormalization
            chosen = [layer for layer in layers if isinstance(layer, kind)]
        elif block in backbones.BLOCKS:
            chosen = [x for x in layers if x.name.startswith(backbones.BLOCKS[block])]
        else:
            raise errors.InputError(
                f"block: expected one of {', '.join(backbones.BLOCKS)}, batch_norm, "
                f"all; got {block!r}"
            )
        return [v for layer in chosen for v in layer.trainable_variables]

    def variables_above(self, block: str) -> list[tf.Variable]:
        """Returns the trainable variables of all that comes after a block.

        Args:
            block: `res2` or `res3`; `nothing` for the whole network.

        Raises:
            InputError: if there is no such block.
        """
        below = {id(variable) for variable in backbones.up_to(self.backbone, block)}
        return [v for v in self.trainable_variables if id(v) not in below]

    @property
    def res3_variables(self) -> list[tf.Variable]:
        """The variables that adaptation updates ([S] Alg. 1, line 10)."""
        return self.res_variables("res3")


def relative(points: tf.Tensor) -> tf.Tensor:
    """Returns points `[B, 17, 3]` from the root, `[B, 51]`: place says nothing."""
    root = points[:, SKELETON.root : SKELETON.root + 1]
    return tf.reshape(points - root, [-1, 3 * SKELETON.num_joints])
