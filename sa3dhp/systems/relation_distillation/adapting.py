"""The whole of `tools/adapt.py`: adapts, measures and writes everything down."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import time
from collections.abc import Callable, Mapping

import numpy as np

from sa3dhp import provenance
from sa3dhp.data.videos import video_folder
from sa3dhp.evaluation import prediction, protocol, tables
from sa3dhp.systems.relation_distillation import job, outputs, selection
from sa3dhp.systems.relation_distillation import sources as datasets

CARD = "procedural"
OVERLAYS = "overlays.png"
_SHOWN = 3  # clips of a prepared target in the report


def run(
    job: job.Adaptation,
    workdir: str | os.PathLike,
    facts: Mapping,
    *,
    detector: str = "hog",
    boxes: str | None = None,
) -> dict:
    """Adapts to whatever the configuration names.

    Args:
        job: what to adapt.
        workdir: gets `result.json`, `report.html`, `saved_model/`, `domain_pack/`.
        facts: what else `result.json` is to hold.
        detector: of people in videos, see `detection.make`.
        boxes: a boxes file in its place.

    Returns:
        What `result.json` holds.
    """
    if job.kind == "prepared":
        return on_prepared(job, workdir, facts)
    if job.kind == "videos":
        found = job.videos(detector, boxes)
        print(found.summary())
        return on_videos(job, workdir, facts, found)
    return on_world(job, workdir, facts)


def on_world(job: job.Adaptation, workdir: str | os.PathLike, facts: Mapping) -> dict:
    """Adapts to the embedded world and measures on other clips of it; see `run`."""
    began = time.monotonic()
    print(f"rendering clips of {job.target}", flush=True)
    clips = job.target_clips()
    pictures = prediction.from_clips(job.test_clips(), job.image_size)
    truth = outputs.Truth(*pictures, protocol.load(CARD))
    before = truth.predict(job.model)
    outcome = job.run(clips, workdir, test_error=lambda: truth.error(job.model))
    finished = _finished(job, outcome, workdir, facts, began, job.target)
    return _measured(job, finished, truth, before, f"Adaptation to {job.target}")


def on_prepared(
    job: job.Adaptation, workdir: str | os.PathLike, facts: Mapping
) -> dict:
    """Adapts to clips of a prepared data set, measured where truth is named."""
    began = time.monotonic()
    clips, truth = job.prepared_clips(), _truth(job)
    videos = len(np.unique(clips.videos))
    target = f"{len(clips)} clips of {videos} sequences in {job.target}"
    print(f"adapting to {target}", flush=True)
    shown = np.unique(np.linspace(0, len(clips) - 1, _SHOWN).astype(int))
    before = truth.predict(job.model) if truth else _predicted(job, clips[shown])
    outcome = job.run(
        clips, workdir, videos=clips.videos, test_error=_error(job, truth)
    )
    finished = _finished(job, outcome, workdir, facts, began, target)
    title = f"Adaptation to {job.target}"
    if truth:
        return _measured(job, finished, truth, before, title)
    pictures = clips[shown]
    after = _predicted(job, pictures)
    names = clips.names[shown]
    strips = outputs.clip_strips(pictures, names, job.image_size, before, after)
    return outputs.write(finished, {}, strips, title)


def on_videos(
    job: job.Adaptation,
    workdir: str | os.PathLike,
    facts: Mapping,
    found: video_folder.VideoSet,
) -> dict:
    """Adapts to videos; nothing is known of the truth there.

    Args:
        job: what to adapt.
        workdir: as in `run`; also gets `overlays.png`.
        facts: what else `result.json` is to hold.
        found: the videos' clips.

    Returns:
        What `result.json` holds.
    """
    began = time.monotonic()
    truth = _truth(job)  # of people elsewhere, as in the paper's S -> W
    known = truth.predict(job.model) if truth else None
    before = _predicted(job, found.clips)
    outcome = job.run(
        found.clips, workdir, videos=found.video_ids, test_error=_error(job, truth)
    )
    after = _predicted(job, found.clips)
    target = f"{len(found.clips)} clips of {len(np.unique(found.video_ids))} videos"
    notes = [line for line in found.summary().splitlines() if line.strip()]
    finished = _finished(job, outcome, workdir, facts, began, target)
    finished = dataclasses.replace(finished, notes=notes)
    outputs.write_overlays(finished.workdir / OVERLAYS, found, after)
    title = "Adaptation to videos"
    if truth:
        return _measured(job, finished, truth, known, title)
    names = [window.name for window in found.windows]
    strips = outputs.clip_strips(found.clips, names, job.image_size, before, after)
    return outputs.write(finished, {}, strips, title)


def card_of(workdir: str | os.PathLike) -> str:
    """Returns the name of the card that a finished adaptation was measured by."""
    return datasets.configuration(workdir).data.evaluation_card


def unseen(workdir: str | os.PathLike) -> tuple:
    """Returns pictures and truth that a finished adaptation did not see.

    Raises:
        InputError: if it is none, or its prepared data are not there any more.
    """
    config = datasets.configuration(workdir)
    data = config.data
    if data.evaluation_path:
        return prediction.read_prepared(data.evaluation_path)
    return prediction.from_clips(datasets.test_clips(config), data.image_size)


def _truth(job: job.Adaptation) -> outputs.Truth | None:
    folder, card = job.evaluation
    if not folder:
        return None
    return outputs.Truth(*prediction.read_prepared(folder), protocol.load(card))


def _error(
    job: job.Adaptation, truth: outputs.Truth | None
) -> Callable[[], float] | None:
    """What the looks of an adaptation log of the truth."""
    return (lambda: truth.error(job.model)) if truth else None


def _measured(
    job: job.Adaptation,
    finished: outputs.Run,
    truth: outputs.Truth,
    before: np.ndarray,
    title: str,
) -> dict:
    """Writes everything, with numbers."""
    after = truth.predict(job.model)
    numbers = outputs.numbers(truth, before, after, job.information)
    strips = outputs.truth_strips(truth, before, after)
    return outputs.write(finished, numbers, strips, title)


def _predicted(job: job.Adaptation, clips: np.ndarray) -> np.ndarray:
    """Joints of all clips, `[N, 60, 17, 3]`, mm."""
    joints = job.model.joints(clips.reshape(-1, *clips.shape[2:]))
    return joints.reshape(*clips.shape[:2], *joints.shape[1:])


def _finished(
    job: job.Adaptation,
    outcome: object,
    workdir: str | os.PathLike,
    facts: Mapping,
    began: float,
    target: str,
) -> outputs.Run:
    seconds = round(time.monotonic() - began, 1)
    return outputs.Run(
        workdir=pathlib.Path(workdir),
        model=job.model,
        outcome=outcome,
        bone_lengths=job.bone_lengths,
        block=job.block,
        base_hash=job.base_hash,
        config=job.resolved,
        facts={**provenance.describe(), **job.facts, **facts, "seconds": seconds},
        target=target,
        information=job.information,
    )


def summary(result: Mapping) -> str:
    """Returns what the tool prints: before and after, and the verdict."""
    return f"{_table(result)}\n\n{result['verdict']}"


def _table(result: Mapping) -> str:
    if "source_only" not in result:
        first, last = (result["monitors"][k] for k in ("source_only", "adapted"))
        rows = [["label-free monitor", "source-only", "adapted", "floor"]]
        floor = result["floor"]
        names = [n for n in (selection.IMPLAUSIBILITY, *floor) if n in first]
        for name in names:
            values = [f"{first[name]:.3f}", f"{last[name]:.3f}"]
            rows.append([name, *values, f"{floor[name]:.3f}" if name in floor else ""])
        return tables.align_columns(rows)
    before, after = result["source_only"], result["adapted"]
    rows = [["", "source-only", "adapted", "change"]]
    for key, unit in protocol.METRICS.items():
        change = tables.percent_change(before[key], after[key])
        values = (f"{before[key]:.1f}", f"{after[key]:.1f}", change)
        rows.append([f"{tables.TITLES[key]} ({unit})", *values])
    return tables.align_columns(rows)
