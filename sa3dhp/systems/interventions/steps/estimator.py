"""Stages 2, 3, 5: the estimator f, h on labelled pictures, and what adapts it ([C] 1).

`EstimatorStep` minimises the error on labelled source pictures plus one more loss: none
(source only), that of a classical baseline, or that of counterfactual pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from sa3dhp.losses import adversarial
from sa3dhp.models import integral
from sa3dhp.systems.interventions import alignment, generator, vae
from sa3dhp.training import optimisation, replicas, shared_norm


class Batch(NamedTuple):
    """Labelled pictures of the source, and others without a label.

    Attributes:
        images: `[B, S, S, 3]`, RGB in [0, 1].
        poses: `[B, P, 3]`, half sides of the picture; NaN where not labelled.
        others: `[B, S, S, 3]` of the target, or of unconstrained domains.
    """

    images: tf.Tensor
    poses: tf.Tensor
    others: tf.Tensor


class Extra(Protocol):
    """What a method adds to the loss of the labelled pictures."""

    @property
    def models(self) -> Mapping[str, tf.keras.Model]:
        """Networks that it trains beside the estimator, by name."""

    def shown(self, batch: Batch, step: tf.Tensor) -> tf.Tensor:
        """Returns the pictures that f and h see beside the labelled ones.

        In one batch with them: what is estimated of a batch, such as the mean that its
        norm subtracts, is then of the same pictures in training and afterwards.
        """

    def terms(self, seen: Seen, step: tf.Tensor) -> tuple[dict, tf.Tensor]:
        """Returns terms by name, and their weighted sum."""


class Seen(NamedTuple):
    """What the labelled pictures and those of a method look like to the estimator.

    Attributes:
        batch: what was shown.
        read: `[N, P, 3]`, poses in the pictures of the method.
        source: `[B, 1024]`, pooled f of the labelled pictures.
        others: `[N, 1024]`, pooled f of those of the method.
    """

    batch: Batch
    read: tf.Tensor
    source: tf.Tensor
    others: tf.Tensor


class Nothing:
    """Source only."""

    models: Mapping[str, tf.keras.Model] = {}

    def shown(self, batch: Batch, step: tf.Tensor) -> tf.Tensor:
        """Returns no picture."""
        return batch.images[:0]

    def terms(self, seen: Seen, step: tf.Tensor) -> tuple[dict, tf.Tensor]:
        """Returns no term."""
        return {}, tf.zeros([])


class Mmd:
    """DDC or DAN: the maximum mean discrepancy of the pooled features."""

    models: Mapping[str, tf.keras.Model] = {}

    def __init__(self, weight: float, kernels: bool) -> None:
        """Keeps the weight, and whether kernels are Gaussian (DAN) or linear (DDC)."""
        self._weight = weight
        self._distance = alignment.gaussian_mmd if kernels else alignment.linear_mmd

    def shown(self, batch: Batch, step: tf.Tensor) -> tf.Tensor:
        """Returns the pictures without a label."""
        return batch.others

    def terms(self, seen: Seen, step: tf.Tensor) -> tuple[dict, tf.Tensor]:
        """Returns `discrepancy`."""
        found = self._distance(seen.source, seen.others)
        return {"discrepancy": found}, self._weight * found


class Dann:
    """DANN: a classifier of domains whose gradient is turned around."""

    def __init__(
        self, classifier: generator.Discriminator, *, weight: float, num_steps: int
    ) -> None:
        """Keeps the classifier, the weight at the end, and what it grows over."""
        self.models = {"domain_classifier": classifier}
        self._classifier, self._weight, self._num_steps = classifier, weight, num_steps

    def shown(self, batch: Batch, step: tf.Tensor) -> tf.Tensor:
        """Returns the pictures without a label."""
        return batch.others

    def terms(self, seen: Seen, step: tf.Tensor) -> tuple[dict, tf.Tensor]:
        """Returns `domain`, the classifier's cross-entropy."""
        progress = tf.cast(step, tf.float32) / self._num_steps
        strength = self._weight * alignment.schedule(progress)
        logits = [
            self._classifier(
                alignment.reversed_gradient(alignment.of_unit_length(x), strength)
            )
            for x in (seen.source, seen.others)
        ]
        found = adversarial.cross_entropy(adversarial.REAL, logits[0])
        found += adversarial.cross_entropy(adversarial.FAKE, logits[1])
        return {"domain": found}, found


class Counterfactual:
    """Ours: M(g(y, n)) under two interventions n, with y, and in agreement."""

    models: Mapping[str, tf.keras.Model] = {}

    def __init__(
        self,
        made_by: generator.Generator,
        decoder: vae.Decoder,
        *,
        weight: float,
        agreement_weight: float,
        seed: int,
    ) -> None:
        """Keeps the frozen networks, and the weights of the two terms."""
        self._generator, self._decoder = made_by, decoder
        self._weight, self._agreement_weight = weight, agreement_weight
        self._seed = seed

    def shown(self, batch: Batch, step: tf.Tensor) -> tf.Tensor:
        """Returns pictures of the labelled poses, `[2 B, S, S, 3]`: all under one n."""
        poses = tf.where(tf.math.is_nan(batch.poses), 0.0, batch.poses)
        seed = tf.stack([tf.constant(self._seed, tf.int64), tf.cast(step, tf.int64)])
        shape = [2, tf.shape(poses)[0], self._generator.noise_size]
        noise = tf.random.stateless_normal(shape, seed)
        decode = replicas.shared(lambda x: self._decoder(x, training=False))
        made = [self._generator(poses, n, training=False) for n in tf.unstack(noise)]
        return decode(tf.concat(made, axis=0))

    def terms(self, seen: Seen, step: tf.Tensor) -> tuple[dict, tf.Tensor]:
        """Returns `counterfactual` and `agreement`."""
        first, second = tf.split(seen.read, 2)
        wrong = (
            integral.error(first, seen.batch.poses)
            + integral.error(second, seen.batch.poses)
        ) / 2
        apart = integral.error(first, second)
        weighted = self._weight * wrong + self._agreement_weight * apart
        return {"counterfactual": wrong, "agreement": apart}, weighted


class EstimatorStep:
    """Trains f and h on labelled pictures and what a method adds."""

    def __init__(
        self,
        network: integral.IntegralRegressor,
        extra: Extra,
        *,
        learning_rate: Any,
        clip_norm: float | None = None,
        heat_weight: float = 0.0,
        features: Callable[[tf.Tensor], tf.Tensor] | None = None,
        variables: Sequence[tf.Variable] | None = None,
    ):
        """Builds the optimizer.

        Args:
            network: f and h.
            extra: `Nothing`, `Mmd`, `Dann` or `Counterfactual`.
            learning_rate: a number or a Keras schedule.
            clip_norm: largest norm of the gradient; None for no limit.
            heat_weight: of `integral.heat_error` of the labelled pictures.
            features: f on fixed statistics, see `folded.fold_backbone`; without it the
                batch norm of f uses the batch's, as that of h always does.
            variables: of f and h, those that train; all by default.
        """
        self._network, self._extra, self._features = network, extra, features
        self._heat_weight = heat_weight
        shared_norm.synchronise(network)
        self._variables = list(variables or network.trainable_weights)
        for model in extra.models.values():
            self._variables += model.trainable_weights
        self._optimizer = optimisation.adam(
            learning_rate, self._variables, clip_norm=clip_norm
        )
        self._strategy = tf.distribute.get_strategy()
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def models(self) -> dict[str, tf.keras.Model]:
        """The networks by name."""
        return {"estimator": self._network, **self._extra.models}

    @property
    def trackables(self) -> dict[str, Any]:
        """All that a checkpoint must hold."""
        kept = {"optimizer": self._optimizer, "iteration": self.iteration}
        return {**self.models, **kept}

    def terms(self, batch: Batch, training: bool = False) -> dict[str, tf.Tensor]:
        """Returns the unweighted terms: `pose`, `heat`, and those of the method."""
        return self._losses(Batch(*batch), training)[0]

    @tf.function(reduce_retracing=True, autograph=False)
    def __call__(self, batch: Batch) -> dict[str, tf.Tensor]:
        """Runs one iteration; returns the terms before it."""
        return replicas.run(self._strategy, self._update, batch)

    def _update(self, batch: Batch) -> dict[str, tf.Tensor]:
        """What one replica does of it."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            terms, loss = self._losses(Batch(*batch), training=True)
        optimisation.update(self._optimizer, tape, loss, self._variables)
        self.iteration.assign_add(1)
        return terms

    def _losses(
        self, batch: Batch, training: bool
    ) -> tuple[dict[str, tf.Tensor], tf.Tensor]:
        """The terms and the total; all pictures share their batch norm."""
        shown = self._extra.shown(batch, self.iteration)

        def look(images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            if self._features is None:
                features = self._network.features(images, training)
            else:
                features = self._features(images)
            volumes = self._network.volumes(features, training)
            return volumes, tf.cast(tf.reduce_mean(features, axis=[1, 2]), tf.float32)

        both = tf.concat([batch.images, shown], axis=0)
        volumes, pooled = replicas.shared(look)(both)
        read, count = integral.expectation(volumes), tf.shape(batch.images)[0]
        terms = {"pose": integral.error(read[:count], batch.poses)}
        loss = terms["pose"]
        if self._heat_weight:
            terms["heat"] = integral.heat_error(volumes[:count], batch.poses)
            loss += self._heat_weight * terms["heat"]
        seen = Seen(batch, read[count:], pooled[:count], pooled[count:])
        more, weighted = self._extra.terms(seen, self.iteration)
        return {**terms, **more}, loss + weighted
