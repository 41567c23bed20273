"""One adaptation that begins again as another: rows of a table share what is traced.

Tracing takes as long as a dozen updates. What two rows must have in common to share a
job is not listed by hand: it is what building the job read of the configuration, less
what every beginning reads again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from sa3dhp import errors
from sa3dhp.systems.relation_distillation import adaptation, job
from sa3dhp.systems.relation_distillation import config as configs
from sa3dhp.systems.relation_distillation import networks as networks_
from sa3dhp.systems.relation_distillation import target as targets
from sa3dhp.training import batch_norm

# What the clips that the floor of the residuals is read from depend on.
_SOURCE = ("source", "source_paths", "source_domain", "stored_size", "clip_frames")


class Reading:
    """A configuration that remembers which of its values were read."""

    def __init__(self, node: Any, seen: dict[str, Any], prefix: str = "") -> None:
        """Keeps `seen`, which gets the values read, by `section.key`."""
        self._node, self._seen, self._prefix = node, seen, prefix

    def __getattr__(self, name: str) -> Any:
        """The value, or a section that is read on."""
        value = getattr(self._node, name)
        full = f"{self._prefix}{name}"
        if dataclasses.is_dataclass(value):
            return Reading(value, self._seen, f"{full}.")
        self._seen[full] = value
        return value


class Repeated(job.Job):
    """A job that can begin again, as any whose built-in settings are the same."""

    def __init__(
        self,
        config: configs.Config,
        networks: networks_.Networks,
        monitored: Sequence[str],
    ) -> None:
        """Loads the networks, see `Job`.

        Args:
            config: of the first run.
            networks: trained ones.
            monitored: rules that the monitors read, in all runs alike.

        Raises:
            InputError: if a checkpoint is missing or does not fit.
        """
        self._built: dict[str, Any] = {}
        self._floors: dict[str, dict] = {}
        self._first: dict[str, dict] = {}
        super().__init__(config, networks, monitored)

    def fits(self, config: configs.Config) -> bool:
        """Whether `restart` can take this configuration over."""
        return not self._differences(config)

    def restart(self, config: configs.Config) -> None:
        """See `Job.restart`.

        Raises:
            InputError: if the configuration needs other networks or functions.
        """
        changed = self._differences(config)
        if changed:
            raise errors.InputError(
                f"restart: {', '.join(changed)} differ from what this job was built "
                "with; build another Repeated"
            )
        super().restart(config)

    def run(
        self, target: targets.Target, workdir: str | os.PathLike
    ) -> adaptation.Course:
        """Adapts to a target; what is seen before any update is read once."""
        _, held_out = adaptation.split(target, self.plan)
        seen = [target.clips[held_out]]
        if target.truth is not None:
            seen.append(target.truth.poses.joints)
        digests = [hashlib.sha256(x.tobytes()).hexdigest() for x in seen]
        known = [self.plan.seed, self.plan.clips_per_batch, *digests]
        key = json.dumps(known)
        course = adaptation.run(
            self.learner, target, self.plan, workdir, first=self._first.get(key)
        )
        self._first[key] = {k: v for k, v in course.start.items() if k != "step"}
        return course

    def go_to(self, workdir: str | os.PathLike, step: int) -> None:
        """Puts the block as it was after `step` updates of the run in `workdir`."""
        folder = pathlib.Path(workdir) / adaptation.SNAPSHOTS
        adaptation.Snapshots(folder, self.learner.step.variables).restore(step)
        self._refresh()

    def target_batch_norm(self, clips: np.ndarray, stride: int = 4) -> None:
        """Runs the control: batch norm's statistics of every `stride`-th picture."""
        images = clips[:, ::stride]
        batch_norm.reestimate(self.model.encoder, images.reshape(-1, *images.shape[2:]))
        self._refresh()

    def _build(
        self,
        config: configs.Config,
        networks: networks_.Networks,
        monitored: Sequence[str] | None,
    ) -> None:
        seen: dict[str, Any] = {}
        again = networks_.Networks(_read(config, seen), networks.store)
        super()._build(_read(config, seen), again, monitored)
        self._built = seen

    def _begin(self, config: configs.Config) -> None:
        begun: dict[str, Any] = {}
        super()._begin(_read(config, begun))
        # The initial weights that a seed gives are replaced by trained ones.
        fresh = {*begun, "training.seed"}
        self._built = {k: v for k, v in self._built.items() if k not in fresh}

    def _differences(self, config: configs.Config) -> list[str]:
        """What was built in and is another in `config`, by `section.key`."""
        found = []
        for key, built in self._built.items():
            section, name = key.split(".")
            if getattr(getattr(config, section), name) != built:
                found.append(key)
        return found

    def source_floor(self, size: int = job.SOURCE_CLIPS) -> dict[str, float]:
        """Read once for each seed, source and size."""
        source = [getattr(self.config.data, name) for name in _SOURCE]
        key = json.dumps([self.config.training.seed, source, size])
        if key not in self._floors:
            self._floors[key] = super().source_floor(size)
        return dict(self._floors[key])


def _read(config: configs.Config, seen: dict[str, Any]) -> configs.Config:
    """The configuration, remembering; it has the same attributes."""
    return cast(configs.Config, Reading(config, seen))
