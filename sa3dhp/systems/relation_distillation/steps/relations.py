"""Stage 4: a relation network on pairs of latents ([M] 3.3.2, [S] Alg. 1, l. 5-7)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from sa3dhp.systems.relation_distillation import energies, relation_network
from sa3dhp.training import optimisation, replicas


class RelationStep:
    """Trains T to map the latent of an anchor to the latent of its partner.

    The named term: `residual`, mean || T(z) - z+ ||.
    """

    def __init__(
        self, network: relation_network.RelationNetwork, *, learning_rate: Any
    ):
        """Builds the optimizer; `learning_rate`: a number or a Keras schedule."""
        self._network = network
        self._variables = network.trainable_variables
        self._optimizer = optimisation.adam(learning_rate, self._variables)
        self._strategy = tf.distribute.get_strategy()
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def models(self) -> dict[str, tf.keras.Model]:
        """The networks by name."""
        return {"relation_network": self._network}

    @property
    def trackables(self) -> dict:
        """All that a checkpoint must hold."""
        return {
            **self.models,
            "optimizer": self._optimizer,
            "iteration": self.iteration,
        }

    def terms(
        self, batch: tuple[tf.Tensor, tf.Tensor], training: bool = False
    ) -> dict[str, tf.Tensor]:
        """Returns the term of `[B, D]` latents and their partners' `[B, D]`."""
        latent, partner = batch
        related = self._network(latent, training=training)
        return {"residual": energies.residual(related, partner)}

    @tf.function(reduce_retracing=True, autograph=False)
    def __call__(self, batch: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Runs one iteration; returns the term before it."""
        return replicas.run(self._strategy, self._update, batch)

    def _update(self, batch: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """What one replica does of it."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            terms = self.terms(batch, training=True)
        optimisation.update(self._optimizer, tape, terms["residual"], self._variables)
        self.iteration.assign_add(1)
        return terms
