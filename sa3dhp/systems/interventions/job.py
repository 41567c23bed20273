"""A finished run, measured: here the configuration ends."""

from __future__ import annotations

import os
import pathlib

from sa3dhp import errors
from sa3dhp.evaluation import poses
from sa3dhp.systems.interventions import config as configs
from sa3dhp.systems.interventions import networks, predictions, sources


def card_of(workdir: str | os.PathLike) -> str:
    """Returns the protocol card of a run; InputError if there is no run."""
    return configs.of_run(workdir).data.evaluation_card


def predicted(workdir: str | os.PathLike) -> tuple[poses.Poses, poses.Poses, str]:
    """Returns what a run's adapted estimator says of unseen target pictures, and truth.

    Args:
        workdir: of `tools/pretrain.py --system=interventions`.

    Returns:
        Predictions, mm; truth; class of target information: R where pictures of the
        target were trained on, N where not (generalisation).

    Raises:
        InputError: if there is no run, or it lacks its last stage.
    """
    config = configs.of_run(workdir)
    made = networks.Networks(config, pathlib.Path(workdir) / "checkpoints")
    network = made.estimator()
    side = sources.place(config, config.data.target, unseen=True)
    if side.joints is None:
        raise errors.InputError(
            f"{side.source}: has no 3D truth to measure on; give a data set in 3D as "
            "data.target"
        )
    joints = predictions.see(network, side, made.size())
    truth, source = sources.truth_of(side), f"estimator of {workdir}"
    pred = poses.Poses(joints, side.skeleton, labels=truth.labels, source=source)
    return pred, truth, target_information(config)


def target_information(config: configs.Config) -> str:
    """Returns the class of what a run knows of its target, see `protocol`."""
    used = config.data.target in config.data.unlabelled
    return "R" if used and config.estimator.method != "source" else "N"
