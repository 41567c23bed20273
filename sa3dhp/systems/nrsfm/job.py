"""A finished run, measured: here the configuration ends."""

from __future__ import annotations

import os
import pathlib

import numpy as np

from sa3dhp import errors
from sa3dhp.evaluation import poses
from sa3dhp.systems.nrsfm import config as configs
from sa3dhp.systems.nrsfm import networks, predictions, sources

# What each network is told of what it is measured on, see `protocol`.
_KNOWS = {"teacher": "G", "student": "N"}


def card_of(workdir: str | os.PathLike) -> str:
    """Returns the protocol card of a run; InputError if there is no run."""
    return configs.of_run(workdir).data.evaluation_card


def predicted(
    workdir: str | os.PathLike,
) -> tuple[poses.Poses, poses.Poses, str]:
    """Returns what a run's last network says of what neither network saw, and truth.

    The student's answer to pictures where there is a student, else the teacher's to
    points. The reflection of the teacher's depth is the one of its training points.

    Args:
        workdir: of `tools/pretrain.py --system=nrsfm`.

    Returns:
        Predictions, in no unit; truth; class of target information.

    Raises:
        InputError: if there is no run, nothing is kept from its training, or what is
            kept has no truth or no skeleton.
    """
    config = configs.of_run(workdir)
    made = networks.Networks(config, pathlib.Path(workdir) / "checkpoints")
    side = sources.unseen(config)
    if side is None or side.truth is None or not side.skeleton:
        lacks = "nothing" if side is None else "no 3D truth, or no skeleton,"
        raise errors.InputError(
            f"{config.data.path}: has {lacks} to measure on; name subjects in "
            "data.held_out_subjects, and give `truth` and `skeleton`"
        )
    name = "student" if made.store.has("student") else "teacher"
    if name == "student":
        joints = predictions.see(made.student(), side)
    else:
        joints = made.lifter().lift(side.points).joints
    labels = labels_of(side)
    source = f"{name} of {workdir}"
    pred = poses.Poses(joints, side.skeleton, labels=labels, source=source)
    truth = poses.Poses(side.truth, side.skeleton, labels=labels, source=side.source)
    return pred, truth, _KNOWS[name]


def labels_of(side: sources.Projections) -> dict[str, np.ndarray]:
    """Returns the labels of rows that protocol cards choose and average by."""
    return {"subject": side.subjects, "sequence": side.sequences}
