"""Stage 1: E and M on pictures of all domains, without a label ([C] 1)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from sa3dhp.systems.interventions import vae
from sa3dhp.training import optimisation, replicas, shared_norm


class VaeStep:
    """Trains E and M by the evidence lower bound (Kingma, Welling, 2014)."""

    def __init__(
        self,
        encoder: vae.Encoder,
        decoder: vae.Decoder,
        *,
        learning_rate: Any,
        divergence_weight: float,
        seed: int,
    ):
        """Builds the optimizer.

        Args:
            encoder: E.
            decoder: M.
            learning_rate: a number or a Keras schedule.
            divergence_weight: of the divergence beside the squared error of a picture.
            seed: of the codes that are drawn.
        """
        self._encoder, self._decoder = encoder, decoder
        shared_norm.synchronise(encoder, decoder)
        self._divergence_weight, self._seed = divergence_weight, seed
        self._variables = encoder.trainable_variables + decoder.trainable_variables
        self._optimizer = optimisation.adam(learning_rate, self._variables)
        self._strategy = tf.distribute.get_strategy()
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def models(self) -> dict[str, tf.keras.Model]:
        """The networks by name."""
        return {"vae_encoder": self._encoder, "vae_decoder": self._decoder}

    @property
    def trackables(self) -> dict[str, Any]:
        """All that a checkpoint must hold."""
        kept = {"optimizer": self._optimizer, "iteration": self.iteration}
        return {**self.models, **kept}

    def terms(self, images: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """Returns the unweighted terms of pictures `[B, S, S, 3]`, RGB in [0, 1].

        Returns:
            `reconstruction`, the squared error summed over a picture, and `divergence`,
            nats; without training of the mean codes.
        """
        encode = replicas.shared(lambda x: self._encoder(x, training=training))
        decode = replicas.shared(lambda x: self._decoder(x, training=training))
        mean, log_variance = encode(images)
        if training:
            seed = tf.stack([tf.constant(self._seed, tf.int64), self.iteration])
            noise = tf.random.stateless_normal(tf.shape(mean), seed)
            codes = vae.sampled(mean, log_variance, noise)
        else:
            codes = vae.squashed(mean)
        shown = decode(codes)
        squares = tf.reduce_sum((shown - images) ** 2, axis=[1, 2, 3])
        divergence = vae.divergence(mean, log_variance)
        return {
            "reconstruction": tf.reduce_mean(squares),
            "divergence": tf.reduce_mean(divergence),
        }

    @tf.function(reduce_retracing=True, autograph=False)
    def __call__(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """Runs one iteration; returns the terms before it."""
        return replicas.run(self._strategy, self._update, images)

    def _update(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        """What one replica does of it."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            terms = self.terms(images, training=True)
            weighted = self._divergence_weight * terms["divergence"]
            loss = terms["reconstruction"] + weighted
        optimisation.update(self._optimizer, tape, loss, self._variables)
        self.iteration.assign_add(1)
        return terms
