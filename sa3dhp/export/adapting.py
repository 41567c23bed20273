"""The whole of `tools/adapt.py`: adapts, measures and writes everything down."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import time
from collections.abc import Mapping

import numpy as np

from sa3dhp.data.sources import video_folder
from sa3dhp.evaluation import protocol, tables
from sa3dhp.export import outputs
from sa3dhp.training import build_adaptation, provenance

CARD = "procedural"
OVERLAYS = "overlays.png"


def on_world(
    job: build_adaptation.Adaptation, workdir: str | os.PathLike, facts: Mapping
) -> dict:
    """Adapts to the embedded world and measures on other clips of it.

    Args:
        job: what to adapt.
        workdir: gets `result.json`, `report.html`, `saved_model/`, `domain_pack/`.
        facts: what else `result.json` is to hold.

    Returns:
        What `result.json` holds.
    """
    began = time.monotonic()
    print(f"rendering clips of {job.target}", flush=True)
    clips = job.target_clips()
    truth = outputs.Truth(job.test_clips(), job.image_size, protocol.load(CARD))
    before = truth.predict(job.model)
    outcome = job.run(clips, workdir, test_error=lambda: truth.error(job.model))
    after = truth.predict(job.model)
    run = _finished(job, outcome, workdir, facts, began, job.target)
    strips = outputs.truth_strips(truth, before, after)
    title = f"Adaptation to {job.target}"
    return outputs.write(run, outputs.numbers(truth, before, after), strips, title)


def on_videos(
    job: build_adaptation.Adaptation,
    workdir: str | os.PathLike,
    facts: Mapping,
    found: video_folder.VideoSet,
) -> dict:
    """Adapts to videos; nothing is known of the truth there.

    Args:
        job: what to adapt.
        workdir: as in `on_world`; also gets `overlays.png`.
        facts: what else `result.json` is to hold.
        found: the videos' clips.

    Returns:
        What `result.json` holds.
    """
    began = time.monotonic()
    before = _predicted(job, found)
    outcome = job.run(found.clips, workdir, videos=found.video_ids)
    after = _predicted(job, found)
    target = f"{len(found.clips)} clips of {len(np.unique(found.video_ids))} videos"
    notes = [line for line in found.summary().splitlines() if line.strip()]
    run = _finished(job, outcome, workdir, facts, began, target)
    run = dataclasses.replace(run, notes=notes)
    outputs.write_overlays(run.workdir / OVERLAYS, found, after)
    strips = outputs.video_strips(found, job.image_size, before, after)
    return outputs.write(run, {}, strips, "Adaptation to videos")


def _predicted(
    job: build_adaptation.Adaptation, found: video_folder.VideoSet
) -> np.ndarray:
    """Joints of all clips, `[N, 60, 17, 3]`, mm."""
    joints = job.model.joints(found.clips.reshape(-1, *found.clips.shape[2:]))
    return joints.reshape(*found.clips.shape[:2], *joints.shape[1:])


def _finished(
    job: build_adaptation.Adaptation,
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
    )


def summary(result: Mapping) -> str:
    """Returns what the tool prints: before and after, and the verdict."""
    return f"{_table(result)}\n\n{result['verdict']}"


def _table(result: Mapping) -> str:
    if "source_only" not in result:
        first, last = (result["monitors"][k] for k in ("source_only", "adapted"))
        rows = [["label-free monitor", "source-only", "adapted", "floor"]]
        for rule, floor in result["floor"].items():
            values = (first[rule], last[rule], floor)
            rows.append([rule, *(f"{value:.3f}" for value in values)])
        return tables.align_columns(rows)
    before, after = result["source_only"], result["adapted"]
    rows = [["", "source-only", "adapted", "change"]]
    for key, unit in protocol.METRICS.items():
        change = tables.percent_change(before[key], after[key])
        values = (f"{before[key]:.1f}", f"{after[key]:.1f}", change)
        rows.append([f"{tables.TITLES[key]} ({unit})", *values])
    return tables.align_columns(rows)
