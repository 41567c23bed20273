"""What is trained, and how it is kept: the one form that all stages share."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tensorflow as tf

from sa3dhp.training import basis, loop, store
from sa3dhp.training import step as steps

_BETWEEN = 10  # steps between evaluations, at least


def nothing() -> None:
    """What most stages do when their training is over."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """One thing to train.

    Attributes:
        name: of the stage, or of a part of it, such as `relation_z3`.
        step: its training step.
        batches: from the first step to an iterator of batches.
        num_steps: updates in all.
        networks: what is kept of it, by file name.
        measure: quality by name on data it does not train on.
        trained_on: names of the frozen networks in use.
        meta: kept with each network.
        finalise: called once when the training is over, before it is measured.
        also_saved: called when the networks are saved, for what goes with them.
    """

    name: str
    step: steps.Step
    batches: Callable[[int], Iterator]
    num_steps: int
    networks: Mapping[str, tf.keras.Model]
    measure: Callable[[], dict[str, float]]
    trained_on: tuple[str, ...] = ()
    meta: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    finalise: Callable[[], None] = nothing
    also_saved: Callable[[], None] = nothing


def train(
    stage: Stage,
    networks: store.Store,
    workdir: str | os.PathLike,
    *,
    seed: int,
    log_every: int,
    checkpoint_every: int,
) -> dict[str, float]:
    """Trains a stage, or goes on with it, and saves its networks.

    Args:
        stage: what to train.
        networks: where it is kept.
        workdir: where the resumable state and the logs go.
        seed: kept with the networks.
        log_every: steps over which a logged term is averaged.
        checkpoint_every: steps between saves of the state.

    Returns:
        The measures, on data that was never trained on.

    Raises:
        InputError: if the state there began on other networks; as of `loop.run`.
    """
    state = pathlib.Path(workdir) / "state" / stage.name
    basis.check(
        state,
        {f"{name}.npz": networks.hash(name) for name in stage.trained_on},
        f"delete {state} to train {stage.name} on what {networks.folder} holds now, or "
        "use another --workdir",
    )
    found: dict[int, dict[str, float]] = {}

    def evaluate(done: int) -> dict[str, float]:
        found[done] = stage.measure()
        return found[done]

    loop.run(
        stage.step,
        stage.batches,
        num_steps=stage.num_steps,
        workdir=workdir,
        name=stage.name,
        log_every=log_every,
        checkpoint_every=checkpoint_every,
        eval_fn=evaluate,
        eval_every=max(_BETWEEN, stage.num_steps // 10),
    )
    stage.finalise()
    measured = found.get(stage.num_steps)
    if measured is None or stage.finalise is not nothing:
        measured = stage.measure()
    stage.also_saved()
    networks.save(
        stage.networks,
        trained_on=stage.trained_on,
        stage=stage.name,
        steps=stage.num_steps,
        seed=seed,
        measured=measured,
        **stage.meta,
    )
    return measured
