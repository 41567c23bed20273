"""Runs stage 5 and keeps the step that does no harm ([M] Alg. 1, step 7; design 7)."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from sa3dhp import errors, files
from sa3dhp.data import pipeline
from sa3dhp.systems.relation_distillation import monitors, selection
from sa3dhp.systems.relation_distillation.steps import adaptation as adaptation_step
from sa3dhp.training import checkpoint, loop

NAME = "adapt"
LOOKS = "looks"  # the folder, in the workdir, of G's block at each look
TEST_ERROR = "test_mpjpe"  # what `select: oracle` looks at


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What an adaptation came to; G holds the kept step's weights.

    Attributes:
        choice: the kept step and why.
        history: the monitors of every look, each with its `step`.
        floor: the source model's residuals on its own source, by rule.
    """

    choice: selection.Choice
    history: list
    floor: Mapping[str, float]


class _ObjectionError(Exception):
    """Why no adaptation to this target can be trusted, or is needed."""


class Looks:
    """The monitors over the run, and G's block at each look, kept in a folder.

    They outlive the process, so that a resumed run can go back to any earlier look.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        variables: Sequence[tf.Variable],
        monitor: Callable[[int], dict],
    ):
        self._folder, self._variables, self._monitor = folder, variables, monitor
        self._file = folder / "monitors.json"
        folder.mkdir(parents=True, exist_ok=True)
        self.history: list = []
        if self._file.is_file():
            self.history = json.loads(self._file.read_text(encoding="utf-8"))["looks"]

    def __call__(self, done: int) -> dict:
        """Looks after `done` updates; returns the monitors."""
        found = self._monitor(done)
        arrays = {f"{i:03d}": v.numpy() for i, v in enumerate(self._variables)}
        checkpoint.write_arrays(
            self._folder / f"step_{done:06d}.npz", arrays, dtype="float32"
        )
        earlier = [look for look in self.history if look["step"] < done]
        self.history = [*earlier, {"step": done, **found}]
        files.write_json(self._file, {"looks": self.history})
        return found

    def restore(self, step: int) -> None:
        """Puts the block as it was at a look back into G."""
        path = self._folder / f"step_{step:06d}.npz"
        if not path.is_file():
            raise errors.InputError(
                f"{path}: no such look; adapt again in a new --workdir"
            )
        arrays, _ = checkpoint.read_arrays(path)
        for i, variable in enumerate(self._variables):
            variable.assign(arrays[f"{i:03d}"])


def floor(
    step: adaptation_step.AdaptationStep, source_clips: np.ndarray, size: int
) -> dict[str, float]:
    """Returns the residuals of every rule on source clips, and the latents' spread."""
    found = monitors.relations(step, source_clips, size)
    return {key: found[key] for key in (*step.rule_ids, selection.SPREAD)}


def split(num: int, held_out: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns which clips to adapt to, and which only the monitors see.

    Args:
        num: of clips; one clip alone is on both sides.
        held_out: share of the latter.
        seed: of the draw.
    """
    if num < 2:
        return np.arange(num), np.arange(num)
    order = pipeline.rng(seed, "target", 1 << 30).permutation(num)
    count = min(max(1, round(held_out * num)), num - 1)
    return np.sort(order[count:]), np.sort(order[:count])


def run(
    step: adaptation_step.AdaptationStep,
    model: monitors.PoseModel,
    clips: np.ndarray,
    *,
    videos: np.ndarray,
    held_out: np.ndarray,
    source_floor: Mapping[str, float],
    num_steps: int,
    evaluate_every: int,
    batch_size: int,
    seed: int,
    workdir: str | os.PathLike,
    select: str = "label_free",
    test_error: Callable[[], float] | None = None,
    labelled: pipeline.Batches | None = None,
    relation_errors: Mapping[str, float] | None = None,
    first: Mapping[str, float] | None = None,
) -> Outcome:
    """Adapts G, looks at it every so often, and goes back to the best look.

    Args:
        step: the training step; its G starts from G^s.
        model: the same G with its decoder, for the monitors.
        clips: uint8 `[N, 60, S, S, 3]`, to adapt to.
        videos: `[N]`, which video each clip is of.
        held_out: clips that only the monitors see.
        source_floor: see `floor`, before any update.
        num_steps: updates of all terms together.
        evaluate_every: updates between looks.
        batch_size: clips per batch.
        seed: of the batches.
        workdir: where state, logs and looks go.
        select: `label_free`, `last` or `oracle`.
        test_error: MPJPE on labelled target clips; logged, and used by `oracle` alone.
        labelled: batches of labelled images for the term `source`.
        relation_errors: see `selection.doubt`; with `label_free` a target that is
            doubted at the first look, or like the source (`selection.alike`), is not
            adapted to at all.
        first: what the look before any update shows, where another run found it.

    Raises:
        InputError: for `oracle` without labels.
    """
    if select == "oracle" and test_error is None:
        raise errors.InputError(
            "adaptation.select: got 'oracle', expected 'label_free': no labels here"
        )

    def monitor(done: int) -> dict:
        if done == 0 and first is not None:
            return dict(first)
        found = monitors.relations(step, held_out, batch_size)
        middle = held_out[:, list(adaptation_step.MIDDLE)]
        found.update(model.plausibility(middle[:batch_size]))
        found[selection.IMPLAUSIBILITY] = selection.implausibility(found, step.voters)
        return {**found, TEST_ERROR: test_error()} if test_error else found

    looks = Looks(pathlib.Path(workdir) / LOOKS, step.variables, monitor)
    known = relation_errors or {}
    told = {key: source_floor[key] for key in (*step.voters, selection.SPREAD)}

    def look(done: int) -> dict:
        found = looks(done)
        if done == 0 and select == "label_free":
            objection = selection.doubt(found, source_floor, known)
            objection = objection or selection.alike(found, told)
            if objection:
                raise _ObjectionError(objection)
        return found

    objection = ""
    try:
        loop.run(
            step,
            _batches(pipeline.clips(clips, videos, seed, batch_size), labelled),
            num_steps=num_steps,
            workdir=workdir,
            name=NAME,
            log_every=4 * len(step.turns),
            checkpoint_every=evaluate_every,
            eval_fn=look,
            eval_every=evaluate_every,
        )
    except _ObjectionError as error:
        objection = str(error)
    floors = {k: v for k, v in source_floor.items() if k != selection.SPREAD}
    choice = {
        "label_free": lambda: selection.choose(looks.history, step.voters, objection),
        "last": lambda: selection.choose_last(looks.history),
        "oracle": lambda: selection.choose_oracle(looks.history, TEST_ERROR),
    }[select]()
    looks.restore(choice.step)
    return Outcome(choice, looks.history, floors)


def _batches(
    unlabelled: pipeline.Batches, labelled: pipeline.Batches | None
) -> pipeline.Batches:
    """Clips alone, or clips with a labelled batch beside them."""
    if labelled is None:
        return unlabelled

    def both(start: int) -> Iterator:
        for clips, (images, joints) in zip(unlabelled(start), labelled(start)):
            yield clips, images, joints

    return both
