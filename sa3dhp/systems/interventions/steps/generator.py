"""Stage 4: g against D, with the pose kept; E and R stay as they are."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from sa3dhp.losses import adversarial
from sa3dhp.models import integral
from sa3dhp.systems.interventions import generator, vae
from sa3dhp.training import optimisation, replicas


class Batch(NamedTuple):
    """Poses of the source, and pictures of all domains that are not theirs.

    Attributes:
        poses: `[B, P, 3]`, half sides of the picture; NaN where not known.
        images: `[B, S, S, 3]`, RGB in [0, 1].
    """

    poses: tf.Tensor
    images: tf.Tensor


class GeneratorStep:
    """Trains g and D in turn; each has its own Adam.

    The terms: `real` and `made`, D's cross-entropy; `fooled`, g's own; `pose`, the
    distance of the pose that R reads in g's feature from the one that was asked for;
    `apart`, how far features of one pose with other noise lie apart, per noise.
    """

    def __init__(
        self,
        network: generator.Generator,
        discriminator: generator.Discriminator,
        *,
        encoder: vae.Encoder,
        reader: generator.CodeReader,
        learning_rate: Any,
        pose_weight: float,
        apart_weight: float,
        seed: int,
    ):
        """Builds the optimizers.

        Args:
            network: g.
            discriminator: D.
            encoder: E, frozen.
            reader: R, frozen.
            learning_rate: a number or a Keras schedule.
            pose_weight: of `pose`.
            apart_weight: of the reward for `apart`, against a g that forgets its noise.
            seed: of noise.
        """
        self._generator, self._discriminator = network, discriminator
        self._encoder, self._reader = encoder, reader
        self._pose_weight, self._apart_weight = pose_weight, apart_weight
        self._seed = seed
        self._optimizers = {
            "generator": optimisation.adam(learning_rate, network.trainable_variables),
            "discriminator": optimisation.adam(
                learning_rate, discriminator.trainable_variables
            ),
        }
        self._strategy = tf.distribute.get_strategy()
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def models(self) -> dict[str, tf.keras.Model]:
        """The networks by name."""
        return {"generator": self._generator, "discriminator": self._discriminator}

    @property
    def trackables(self) -> dict[str, Any]:
        """All that a checkpoint must hold."""
        optimizers = {f"{k}_optimizer": v for k, v in self._optimizers.items()}
        return {**self.models, **optimizers, "iteration": self.iteration}

    def terms(self, batch: Batch, training: bool = False) -> dict[str, tf.Tensor]:
        """Returns the unweighted terms, see the class."""
        batch = Batch(*batch)
        count = tf.shape(batch.poses)[0]
        noise = self._noise(count)
        asked = tf.where(tf.math.is_nan(batch.poses), 0.0, batch.poses)
        made = replicas.alike(  # with the same units dropped
            lambda: [self._generator(asked, n, training=training) for n in noise]
        )
        features = replicas.shared(self._encoder.features)(batch.images)
        real = self._discriminator(features)
        judged = self._discriminator(made[0])

        read = self._reader(made[0])
        gap = tf.reduce_mean(tf.abs(made[0] - made[1]), axis=-1)
        gap /= tf.reduce_mean(tf.abs(noise[0] - noise[1]), axis=-1)
        return {
            "real": adversarial.cross_entropy(adversarial.REAL, real),
            "made": adversarial.cross_entropy(adversarial.FAKE, judged),
            "fooled": adversarial.cross_entropy(adversarial.REAL, judged),
            "pose": integral.error(read, batch.poses),
            "apart": tf.reduce_mean(gap),
        }

    @tf.function(reduce_retracing=True, autograph=False)
    def __call__(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Runs one iteration; returns the terms before it."""
        return replicas.run(self._strategy, self._update, batch)

    def _update(self, batch: Batch) -> dict[str, tf.Tensor]:
        """What one replica does of it."""
        sides = {
            "generator": self._generator.trainable_variables,
            "discriminator": self._discriminator.trainable_variables,
        }
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            for variables in sides.values():
                tape.watch(variables)
            terms = self.terms(batch, training=True)
            kept = self._pose_weight * terms["pose"]
            losses = {
                "generator": terms["fooled"]
                + kept
                - self._apart_weight * terms["apart"],
                "discriminator": terms["real"] + terms["made"],
            }
        for name, variables in sides.items():
            optimisation.update(self._optimizers[name], tape, losses[name], variables)
        self.iteration.assign_add(1)
        return terms

    def _noise(self, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        seed = tf.stack([tf.constant(self._seed, tf.int64), self.iteration])
        shape = [2, count, self._generator.noise_size]
        both = tf.random.stateless_normal(shape, seed)
        return both[0], both[1]
