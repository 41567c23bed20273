"""What the rows of a table share: networks, compiled functions, rendered clips."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import json
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sa3dhp import errors
from sa3dhp.evaluation import prediction, protocol
from sa3dhp.experiments import networks, repeated, rows, sabotage
from sa3dhp.synthetic import domain, world
from sa3dhp.systems.relation_distillation import job as jobs
from sa3dhp.systems.relation_distillation import networks as networks_
from sa3dhp.systems.relation_distillation import sources
from sa3dhp.systems.relation_distillation import target as targets
from sa3dhp.training import store

_JOBS = 2  # kept in memory
_PLACES = 4


@dataclasses.dataclass(frozen=True)
class Elsewhere:
    """Pictures that nothing is adapted to, and the source model's result there."""

    truth: targets.Truth
    score: Mapping


@dataclasses.dataclass(frozen=True)
class Place:
    """Test clips of one domain and seed, and the source model's error there.

    Attributes:
        truth: what results are measured on.
        stored: the same pictures with their margin, uint8 `[N, S, S, 3]`.
        joints: of the source model, `[N, 17, 3]`, mm.
        score: of the source model.
        elsewhere: card -> what adapted models are measured on beside it.
        home: the source model's errors on its own domain, by metric, where it is drawn.
    """

    truth: targets.Truth
    stored: np.ndarray
    joints: np.ndarray
    score: Mapping
    elsewhere: Mapping[str, Elsewhere] = dataclasses.field(default_factory=dict)
    home: Mapping[str, float] | None = None


class Session:
    """Builds what rows need, once for as many of them as possible."""

    def __init__(
        self,
        configure: Callable[[Sequence[str]], Any],
        checkpoints: str | os.PathLike,
        workdir: str | os.PathLike,
    ) -> None:
        """Reads the base configuration.

        Args:
            configure: from overrides to a configuration.
            checkpoints: folder of the networks to start from; only read.
            workdir: gets a copy of them, and the relation networks they lack.

        Raises:
            InputError: if the target is not the embedded world.
        """
        self._configure = configure
        self._checkpoints = pathlib.Path(checkpoints)
        self.workdir = pathlib.Path(workdir)
        self.base = dataclasses.asdict(configure(()))
        self._check()
        self._jobs: dict[tuple[bool, int], repeated.Repeated] = {}
        self._numbers = itertools.count()
        self._places: dict[str, Place] = {}
        self._homes: dict[str, Mapping[str, float]] = {}
        self._clips: dict[str, np.ndarray] = {}

    def _check(self) -> None:
        """Refuses a configuration of another target."""
        if self.base["data"]["target"] != "procedural":
            raise errors.InputError(
                f"data.target: got {self.base['data']['target']!r}, expected "
                "'procedural': these tables are of the embedded world"
            )

    def table(self, name: str) -> rows.Table:
        """Returns a table of `rows`.

        Raises:
            InputError: if there is none of that name, or it is not of this target.
        """
        if name == rows.REAL:
            raise errors.InputError(
                f"table: {name} is of real pictures, see `real.RealSession`"
            )
        return rows.make(name, self.base)

    def config(self, table: rows.Table, row: rows.Row, seed: int) -> Any:
        """Returns the configuration of a row.

        Each seed begins with another term: which one has the first turn is chance too.
        """
        overrides = (*table.overrides, *row.overrides, f"training.seed={seed}")
        terms = self._configure(overrides).adaptation.terms
        first = seed % len(terms)
        turned = ", ".join((*terms[first:], *terms[:first]))
        return self._configure((*overrides, f"adaptation.terms=[{turned}]"))

    def settings(self, table: rows.Table, row: rows.Row, seed: int) -> dict:
        """Returns all that a row's result depends on, but the code."""
        resolved = dataclasses.asdict(self.config(table, row, seed))
        used = {*resolved["adaptation"]["terms"], *self.base["relations"]["rules"]}
        names = ["pose_encoder", "pose_decoder", "motion_encoder", "image_encoder"]
        known = resolved["relations"]["rules"]
        names += [networks_.relation_name(rule) for rule in sorted(used & set(known))]
        trained = self._store(row.sabotage)
        training = resolved["training"]
        settings = {
            "seed": training["seed"],
            "precision": training["precision"],
            "schedule": training["schedule"],
            "data": resolved["data"],
            "adaptation": resolved["adaptation"],
            "labelled": self._labelled(resolved),
            "monitored": self.base["relations"]["rules"],
            "method": row.method,
            "sabotage": row.sabotage,
            "networks": {name: trained.hash(name) for name in names},
            "world": self._world(resolved["data"]),
        }
        return json.loads(json.dumps(settings))

    def _world(self, data: Mapping) -> Any:
        """What the target's pictures depend on beside the configuration."""
        return _fingerprint(data["target_domain"])

    @staticmethod
    def _labelled(resolved: Mapping) -> dict | None:
        """The settings of the labelled loss, where a row has one."""
        return (
            resolved["source"] if "source" in resolved["adaptation"]["terms"] else None
        )

    def prepare(self, table: rows.Table) -> None:
        """Copies the networks and trains the relation networks that are missing.

        Raises:
            InputError: if other networks are missing or do not fit.
        """
        config = self._configure(table.overrides)
        for wrong in sorted(
            {row.sabotage == sabotage.WRONG_FLIP for row in table.rows}
        ):
            folder = self._store(sabotage.WRONG_FLIP if wrong else None).folder
            networks.complete(config, self._checkpoints, folder, wrong_flip=wrong)

    def measured(self, rule: str) -> dict:
        """Returns how well a rule's network knows it, by `pairs.measure`."""
        return self._store(None).meta(networks_.relation_name(rule))["measured"]

    def job(self, table: rows.Table, row: rows.Row, seed: int) -> repeated.Repeated:
        """Returns the adaptation of a row, at its start."""
        config = self.config(table, row, seed)
        wrong = row.sabotage == sabotage.WRONG_FLIP
        for (of_wrong, _), job in self._jobs.items():
            if of_wrong == wrong and job.fits(config):
                job.restart(config)
                return job
        _limit(self._jobs, _JOBS)
        print("building the networks", flush=True)
        trained = networks_.Networks(config, self._store(row.sabotage))
        job = repeated.Repeated(config, trained, self.base["relations"]["rules"])
        self._jobs[wrong, next(self._numbers)] = job
        return job

    def place(self, job: repeated.Repeated) -> Place:
        """Returns the test clips of a job that is at its start."""
        data = dataclasses.asdict(job.config.data)
        for key in ("labelled", "target_clips"):
            data.pop(key)
        key = json.dumps([job.plan.seed, data])
        if key not in self._places:
            home = self._home(job) if data["source"] == "procedural" else None
            truth, stored = _test(job, data["target_domain"])
            joints = truth.predict(job.model)
            score = truth.score(joints)
            _limit(self._places, _PLACES)
            self._places[key] = Place(truth, stored, joints, score, home=home)
        return self._places[key]

    def _home(self, job: repeated.Repeated) -> Mapping[str, float]:
        """The source model's errors on its own domain, by metric; read once a seed."""
        data = dataclasses.asdict(job.config.data)
        for key in ("labelled", "target_clips", "target_domain"):
            data.pop(key)
        key = json.dumps([job.plan.seed, data])
        if key not in self._homes:
            truth, _ = _test(job, job.config.data.source_domain)
            self._homes[key] = truth.score(truth.predict(job.model))["overall"]
        return self._homes[key]

    def target(self, job: repeated.Repeated, sabotaged: str | None) -> targets.Target:
        """Returns what a job adapts to, measured on the test clips of its place."""
        data = dataclasses.asdict(job.config.data)
        data.pop("labelled")
        seed = job.plan.seed
        key = json.dumps([seed, data])
        if key not in self._clips:
            print(f"rendering clips of {data['target_domain']}", flush=True)
            _limit(self._clips, _PLACES)
            self._clips[key] = sources.target_clips(job.config)
        clips = self._clips[key]
        if sabotaged in sabotage.CLIPS:
            change = sabotage.CLIPS[sabotaged]
            clips = change(clips, np.random.default_rng(seed))
        return jobs.world_target(job.config, clips, self.place(job).truth)

    def _store(self, sabotaged: str | None) -> store.Store:
        wrong = sabotaged == sabotage.WRONG_FLIP
        return store.Store(self.workdir / ("networks_wrong" if wrong else "networks"))


def _test(job: repeated.Repeated, name: str) -> tuple[targets.Truth, np.ndarray]:
    """Test clips of a domain, and their pictures with the margin."""
    print(f"rendering test clips of {name}", flush=True)
    data = dataclasses.replace(job.config.data, target_domain=name)
    clips = sources.test_clips(dataclasses.replace(job.config, data=data))
    poses = prediction.from_clips(clips, job.model.image_size)
    stored = np.concatenate([clip.images for clip in clips])
    return targets.Truth(*poses, protocol.load(jobs.CARD)), stored


def _limit(cache: dict, size: int) -> None:
    """Forgets the oldest entries, so that there is room for one more."""
    while len(cache) >= size:
        cache.pop(next(iter(cache)))


@functools.cache
def _fingerprint(name: str) -> str:
    """The hash of two small pictures of a domain: it changes as its drawing does."""
    clip = world.clip(domain.get(name), np.random.default_rng(0), num_frames=2, size=64)
    return hashlib.sha256(clip.images.tobytes() + clip.joints.tobytes()).hexdigest()
