"""The teacher: E and F on pictures with 2D labels (Cao et al., CVPR 2017, eq. 4-6)."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from sa3dhp.systems.multi_person import teacher
from sa3dhp.training import optimisation, replicas, shared_norm


class Batch(NamedTuple):
    """Labelled pictures.

    Attributes:
        images: `[B, S, S, 3]`, RGB in [0, 1].
        maps: `[B, 28, 28, 43]`, see `maps.draw`.
    """

    images: tf.Tensor
    maps: tf.Tensor


class TeacherStep:
    """Trains E and F on the squared error of both stages' maps."""

    # Of the squared error: most cells of most maps are empty.
    SCALE = 100.0

    def __init__(
        self, trunk: teacher.Trunk, reader: teacher.MapReader, *, learning_rate: Any
    ):
        """Builds the optimizer.

        Args:
            trunk: E.
            reader: F.
            learning_rate: a number or a Keras schedule.
        """
        self._trunk, self._reader = trunk, reader
        shared_norm.synchronise(trunk, reader)
        self._variables = [*trunk.trainable_variables, *reader.trainable_variables]
        self._optimizer = optimisation.adam(learning_rate, self._variables)
        self._strategy = tf.distribute.get_strategy()
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def models(self) -> dict[str, tf.keras.Model]:
        """The networks by name."""
        return {"teacher_trunk": self._trunk, "teacher_maps": self._reader}

    @property
    def trackables(self) -> dict[str, Any]:
        """All that a checkpoint must hold."""
        kept = {"optimizer": self._optimizer, "iteration": self.iteration}
        return {**self.models, **kept}

    def terms(self, batch: Batch, training: bool = False) -> dict[str, tf.Tensor]:
        """Returns the errors of both stages, `first` and `second`."""
        images, wanted = Batch(*batch)

        def read(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return self._reader.both(self._trunk(images, training=training), training)

        first, second = replicas.shared(read)(images)
        return {
            "first": self.SCALE * tf.reduce_mean((first - wanted) ** 2),
            "second": self.SCALE * tf.reduce_mean((second - wanted) ** 2),
        }

    @tf.function(reduce_retracing=True, autograph=False)
    def __call__(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Runs one iteration; returns the terms before it."""
        return replicas.run(self._strategy, self._update, batch)

    def _update(self, batch: Batch) -> dict[str, tf.Tensor]:
        """What one replica does of it."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            terms = self.terms(batch, training=True)
            loss = terms["first"] + terms["second"]
        optimisation.update(self._optimizer, tape, loss, self._variables)
        self.iteration.assign_add(1)
        return terms
