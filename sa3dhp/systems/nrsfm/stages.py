"""The two stages of a configuration: what each trains, and on what."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.data import augment, pipeline
from sa3dhp.export import saved_model
from sa3dhp.geometry import camera
from sa3dhp.models import integral
from sa3dhp.systems.nrsfm import config as configs
from sa3dhp.systems.nrsfm import lifting, predictions, scoring, serving, sources
from sa3dhp.systems.nrsfm import networks as networks_
from sa3dhp.systems.nrsfm import points as points_
from sa3dhp.systems.nrsfm.steps import student as student_step
from sa3dhp.systems.nrsfm.steps import teacher as teacher_step
from sa3dhp.training import replicas
from sa3dhp.training import stage as stages_

PICTURE = "reconstruction.png"  # some that it never saw, where there are such
LIFTED = "reconstruction.npz"  # what the teacher makes of the points it trained on
_LAST = 0.75  # of the student's steps, after which the last rate begins
_FEATURES: dict[tuple, np.ndarray] = {}  # the last ones


class Stages:
    """Makes the stages of one configuration; the student needs the teacher."""

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
        self._make = {"teacher": self._teacher, "student": self._student}

    @property
    def names(self) -> tuple[str, ...]:
        """The stages in their order."""
        return tuple(self._make)

    def train(self, name: str, workdir: str | os.PathLike) -> list[tuple]:
        """Trains a stage, or goes on with it; saves and exports its network.

        Args:
            name: one of `config.STAGES`.
            workdir: where state, logs, SavedModel and, of the teacher, the lifted
                points go.

        Returns:
            Rows of stage, name of a measure, and its value; `own` is on what was
            trained on, `unseen` on what never was.
        """
        folder = pathlib.Path(workdir) / configs.EXPORTS[name]
        saved_model.check(folder)  # before the work, not after
        training, made = self._config.training, self._make[name]()
        measured = stages_.train(
            made,
            self._networks.store,
            workdir,
            seed=self._seed,
            log_every=training.log_every,
            checkpoint_every=training.checkpoint_every,
        )
        self._export(name, folder, measured)
        return [(name, *item) for item in measured.items()]

    def _teacher(self) -> stages_.Stage:
        c, own = self._config.teacher, sources.training(self._config)
        with replicas.scope(self._strategy):
            network = self._networks.new_teacher(own.points.shape[1])
            step = teacher_step.TeacherStep(
                network,
                learning_rate=_cosine(c.learning_rate, c.steps),
                sparsity=c.sparsity,
                turned=c.turned,
                seed=self._seed,
            )
        one = self._config.data.scale == "one"
        unit = points_.typical_size(own.points) if one else None
        flat = points_.normalised(own.points, unit).points
        meta: dict[str, Any] = {"num_points": network.num_points, "unit": unit or 0.0}
        some = own.evenly(self._config.data.unseen)

        def measure() -> dict[str, float]:
            """Chooses the reflection too, on points that are trained on."""
            lifter, meta["reflection"] = lifting.Lifter(network, 1, unit), 1
            if some.truth is not None:
                joints = lifter.lift(some.points).joints
                meta["reflection"] = scoring.reflection(joints, some.truth)
            lifter = dataclasses.replace(lifter, reflection=meta["reflection"])
            sides = {"own": some, "unseen": sources.unseen(self._config)}
            return _measured(
                self._config, sides, lambda side: lifter.lift(side.points).joints
            )

        def draw(step: int) -> np.ndarray:
            rng = pipeline.rng(self._seed, "points", step)
            return flat[rng.integers(len(flat), size=c.batch_size)]

        return stages_.Stage(
            "teacher",
            step,
            pipeline.stream(draw),
            c.steps,
            {"teacher": network},
            measure,
            meta=meta,
        )

    def _student(self) -> stages_.Stage:
        c, own = self._config.student, sources.training(self._config)
        sources.check_pictures(self._config)
        assert own.images is not None
        lifter = self._networks.lifter()
        taught = targets(self._config, own, lifter.lift(own.points))
        dictionary = tf.constant(lifter.network.dictionary)
        losses = {
            "distilled": student_step.distilled(dictionary, c.l1_weight),
            "teacher": student_step.of_teacher(dictionary),
            "truth": student_step.of_truth(lifter.reflection),
        }
        with replicas.scope(self._strategy):
            network = self._networks.new_student(lifter.network.num_points)
            step = student_step.StudentStep(
                network,
                losses[c.depth],
                learning_rate=tf.keras.optimizers.schedules.PiecewiseConstantDecay(
                    [max(1, round(_LAST * c.steps))], [c.learning_rate, c.last_rate]
                ),
                reflection=lifter.reflection,
                frozen=c.frozen,
            )
        some = own.evenly(self._config.data.unseen)
        sides = {"own": some, "unseen": sources.unseen(self._config)}
        return stages_.Stage(
            "student",
            step,
            self._pictures(own, taught, network),
            c.steps,
            {"student": network},
            lambda: _measured(
                self._config, sides, lambda side: predictions.see(network, side)
            ),
            ("teacher",),
            {
                "num_points": network.num_points,
                "image_size": self._config.data.image_size,
                "depth": c.depth,
            },
        )

    def _pictures(
        self,
        own: sources.Projections,
        taught: Mapping[str, np.ndarray],
        network: integral.IntegralRegressor,
    ) -> pipeline.Batches:
        """Batches of pictures under changing light, with what is known of them.

        Of a frozen backbone its features are in the pictures' place.
        """
        c, seed = self._config.student, self._seed
        change = tf.function(augment.photometric, autograph=False)
        images = own.images
        assert images is not None  # told before

        def make(step: int) -> student_step.Batch:
            rng = pipeline.rng(seed, "pictures", step)
            rows = np.sort(rng.integers(len(own), size=c.batch_size))
            known = {name: tf.constant(x[rows]) for name, x in taught.items()}
            if c.frozen:
                seen = _features(self._config, network, own)[rows]
                return student_step.Batch(tf.constant(seen, tf.float32), **known)
            pixels = tf.constant(images(rows), tf.float32) / 255.0
            key = tf.constant([seed, step], tf.int64)
            changed = change(pixels, key, c.augmentation)
            return student_step.Batch(images=changed, **known)

        return pipeline.stream(make)

    def _export(self, name: str, folder: pathlib.Path, measured: Mapping) -> None:
        """Writes the SavedModel of a stage; of the teacher, what it lifts too."""
        own = sources.training(self._config)
        run = {"system": "nrsfm", "stage": name, "measured": dict(measured)}
        if name == "student":
            network = self._networks.student()
            made = serving.of_student(network, skeleton=own.skeleton, run=run)
            return serving.export(folder, made)
        lifter = self._networks.lifter()
        made = serving.of_teacher(lifter, skeleton=own.skeleton, run=run)
        serving.export(folder, made)
        lifted = lifter.lift(own.points)
        predictions.write(folder.parent / LIFTED, own, lifted.joints)
        if own.skeleton:
            shown = sources.unseen(self._config) or own
            joints = lifter.lift(shown.points).joints
            predictions.draw(folder.parent / PICTURE, shown, joints)


def make(
    config: configs.Config,
    folder: str | os.PathLike,
    strategy: tf.distribute.Strategy | None = None,
) -> Stages:
    """Returns the stages whose networks are kept in `folder`."""
    return Stages(config, networks_.Networks(config, folder), strategy)


def targets(
    config: configs.Config, own: sources.Projections, lifted: lifting.Lifted
) -> dict[str, np.ndarray]:
    """Returns what the student learns from, by the names of `student.Batch`, float32.

    Args:
        config: gives the size of the pictures, and whether truth is asked for.
        own: the points in pixels of the pictures.
        lifted: the teacher's answer to them.

    Raises:
        InputError: if the bound is asked for and there is no truth.
    """
    half = config.data.image_size / 2
    middle = (config.data.image_size - 1) / 2
    depth = np.zeros(own.points.shape[:2])
    if config.student.depth == "truth":
        if own.truth is None:
            raise errors.InputError(
                f"{own.source}: has no 3D, expected it for student.depth=truth"
            )
        scale = camera.weak_perspective_scale(own.points, own.truth)
        along = own.truth[..., 2] - own.truth[..., 2].mean(axis=1, keepdims=True)
        depth = scale[:, None] * along / lifted.size[..., 0]
    found = {
        "points": (own.points - middle) / half,
        "size": lifted.size / half,
        "camera": lifted.camera,
        "code": lifted.code,
        "depth": depth,
    }
    return {name: value.astype(np.float32) for name, value in found.items()}


def _features(
    config: configs.Config,
    network: integral.IntegralRegressor,
    own: sources.Projections,
) -> np.ndarray:
    """What a frozen backbone makes of the pictures; students of a table share it."""
    key = config.data, config.student.weights, config.training.seed
    if key not in _FEATURES:
        _FEATURES.clear()  # gigabytes
        _FEATURES[key] = predictions.features(network, own)
    return _FEATURES[key]


def _measured(
    config: configs.Config,
    sides: Mapping[str, sources.Projections | None],
    predict: Callable[[sources.Projections], np.ndarray],
) -> dict[str, float]:
    """The metrics of each side that has truth, as `own_mpjpe` and so on."""
    found = {}
    for name, side in sides.items():
        if side is None or side.truth is None:
            continue
        card = config.data.evaluation_card
        result = scoring.score(predict(side), side.truth, side.skeleton, card)
        found.update({f"{name}_{k}": v for k, v in result["overall"].items()})
    return found


def _cosine(rate: float, steps: int) -> Any:
    return tf.keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.01)
