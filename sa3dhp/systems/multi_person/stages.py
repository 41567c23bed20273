"""The five stages of a configuration: what each trains, and on what."""

from __future__ import annotations

import itertools
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from sa3dhp.data import pipeline
from sa3dhp.export import described, saved_model
from sa3dhp.models import pose_prior
from sa3dhp.synthetic import world
from sa3dhp.systems.multi_person import composer as composers
from sa3dhp.systems.multi_person import config as configs
from sa3dhp.systems.multi_person import networks as networks_
from sa3dhp.systems.multi_person import (
    poses,
    predictions,
    scoring,
    serving,
    sources,
    teacher,
)
from sa3dhp.systems.multi_person.steps import student as student_step
from sa3dhp.systems.multi_person.steps import teacher as teacher_step
from sa3dhp.training import loop, replicas
from sa3dhp.training import stage as stages_
from sa3dhp.training.steps import pose_autoencoder as pose_step

MODEL = configs.EXPORTS["equivariance"]
REFINED = configs.EXPORTS["refinement"]
SHEET = "people.png"  # unseen pictures: truth, teacher, student
_SHOWN = 6  # pictures of a sheet


class Stages:
    """Makes the stages of one configuration; each needs those before it."""

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
            "poses": self._poses,
            "teacher": self._teacher,
            "alignment": self._alignment,
            "equivariance": self._equivariance,
            "refinement": self._refinement,
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The stages in their order."""
        return tuple(self._make)

    def train(self, name: str, workdir: str | os.PathLike) -> list[tuple]:
        """Trains a stage, or goes on with it; saves its networks, exports the last.

        Args:
            name: one of `config.STAGES`.
            workdir: where state, logs, the sheet and the SavedModel go.

        Returns:
            Rows of stage, name of a measure, and its value on what never trained.
        """
        folder = pathlib.Path(workdir)
        exported = configs.EXPORTS.get(name)
        if exported:
            saved_model.check(folder / exported)  # before the work, not after
        if name == "teacher" and self._config.teacher.published:
            return [(name, *item) for item in self._published().items()]
        training = self._config.training
        measured = stages_.train(
            self._make[name](),
            self._networks.store,
            workdir,
            seed=self._seed,
            log_every=training.log_every,
            checkpoint_every=training.checkpoint_every,
        )
        if exported:
            refined = name == "refinement"
            made = _exported(self._networks, measured, refined=refined)
            saved_model.write(folder / exported, made)
        if name == "equivariance":
            self._draw(folder / SHEET, self._networks.trained())
        return [(name, *item) for item in measured.items()]

    def _poses(self) -> stages_.Stage:
        c, config = self._config.poses, self._config
        bones = world.mean_bone_lengths()
        with replicas.scope(self._strategy):
            encoder, decoder = self._networks.new_poses()
            step = pose_step.PoseAutoencoderStep(
                pose_prior.PosePrior(encoder, decoder, poses.SKELETON, bones),
                self._networks.new_discriminator(),
                learning_rate=_cosine(c.learning_rate, c.steps),
                cycle_weight=c.cycle_weight,
                local_weight=c.local_weight,
                adversarial_weight=c.adversarial_weight,
                turns=pose_step.Turns(c.right_enough, c.fooled_enough),
                noise=c.discriminator_noise,
                seed=self._seed,
            )
        return stages_.Stage(
            "poses",
            step,
            sources.pose_batches(config),
            c.steps,
            dict(zip(networks_.POSES, (encoder, decoder))),
            loop.measure(step, lambda: sources.pose_batches(config, unseen=True)(0)),
            also_saved=lambda: self._networks.store.save_bones(poses.SKELETON, bones),
        )

    def _teacher(self) -> stages_.Stage:
        c, config = self._config.teacher, self._config
        with replicas.scope(self._strategy):
            trunk, reader = self._networks.new_teacher()
            step = teacher_step.TeacherStep(
                trunk, reader, learning_rate=_cosine(c.learning_rate, c.steps)
            )

        return stages_.Stage(
            "teacher",
            step,
            pipeline.stream(lambda n: sources.teacher_batch(config, n)),
            c.steps,
            dict(zip(networks_.TEACHER, (trunk, reader))),
            lambda: self._taught(trunk, reader),
            meta={"image_size": config.data.image_size},
        )

    def _published(self) -> dict[str, float]:
        """Keeps a teacher that needs no training; returns what it sees."""
        trunk, reader = self._networks.new_teacher()
        measured = self._taught(trunk, reader)
        self._networks.store.save(
            dict(zip(networks_.TEACHER, (trunk, reader))),
            stage="teacher",
            measured=measured,
            image_size=self._config.data.image_size,
            programs=[trunk.program, reader.program],
        )
        return measured

    def _taught(
        self, trunk: teacher.Trunk, reader: teacher.MapReader
    ) -> dict[str, float]:
        """What the teacher sees in each place's unseen pictures."""
        found, size = {}, self._config.data.image_size
        for side, place in self._places().items():
            pairs = self._seen_by_teacher(place, trunk, reader)
            for key, value in scoring.measure_points(pairs, size).items():
                found[f"{side}_{key}"] = value
        return found

    def _alignment(self) -> stages_.Stage:
        c = self._config.student
        with replicas.scope(self._strategy):
            network, map_encoder = self._networks.begun()
        rate = self._rate(c.learning_rate, c.steps, c.drop_steps)
        rates: dict[str, Any] = {"distl": rate}
        # L_distl alone at first ([P] 4): the others wait with a rate of 0.
        map_rate = self._rate(c.map_rate, c.steps, c.drop_steps)
        map_rate = _After(c.first_steps, map_rate)
        if c.scenes:
            rates["recon"] = _After(c.first_steps, rate)
            if c.adapt:
                rates["adapt"] = map_rate
        return self._student_stage(
            "alignment",
            network,
            map_encoder,
            {**rates, **self._labels(rate)},
            c.steps,
            dict(zip(networks_.ALIGNED, (network, map_encoder))),
            map_rate=map_rate,
        )

    def _equivariance(self) -> stages_.Stage:
        c = self._config.student
        with replicas.scope(self._strategy):
            network, map_encoder = self._networks.aligned()
            network.trainable = True
        rate = self._rate(c.equivariance_rate, c.equivariance_steps)
        rates: dict[str, Any] = {"ss": rate}
        if c.distils:
            rates["distl"] = rate
        if c.scenes:
            rates["recon"] = rate
        return self._student_stage(
            "equivariance",
            network,
            map_encoder,
            {**rates, **self._labels(rate)},
            c.equivariance_steps,
            {networks_.STUDENT: network},
        )

    def _refinement(self) -> stages_.Stage:
        c = self._config.student
        with replicas.scope(self._strategy):
            trunk, reader = self._networks.teacher()
            _, map_encoder = self._networks.aligned()
            refiner = self._networks.new_refiner()
            refiner.network.trainable = True
            rate = _cosine(c.learning_rate, c.refinement_steps)
            rates = {"distl": rate, **({"recon": rate} if c.scenes else {})}
            step = student_step.StudentStep(
                refiner,
                map_encoder,
                trunk,
                reader,
                rates={**rates, **self._labels(rate)},
                sized=c.sized,
            )
        batches = sources.RefinementBatches(
            self._config, self._networks.camera, trunk, reader
        )
        first = self._networks.trained()
        used = (*networks_.POSES, *networks_.TEACHER, *networks_.ALIGNED)
        return stages_.Stage(
            "refinement",
            step,
            pipeline.stream(batches.make),
            c.refinement_steps,
            {networks_.REFINER: refiner.network},
            lambda: self._measured(first, (trunk, reader), refiner),
            (*used, networks_.STUDENT),
            self._networks.seen_by,
        )

    def _rate(self, rate: float, steps: int, drop: int = 0) -> Any:
        """A rate that falls along a cosine, or to a tenth once, or not at all."""
        if self._config.student.decays:
            return _cosine(rate, steps)
        schedules = tf.keras.optimizers.schedules
        values = [rate, rate / 10]
        return schedules.PiecewiseConstantDecay([drop], values) if drop else rate

    def _labels(self, rate: Any) -> dict[str, Any]:
        """The losses of true labels (Ws, Fs), and their rate."""
        known = {"none": (), "2d": ("labels_2d",), "3d": ("labels_2d", "labels_3d")}
        return dict.fromkeys(known[self._config.student.labels], rate)

    def _student_stage(
        self,
        name: str,
        network: Any,
        map_encoder: Any,
        rates: dict[str, Any],
        num_steps: int,
        kept: dict[str, tf.keras.Model],
        *,
        map_rate: Any = None,
    ) -> stages_.Stage:
        """A stage of H; `kept` is what it leaves behind."""
        with replicas.scope(self._strategy):
            trunk, reader = self._networks.teacher()
            composer = self._networks.composer(network)
            step = student_step.StudentStep(
                composer,
                map_encoder,
                trunk,
                reader,
                rates=rates,
                map_rate=map_rate,
                sized=self._config.student.sized,
            )
        batches = sources.StudentBatches(
            self._config, self._networks.camera, trunk, reader, turned="ss" in rates
        )
        used = (*networks_.POSES, *networks_.TEACHER)
        before = networks_.ALIGNED if name == "equivariance" else ()
        return stages_.Stage(
            name,
            step,
            pipeline.stream(batches.make),
            num_steps,
            kept,
            lambda: self._measured(composer, (trunk, reader)),
            (*used, *before),
            self._networks.seen_by,
        )

    def _places(self) -> dict[str, str]:
        """The places that it is measured in, by their part."""
        return sources.measured(self._config)

    def _measured(
        self,
        composer: composers.Composer,
        taught: tuple[teacher.Trunk, teacher.MapReader],
        refiner: composers.Composer | None = None,
    ) -> dict[str, float]:
        """The numbers of each place's unseen pictures."""
        found = {}
        for side, place in self._places().items():
            images = sources.crowds(self._config, place, unseen=True).images
            seen = predictions.see(composer, *taught, images, refiner)
            pairs = scoring.match(*seen, *self._truth(place), images.shape[1])
            for key, value in scoring.measure(pairs).items():
                found[f"{side}_{key}"] = value
        return found

    def _seen_by_teacher(
        self, place: str, trunk: teacher.Trunk, reader: teacher.MapReader
    ) -> scoring.Pairs:
        """The same of the teacher, which knows no depth: zeros."""
        found = sources.crowds(self._config, place, unseen=True)
        people, size = predictions.MOST, found.images.shape[1]
        seen = sources.seen_by_teacher(trunk, reader, found.images, people)
        points = [one[np.isfinite(one[:, reader.layout.root, 0])] for one in seen]
        joints = [np.zeros((*one.shape[:2], 3)) for one in points]
        return scoring.match(joints, points, *self._truth(place), size)

    def _truth(self, place: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
        return sources.people_of(sources.crowds(self._config, place, unseen=True))

    def _draw(self, path: pathlib.Path, composer: composers.Composer) -> None:
        trunk, reader = self._networks.teacher()
        # Of pictures without labels those that trained are shown.
        place, unseen = self._config.data.target, "target" in self._places()
        found = sources.crowds(self._config, place, unseen)
        images = found.images[:_SHOWN]
        taught = sources.seen_by_teacher(trunk, reader, images, predictions.MOST)
        _, points = predictions.see(composer, trunk, reader, images)
        truth = list(itertools.islice(sources.people_of(found)[1], _SHOWN))
        predictions.draw(path, images, truth, list(taught), points)


def make(
    config: configs.Config,
    folder: str | os.PathLike,
    strategy: tf.distribute.Strategy | None = None,
) -> Stages:
    """Returns the stages whose networks are kept in `folder`."""
    return Stages(config, networks_.Networks(config, folder), strategy)


def exported(config: configs.Config, folder: str | os.PathLike) -> described.Described:
    """Returns the model of the trained networks in `folder`, as it is exported."""
    made = networks_.Networks(config, folder)
    measured = made.store.meta(networks_.STUDENT).get("measured", {})
    return _exported(made, measured)


def _exported(
    made: networks_.Networks, measured: Mapping[str, float], refined: bool = False
) -> described.Described:
    run = {"system": "multi_person", "measured": dict(measured)}
    return serving.of_composer(
        made.trained(),
        *made.teacher(),
        run=run,
        refiner=made.refiner() if refined else None,
    )


class _After(tf.keras.optimizers.schedules.LearningRateSchedule):
    """0 up to a step, then a rate or what a schedule says."""

    def __init__(self, first: int, rate: Any) -> None:
        self._first, self._rate = first, rate

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        """The rate of a step."""
        begun = tf.cast(step, tf.float32) >= float(self._first)
        rate = self._rate(step) if callable(self._rate) else self._rate
        return tf.where(begun, rate, 0.0)


def _cosine(rate: float, steps: int) -> Any:
    return tf.keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.01)
