"""Config in, many adaptations out, with the same networks and compiled functions.

Tracing takes as long as a dozen updates, so that a table of rows which differ in their
terms, rates, data and seeds builds and traces once.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sa3dhp import errors
from sa3dhp.data import augment
from sa3dhp.systems.relation_distillation import adaptation, build, job
from sa3dhp.systems.relation_distillation import config as configs
from sa3dhp.systems.relation_distillation.steps import self_training
from sa3dhp.training import batch_norm, store

# What may differ from one adaptation to the next; all else is built or traced in.
_FREE = {
    "adaptation": {
        "terms",
        "steps",
        "clips_per_batch",
        "learning_rate",
        "contrastive_rate",
        "evaluate_every",
        "held_out",
        "select",
    },
    "training": {"seed", "log_every", "checkpoint_every", "schedule"},
    "relations": {"pairs", "steps", "batch_size", "learning_rate"},
    "data": None,  # all but what the pictures' sizes say
    "source": None,
    "pose_autoencoder": None,
    "motion_autoencoder": None,
}
_MOMENTUM = 0.99  # of the control's teacher where the method has none
_SIZES = ("image_size", "stored_size")


def signature(resolved: Mapping) -> str:
    """Returns what two configurations must share to be run by one `Repeated`.

    Args:
        resolved: the configuration as nested dicts.
    """
    kept = {key: resolved["data"][key] for key in _SIZES}
    for section, values in resolved.items():
        free = _FREE.get(section, set())
        if free is not None:
            kept[section] = {k: v for k, v in values.items() if k not in free}
    return json.dumps(kept, sort_keys=True)


class Repeated(job.Adaptation):
    """One adaptation that can begin again, as another one of the same signature."""

    def __init__(
        self,
        config: configs.Config,
        networks: store.Store,
        monitored: Sequence[str],
    ) -> None:
        """Loads the networks.

        Args:
            config: `adaptation.terms` are all that any `restart` will ask for.
            networks: trained ones.
            monitored: rules that the label-free monitors look at, in all runs alike.

        Raises:
            InputError: if a checkpoint is missing or does not fit.
        """
        super().__init__(config, networks)
        self._step.monitor(monitored)
        self._start = [np.copy(w) for w in self.encoder.get_weights()]
        self._networks = networks
        self._floors: dict[str, dict] = {}
        self._first_looks: dict[str, dict] = {}

    def restart(self, config: configs.Config) -> None:
        """Puts G^s back and takes over another configuration.

        Raises:
            InputError: if it has another signature, or terms it was not built with.
        """
        resolved = dataclasses.asdict(config)
        if signature(resolved) != signature(self.resolved):
            raise errors.InputError(
                "restart: got a configuration that needs other networks or functions; "
                "build another Repeated"
            )
        self._config, self.resolved = config, resolved
        self.target = config.data.target_domain
        labelled = "source" in config.adaptation.terms
        self.information = "L" if labelled else "R"
        self.facts = {**self.facts, "seed": config.training.seed, "config": resolved}
        self.encoder.set_weights(self._start)
        terms, seed = config.adaptation.terms, config.training.seed
        self._step.restart(terms, self._rates(), seed, self._decay_steps())

    def look(self, workdir: str | os.PathLike, step: int) -> None:
        """Puts the block as it was after `step` updates of the run in `workdir`."""
        folder = pathlib.Path(workdir) / adaptation.LOOKS
        adaptation.Looks(folder, self._step.variables, dict).restore(step)

    def run(
        self, clips: np.ndarray, workdir: str | os.PathLike, **options: Any
    ) -> adaptation.Outcome:
        """See `Adaptation.run`; what is seen before any update is looked at once."""
        c, data = self._config.adaptation, {**self.resolved["data"], "labelled": None}
        known = [self._config.training.seed, data, c.held_out, c.clips_per_batch]
        pictures = hashlib.sha256(np.ascontiguousarray(clips)).hexdigest()
        key = json.dumps([*known, pictures])
        options.setdefault("first", self._first_looks.get(key))
        outcome = super().run(clips, workdir, **options)
        start = {k: v for k, v in outcome.history[0].items() if k != "step"}
        self._first_looks[key] = start
        return outcome

    def self_train(
        self,
        clips: np.ndarray,
        workdir: str | os.PathLike,
        test_error: Callable[[], float],
    ) -> adaptation.Outcome:
        """Runs the control: a mean teacher in place of the relations; see `run`."""
        c, relational = self._config.adaptation, self._step
        teacher = build.Builder(self._config, self._networks).load("image_encoder")
        teacher.trainable = True  # its block follows that of G
        self._step = self_training.SelfTrainingStep(
            self.encoder,
            teacher,
            lambda images, seed: augment.photometric(images, seed, c.augmentation),
            relational,
            learning_rate=c.learning_rate,
            momentum=c.teacher_momentum or _MOMENTUM,
            trainable_block=c.trainable_block,
            seed=self._config.training.seed,
        )
        try:
            return self.run(clips, workdir, test_error=test_error)
        finally:
            self._step = relational

    def target_batch_norm(self, clips: np.ndarray, stride: int = 4) -> None:
        """Runs the control: batch norm's statistics of every `stride`-th picture."""
        size = self.image_size
        edge = (clips.shape[2] - size) // 2
        middle = slice(edge, edge + size)
        pictures = clips[:, ::stride, middle, middle]
        batch_norm.reestimate(self.encoder, pictures.reshape(-1, *pictures.shape[2:]))

    def _floor(self, size: int) -> dict[str, float]:
        data = self.resolved["data"]
        key = [self.resolved["training"]["seed"], data["source_domain"], size]
        text = json.dumps(key)
        if text not in self._floors:
            self._floors[text] = super()._floor(size)
        return copy.copy(self._floors[text])
