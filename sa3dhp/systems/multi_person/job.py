"""A finished run, measured: here the configuration ends."""

from __future__ import annotations

import os
import pathlib

import numpy as np

from sa3dhp import errors
from sa3dhp.evaluation import poses
from sa3dhp.systems.multi_person import (
    benchmark,
    mupots,
    networks,
    predictions,
    scoring,
    sources,
    watching,
)
from sa3dhp.systems.multi_person import config as configs

_CARDS = {"world": "procedural", "folders": "muco"}


def card_of(workdir: str | os.PathLike) -> str:
    """Returns the protocol card of a run; InputError if there is no run."""
    return _CARDS[configs.of_run(workdir).data.kind]


def predicted(workdir: str | os.PathLike) -> tuple[poses.Poses, poses.Poses, str]:
    """Returns the people found in unseen pictures of the target, and their truth.

    Poses are relative to the pelvis; who was missed is not among them. The stages tell
    the numbers over all people, see `scoring.measure`.

    Args:
        workdir: of `tools/pretrain.py --system=multi_person`.

    Returns:
        Predictions, mm; truth; class of target information.

    Raises:
        InputError: if there is no run, it lacks its last stage, its target has no
            labelled pictures that never trained, or nobody is found.
    """
    config = configs.of_run(workdir)
    if "target" not in sources.measured(config):
        raise errors.InputError(
            f"{workdir}: data.target = {config.data.target}: has no labelled pictures "
            "that never trained, expected crowds with a split val or test; give "
            "--dataset=MultiPersonTestSet (MuPoTS-3D), or use the model with predict.py"
        )
    made = networks.Networks(config, pathlib.Path(workdir) / "checkpoints")
    composer, teacher = made.trained(), made.teacher()
    found = sources.crowds(config, config.data.target, unseen=True)
    seen = predictions.see(composer, *teacher, found.images)
    pairs = scoring.match(*seen, *sources.people_of(found), config.data.image_size)
    count, every = len(pairs.pred), len(pairs.pred) + pairs.missed
    if not count:
        raise errors.InputError(
            f"{workdir}: none of {every} people was found; train the teacher longer "
            "(teacher.steps)"
        )
    sides = [
        poses.Poses(
            (joints - joints[:, sources.SKELETON.root, None]).astype(np.float64),
            sources.SKELETON.id,
            labels={"sequence": np.array([f"picture_{n:04d}" for n in pairs.picture])},
            source=f"{name}, {count} of {every} people",
        )
        for name, joints in (("student", pairs.pred), ("truth", pairs.truth))
    ]
    return sides[0], sides[1], target_information(config)


def on_dataset(
    workdir: str | os.PathLike, folder: str | os.PathLike, information: str | None
) -> tuple[dict, str]:
    """Returns the result of a run's exported model on MuPoTS-3D, and its table.

    Args:
        workdir: of `tools/pretrain.py --system=multi_person --stage=all`.
        folder: MultiPersonTestSet.
        information: class of target information; None for none, as no run sees it.

    Raises:
        InputError: if there is no run or model, and as `benchmark.evaluate`.
    """
    config, watcher = configs.of_run(workdir), watching.load(workdir)
    # Models exported before they told the number.
    focal = float(watcher.description.get("focal", config.data.focal))
    found = benchmark.evaluate(watcher, focal, folder, information or "N")
    return found, mupots.table(found)


def target_information(config: configs.Config) -> str:
    """Returns the class of what a run knows of its target, see `protocol`."""
    # A teacher of the same place has seen its 2D labels.
    same = config.data.source == config.data.target
    taught = "G" if same and not config.teacher.published else "R"
    labels = {"none": taught, "2d": "G", "3d": "L"}
    return labels[config.student.labels]
