"""T: the latent of an anchor to the latent of its partner ([M] 3.3.2, [S] Fig. 1C)."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

POSE_WIDTHS = (256, 256, 256, 32)
MOTION_WIDTHS = (512, 512, 512, 128)


class RelationNetwork(tf.keras.Model):
    """Dense layers that end in a tanh, from a latent space to itself.

    Computes in float32 whatever the global precision policy.
    """

    def __init__(
        self, widths: Sequence[int] = POSE_WIDTHS, name: str = "relation_network"
    ):
        """Builds the layers.

        Args:
            widths: of all layers; the last is the size of the latent, in and out.
            name: of the model.
        """
        super().__init__(name=name, dtype="float32")
        activations = [tf.nn.leaky_relu] * (len(widths) - 1) + [tf.nn.tanh]
        self._stack = [
            tf.keras.layers.Dense(w, activation=a, dtype="float32", name=f"dense_{i}")
            for i, (w, a) in enumerate(zip(widths, activations))
        ]
        self(tf.zeros([1, widths[-1]]))

    def call(self, latent: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """Maps `[B, D]` latents to `[B, D]` latents of their partners."""
        x = latent
        for layer in self._stack:
            x = layer(x)
        return x
