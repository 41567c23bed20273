"""Stage 2: pictures to 3D points, depth as the teacher would judge it ([N] eq. 15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from sa3dhp.models import integral
from sa3dhp.systems.nrsfm import distillation
from sa3dhp.training import optimisation, replicas, shared_norm


class Batch(NamedTuple):
    """Pictures with their 2D points and the teacher's answer to these.

    Attributes:
        images: `[B, S, S, 3]`, RGB in [0, 1]; of a frozen backbone its features f.
        points: `[B, P, 2]`, half sides of the picture from its middle.
        size: `[B, 1, 1]`, the unit of the teacher in half sides.
        camera: M, `[B, 3, 2]`.
        code: phi, `[B, K_1]`.
        depth: `[B, P]`, true depth in the teacher's unit; used by the bound alone.
    """

    images: tf.Tensor
    points: tf.Tensor
    size: tf.Tensor
    camera: tf.Tensor
    code: tf.Tensor
    depth: tf.Tensor


# (z' `[B, P]` in the teacher's unit and direction, batch) -> `[B]`.
DepthLoss = Callable[[tf.Tensor, Batch], tf.Tensor]


def distilled(dictionary: tf.Tensor, l1_weight: float) -> DepthLoss:
    """Returns the distilling loss ([N] eq. 14).

    Args:
        dictionary: D_1, `[P, 3, K]`, the teacher's.
        l1_weight: of the regulariser.
    """

    def loss(depth: tf.Tensor, batch: Batch) -> tf.Tensor:
        seen = distillation.basis(dictionary, batch.camera)
        flat = _normalised(batch.points, batch)
        return distillation.upper_bound(depth, batch.code, flat, seen, l1_weight)

    return loss


def of_teacher(dictionary: tf.Tensor) -> DepthLoss:
    """Returns the distance from the teacher's depth (*Weaksup-bs*, [N] 5.2)."""

    def loss(depth: tf.Tensor, batch: Batch) -> tf.Tensor:
        seen = distillation.basis(dictionary, batch.camera)
        return _distance(depth, tf.linalg.matvec(seen.z, batch.code))

    return loss


def of_truth(reflection: int) -> DepthLoss:
    """Returns the distance from the true depth: the bound, no result.

    Args:
        reflection: which way the teacher's depth runs.
    """
    return lambda depth, batch: _distance(depth, reflection * batch.depth)


class StudentStep:
    """Trains the student on pictures; the teacher's answers are given."""

    def __init__(
        self,
        network: integral.IntegralRegressor,
        depth_loss: DepthLoss,
        *,
        learning_rate: Any,
        reflection: int,
        frozen: bool = False,
    ):
        """Builds the optimizer.

        Args:
            network: the student.
            depth_loss: `distilled`, `of_teacher` or `of_truth`.
            learning_rate: a number or a Keras schedule.
            reflection: +1, or -1 where the teacher's depth runs towards the camera: the
                student's always runs away from it.
            frozen: whether h alone is trained, on features in the pictures' place.
        """
        self._network, self._depth_loss = network, depth_loss
        self._reflection = reflection
        shared_norm.synchronise(network)
        self._see = network.read if frozen else network
        self._variables = (
            network.reading_variables if frozen else network.trainable_variables
        )
        self._optimizer = optimisation.adam(learning_rate, self._variables)
        self._strategy = tf.distribute.get_strategy()
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def models(self) -> dict[str, tf.keras.Model]:
        """The networks by name."""
        return {"student": self._network}

    @property
    def trackables(self) -> dict[str, Any]:
        """All that a checkpoint must hold."""
        kept = {"optimizer": self._optimizer, "iteration": self.iteration}
        return {**self.models, **kept}

    def terms(self, batch: Batch, training: bool = False) -> dict[str, tf.Tensor]:
        """Returns the unweighted terms.

        Returns:
            `points`, the mean of ||f_xy - w||_1; `depth`, that of the loss of depth;
            both in the teacher's unit.
        """
        batch = Batch(*batch)
        see = replicas.shared(lambda x: self._see(x, training=training))
        joints = see(batch.images)
        flat = tf.reduce_sum(
            tf.abs(joints[..., :2] - batch.points) / batch.size, axis=[-2, -1]
        )
        depth = centred(joints[..., 2]) / batch.size[..., 0]
        loss = self._depth_loss(self._reflection * depth, batch)
        return {"points": tf.reduce_mean(flat), "depth": tf.reduce_mean(loss)}

    @tf.function(reduce_retracing=True, autograph=False)
    def __call__(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Runs one iteration; returns the terms before it."""
        return replicas.run(self._strategy, self._update, batch)

    def _update(self, batch: Batch) -> dict[str, tf.Tensor]:
        """What one replica does of it."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            terms = self.terms(batch, training=True)
            loss = terms["points"] + terms["depth"]
        optimisation.update(self._optimizer, tape, loss, self._variables)
        self.iteration.assign_add(1)
        return terms


def centred(depth: tf.Tensor) -> tf.Tensor:
    """Returns depths `[B, P]` less their mean: a shape has no place along the axis."""
    return depth - tf.reduce_mean(depth, axis=-1, keepdims=True)


def _normalised(points: tf.Tensor, batch: Batch) -> tf.Tensor:
    """The points as the teacher sees them, `[B, P, 2]`."""
    return (points - tf.reduce_mean(points, axis=1, keepdims=True)) / batch.size


def _distance(depth: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """The L1 norm of the difference, `[B]`, both centred."""
    return tf.reduce_sum(tf.abs(centred(depth) - centred(target)), axis=-1)
