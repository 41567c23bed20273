"""Stage 1: the dictionaries by reprojection alone ([N] eq. 4)."""

from __future__ import annotations

import math
from typing import Any

import tensorflow as tf

from sa3dhp.systems.nrsfm import teacher as teachers
from sa3dhp.training import optimisation, replicas


class TeacherStep:
    """Trains the teacher on normalised points; no 3D is seen."""

    def __init__(
        self,
        network: teachers.Teacher,
        *,
        learning_rate: Any,
        sparsity: float,
        turned: bool = False,
        seed: int = 0,
    ):
        """Builds the optimizer.

        Args:
            network: the teacher.
            learning_rate: a number or a Keras schedule.
            sparsity: lambda, of |phi_1|_1.
            turned: ours: turns each sample in its plane by an angle of its own; an
                orthographic camera that rolls sees the same shape.
            seed: of the angles.
        """
        self._network, self._sparsity = network, sparsity
        self._turned, self._seed = turned, seed
        self._variables = network.trainable_variables
        self._optimizer = optimisation.adam(learning_rate, self._variables)
        self._strategy = tf.distribute.get_strategy()
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def models(self) -> dict[str, tf.keras.Model]:
        """The networks by name."""
        return {"teacher": self._network}

    @property
    def trackables(self) -> dict[str, Any]:
        """All that a checkpoint must hold."""
        kept = {"optimizer": self._optimizer, "iteration": self.iteration}
        return {**self.models, **kept}

    def terms(self, batch: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """Returns the unweighted terms of W, `[B, P, 2]`, normalised.

        Returns:
            `reprojection`, the mean of ||S M - W||; `sparsity`, that of |phi_1|_1.
        """
        del training
        found = self._network(batch)
        error = teachers.reprojection(found["joints"], batch)
        size = tf.reduce_sum(tf.abs(found["code"]), axis=-1)
        return {
            "reprojection": tf.reduce_mean(error),
            "sparsity": tf.reduce_mean(size),
        }

    @tf.function(reduce_retracing=True, autograph=False)
    def __call__(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """Runs one iteration; returns the terms before it."""
        return replicas.run(self._strategy, self._update, batch)

    def _update(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """What one replica does of it."""
        batch = self._seen(tf.convert_to_tensor(batch))
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            terms = self.terms(batch, training=True)
            loss = terms["reprojection"] + self._sparsity * terms["sparsity"]
        optimisation.update(self._optimizer, tape, loss, self._variables)
        self.iteration.assign_add(1)
        return terms

    def _seen(self, points: tf.Tensor) -> tf.Tensor:
        """The points as they are, or turned as a function of (seed, iteration)."""
        if not self._turned:
            return points
        seed = tf.stack([tf.constant(self._seed, tf.int64), self.iteration])
        shape = [tf.shape(points)[0]]
        angle = tf.random.stateless_uniform(shape, seed, -math.pi, math.pi)
        cos, sin = tf.cos(angle), tf.sin(angle)
        turn = tf.stack([tf.stack([cos, sin], -1), tf.stack([-sin, cos], -1)], -2)
        return tf.matmul(points, turn)  # [B, P, 2]
