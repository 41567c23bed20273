"""Batch norm's statistics of another place: the cheapest adaptation, and a control."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from sa3dhp.geometry import pictures


def reestimate(
    encoder: tf.keras.Model, images: np.ndarray, batch_size: int = 120
) -> None:
    """Replaces the moving statistics of every batch norm by those of the images.

    Each becomes the plain mean over the batches; scales and offsets stay.

    Args:
        encoder: takes images in [0, 1] and `training`; not frozen.
        images: uint8 `[N, S, S, 3]`, of which the encoder sees the centre; a rest that
            fills no batch is left out, unless it is all.
        batch_size: pictures whose statistics are taken together.
    """
    size = min(batch_size, len(images))

    def batches() -> Iterator[tf.Tensor]:
        for start in range(0, len(images) - size + 1, size):
            middle = pictures.center_crop(
                images[start : start + size], encoder.image_size
            )
            yield tf.constant(middle, tf.float32) / 255.0

    reestimate_by(encoder, lambda batch: encoder(batch, training=True), batches())


def reestimate_by(
    model: tf.keras.Model, run: Callable[[Any], object], batches: Iterable
) -> None:
    """Replaces the moving statistics of each batch norm that a function runs.

    Args:
        model: that holds the layers.
        run: takes a batch and runs layers of the model with `training`, eagerly.
        batches: each becomes an equal part of the mean.
    """
    kind = tf.keras.layers.BatchNormalization
    layers = [layer for layer in leaves(model) if isinstance(layer, kind)]
    momenta = [layer.momentum for layer in layers]
    try:
        for done, batch in enumerate(batches):
            for layer in layers:  # the mean of `done` batches and of this one
                layer.momentum = done / (done + 1)
            run(batch)
    finally:
        for layer, momentum in zip(layers, momenta):
            layer.momentum = momentum


def leaves(model: tf.keras.Model) -> Iterator[tf.keras.layers.Layer]:
    """Yields the layers of a model and of the models in it."""
    for layer in model.layers:
        if isinstance(layer, tf.keras.Model):
            yield from leaves(layer)
        else:
            yield layer
