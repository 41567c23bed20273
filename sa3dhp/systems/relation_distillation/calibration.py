"""Sets the scale of `verdict` by material whose error is known.

The material is groups of clips: of the source, of other places, of real people, the
worse the better, or the words for bad poses are never learnt. None of it may have
trained the networks.
"""

from __future__ import annotations

import dataclasses
import itertools
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from sa3dhp import errors
from sa3dhp.data import shards
from sa3dhp.evaluation import prediction, protocol
from sa3dhp.models import pose_model
from sa3dhp.systems.relation_distillation import monitors as monitoring
from sa3dhp.systems.relation_distillation import target as targets
from sa3dhp.systems.relation_distillation import verdict

_LEAST = 1.5  # factor between good and bad, or a measure says too little


@dataclasses.dataclass(frozen=True)
class Case:
    """A group of clips.

    Attributes:
        readings: of the monitors.
        error_mm: MPJPE of the same clips.
        name: where they come from.
    """

    readings: Mapping[str, float]
    error_mm: float
    name: str = ""


def read(
    model: pose_model.PoseModel,
    monitors: monitoring.Monitors,
    folder: str | pathlib.Path,
    *,
    split: str,
    size: int,
    card: protocol.Card,
    truth: str = "",
) -> list[Case]:
    """Reads a prepared folder of clips in groups, and measures each.

    Args:
        model: G with its decoder.
        monitors: of the same G.
        folder: prepared clips with joints, at the sizes of G.
        split: of it.
        size: clips in a group, as the adaptation will read them.
        card: by which the error is measured.
        truth: another split that shows the same people, where the clips have no joints:
            all groups then have its error.

    Raises:
        InputError: if there are no clips there, or there are no joints.
    """
    part = shards.Split(folder, split)
    length = part.clip_length
    if length < 2:
        raise errors.InputError(
            f"{folder}: {split} holds single pictures, expected clips; prepare videos"
        )
    labels = targets.Truth(*prediction.read_prepared(folder, truth or split), card)
    cases = []
    for rows in monitoring.groups(len(part) // length, size):
        found = [part.clip(row) for row in rows]
        clips = np.stack([[frame.image for frame in clip] for clip in found])
        names = [clip[0].sequence for clip in found]
        videos = np.unique(names, return_inverse=True)[1]
        of_clips = (rows[:, None] * length + np.arange(length)).ravel()
        frames = np.arange(len(labels.images)) if truth else of_clips
        joints = labels.predict(model, frames)
        error = labels.score(joints, rows=frames)["overall"]["mpjpe"]
        cases.append(Case(monitors.read(clips, videos, size), error, str(folder)))
    return cases


def calibrate(cases: Sequence[Case]) -> verdict.Scale:
    """Returns the scale that says of each case what its error deserves, if one can.

    `good` and `bad` are medians; the cuts are those that are wrong by the fewest words
    in all, in the middle of the gap that they lie in. Too kind counts twice.

    Raises:
        InputError: if no case is good, none is bad, or no measure tells them apart.
    """
    groups = {
        words: [
            verdict.measures(case.readings)
            for case in cases
            if verdict.deserved(case.error_mm) == words
        ]
        for words in verdict.WORDS
    }
    for words in (verdict.GOOD, verdict.BAD):
        if not groups[words]:
            known = ", ".join(f"{case.error_mm:.0f}" for case in cases)
            raise errors.InputError(
                f"calibration: no case deserves {words!r} (up to "
                f"{verdict.GOOD_MM:g} mm is good, above {verdict.ROUGH_MM:g} mm bad), "
                f"got errors of {known or 'nothing'}; add such material"
            )
    good, bad = (_medians(groups[words]) for words in (verdict.GOOD, verdict.BAD))
    kept = [
        name
        for name in verdict.MEASURES
        if name in good and name in bad and _apart(name, good[name], bad[name])
    ]
    if not kept:
        raise errors.InputError(
            "calibration: no measure tells good cases from bad ones; the networks are "
            "as sure of themselves where they err"
        )
    scale = verdict.Scale(
        {name: good[name] for name in kept}, {name: bad[name] for name in kept}, (0, 1)
    )
    return dataclasses.replace(scale, cuts=_cuts(cases, scale))


def _medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = set.intersection(*(set(row) for row in rows))
    return {name: float(np.median([row[name] for row in rows])) for name in names}


def _apart(name: str, good: float, bad: float) -> bool:
    """Whether bad cases lie on the side where they should: less spread, more else."""
    ratio = good / bad if name == "spread" else bad / good
    return bool(ratio > _LEAST)


def _cuts(cases: Sequence[Case], scale: verdict.Scale) -> tuple[float, float]:
    """The best two cuts between the cases' badness, from 0 to 1.

    Beyond them half of the good cases would be called worse, or of the bad ones better.
    """
    sums = np.array(
        [
            np.mean(list(verdict.badness(case.readings, scale).values()))
            for case in cases
        ]
    )
    due = [verdict.WORDS.index(verdict.deserved(case.error_mm)) for case in cases]
    order = np.sort(sums)
    edges = [0.0, *(order[1:] + order[:-1]) / 2, 1.0]
    tried = [edge for edge in edges if 0 <= edge <= 1]
    best, least = (0.0, 1.0), np.inf
    for first, second in itertools.combinations_with_replacement(tried, 2):
        given = (sums > first).astype(int) + (sums > second)
        off: np.ndarray = np.array(due) - given  # above 0: too kind
        cost = np.where(off > 0, 2.0 * off, -off).sum()
        if cost < least:
            best, least = (float(first), float(second)), cost
    return best


def agreement(
    cases: Sequence[Case], scale: verdict.Scale = verdict.SCALE
) -> dict[str, float]:
    """Returns how well a scale's words fit: shares of the cases.

    Returns:
        `right`; `too_kind`, better words than the error deserves; `too_strict`.
    """
    off = np.array(
        [
            verdict.WORDS.index(verdict.deserved(case.error_mm))
            - verdict.WORDS.index(verdict.of(case.readings, scale).words)
            for case in cases
        ]
    )
    return {
        "right": float(np.mean(off == 0)),
        "too_kind": float(np.mean(off > 0)),
        "too_strict": float(np.mean(off < 0)),
    }
