"""The one training loop: every stage is a step object that this loop calls."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import pathlib
import shutil
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from sa3dhp import errors, progress
from sa3dhp.training import checkpoint
from sa3dhp.training import step as steps

Batches = Callable[[int], Iterator]


class Stopped(SystemExit):
    """The system asked for the end (`SIGTERM`); what was done is saved."""


class _Termination:
    """Takes note of `SIGTERM`, so that the step at work can end and be saved."""

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None
        # Python lets the main thread alone handle signals.
        self._ours = threading.current_thread() is threading.main_thread()

    def __enter__(self) -> None:
        if self._ours:
            self._before = signal.signal(signal.SIGTERM, self._note)

    def __exit__(self, *_: object) -> None:
        if self._ours:
            signal.signal(signal.SIGTERM, self._before)

    def _note(self, *_: object) -> None:
        self.asked = True


class Diverged(errors.InputError):
    """A term is not finite any more."""


def run(
    step: steps.Step,
    dataset: Iterable | Batches,
    *,
    num_steps: int,
    workdir: str | os.PathLike,
    name: str,
    log_every: int = 50,
    checkpoint_every: int = 500,
    eval_fn: Callable[[int], Mapping] | None = None,
    eval_every: int | None = None,
    resume: bool = True,
) -> dict[str, float]:
    """Trains until `num_steps` updates are done in all; returns the last mean terms.

    The step count is part of the checkpoint, and randomness a function of it, so that
    a run that was stopped anywhere ends with the weights of an undisturbed one. State
    goes to `<workdir>/state/<name>`, TensorBoard scalars to
    `<workdir>/tensorboard/<name>`.

    Args:
        step: called with a batch it makes one update and returns a dict of scalars by
            term; its `trackables` (name -> model, optimizer or variable, all built) are
            what is saved.
        dataset: an iterable of batches in the order of the steps, or a function from
            the step to start at to such an iterator; only the latter resumes at once.
        num_steps: updates in all, those of earlier runs included.
        workdir: the folder of the run.
        name: of the stage.
        log_every: steps over which a logged term is averaged.
        checkpoint_every: steps between saves; the last step is always saved.
        eval_fn: from the number of updates done to scalars that are logged; called
            before the first update, every `eval_every` updates and after the last.
        eval_every: steps between evaluations.
        resume: False discards the stage's earlier state.

    Raises:
        Stopped: after a `SIGTERM`, when the step at work is saved.
        Diverged: if a term is not finite, named with its step; the last good state
            stays.
        InputError: if the state does not fit, or the dataset ends early.
    """
    workdir = pathlib.Path(workdir)
    folders = [workdir / kind / name for kind in ("state", "tensorboard")]
    if not resume:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    counter = tf.Variable(0, dtype=tf.int64, trainable=False, name="loop_step")
    state = checkpoint.State(folders[0], {**step.trackables, "loop_step": counter})
    state.restore()
    start = int(counter.numpy())
    if start >= num_steps:
        return {}
    batches = _batches(dataset, start)
    pending, means = [], {}
    writer = tf.summary.create_file_writer(str(folders[1]))
    bar = progress.Progress(name, start, num_steps)
    stop = _Termination()
    with stop, contextlib.closing(writer), writer.as_default(), bar:
        if eval_fn and start == 0:
            _write("eval", eval_fn(0), 0)
        for done in range(start + 1, num_steps + 1):
            pending.append(step(_next(batches, done, num_steps)))
            counter.assign(done)
            last = done == num_steps
            save = last or done % checkpoint_every == 0
            evaluate = last or bool(eval_every and done % eval_every == 0)
            if save or evaluate or done % log_every == 0:
                means = _means(pending, done - len(pending) + 1, name)
                pending = []
                _write("terms", means, done)
            bar.update(done, means)
            if evaluate and eval_fn:
                _write("eval", eval_fn(done), done)
            if save or stop.asked:
                _check_finite(state, name, done)
                state.save(done)
            if stop.asked:
                print(f"{name}: stopped, step {done} is saved; run again to go on")
                raise Stopped(128 + signal.SIGTERM)
    return means


def measure(
    step: steps.Step, unseen: Callable[[], Iterable], count: int = 8
) -> Callable[[], dict[str, float]]:
    """Returns a function that averages a step's terms over unseen batches.

    Args:
        step: its `terms(batch, training=False)` is called.
        unseen: returns the batches, the same at every call.
        count: batches to look at, at most.
    """
    terms = tf.function(
        lambda batch: step.terms(batch, training=False), autograph=False
    )

    def means() -> dict[str, float]:
        found = [terms(batch) for batch in itertools.islice(unseen(), count)]
        return {k: sum(float(x[k]) for x in found) / len(found) for k in found[0]}

    return means


def _check_finite(state: checkpoint.State, name: str, done: int) -> None:
    """A last update may be what is not finite, while all terms before it were."""
    if wrong := state.non_finite():
        raise Diverged(
            f"{name}: the update of step {done} made {wrong} not finite, and is not "
            "saved; lower the learning rate or use --precision=float32, then run again "
            "to go on from the last good state"
        )


def _batches(dataset: Iterable | Batches, start: int) -> Iterator:
    if callable(dataset):
        return iter(dataset(start))
    return itertools.islice(iter(dataset), start, None)


def _next(batches: Iterator, done: int, num_steps: int) -> Any:
    for batch in batches:
        return batch
    raise errors.InputError(
        f"dataset: ended after {done - 1} batches, expected {num_steps}; repeat it"
    )


def _means(pending: Sequence[Mapping], first: int, name: str) -> dict[str, float]:
    """Averages each term over the steps that returned it, and checks every value."""
    values: dict[str, list[float]] = {}
    for number, terms in enumerate(pending, start=first):
        for term, value in terms.items():
            value = float(value)
            if not math.isfinite(value):
                raise Diverged(
                    f"{name}: term {term!r} is {value} at step {number}; lower the "
                    "learning rate or use --precision=float32, then run again to go "
                    "on from the last good state"
                )
            values.setdefault(term, []).append(value)
    return {term: sum(x) / len(x) for term, x in values.items()}


def _write(group: str, scalars: Mapping | None, step: int) -> None:
    for term, value in (scalars or {}).items():
        tf.summary.scalar(f"{group}/{term}", float(value), step=step)
