"""A ResNet of three blocks in place of ResNet-50: what a network is made of, quickly.

Layers have the names that Keras gives those of ResNet-50, so that parts are found and
batch norm is folded as in the whole. For tests of what stands around the network.
"""

import contextlib

import pytest
import tensorflow as tf

from sa3dhp.models import backbone

CHANNELS = {"conv2_block1": 8, "conv3_block1": 16, "conv4_block1": 32}


def make(image_size, weights):
    """As `backbone.resnet50`, up to Res-4A, with 32 times fewer channels."""
    assert weights is None
    layers = tf.keras.layers
    images = layers.Input((image_size, image_size, 3))
    x = layers.ZeroPadding2D(3, name="conv1_pad")(images)
    x = layers.Conv2D(8, 7, strides=2, name="conv1_conv")(x)
    x = layers.BatchNormalization(epsilon=1.001e-5, name="conv1_bn")(x)
    x = layers.ReLU(name="conv1_relu")(x)
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)
    x = layers.MaxPooling2D(3, strides=2, name="pool1_pool")(x)
    for name, channels in CHANNELS.items():
        x = _block(x, name, channels, 1 if name == "conv2_block1" else 2)
    return tf.keras.Model(images, x, name="backbone")


def _block(x, name, channels, stride):
    layers = tf.keras.layers

    def convolved(x, number, width, size, stride):
        x = layers.Conv2D(
            width, size, strides=stride, padding="same", name=f"{name}_{number}_conv"
        )(x)
        return layers.BatchNormalization(epsilon=1.001e-5, name=f"{name}_{number}_bn")(
            x
        )

    skip = convolved(x, 0, channels, 1, stride)
    x = layers.ReLU(name=f"{name}_1_relu")(convolved(x, 1, channels // 4, 1, stride))
    x = layers.ReLU(name=f"{name}_2_relu")(convolved(x, 2, channels // 4, 3, 1))
    x = convolved(x, 3, channels, 1, 1)
    x = layers.Add(name=f"{name}_add")([skip, x])
    return layers.ReLU(name=f"{name}_out")(x)


@contextlib.contextmanager
def used():
    """While this is open, image encoders are made of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backbone, "resnet50", make)
        yield
