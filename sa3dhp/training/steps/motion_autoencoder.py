"""Stage 2: the motion auto-encoder, on the frozen pose auto-encoder ([S] 5b)."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from sa3dhp.losses import adversarial
from sa3dhp.losses import pose as pose_losses
from sa3dhp.models import motion_autoencoder, pose_prior
from sa3dhp.training import optimisation, replicas


class MotionAutoencoderStep:
    """Trains E_m and D_m, and with an adversarial weight the discriminator of v.

    The named terms, all unweighted:
        latents: |z - z'| of the sequence of pose latents.
        joints: |p - p'| of the decoded joints, in units of `UNIT_MM`.
        adversarial: |logit - 1| of v: pulls v towards U[-1, 1]^128. [M] calls the model
            an adversarial auto-encoder, [S] trains it on reconstruction alone.
        discriminator: |logit - 1| of uniform draws and |logit + 1| of v.
        joint_error: mean distance of all joints but the root, mm; a reading, not
            minimised.
    """

    UNIT_MM = 250.0  # the mean |coordinate| of a person's joints, mm

    def __init__(
        self,
        prior: pose_prior.MotionPrior,
        discriminator: motion_autoencoder.MotionDiscriminator,
        *,
        learning_rate: Any,
        latent_weight: float,
        joints_weight: float,
        adversarial_weight: float,
        seed: int,
    ):
        """Builds the optimizers.

        Args:
            prior: E_m and D_m are trained; the pose prior below them stays.
            discriminator: of v; not trained where `adversarial_weight` is 0.
            learning_rate: of both Adams: a number or a Keras schedule.
            latent_weight, joints_weight: of the two sides of the reconstruction.
            adversarial_weight: of the adversarial term.
            seed: of the uniform draws, a function of (seed, iteration).
        """
        self._prior, self._discriminator = prior, discriminator
        self._weights = {
            "latents": latent_weight,
            "joints": joints_weight,
            "adversarial": adversarial_weight,
        }
        self._is_adversarial = adversarial_weight > 0
        self._seed = seed
        encoder, decoder = prior.encoder, prior.decoder
        self._variables = encoder.trainable_variables + decoder.trainable_variables
        self._judges = discriminator.trainable_variables
        self._optimizer = optimisation.adam(learning_rate, self._variables)
        self._judge_optimizer = optimisation.adam(learning_rate, self._judges)
        self._strategy = tf.distribute.get_strategy()
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def models(self) -> dict[str, tf.keras.Model]:
        """The networks by name."""
        return {
            "motion_encoder": self._prior.encoder,
            "motion_decoder": self._prior.decoder,
            "motion_discriminator": self._discriminator,
        }

    @property
    def trackables(self) -> dict:
        """All that a checkpoint must hold."""
        return {
            **self.models,
            "autoencoder_optimizer": self._optimizer,
            "discriminator_optimizer": self._judge_optimizer,
            "iteration": self.iteration,
        }

    def terms(self, batch: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """Returns the unweighted terms.

        Args:
            batch: `[B, T, J, 3]` joints, mm, camera frame, root-relative, 30 fps.
            training: handed to the networks.

        Returns:
            Scalars by name, see the class.
        """
        prior = self._prior
        latents = prior.latents(batch)  # [B, T, D]
        motion = prior.encoder(latents, training=training)  # [B, V]
        recovered = prior.decoder(motion, training=training)  # [B, T, D]

        # Both sides go through D_p: what it cannot express is not this model's error.
        pred, target = tf.split(prior.joints(tf.concat([recovered, latents], 0)), 2)
        difference = pose_losses.absolute_difference
        root = prior.pose.skeleton.root
        terms = {
            "latents": difference(recovered, latents),
            "joints": difference(pred, target) / self.UNIT_MM,
            "joint_error": pose_losses.joint_distance(pred, target, root),
        }
        if self._is_adversarial:
            terms.update(self._adversarial_terms(motion, training))
        return terms

    @tf.function(reduce_retracing=True, autograph=False)
    def __call__(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """Runs one iteration; returns the terms before it."""
        return replicas.run(self._strategy, self._update, batch)

    def _update(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """What one replica does of it."""
        with tf.GradientTape(
            persistent=self._is_adversarial, watch_accessed_variables=False
        ) as tape:
            tape.watch(self._variables + self._judges)
            terms = self.terms(batch, training=True)
            loss = tf.add_n(
                [w * terms[name] for name, w in self._weights.items() if name in terms]
            )
        # Both gradients are of the weights before either moves.
        optimisation.update(self._optimizer, tape, loss, self._variables)
        if self._is_adversarial:
            judged = terms["discriminator"]
            optimisation.update(self._judge_optimizer, tape, judged, self._judges)
        self.iteration.assign_add(1)
        return terms

    def _adversarial_terms(
        self, motion: tf.Tensor, training: bool
    ) -> dict[str, tf.Tensor]:
        """The two players' terms for `[B, V]` motion latents."""
        seed = tf.stack([tf.constant(self._seed, tf.int64), self.iteration])
        uniform = tf.random.stateless_uniform(tf.shape(motion), seed, -1.0, 1.0)
        real = self._discriminator(uniform, training=training)
        fake = self._discriminator(motion, training=training)
        return {
            "adversarial": adversarial.distance_to(adversarial.REAL, fake),
            "discriminator": adversarial.distance_to(adversarial.REAL, real)
            + adversarial.distance_to(adversarial.FAKE, fake),
        }
