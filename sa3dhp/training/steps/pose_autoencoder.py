"""Stage 1: the pose auto-encoder, adversarial on its decoder ([P] eq. 1, [W])."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import tensorflow as tf

from sa3dhp.losses import adversarial
from sa3dhp.losses import pose as pose_losses
from sa3dhp.models import pose_autoencoder, pose_prior
from sa3dhp.training import optimisation, replicas

DISCRIMINATOR, AUTOENCODER = 0, 1  # whose turn it is


@dataclasses.dataclass(frozen=True)
class Turns:
    """When the turn of a player ends ([W]).

    Attributes:
        right_enough: accuracy that ends the discriminator's turn.
        fooled_enough: share of fooled judgements that ends the auto-encoder's.
        max_steps: after which any turn ends.
    """

    right_enough: float
    fooled_enough: float
    max_steps: int = 20


class PoseAutoencoderStep:
    """Trains E_p, D_p and the discriminator, which take turns.

    The discriminator trains until it is right about enough of the poses, then the
    auto-encoder until enough of its random poses pass for real, see `Turns`. Whose turn
    it is lives in variables, so that a resumed run goes on where it was.

    The named terms, all unweighted:
        cycle_joints: |p - p'| of the joints after FK, in units of `UNIT_MM`.
        cycle_local: |p - p'| of the local vectors, ours: feet and hands weigh as much
            as the spine, whatever their distance from the root.
        cycle_latent: |z - z'|, z ~ U[-1, 1]^32 through D_p and E_p.
        adversarial: weighted |logit - 1| of poses decoded from random z.
        discriminator: weighted |logit - 1| of real and |logit + 1| of random poses.
        joint_error: mean distance of all joints but the root, mm; a reading, not
            minimised.
    """

    # The mean |coordinate| of a person's joints, mm: brings the cycle's two sides to a
    # comparable size.
    UNIT_MM = 250.0

    def __init__(
        self,
        prior: pose_prior.PosePrior,
        discriminator: pose_autoencoder.PoseDiscriminator,
        *,
        learning_rate: Any,
        cycle_weight: float,
        local_weight: float,
        adversarial_weight: float,
        turns: Turns,
        noise: float,
        seed: int,
    ):
        """Builds the optimizers.

        Args:
            prior: its two networks are trained; skeleton and bones are those of the
                batches and of decoded poses.
            discriminator: trained against them.
            learning_rate: of both Adams: a number or a Keras schedule.
            cycle_weight: of the two cycle terms.
            local_weight: of `cycle_local` beside `cycle_joints`; 0 is the paper's loss.
            adversarial_weight: of the adversarial term.
            turns: when a player's turn ends.
            noise: standard deviation of what is added to every local vector before
                the discriminator sees it, real or decoded; 0 is the paper's game.
            seed: of the random latents; they are a function of (seed, iteration).
        """
        self._prior, self._discriminator = prior, discriminator
        self._weights = {
            "cycle_joints": cycle_weight,
            "cycle_local": cycle_weight * local_weight,
            "cycle_latent": cycle_weight,
            "adversarial": adversarial_weight,
        }
        self._enough = tf.constant([turns.right_enough, turns.fooled_enough])
        self._max_turn = turns.max_steps
        self._noise = noise
        self._seed = seed
        trained = (
            discriminator.trainable_variables,
            prior.encoder.trainable_variables + prior.decoder.trainable_variables,
        )
        adam = functools.partial(tf.keras.optimizers.Adam, **optimisation.NO_XLA)
        self._players = [(variables, adam(learning_rate)) for variables in trained]
        for variables, optimizer in self._players:
            optimizer.build(variables)
        self._strategy = tf.distribute.get_strategy()
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._turn = tf.Variable(DISCRIMINATOR, dtype=tf.int32, trainable=False)
        self._turn_steps = tf.Variable(0, dtype=tf.int32, trainable=False)

    @property
    def models(self) -> dict[str, tf.keras.Model]:
        """The networks by name."""
        return {
            "pose_encoder": self._prior.encoder,
            "pose_decoder": self._prior.decoder,
            "pose_discriminator": self._discriminator,
        }

    @property
    def trackables(self) -> dict:
        """All that a checkpoint must hold."""
        return {
            **self.models,
            "discriminator_optimizer": self._players[DISCRIMINATOR][1],
            "autoencoder_optimizer": self._players[AUTOENCODER][1],
            "iteration": self.iteration,
            "turn": self._turn,
            "turn_steps": self._turn_steps,
        }

    def terms(self, batch: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """Returns the unweighted terms.

        Args:
            batch: `[B, J, 3]` joints, mm, camera frame, root-relative.
            training: handed to the networks.

        Returns:
            Scalars by name, see the class; with `right` and `fooled`, the shares that
            end the turns.
        """
        prior = self._prior
        local = prior.to_local(batch)
        latent = self._random_latent(tf.shape(batch)[0])
        decoded = prior.decoder(prior.encoder(local, training), training)
        joints = prior.from_local(decoded)
        target = prior.from_local(local)  # with the decoder's bones
        random_pose = prior.decoder(latent, training)
        recovered = prior.encoder(random_pose, training)

        weights = self._discriminator.logit_weights
        both = self._blurred(tf.concat([local, random_pose], 0))
        real, fake = tf.split(self._discriminator(both, training), 2)
        right = 0.5 * (
            adversarial.share_taken_for(adversarial.REAL, real, weights)
            + adversarial.share_taken_for(adversarial.FAKE, fake, weights)
        )
        difference = pose_losses.absolute_difference
        return {
            "cycle_joints": difference(joints, target) / self.UNIT_MM,
            "cycle_local": difference(decoded, local),
            "cycle_latent": difference(recovered, latent),
            "adversarial": adversarial.distance_to(adversarial.REAL, fake, weights),
            "discriminator": adversarial.distance_to(adversarial.REAL, real, weights)
            + adversarial.distance_to(adversarial.FAKE, fake, weights),
            "joint_error": pose_losses.joint_distance(
                joints, target, prior.skeleton.root
            ),
            "right": right,
            "fooled": adversarial.share_taken_for(adversarial.REAL, fake, weights),
        }

    @tf.function(reduce_retracing=True, autograph=False)
    def __call__(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """Runs one iteration of whoever's turn it is; returns the terms before it."""

        def played_by(player: int) -> dict[str, tf.Tensor]:
            update = functools.partial(self._update, player)
            return replicas.run(self._strategy, update, batch)

        # Around the replicas, who could not sum gradients within it.
        return tf.cond(
            tf.equal(self._turn, DISCRIMINATOR),
            lambda: played_by(DISCRIMINATOR),
            lambda: played_by(AUTOENCODER),
        )

    def _update(self, player: int, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """What one replica does of it."""
        with tf.GradientTape() as tape:
            terms = self.terms(batch, training=True)
            loss = terms["discriminator"]
            if player == AUTOENCODER:
                loss = tf.add_n([w * terms[name] for name, w in self._weights.items()])
        variables, optimizer = self._players[player]
        optimisation.update(optimizer, tape, loss, variables)
        self._take_turns(player, terms)
        self.iteration.assign_add(1)
        return {**terms, "turn": tf.constant(player, tf.float32)}

    def _random_latent(self, batch_size: tf.Tensor) -> tf.Tensor:
        """z ~ U[-1, 1]^D, a function of (seed, iteration)."""
        seed = tf.stack([tf.constant(self._seed, tf.int64), self.iteration])
        shape = [batch_size, pose_autoencoder.LATENT_SIZE]
        return tf.random.stateless_uniform(shape, seed, -1.0, 1.0)

    def _blurred(self, local: tf.Tensor) -> tf.Tensor:
        """What the discriminator sees of local vectors `[B, J, 3]`."""
        if not self._noise:
            return local
        seed = tf.stack([tf.constant(self._seed + 1, tf.int64), self.iteration])
        return local + tf.random.stateless_normal(tf.shape(local), seed, 0, self._noise)

    def _take_turns(self, turn: int, terms: dict[str, tf.Tensor]) -> None:
        """Ends the turn if its player has done enough, or too much."""
        score = (terms["right"], terms["fooled"])[turn]
        steps = self._turn_steps + 1
        over = (score >= self._enough[turn]) | (steps >= self._max_turn)
        self._turn.assign(tf.where(over, 1 - turn, turn))
        self._turn_steps.assign(tf.where(over, 0, steps))
