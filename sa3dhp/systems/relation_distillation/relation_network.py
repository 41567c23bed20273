"""T: the latent of an anchor to the latent of its partner ([M] 3.3.2, [S] Fig. 1C).

`RelationNetwork` is the paper's, learnt from pairs. `ExactRelation` is what it learns
to be: the latent is decoded, its pose transformed, and encoded again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from sa3dhp.models import pose_prior
from sa3dhp.systems.relation_distillation import rules

# `[..., D]` latents to those of their partners.
Relation = Callable[[tf.Tensor], tf.Tensor]
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


class ExactRelation:
    """T without a network; ours, a bound: its errors are the auto-encoder's alone."""

    def __init__(self, rule: rules.Rule, prior: pose_prior.Prior):
        """Keeps what it is made of.

        Args:
            rule: ties anchor and partner.
            prior: of the rule's space.
        """
        self._rule, self._prior = rule, prior

    def __call__(self, latent: tf.Tensor) -> tf.Tensor:
        """Maps `[..., D]` latents to `[..., D]` latents of their partners."""
        shape = tf.shape(latent)
        joints = self._prior.decode(tf.reshape(latent, [-1, latent.shape[-1]]))
        partner = self._rule.partner(joints, self._prior.pose.skeleton)
        return tf.reshape(self._prior.encode(partner), shape)
