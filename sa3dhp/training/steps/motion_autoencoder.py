"""Stage 2: the motion auto-encoder, on the frozen pose auto-encoder ([S] 5b)."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from sa3dhp.losses import adversarial
from sa3dhp.losses import pose as pose_losses
from sa3dhp.models import motion_autoencoder, pose_autoencoder
from sa3dhp.skeleton import kinematics
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.training import optimisation


class MotionAutoencoderStep:
    """Trains E_m and D_m, and with an adversarial weight the discriminator of v.

    The named terms, all unweighted:
        latents: |z - z'| of the sequence of pose latents.
        joints: |p - p'| of the decoded joints, in units of `UNIT_MM`.
        adversarial: |logit - 1| of v: pulls v towards U[-1, 1]^128. [M] calls the model
            an adversarial auto-encoder, [S] trains it on reconstruction alone.
        discriminator: |logit - 1| of uniform draws and |logit + 1| of v.
        joint_error: mean distance of the joints, mm; a reading, not minimised.
    """

    UNIT_MM = 250.0  # the mean |coordinate| of a person's joints, mm

    def __init__(
        self,
        encoder: motion_autoencoder.MotionEncoder,
        decoder: motion_autoencoder.MotionDecoder,
        discriminator: motion_autoencoder.MotionDiscriminator,
        pose_encoder: pose_autoencoder.PoseEncoder,
        pose_decoder: pose_autoencoder.PoseDecoder,
        skeleton: skeletons.Skeleton,
        bone_lengths: np.ndarray,
        *,
        learning_rate: Any = 1e-3,
        latent_weight: float = 1.0,
        joints_weight: float = 1.0,
        adversarial_weight: float = 0.0,
        seed: int = 0,
    ):
        """Builds the optimizers.

        Args:
            encoder, decoder, discriminator: the networks that are trained.
            pose_encoder, pose_decoder: E_p and D_p; they stay as they are.
            skeleton: of the batches.
            bone_lengths: `[J]`, mm, of the decoded poses; root 0.
            learning_rate: of both Adams: a number or a Keras schedule.
            latent_weight, joints_weight: of the two sides of the reconstruction.
            adversarial_weight: of the adversarial term; with 0 the discriminator is
                not trained.
            seed: of the uniform draws, a function of (seed, iteration).
        """
        self._encoder, self._decoder = encoder, decoder
        self._discriminator = discriminator
        self._pose_encoder, self._pose_decoder = pose_encoder, pose_decoder
        self._skeleton = skeleton
        self._bone_lengths = np.asarray(bone_lengths, np.float32)
        self._weights = {
            "latents": latent_weight,
            "joints": joints_weight,
            "adversarial": adversarial_weight,
        }
        self._is_adversarial = adversarial_weight > 0
        self._seed = seed
        self._variables = encoder.trainable_variables + decoder.trainable_variables
        self._judges = discriminator.trainable_variables
        self._optimizer = optimisation.adam(learning_rate, self._variables)
        self._judge_optimizer = optimisation.adam(learning_rate, self._judges)
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def models(self) -> dict[str, tf.keras.Model]:
        """The networks by name."""
        return {
            "motion_encoder": self._encoder,
            "motion_decoder": self._decoder,
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
        frames, joints = batch.shape[1:3]
        local = kinematics.to_local(
            tf.reshape(batch, [-1, joints, 3]), self._skeleton
        )  # [B T, J, 3]
        latents = self._pose_encoder(local)
        latents = tf.reshape(latents, [-1, frames, latents.shape[-1]])  # [B, T, D]
        motion = self._encoder(latents, training=training)  # [B, V]
        recovered = self._decoder(motion, training=training)  # [B, T, D]

        # Both sides go through D_p: what it cannot express is not this model's error.
        pred, target = tf.split(
            self._joints(tf.concat([recovered, latents], 0)), 2, axis=0
        )
        difference = pose_losses.absolute_difference
        terms = {
            "latents": difference(recovered, latents),
            "joints": difference(pred, target) / self.UNIT_MM,
            "joint_error": pose_losses.joint_distance(pred, target),
        }
        if self._is_adversarial:
            terms.update(self._adversarial_terms(motion, training))
        return terms

    @tf.function(reduce_retracing=True, autograph=False)
    def __call__(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """Runs one iteration; returns the terms before it."""
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

    def _joints(self, latents: tf.Tensor) -> tf.Tensor:
        """D_p and FK on `[B, T, D]`: `[B T, J, 3]`, mm."""
        flat = tf.reshape(latents, [-1, latents.shape[-1]])
        local = self._pose_decoder(flat)
        return kinematics.from_local(local, self._skeleton, self._bone_lengths)

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
