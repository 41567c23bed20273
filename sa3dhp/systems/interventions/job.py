"""A finished run, measured: here the configuration ends."""

from __future__ import annotations

import os
import pathlib

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
        Predictions, mm, and truth, of what `sources.target` gives; class of target
        information, see `target_information`.

    Raises:
        InputError: if there is no run, it lacks its last stage, or its target has no
            truth.
    """
    config = configs.of_run(workdir)
    made = networks.Networks(config, pathlib.Path(workdir) / "checkpoints")
    network = made.estimator()
    images, truth = sources.target(config)
    joints = predictions.see(network, images, len(truth.joints), made.limbs())
    pred = predictions.named(joints, truth.labels, f"estimator of {workdir}")
    return pred, truth, target_information(config)


def target_information(config: configs.Config) -> str:
    """Returns the class of what a run knows of its target, see `protocol`.

    L where the target is the labelled source itself, R where its pictures trained
    without labels, N where it was not seen (generalisation).
    """
    data = config.data
    if sources.same(config, data.source, data.target):
        return "L"
    used = any(sources.same(config, name, data.target) for name in data.unlabelled)
    return "R" if used and config.estimator.method != "source" else "N"
