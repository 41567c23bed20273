"""A picture to 3D points by integral regression (Sun et al., ECCV 2018).

The student of [N] 4.4 and the estimator f, h of [C] 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from sa3dhp.models import backbone as backbones


class IntegralRegressor(tf.keras.Model):
    """ResNet-50 up to Res-4F, deconvolutions, a volume per point and its expectation.

    Sun et al. use all of ResNet-50, whose last block halves the picture once more; here
    the first deconvolution keeps the size in its place.
    """

    def __init__(
        self,
        num_points: int,
        image_size: int = 256,
        *,
        weights: str | None = None,
        strides: Sequence[int] = (1, 2, 2),
        channels: int = 256,
        depth_cells: int = 64,
        name: str = "integral",
    ):
        """Builds the network.

        Args:
            num_points: P.
            image_size: pixels, of both sides; at least 32.
            weights: of the backbone, see `backbone.resnet50`.
            strides: of each deconvolution.
            channels: of each deconvolution.
            depth_cells: of a volume along depth.
            name: of the model.

        Raises:
            InputError: if the image is too small or the weights cannot be had.
        """
        super().__init__(name=name, dtype="float32")
        self.num_points, self.image_size = num_points, image_size
        self._strides, self._channels = tuple(strides), channels
        self._depth_cells = depth_cells
        self.backbone = backbones.resnet50(image_size, weights)
        layers = tf.keras.layers
        self._decoder: list[tf.keras.layers.Layer] = []
        for number, stride in enumerate(strides):
            self._decoder += [
                layers.Conv2DTranspose(
                    channels,
                    4,
                    strides=stride,
                    padding="same",
                    use_bias=False,
                    kernel_initializer="he_normal",
                    name=f"deconvolution_{number}",
                ),
                layers.BatchNormalization(name=f"deconvolution_bn_{number}"),
                layers.ReLU(name=f"deconvolution_relu_{number}"),
            ]
        self._volumes = layers.Conv2D(
            num_points * depth_cells,
            1,
            kernel_initializer=tf.keras.initializers.RandomNormal(stddev=0.001),
            dtype="float32",
            name="volumes",
        )
        self(tf.zeros([1, image_size, image_size, 3]))

    def new(self) -> IntegralRegressor:
        """Returns a network of this form with other weights, under today's policy."""
        return IntegralRegressor(
            self.num_points,
            self.image_size,
            strides=self._strides,
            channels=self._channels,
            depth_cells=self._depth_cells,
        )

    def call(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Finds the points of pictures.

        Args:
            images: `[B, S, S, 3]`, RGB in [0, 1], S = `image_size`.
            training: whether batch norm uses the batch's statistics.

        Returns:
            `[B, P, 3]`, float32: x right, y down and depth in half sides of the
            picture, its middle is 0. Depth has no origin but the volume's middle.

        Raises:
            InputError: if the pictures have another shape.
        """
        return self.read(self.features(images, training), training)

    def features(self, images: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns f, `[B, S / 16, S / 16, 1024]`, of pictures as `call` takes them.

        Raises:
            InputError: if the pictures have another shape.
        """
        images = backbones.checked(images, self.image_size)
        return self.backbone(backbones.prepared(images), training=training)

    def read(self, features: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns h, the points that `call` returns, of the features of pictures."""
        return expectation(self.volumes(features, training))

    def volumes(self, features: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Returns the logits `[B, P, H, W, Z]` whose expectation `read` is."""
        x = features
        for layer in self._decoder:
            x = layer(x, training=training)
        return volumes(self._volumes(x), self.num_points)

    def variables_above(self, block: str) -> list[tf.Variable]:
        """Returns the trainable variables of all that comes after a block of f.

        Args:
            block: `res2` or `res3`; `nothing` for the whole network.

        Raises:
            InputError: if there is no such block.
        """
        below = {id(variable) for variable in backbones.up_to(self.backbone, block)}
        return [v for v in self.trainable_variables if id(v) not in below]

    @property
    def reading_variables(self) -> list[tf.Variable]:
        """The variables of h that training moves."""
        layers = (*self._decoder, self._volumes)
        return [v for layer in layers for v in layer.trainable_variables]


def volumes(maps: tf.Tensor, num_points: int) -> tf.Tensor:
    """Returns the maps `[B, H, W, P Z]` as volumes `[B, P, H, W, Z]`."""
    depth_cells = maps.shape[3] // num_points
    shape = [-1, maps.shape[1], maps.shape[2], num_points, depth_cells]
    return tf.transpose(tf.reshape(maps, shape), [0, 3, 1, 2, 4])


def expectation(volumes: tf.Tensor) -> tf.Tensor:
    """Returns where volumes lie on average, their values being logits.

    Args:
        volumes: `[B, P, H, W, Z]`, float32.

    Returns:
        `[B, P, 3]`, x, y and z; each volume reaches from -1 to 1 along each axis, and
        its cells stand at their centres.
    """
    height, width, depth = volumes.shape[2:]
    shape = [-1, volumes.shape[1], height * width * depth]
    share = tf.nn.softmax(tf.reshape(volumes, shape), axis=-1)
    share = tf.reshape(share, [-1, volumes.shape[1], height, width, depth])
    axes = ((width, [2, 4]), (height, [3, 4]), (depth, [2, 3]))
    means = [
        tf.tensordot(tf.reduce_sum(share, axis=others), _centres(cells), axes=1)
        for cells, others in axes
    ]
    return tf.stack(means, axis=-1)


def error(pred: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns the mean absolute difference of what is known (Sun et al., 2018).

    Args:
        pred: `[B, P, 3]`.
        target: `[B, P, 3]`; NaN where not known.
    """
    known = tf.cast(tf.math.is_finite(target), pred.dtype)
    target = tf.where(tf.math.is_nan(target), tf.zeros_like(pred), target)
    return tf.reduce_sum(known * tf.abs(pred - target)) / (tf.reduce_sum(known) + 1e-9)


def heat_error(volumes: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns how far volumes are from normal ones around the targets.

    The relative entropy of a volume's share in the picture, and of its share along
    depth, from Gaussians with a deviation of one cell: a point learns where it is
    before its expectation, which an even volume puts into the middle, says so.

    Args:
        volumes: `[B, P, H, W, Z]`, float32, logits.
        target: `[B, P, 3]`, as `expectation` returns points; a point that is NaN, all
            or in part, is left out.

    Returns:
        The mean over the points that are known, nats.
    """
    _, points, height, width, depth = volumes.shape
    shape = [-1, points, height * width, depth]
    share = tf.reshape(volumes, shape)
    share -= tf.reduce_logsumexp(share, axis=[2, 3], keepdims=True)
    known = tf.reduce_all(tf.math.is_finite(target), axis=-1)
    target = tf.where(known[..., None], target, tf.zeros_like(target))[:, :, None]
    down, right = tf.meshgrid(_centres(height), _centres(width), indexing="ij")
    cells = tf.reshape(tf.stack([right, down], axis=-1), [-1, 2])
    flat = tf.reduce_sum(((cells - target[..., :2]) * [width / 2, height / 2]) ** 2, -1)
    along = ((_centres(depth) - target[..., 2]) * depth / 2) ** 2
    error = _divergence(-flat / 2, tf.reduce_logsumexp(share, axis=3))
    error += _divergence(-along / 2, tf.reduce_logsumexp(share, axis=2))
    weight = tf.cast(known, error.dtype)
    return tf.reduce_sum(weight * error) / (tf.reduce_sum(weight) + 1e-9)


def _divergence(wanted: tf.Tensor, log_share: tf.Tensor) -> tf.Tensor:
    """Relative entropy of softmax(wanted) from shares given by their logarithms."""
    log_wanted = tf.nn.log_softmax(wanted, axis=-1)
    return tf.reduce_sum(tf.exp(log_wanted) * (log_wanted - log_share), axis=-1)


def _centres(cells: int) -> tf.Tensor:
    """Middles of cells that fill -1 to 1, `[cells]`."""
    return (2.0 * tf.range(cells, dtype=tf.float32) + 1.0) / cells - 1.0
