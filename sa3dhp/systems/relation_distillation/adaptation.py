"""Runs stage 5 and keeps the step that does no harm ([M] Alg. 1, step 7; design 7)."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from sa3dhp import documents, errors, files
from sa3dhp.data import pipeline
from sa3dhp.models import pose_model
from sa3dhp.systems.relation_distillation import monitors as monitoring
from sa3dhp.systems.relation_distillation import selection
from sa3dhp.systems.relation_distillation import target as targets
from sa3dhp.systems.relation_distillation.steps import adaptation as adaptation_step
from sa3dhp.systems.relation_distillation.steps import terms
from sa3dhp.training import checkpoint, loop

NAME = "adapt"
NO_LABELS = "adaptation.select: got 'oracle', expected 'label_free': no labels here"
SNAPSHOTS = "snapshots"  # the folder, in the workdir, of G's block at each reading
TEST_ERROR = "test_mpjpe"  # what `select: oracle` goes by
_HELD_OUT_CLIPS = 40  # in memory for the monitors, at most


@dataclasses.dataclass(frozen=True)
class Plan:
    """How an adaptation runs.

    Attributes:
        num_steps: updates of all terms together.
        evaluate_every: updates between readings of the monitors.
        clips_per_batch: clips that a step sees.
        held_out: share of the target's clips that only the monitors see.
        select: `label_free`, `last` or `oracle`: which step is kept.
        seed: of the batches and of the split.
    """

    num_steps: int
    evaluate_every: int
    clips_per_batch: int
    held_out: float
    select: str
    seed: int


@dataclasses.dataclass(frozen=True, eq=False)
class Learner:
    """What adapts: one G, seen by its step, its monitors and its predictions.

    Attributes:
        step: the training step; G starts from G^s.
        model: the same G with its decoder.
        monitors: read it without labels.
        source_floor: from a group size to the residuals and the spread of G^s on its
            own source; asked for once, before the first update.
        relation_errors: see `selection.doubt`.
        refreshed: called when the block was put back, see `folded.Folded.refresh`.
    """

    step: adaptation_step.AdaptationStep
    model: pose_model.PoseModel
    monitors: monitoring.Monitors
    source_floor: Callable[[int], Mapping[str, float]]
    relation_errors: Mapping[str, float]
    refreshed: Callable[[], None]


@dataclasses.dataclass(frozen=True)
class Course:
    """How an adaptation went; G holds the kept step's weights.

    Attributes:
        choice: the kept step and why.
        label_free: what the choice without labels would have been, if another was made.
        history: the readings of the monitors, each with its `step`.
        floor: the source model's residuals on its own source, by rule.
    """

    choice: selection.Choice
    label_free: selection.Choice | None
    history: Sequence[Mapping[str, float]]
    floor: Mapping[str, float]

    @property
    def start(self) -> Mapping[str, float]:
        """The readings of the source model."""
        return self.history[0]

    @property
    def kept(self) -> Mapping[str, float]:
        """The readings at the kept step."""
        return next(x for x in self.history if x["step"] == self.choice.step)


class _ObjectionError(Exception):
    """Why no adaptation to this target can be trusted, or is needed."""


def _history(path: pathlib.Path) -> list[dict]:
    """The readings that `Snapshots` kept; raises `InputError` for a damaged file."""
    try:
        history = documents.parse_json(path.read_bytes(), str(path))["history"]
        whole = isinstance(history, list) and all(
            isinstance(one, dict) and isinstance(one.get("step"), int)
            for one in history
        )
    except (ValueError, KeyError, TypeError, RecursionError):
        whole = False
    if not whole:
        raise errors.InputError(
            f"{path}: damaged, expected the readings of an adaptation; adapt again in "
            "a new --workdir"
        )
    return history


class Snapshots:
    """The readings over a run, and G's block at each of them, kept in a folder.

    They outlive the process, so that a resumed run can go back to any earlier one.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        variables: Sequence[tf.Variable],
        read: Callable[[int], dict] | None = None,
    ):
        """Finds what an interrupted run left.

        Args:
            folder: of the files.
            variables: of the block.
            read: from the updates done to the readings.
        """
        self._folder, self._variables, self._read = folder, variables, read
        self._file = folder / "monitors.json"
        folder.mkdir(parents=True, exist_ok=True)
        self.history: list[dict] = []
        if self._file.is_file():
            self.history = _history(self._file)

    def take(self, done: int) -> dict:
        """Reads the monitors after `done` updates, and keeps the block."""
        if self._read is None:
            raise ValueError("these snapshots are to go back to, not to be taken")
        found = self._read(done)
        arrays = {f"{i:03d}": v.numpy() for i, v in enumerate(self._variables)}
        checkpoint.write_arrays(
            self._folder / f"step_{done:06d}.npz", arrays, dtype="float32"
        )
        earlier = [one for one in self.history if one["step"] < done]
        self.history = [*earlier, {"step": done, **found}]
        files.write_json(self._file, {"history": self.history})
        return found

    def restore(self, step: int) -> None:
        """Puts the block as it was at a reading back into G."""
        path = self._folder / f"step_{step:06d}.npz"
        if not path.is_file():
            raise errors.InputError(
                f"{path}: no such snapshot; adapt again in a new --workdir"
            )
        arrays, _ = checkpoint.read_arrays(path)
        for i, variable in enumerate(self._variables):
            variable.assign(arrays[f"{i:03d}"])


def run(
    learner: Learner,
    target: targets.Target,
    plan: Plan,
    workdir: str | os.PathLike,
    *,
    first: Mapping[str, float] | None = None,
) -> Course:
    """Adapts G, reads the monitors every so often, and goes back to the best step.

    With `label_free` a target that is doubted at the first reading, or like the source
    (`selection.doubt`, `selection.alike`), is not adapted to at all.

    Args:
        learner: what adapts; G starts from G^s.
        target: what it adapts to.
        plan: how.
        workdir: where state, logs and snapshots go.
        first: the readings before any update, where another run found them.

    Raises:
        InputError: for `oracle` without labels, or too little video.
    """
    if plan.select == "oracle" and target.truth is None:
        raise errors.InputError(NO_LABELS)
    train, held_out = split(target, plan)
    size = min(plan.clips_per_batch, len(train))
    floor = learner.source_floor(size)
    read = _reader(learner, target, held_out, size, first)
    folder = pathlib.Path(workdir) / SNAPSHOTS
    snapshots = Snapshots(folder, learner.step.variables, read)

    def check(done: int) -> dict:
        found = snapshots.take(done)
        if done == 0 and plan.select == "label_free":
            objection = _objection(learner, found, floor)
            if objection:
                raise _ObjectionError(objection)
        return found

    objection = ""
    try:
        loop.run(
            learner.step,
            batches(target, train, plan),
            num_steps=plan.num_steps,
            workdir=workdir,
            name=NAME,
            log_every=4 * len(learner.step.turns),
            checkpoint_every=plan.evaluate_every,
            eval_fn=check,
            eval_every=plan.evaluate_every,
        )
    except _ObjectionError as error:
        objection = str(error)
    history = snapshots.history
    label_free = selection.choose(history, learner.monitors.voters, objection)
    choice = {
        "label_free": lambda: label_free,
        "last": lambda: selection.choose_last(history),
        "oracle": lambda: selection.choose_oracle(history, TEST_ERROR),
    }[plan.select]()
    snapshots.restore(choice.step)
    learner.refreshed()
    residuals = {k: v for k, v in floor.items() if k != selection.SPREAD}
    other = None if choice is label_free else label_free
    return Course(choice, other, history, residuals)


def split(target: targets.Target, plan: Plan) -> tuple[np.ndarray, np.ndarray]:
    """Returns the clips to adapt to and those of the monitors, see `Target.split`."""
    share = min(plan.held_out, _HELD_OUT_CLIPS / len(target.videos))
    return target.split(share, plan.seed)


def batches(
    target: targets.Target, rows: np.ndarray, plan: Plan
) -> Callable[[int], Iterator[terms.Batch]]:
    """Returns batches of some clips of a target, with labelled pictures if it has any.

    Args:
        target: what is adapted to.
        rows: numbers of the clips.
        plan: gives the size and the seed.
    """
    clips = pipeline.Rows(target.clips, rows)
    unlabelled = pipeline.clips(
        clips, target.videos[rows], plan.seed, plan.clips_per_batch
    )
    labelled = target.labelled(rows) if target.labelled else None

    def start_at(start: int) -> Iterator[terms.Batch]:
        pictures = labelled(start) if labelled else None
        for found in unlabelled(start):
            yield terms.Batch(*found, *(next(pictures) if pictures else ()))

    return start_at


def _reader(
    learner: Learner,
    target: targets.Target,
    held_out: np.ndarray,
    size: int,
    first: Mapping[str, float] | None,
) -> Callable[[int], dict]:
    """From the updates done to what monitors, and the truth if there is one, say."""
    clips, videos = target.clips[held_out], target.videos[held_out]

    def read(done: int) -> dict:
        if done == 0 and first is not None:
            return dict(first)
        found = learner.monitors.read(clips, videos, size)
        if target.truth is not None:
            found[TEST_ERROR] = target.truth.error(learner.model)
        return found

    return read


def _objection(
    learner: Learner, found: Mapping[str, float], floor: Mapping[str, float]
) -> str:
    told = {key: floor[key] for key in (*learner.monitors.voters, selection.SPREAD)}
    return selection.doubt(found, floor, learner.relation_errors) or selection.alike(
        found, told
    )
