"""Relation distillation as a row of another system's table, on the embedded world."""

from __future__ import annotations

import os

import numpy as np

from sa3dhp import files
from sa3dhp.models import pose_model
from sa3dhp.systems.relation_distillation import adaptation, sources
from sa3dhp.systems.relation_distillation import config as configs
from sa3dhp.systems.relation_distillation import job as jobs
from sa3dhp.systems.relation_distillation import networks as networks_
from sa3dhp.systems.relation_distillation import target as targets
from sa3dhp.training import store

CHECKPOINTS = "checkpoints/procedural"
_CONFIG = "configs/tables.yaml"


def configure(seed: int, place: str, pictures: int) -> configs.Config:
    """Returns the tables' configuration, for the pictures of a place.

    Args:
        seed: of the clips and the updates.
        place: a domain of the embedded world.
        pictures: that it adapts to: as many clips as hold them all.
    """
    path = files.find(_CONFIG)
    length = 2 * configs.load(path).data.clip_frames  # as they are rendered
    return configs.load(
        path,
        [
            f"training.seed={seed}",
            f"data.target_domain={place}",
            f"data.target_clips={-(-pictures // length)}",
            "adaptation.select=last",
        ],
    )


def source_model(
    config: configs.Config, checkpoints: str | os.PathLike
) -> pose_model.PoseModel:
    """Returns what an adaptation starts from; arguments as of `adapted`."""
    return networks_.Networks(config, store.Store(checkpoints)).pose_model()


def adapted(
    config: configs.Config,
    checkpoints: str | os.PathLike,
    workdir: str | os.PathLike,
) -> pose_model.PoseModel:
    """Returns a model after its last update on clips of `data.target_domain`.

    Args:
        config: of the adaptation.
        checkpoints: folder of the networks it starts from.
        workdir: where state and snapshots go; what is there is gone on with.
    """
    job = jobs.Job(config, networks_.Networks(config, store.Store(checkpoints)))
    clips = sources.target_clips(config)
    place = config.data.target_domain
    target = targets.Target(place, clips, np.arange(len(clips)))
    adaptation.run(job.learner, target, job.plan, workdir)
    return job.model
