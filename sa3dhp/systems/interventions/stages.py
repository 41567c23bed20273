"""The five stages of a configuration: what each trains, and on what."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from sa3dhp.data import augment, labelled, pipeline
from sa3dhp.evaluation import evaluator, protocol
from sa3dhp.export import saved_model
from sa3dhp.models import folded, integral
from sa3dhp.systems.interventions import config as configs
from sa3dhp.systems.interventions import networks as networks_
from sa3dhp.systems.interventions import predictions, serving, sources
from sa3dhp.systems.interventions.steps import estimator as estimator_step
from sa3dhp.systems.interventions.steps import generator as generator_step
from sa3dhp.systems.interventions.steps import reader as reader_step
from sa3dhp.systems.interventions.steps import vae as vae_step
from sa3dhp.training import loop, replicas
from sa3dhp.training import stage as stages_

MODEL = configs.EXPORTS["estimator"]
DECODED = "decoded.png"  # pictures of all places, and what E and M make of them
COUNTERFACTUAL = "counterfactual.png"  # poses in rows, noises in columns
CARD = "procedural"  # of what a stage measures, in every place
_SHOWN, _NOISES = 6, 8  # rows and columns of a sheet
_MEASURED = 4  # batches of pictures or poses that a stage's terms are measured on


class Stages:
    """Makes the stages of one configuration; each needs those before it.

    The stage `estimator` of a classical method needs `source` alone.
    """

    def __init__(
        self,
        config: configs.Config,
        networks: networks_.Networks,
        strategy: tf.distribute.Strategy | None = None,
    ) -> None:
        """Keeps what everything is built from; by default it trains on one device."""
        self._config, self._networks = config, networks
        self._strategy = strategy or tf.distribute.get_strategy()
        self._seed = config.training.seed
        self._make: dict[str, Callable[[], stages_.Stage]] = {
            "vae": self._vae,
            "source": self._source,
            "reader": self._reader,
            "generator": self._generator,
            "estimator": self._estimator,
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The stages in their order."""
        return tuple(self._make)

    def train(self, name: str, workdir: str | os.PathLike) -> list[tuple]:
        """Trains a stage, or goes on with it; saves its networks, exports the last.

        Args:
            name: one of `config.STAGES`.
            workdir: where state, logs, sheets and SavedModel go.

        Returns:
            Rows of stage, name of a measure, and its value on pictures that never
            trained: of a term, or of a place's poses.
        """
        folder = pathlib.Path(workdir)
        if name == "estimator":
            saved_model.check(folder / MODEL)  # before the work, not after
        training = self._config.training
        measured = stages_.train(
            self._make[name](),
            self._networks.store,
            workdir,
            seed=self._seed,
            log_every=training.log_every,
            checkpoint_every=training.checkpoint_every,
        )
        if name == "vae":
            predictions.draw(folder / DECODED, self._decoded())
        elif name == "generator":
            predictions.draw(folder / COUNTERFACTUAL, self._counterfactual())
        elif name == "estimator":
            made = serving.of_estimator(
                self._networks.estimator(),
                self._networks.limbs(),
                run={"system": "interventions", "measured": dict(measured)},
            )
            saved_model.write(folder / MODEL, made)
        return [(name, *item) for item in measured.items()]

    def _vae(self) -> stages_.Stage:
        c = self._config.vae
        with replicas.scope(self._strategy):
            encoder, decoder = self._networks.new_vae()
            step = vae_step.VaeStep(
                encoder,
                decoder,
                learning_rate=_cosine(c.learning_rate, c.steps),
                divergence_weight=c.divergence_weight,
                seed=self._seed,
            )

        def make(number: int, unseen: bool = False) -> tf.Tensor:
            return _pixels(self._unlabelled(number, c.batch_size, unseen=unseen))

        return stages_.Stage(
            "vae",
            step,
            pipeline.stream(make),
            c.steps,
            {"vae_encoder": encoder, "vae_decoder": decoder},
            _terms_of(step, make),
            meta={"image_size": self._config.data.image_size},
        )

    def _source(self) -> stages_.Stage:
        c = self._config.estimator
        with replicas.scope(self._strategy):
            network = self._networks.new_estimator()
            step = self._estimator_step(
                network, estimator_step.Nothing(), c.source_steps
            )
        return stages_.Stage(
            "source",
            step,
            self._labelled(with_others=False),
            c.source_steps,
            {networks_.SOURCE: network},
            lambda: self._errors(network),
            (),
            self._about(),
        )

    def _reader(self) -> stages_.Stage:
        c = self._config.generator
        with replicas.scope(self._strategy):
            network = self._networks.new_reader()
            step = reader_step.ReaderStep(
                network,
                self._networks.vae()[0],
                learning_rate=_cosine(c.reader_rate, c.reader_steps),
                seed=self._seed,
            )
        home = self._config.data.source
        places = [sources.place(self._config, home, unseen) for unseen in (False, True)]
        known = [self._poses(place) for place in places]

        def make(number: int, unseen: bool = False) -> reader_step.Batch:
            images, poses_ = sources.labelled_batch(
                places[unseen], known[unseen], self._seed, number, c.batch_size
            )
            return reader_step.Batch(_pixels(images), tf.constant(poses_))

        return stages_.Stage(
            "reader",
            step,
            pipeline.stream(make),
            c.reader_steps,
            {"code_reader": network},
            _terms_of(step, make),
            ("vae_encoder", "vae_decoder"),
        )

    def _generator(self) -> stages_.Stage:
        c = self._config.generator
        with replicas.scope(self._strategy):
            network = self._networks.new_generator()
            step = generator_step.GeneratorStep(
                network,
                (discriminator := self._networks.new_discriminator()),
                encoder=self._networks.vae()[0],
                reader=self._networks.reader(),
                learning_rate=c.learning_rate,
                pose_weight=c.pose_weight,
                apart_weight=c.apart_weight,
                seed=self._seed,
            )
        home = self._config.data.source
        known = {
            unseen: self._poses(sources.place(self._config, home, unseen))
            for unseen in (False, True)
        }

        def make(number: int, unseen: bool = False) -> generator_step.Batch:
            rng = pipeline.rng(self._seed, "interventions", number)
            rows = rng.integers(len(known[unseen]), size=c.batch_size)
            images = self._unlabelled(number, c.batch_size, unseen=unseen)
            return generator_step.Batch(
                tf.constant(known[unseen][rows]), _pixels(images)
            )

        return stages_.Stage(
            "generator",
            step,
            pipeline.stream(make),
            c.steps,
            {"generator": network, "discriminator": discriminator},
            _terms_of(step, make),
            ("vae_encoder", "vae_decoder", "code_reader"),
        )

    def _estimator(self) -> stages_.Stage:
        c = self._config.estimator
        with replicas.scope(self._strategy):
            network = self._networks.estimator(networks_.SOURCE)
            network.trainable = True
            step = self._estimator_step(network, self._extra(), c.steps)
        used = [networks_.SOURCE]
        if c.method == "counterfactual":
            used += ["vae_decoder", "generator"]
        return stages_.Stage(
            "estimator",
            step,
            self._labelled(with_others=c.method in ("ddc", "dan", "dann")),
            c.steps,
            {"estimator": network},
            lambda: self._errors(network),
            tuple(used),
            {**self._about(), "method": c.method},
        )

    def _estimator_step(
        self,
        network: integral.IntegralRegressor,
        extra: estimator_step.Extra,
        steps: int,
    ) -> estimator_step.EstimatorStep:
        c = self._config.estimator
        variables = network.variables_above(c.frozen_up_to)
        features = None
        if c.frozen_up_to != "nothing":
            known = {id(variable) for variable in network.backbone.trainable_variables}
            features = folded.fold_backbone(
                network.backbone,
                network.image_size,
                [v for v in variables if id(v) in known],
            )
        return estimator_step.EstimatorStep(
            network,
            extra,
            learning_rate=_cosine(c.learning_rate, steps),
            clip_norm=c.clip_norm or None,
            heat_weight=c.heat_weight,
            features=features,
            variables=variables,
        )

    def _extra(self) -> estimator_step.Extra:
        """What the method of the configuration adds to the loss."""
        c = self._config.estimator
        if c.method in ("ddc", "dan"):
            return estimator_step.Mmd(c.method_weight, kernels=c.method == "dan")
        if c.method == "dann":
            return estimator_step.Dann(
                self._networks.new_classifier(),
                weight=c.method_weight,
                num_steps=c.steps,
            )
        if c.method == "counterfactual":
            return estimator_step.Counterfactual(
                self._networks.generator(),
                self._networks.vae()[1],
                weight=c.method_weight,
                agreement_weight=c.agreement_weight,
                seed=self._seed,
            )
        return estimator_step.Nothing()

    def _labelled(self, *, with_others: bool) -> pipeline.Batches:
        """Batches of labelled pictures under changing light, and others if asked.

        Args:
            with_others: whether as many pictures of the unlabelled places come too.
        """
        c, data = self._config.estimator, self._config.data
        pictures = sources.place(self._config, data.source)
        known = self._poses(pictures)
        change = tf.function(augment.photometric, autograph=False)

        def make(number: int) -> estimator_step.Batch:
            images, poses_ = sources.labelled_batch(
                pictures, known, self._seed, number, c.batch_size
            )
            count = c.batch_size if with_others else 0
            others = self._unlabelled(number, count, with_source=False)
            shown = change(
                _pixels(np.concatenate([images, others])),
                tf.constant([self._seed, number], tf.int64),
                data.augmentation,
            )
            return estimator_step.Batch(
                shown[: c.batch_size], tf.constant(poses_), shown[c.batch_size :]
            )

        return pipeline.stream(make)

    def _unlabelled(
        self, number: int, count: int, *, with_source: bool = True, unseen: bool = False
    ) -> np.ndarray:
        if not count:
            return np.zeros([0, *[self._config.data.image_size] * 2, 3], np.uint8)
        data = self._config.data
        names = (*data.unlabelled, *([data.source] if with_source else []))
        places = [
            sources.place(self._config, name, unseen) for name in dict.fromkeys(names)
        ]
        return sources.unlabelled_batch(places, self._seed, number, count)

    def _poses(self, pictures: labelled.Pictures) -> np.ndarray:
        return sources.poses_of(pictures, self._config.data.image_size)

    def _about(self) -> dict[str, Any]:
        """What is kept with f and h."""
        limbs = sources.size_of(sources.place(self._config, self._config.data.source))
        size = self._config.data.image_size
        return {"image_size": size, "limb_mm": limbs.mm, "limbs": list(limbs.ends)}

    def _errors(self, network: integral.IntegralRegressor) -> dict[str, float]:
        """The headline metrics of some unseen pictures of the source and the target.

        Of the joints that both sides have, whatever the run's own card chooses: a card
        that is made for the target's frames fits no other place.
        """
        data, found = self._config.data, {}
        card = protocol.load(CARD)
        limbs = sources.size_of(sources.place(self._config, data.source))
        for name, place in (("source", data.source), ("target", data.target)):
            side = sources.place(self._config, place, unseen=True)
            if side.joints is None:
                continue
            joints = predictions.see(network, side.images, len(side), limbs)
            truth = sources.truth_of(side)
            pred = predictions.named(joints, truth.labels, "predictions")
            result = evaluator.evaluate(pred, truth, card, shared_joints=True)
            for metric in ("mpjpe", "pa_mpjpe"):
                found[f"{name}_{metric}"] = result["overall"][metric]
        return found

    def _decoded(self) -> np.ndarray:
        """Unseen pictures above what E and M make of them, `[2 n, K, S, S, 3]`."""
        data, (encoder, decoder) = self._config.data, self._networks.vae()
        rows = []
        for name in dict.fromkeys((data.source, *data.unlabelled)):
            side = sources.place(self._config, name, unseen=True).evenly(_NOISES)
            images = side.images(np.arange(len(side)))
            rows += [images, predictions.decoded(encoder, decoder, images)]
        return np.stack([row[: min(map(len, rows))] for row in rows])

    def _counterfactual(self) -> np.ndarray:
        """Pictures of some poses under some noises, `[N, K, S, S, 3]`."""
        side = sources.place(self._config, self._config.data.source).evenly(_SHOWN)
        return predictions.counterfactual(
            self._networks.generator(),
            self._networks.vae()[1],
            self._poses(side),
            _NOISES,
            self._seed,
        )


def make(
    config: configs.Config,
    folder: str | os.PathLike,
    strategy: tf.distribute.Strategy | None = None,
) -> Stages:
    """Returns the stages whose networks are kept in `folder`."""
    return Stages(config, networks_.Networks(config, folder), strategy)


def _terms_of(step: Any, make: Callable[..., Any]) -> Callable[[], dict[str, float]]:
    """Measures the terms on pictures that never train."""
    return loop.measure(
        step, lambda: (make(number, unseen=True) for number in range(_MEASURED))
    )


def _pixels(images: np.ndarray) -> tf.Tensor:
    return tf.constant(images, tf.float32) / 255.0


def _cosine(rate: float, steps: int) -> Any:
    return tf.keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.01)
