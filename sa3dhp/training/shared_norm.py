"""Batch norm of a batch that is shared out among replicas: the moments of the whole.

Keras' own (`synchronized`) leaves out what its fused kernel does to the variance that
it keeps, takes the difference of two large numbers for a variance, and counts rows that
only fill up a share.
"""

from __future__ import annotations

import tensorflow as tf

from sa3dhp.training import batch_norm, replicas


class SharedBatchNormalization(tf.keras.layers.BatchNormalization):
    """As Keras', but within `replicas.shared` it trains on the whole batch."""

    def call(
        self,
        inputs: tf.Tensor,
        training: bool | None = None,
        mask: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Normalises `[n, ..., C]`."""
        if not (training and self.trainable and replicas.sharing()):
            return super().call(inputs, training=training, mask=mask)
        x = tf.cast(inputs, tf.float32)
        mean, variance, number = replicas.moments(x)
        # As the fused kernel: what is kept is the estimate without a bias.
        kept = variance * (number / tf.maximum(number - 1, 1) if self.fused else 1.0)
        for old, new in ((self.moving_mean, mean), (self.moving_variance, kept)):
            old.assign_sub((old - tf.stop_gradient(new)) * (1 - self.momentum))
        x = tf.nn.batch_normalization(
            x, mean, variance, self.beta, self.gamma, self.epsilon
        )
        return tf.cast(x, self.compute_dtype)


def synchronise(*networks: tf.keras.Model) -> None:
    """Has batch norms train on the whole batch wherever `replicas.shared` shares it.

    Where there is one replica nothing changes.

    Args:
        *networks: made under the strategy that is in force.
    """
    if tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return
    for network in networks:
        for layer in batch_norm.leaves(network):
            # Exactly: Keras' ResNet-50 makes its layers itself, so they are changed.
            if type(layer) is tf.keras.layers.BatchNormalization:
                object.__setattr__(layer, "__class__", SharedBatchNormalization)
