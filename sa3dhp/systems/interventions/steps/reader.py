"""Stage 3: R reads poses in the codes of labelled pictures, for g; E stays as it is."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from sa3dhp.models import integral
from sa3dhp.systems.interventions import generator, vae
from sa3dhp.training import optimisation, replicas


class Batch(NamedTuple):
    """Labelled pictures of the source.

    Attributes:
        images: `[B, S, S, 3]`, RGB in [0, 1].
        poses: `[B, P, 3]`, half sides of the picture; NaN where not labelled.
    """

    images: tf.Tensor
    poses: tf.Tensor


class ReaderStep:
    """Trains R on codes as E draws them, so that near codes are read alike."""

    def __init__(
        self,
        reader: generator.CodeReader,
        encoder: vae.Encoder,
        *,
        learning_rate: Any,
        seed: int,
    ):
        """Builds the optimizer.

        Args:
            reader: R.
            encoder: E, frozen.
            learning_rate: a number or a Keras schedule.
            seed: of the codes that are drawn.
        """
        self._reader, self._encoder, self._seed = reader, encoder, seed
        self._variables = reader.trainable_variables
        self._optimizer = optimisation.adam(learning_rate, self._variables)
        self._strategy = tf.distribute.get_strategy()
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def models(self) -> dict[str, tf.keras.Model]:
        """The networks by name."""
        return {"code_reader": self._reader}

    @property
    def trackables(self) -> dict[str, Any]:
        """All that a checkpoint must hold."""
        kept = {"optimizer": self._optimizer, "iteration": self.iteration}
        return {**self.models, **kept}

    def terms(self, batch: Batch, training: bool = False) -> dict[str, tf.Tensor]:
        """Returns `pose`; without training of the codes that pictures have on average.

        Args:
            batch: of the source.
            training: whether codes are drawn.
        """
        batch = Batch(*batch)
        encode = replicas.shared(lambda x: self._encoder(x, training=False))
        mean, log_variance = encode(batch.images)
        codes = vae.squashed(mean)
        if training:
            seed = tf.stack([tf.constant(self._seed, tf.int64), self.iteration])
            noise = tf.random.stateless_normal(tf.shape(mean), seed)
            codes = vae.sampled(mean, log_variance, noise)
        return {"pose": integral.error(self._reader(codes), batch.poses)}

    @tf.function(reduce_retracing=True, autograph=False)
    def __call__(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Runs one iteration; returns the terms before it."""
        return replicas.run(self._strategy, self._update, batch)

    def _update(self, batch: Batch) -> dict[str, tf.Tensor]:
        """What one replica does of it."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            terms = self.terms(batch, training=True)
        optimisation.update(self._optimizer, tape, terms["pose"], self._variables)
        self.iteration.assign_add(1)
        return terms
