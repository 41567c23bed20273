"""Stage 5: adaptation to unlabelled videos ([M] Alg. 1, l. 7; [S] Alg. 1, l. 8-11)."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.systems.relation_distillation import views
from sa3dhp.systems.relation_distillation.steps import terms as term_classes
from sa3dhp.training import optimisation, replicas


class AdaptationStep:
    """Lowers the terms in turns, one per iteration, each by an Adam of its own.

    Only the variables of one block of G move. Batch norm runs on the source's
    statistics, and nothing below the block gets a backward pass.
    """

    def __init__(
        self,
        encoder: tf.keras.Model,
        variables: list[tf.Variable],
        terms: Mapping[str, term_classes.Term],
        rates: Mapping[str, float],
        *,
        decay_steps: int,
        seed: int,
        teacher: term_classes.Teacher | None = None,
    ):
        """Builds one optimizer per term.

        Args:
            encoder: G, started from G^s; the terms look through it.
            variables: of the block that moves.
            terms: by name, in the order of their turns.
            rates: learning rate by term.
            decay_steps: updates over which they fall to zero, along a cosine; 0: never.
            seed: of the changes of light, a function of (seed, iteration).
            teacher: follows G after each update.

        Raises:
            InputError: if there is no term, or no rate for one.
        """
        self._encoder, self._variables = encoder, variables
        self._teacher, self._strategy = teacher, tf.distribute.get_strategy()
        self._known: dict[str, tuple] = {}  # term, optimizer, traced update
        self._seed = tf.Variable(seed, dtype=tf.int64, trainable=False)
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False)
        self._take_over(terms, rates, decay_steps)

    @property
    def variables(self) -> list[tf.Variable]:
        """The block's variables, all that ever changes."""
        return self._variables

    @property
    def turns(self) -> tuple[str, ...]:
        """The terms in the order of their turns."""
        return tuple(self._terms)

    @property
    def models(self) -> dict[str, tf.keras.Model]:
        """The networks by name."""
        return {"image_encoder": self._encoder}

    @property
    def trackables(self) -> dict:
        """All that a checkpoint must hold."""
        optimizers = {f"{t}_optimizer": self._known[t][1] for t in self._terms}
        teacher = {} if self._teacher is None else {"teacher": self._teacher.model}
        return {**self.models, **optimizers, **teacher, "iteration": self.iteration}

    def restart(
        self,
        terms: Mapping[str, term_classes.Term],
        rates: Mapping[str, float],
        *,
        decay_steps: int,
        seed: int,
    ) -> None:
        """Begins again from G as it now is; what was traced of a term is kept.

        Args:
            terms: as for `__init__`; a term that is the same object is not traced anew.
            rates: as for `__init__`.
            decay_steps: as for `__init__`.
            seed: as for `__init__`.

        Raises:
            InputError: as `__init__`.
        """
        self._take_over(terms, rates, decay_steps)
        for term in terms:
            optimisation.reset(self._known[term][1], rates[term])
        if self._teacher is not None:
            self._teacher.restart()
        self._seed.assign(seed)
        self.iteration.assign(0)

    def terms(
        self, batch: term_classes.Batch, training: bool = False
    ) -> dict[str, tf.Tensor]:
        """Returns all unweighted terms; `training` changes nothing, see `__call__`."""
        found: dict[str, tf.Tensor] = {}
        for name, term in self._terms.items():
            found.update(term.readings(_checked(batch), name, self._light()))
        return found

    def __call__(self, batch: term_classes.Batch) -> dict[str, tf.Tensor]:
        """Runs the iteration of one term.

        Args:
            batch: see `Batch`.

        Returns:
            The term before the update with its other readings; nothing, and no update,
            where it needs negatives and all clips are of one video: rounding noise
            would be all that Adam has to go by.

        Raises:
            InputError: if the clips have another shape, or labels are missing.
        """
        done = int(self.iteration.numpy())
        name = self.turns[done % len(self._terms)]
        term, optimizer, update = self._known[name]
        readings = {}
        if not (term.needs_negatives and len(np.unique(batch.videos)) < 2):
            if self._decay_steps:
                left = math.cos(math.pi * min(1.0, done / self._decay_steps))
                rate = (0.5 + 0.5 * left) * self._rates[name]
                optimisation.set_rate(optimizer, rate)
            readings = update(batch)
        self.iteration.assign_add(1)
        return readings

    def _take_over(
        self,
        terms: Mapping[str, term_classes.Term],
        rates: Mapping[str, float],
        decay_steps: int,
    ) -> None:
        missing = [term for term in terms if term not in rates]
        if missing or not terms:
            what = ", ".join(missing) or "no term at all"
            raise errors.InputError(
                f"adaptation.terms: got {what} without a learning rate; give both"
            )
        for name, term in terms.items():
            if name not in self._known or self._known[name][0] is not term:
                optimizer = optimisation.adam(rates[name], self._variables)
                update = tf.function(
                    functools.partial(self._update, name),
                    reduce_retracing=True,
                    autograph=False,  # it would bury the errors of bad input
                )
                self._known[name] = (term, optimizer, update)
        self._terms, self._rates = dict(terms), dict(rates)
        self._decay_steps = decay_steps

    def _update(self, name: str, batch: term_classes.Batch) -> dict[str, tf.Tensor]:
        """One iteration of a term, in all replicas."""
        return replicas.run(self._strategy, functools.partial(self._lower, name), batch)

    def _lower(self, name: str, batch: term_classes.Batch) -> dict[str, tf.Tensor]:
        """What one replica does of it."""
        term, optimizer, _ = self._known[name]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            readings = term.readings(_checked(batch), name, self._light())
        optimisation.update(optimizer, tape, readings[name], self._variables)
        if self._teacher is not None:
            self._teacher.follow()
        return readings

    def _light(self) -> tf.Tensor:
        """The seed of this iteration's changes of light."""
        return tf.stack([self._seed, self.iteration])


def _checked(batch: term_classes.Batch) -> term_classes.Batch:
    """The batch with its clips as float32 in [0, 1]."""
    return batch._replace(clips=checked_clips(batch.clips))


def checked_clips(clips: tf.Tensor) -> tf.Tensor:
    """Returns clips `[V, 60, S, S, 3]`, uint8 or float, as float32 in [0, 1].

    Raises:
        InputError: if they have another shape.
    """
    shape = clips.shape
    if len(shape) != 5 or shape[1] != views.CLIP_LENGTH or shape[4] != 3:
        raise errors.InputError(
            f"clips: expected [V, {views.CLIP_LENGTH}, S, S, 3], got {tuple(shape)}"
        )
    if clips.dtype == tf.uint8:
        return tf.cast(clips, tf.float32) / 255.0
    return tf.cast(clips, tf.float32)
