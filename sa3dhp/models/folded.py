"""G with its batch norms folded into the convolutions (design 11): exact, and faster.

On fixed statistics batch norm is an affine map per channel, so that a convolution and
the batch norm behind it are one convolution:

    y = conv(x, k s) + (b - mean) s + beta,    s = gamma / sqrt(variance + epsilon)

The Keras model stays what is saved, loaded and trained; `fold` makes a callable of it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import tensorflow as tf

from sa3dhp import errors
from sa3dhp.models import backbone, image_encoder, integral


def fold(
    encoder: image_encoder.ImageEncoder, trainable: Sequence[tf.Variable] = ()
) -> Folded:
    """Returns a callable equal to `encoder(images, training=False)`.

    Args:
        encoder: G, under any precision policy; stays as it is.
        trainable: those of its weights that get a gradient, e.g.
            `encoder.res_variables("res3")`; none for prediction.

    Raises:
        InputError: if one of `trainable` is no kernel, bias, scale or offset of
            `encoder`; the statistics of a folded batch norm are fixed.
    """
    return Folded(encoder, trainable)


def fold_backbone(
    network: tf.keras.Model, size: int, trainable: Sequence[tf.Variable] = ()
) -> Backbone:
    """Returns a callable equal to a backbone of pictures, on fixed statistics.

    Args:
        network: of `backbone.resnet50`, under any precision policy; stays as it is.
        size: of the pictures, pixels.
        trainable: those of its weights that get a gradient; none for prediction.

    Raises:
        InputError: if one of `trainable` is no kernel, bias, scale or offset of it.
    """
    chosen = {id(variable) for variable in trainable}
    folded = Backbone(network, size, chosen)
    _refuse_strangers(trainable, folded.layers, network.name)
    return folded


class Backbone:
    """What `fold_backbone` makes: pictures to the features of Res-4F.

    Layers of which nothing trains are folded once, into variables of the type that the
    layer computes in, see `refresh`. The others are folded at each call, in float32,
    from the Keras variables as they are then: gradients reach those that train, and
    nothing below the lowest of their layers is on the tape.

    Attributes:
        layers: all that it is made of.
    """

    def __init__(self, network: tf.keras.Model, size: int, chosen: Collection[int]):
        """Keeps `chosen`, the ids of the variables that train; see `fold_backbone`."""
        self._size = size
        layers = {x.name: x for x in network.layers}
        self.layers: list[_Layer] = []

        def convolution(name: str) -> _Layer:
            made = _Layer(layers[f"{name}_conv"], layers[f"{name}_bn"], chosen)
            self.layers.append(made)
            return made

        self._paddings = layers["conv1_pad"].padding, layers["pool1_pad"].padding
        self._stem = convolution("conv1")
        self._residuals = [
            _Residual(
                [convolution(f"{block}_{i}") for i in (1, 2, 3)],
                convolution(f"{block}_0") if f"{block}_0_conv" in layers else None,
            )
            for block in _stems(layers, r"(conv\d_block\d+)_1_conv")
        ]
        self._trains = bool(chosen)

    def refresh(self) -> None:
        """Folds the layers that do not train again; see `Folded.refresh`."""
        for layer in self.layers:
            layer.refresh()

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Returns features `[B, H / 16, W / 16, 1024]`.

        Args:
            images: `[B, H, W, 3]`, RGB in [0, 1], `H = W` as it was made for. They get
                a gradient only if nothing trains.

        Raises:
            InputError: if the images have another shape.
        """
        images = backbone.checked(images, self._size)
        if self._trains:
            images = tf.stop_gradient(images)
        stem, pool = self._paddings
        x = _padded(backbone.prepared(images), stem)
        x = _padded(tf.nn.relu(self._stem(x)), pool)
        x = tf.nn.max_pool2d(x, 3, 2, "VALID")  # [B, H / 4, W / 4, 64]
        for residual in self._residuals:
            x = residual(x)
        return x


class Folded:
    """What `fold` makes: images to latents, without a batch norm; see `Backbone`."""

    def __init__(
        self, encoder: image_encoder.ImageEncoder, trainable: Sequence[tf.Variable]
    ):
        """See `fold`."""
        self.encoder, self.image_size = encoder, encoder.image_size
        chosen = {id(variable) for variable in trainable}
        layers = {x.name: x for x in encoder.layers}
        self._backbone = Backbone(encoder.backbone, encoder.image_size, chosen)
        self._layers = list(self._backbone.layers)

        def made(name: str, norm: str | None = None) -> _Layer:
            layer = _Layer(layers[name], norm and layers[norm], chosen)
            self._layers.append(layer)
            return layer

        self._head = [
            made(f"head_conv_{i}", f"head_bn_{i}")
            for i in _stems(layers, r"head_conv_(\d+)")
        ]
        self._points = []
        if encoder.reads_points:
            deconvolution = made("head_deconv", "head_deconv_bn")
            self._points = [deconvolution, made("head_volumes")]
        self._dense = [
            (made(f"fc_{i}_0"), made(f"fc_{i}_1"))
            for i in _stems(layers, r"fc_(\d+)_0")
        ]
        self._latent = made("latent")
        _refuse_strangers(trainable, self._layers, encoder.name)

    def refresh(self) -> None:
        """Folds the layers that do not train again, from the encoder's weights.

        Call it after the encoder got other weights or statistics. Functions that were
        traced before stay valid.
        """
        for layer in self._layers:
            layer.refresh()

    @property
    def variables(self) -> list[tf.Variable]:
        """All that a call reads: the folded weights, and the encoder's that train."""
        return [variable for layer in self._layers for variable in layer.variables]

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Encodes images.

        Args:
            images: as of `Backbone`.

        Returns:
            `[B, D]` latents in (-1, 1), float32.

        Raises:
            InputError: if the images have another shape.
        """
        x = self.features(images)
        for convolution in self._head:
            x = tf.nn.relu(convolution(x))
        if self._points:
            deconvolution, last = self._points
            maps = last(tf.nn.relu(deconvolution(x)))
            points = integral.expectation(
                integral.volumes(maps, image_encoder.SKELETON.num_joints)
            )
            x = image_encoder.relative(points)
        else:
            x = tf.reshape(x, [-1, x.shape[1] * x.shape[2] * x.shape[3]])
        for i, (first, second) in enumerate(self._dense):
            branch = second(tf.nn.relu(first(x)))
            x = tf.nn.relu(branch) if i == 0 else x + branch
        return tf.tanh(self._latent(x))  # float32, as the layer

    def features(self, images: tf.Tensor) -> tf.Tensor:
        """Returns what the backbone makes of images, see `Backbone`."""
        return self._backbone(images)


def _refuse_strangers(
    trainable: Sequence[tf.Variable], layers: Sequence[_Layer], name: str
) -> None:
    """Refuses variables that are to train and are in none of the layers."""
    known = {key for layer in layers for key in layer.trainable}
    names = [v.name for v in trainable if id(v) not in known]
    if names:
        raise errors.InputError(
            f"trainable: got {names[0]} ({len(names)} such), expected kernels, "
            f"biases, scales and offsets of {name}; take them from res_variables"
        )


class _Residual:
    """A bottleneck of three convolutions, and what goes around it."""

    def __init__(self, branch: Sequence[_Layer], shortcut: _Layer | None):
        self._branch, self._shortcut = branch, shortcut

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        first, second, third = self._branch
        around = x if self._shortcut is None else self._shortcut(x)
        inner = tf.nn.relu(second(tf.nn.relu(first(x))))
        return tf.nn.relu(around + third(inner))


class _Layer:
    """A convolution with its batch norm, or a dense layer: one kernel and one bias."""

    def __init__(
        self,
        layer: tf.keras.layers.Layer,
        norm: tf.keras.layers.BatchNormalization | None,
        chosen: Collection[int],
    ):
        self._layer, self._norm = layer, norm
        self._dtype = tf.as_dtype(layer.compute_dtype)
        parts = [layer.kernel, layer.bias]
        parts += [norm.gamma, norm.beta] if norm else []
        self._parts = [part for part in parts if part is not None]
        self.trainable = {id(part) for part in self._parts} & set(chosen)
        self._frozen: list[tf.Variable] = []
        if not self.trainable:
            self._frozen = [
                tf.Variable(tf.cast(x, self._dtype), trainable=False, name=layer.name)
                for x in self._folded()
            ]

    @property
    def variables(self) -> list[tf.Variable]:
        """All that a call reads."""
        statistics = self._norm.non_trainable_variables if self._norm else []
        return self._frozen or [*self._parts, *statistics]

    def refresh(self) -> None:
        """Folds again, if nothing trains."""
        for variable, value in zip(self._frozen, self._folded()):
            variable.assign(tf.cast(value, variable.dtype))

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        """The layer and its batch norm; no activation."""
        kernel, bias = self._frozen or self._folded()
        kernel, bias = tf.cast(kernel, self._dtype), tf.cast(bias, self._dtype)
        x = tf.cast(x, self._dtype)
        if isinstance(self._layer, tf.keras.layers.Dense):
            return tf.nn.bias_add(tf.matmul(x, kernel), bias)
        strides, padding = self._layer.strides, self._layer.padding.upper()
        if isinstance(self._layer, tf.keras.layers.Conv2DTranspose):
            down, right = strides[0] * x.shape[1], strides[1] * x.shape[2]
            shape = [tf.shape(x)[0], down, right, kernel.shape[2]]
            y = tf.nn.conv2d_transpose(x, kernel, shape, strides, padding)
        else:
            y = tf.nn.conv2d(x, kernel, strides, padding)
        return tf.nn.bias_add(y, bias)

    def _folded(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Kernel and bias, float32, differentiable with respect to what trains."""
        kernel = self._read(self._layer.kernel)
        bias = 0.0 if self._layer.bias is None else self._read(self._layer.bias)
        if self._norm is None:
            return kernel, bias
        gamma, beta = self._read(self._norm.gamma), self._read(self._norm.beta)
        mean, variance = self._norm.moving_mean, self._norm.moving_variance
        scale = gamma * tf.math.rsqrt(variance + self._norm.epsilon)
        if isinstance(self._layer, tf.keras.layers.Conv2DTranspose):
            return kernel * scale[:, None], (bias - mean) * scale + beta
        return kernel * scale, (bias - mean) * scale + beta

    def _read(self, variable: tf.Variable) -> tf.Tensor:
        value = tf.convert_to_tensor(variable)
        return value if id(variable) in self.trainable else tf.stop_gradient(value)


def _stems(names: Collection[str], pattern: str) -> list[str]:
    """What the first group of a pattern catches in names, in their order."""
    found = [re.fullmatch(pattern, name) for name in names]
    return [match.group(1) for match in found if match]


def _padded(x: tf.Tensor, padding: tuple) -> tf.Tensor:
    """Zeros around pictures `[B, H, W, C]`, as `ZeroPadding2D` puts them."""
    return tf.pad(x, [[0, 0], *padding, [0, 0]])
