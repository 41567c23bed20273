"""What is to be scored, from whichever of the three ways a user names it."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable

import numpy as np

from sa3dhp import errors
from sa3dhp.evaluation import poses


def load(
    *,
    predictions: str | None = None,
    reference: str | None = None,
    model: str | None = None,
    workdir: str | None = None,
    dataset: str | None = None,
    mirrored: bool = False,
    unseen: Callable[[pathlib.Path], tuple[np.ndarray, poses.Poses]],
) -> tuple[poses.Poses, poses.Poses, str | None]:
    """Returns predictions, reference and the class of target information if known.

    Args:
        predictions: an `.npz`, with `reference`; or
        reference: the truth to `predictions`.
        model: a SavedModel, with `dataset`; or
        workdir: a finished adaptation, with `dataset` or on what it did not see.
        dataset: an `.npz` of images and truth, or a prepared folder.
        mirrored: whether the model looks at mirror images too.
        unseen: gives images and truth of a workdir's own held-out clips.

    Raises:
        errors.InputError: if it is not exactly one way, and as the readers do.
    """
    ways = {"predictions": predictions, "model": model, "workdir": workdir}
    named = [f"--{name}" for name, value in ways.items() if value]
    if len(named) != 1:
        raise errors.InputError(
            f"got {' and '.join(named) or 'nothing to evaluate'}, expected one of "
            f"{', '.join(f'--{name}' for name in ways)}"
        )
    if predictions:
        if mirrored:
            raise errors.InputError(
                "--mirrored: got it with --predictions, which are made already; give "
                "--model or --workdir"
            )
        if not reference:
            raise errors.InputError("--reference is missing: give the true joints")
        pred = poses.read(predictions, "predictions")
        return pred, poses.read(reference, "reference"), None
    if model and not dataset:
        raise errors.InputError("--dataset is missing: give images and true joints")
    # TensorFlow comes along, which takes seconds: arrays are scored without it.
    from sa3dhp.evaluation import prediction

    images: np.ndarray | prediction.Pictures
    if workdir:
        home = pathlib.Path(workdir)
        folder = prediction.check_model(home / "saved_model")
        images, truth = prediction.read_dataset(dataset) if dataset else unseen(home)
        found = prediction.predict(folder, images, mirrored=mirrored)
        return found, truth, _known(home)
    folder = prediction.check_model(str(model))
    images, truth = prediction.read_dataset(str(dataset))
    return prediction.predict(folder, images, mirrored=mirrored), truth, None


def _known(workdir: pathlib.Path) -> str:
    """The class of target information of an adaptation: raw RGB, or labels too."""
    try:
        result = json.loads((workdir / "result.json").read_text(encoding="utf-8"))
        return str(result["target_information"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "R"
