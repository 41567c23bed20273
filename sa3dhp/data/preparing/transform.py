"""The transform: a list of units -> the bytes of a shard, and a report.

A pure function of the input's files and the settings, written once. The engines decide
only where and when it runs.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
from collections.abc import Iterator
from typing import Any

import cv2

from sa3dhp import errors
from sa3dhp.data import glitches, people, records, schema, video
from sa3dhp.data.preparing import cutting, human36m, motions, pictures, units
from sa3dhp.data.sources import rendered_people

STATE = ".preparing"  # folder of what is done, until the manifest is written

DATASETS = {
    "cmu": units.Dataset(
        motions.plan_cmu,
        motions.read_cmu,
        "CMU Graphics Lab Motion Capture Database: free to use, also in products; not "
        "to be resold as data; credit mocap.cs.cmu.edu",
    ),
    "bandai_namco": units.Dataset(
        motions.plan_bandai,
        motions.read_bandai,
        "Bandai-Namco-Research-Motiondataset: CC BY-NC 4.0",
    ),
    "surreal": units.Dataset(
        pictures.plan_surreal,
        pictures.read_surreal,
        "SURREAL: non-commercial scientific research only, no redistribution; cite it",
    ),
    "human36m": units.Dataset(
        human36m.plan,
        human36m.read,
        "Human3.6M: academic use by its licence agreement, no redistribution; cite it",
    ),
    "mpi_inf_3dhp": units.Dataset(
        pictures.plan_mpi_inf_3dhp,
        pictures.read_mpi_inf_3dhp,
        "MPI-INF-3DHP: non-commercial research only, no redistribution; cite it",
    ),
    "threedpw": units.Dataset(
        pictures.plan_threedpw,
        pictures.read_threedpw,
        "3DPW: non-commercial scientific research only, no redistribution; cite it",
    ),
    "lsp": units.Dataset(
        pictures.plan_lsp,
        pictures.read_lsp,
        "LSP and LSP-extended: photographs from Flickr, for research; cite them",
    ),
    "rendered_people": units.Dataset(
        rendered_people.plan,
        rendered_people.read,
        "rendered from MakeHuman's bodies and clothes (CC0), CMU's captures (free to "
        "use; credit mocap.cs.cmu.edu) and the panoramas given, whose licences apply",
    ),
    "videos": units.Dataset(
        pictures.plan_videos,
        pictures.read_videos,
        "videos of the user: their rights, and those of the people in them, apply",
    ),
}


def prepare(task: units.Task) -> units.Report:
    """Writes a shard and, after it, the report by which it counts as done.

    Raises:
        OSError: if the output cannot be written.
    """
    cv2.setNumThreads(1)  # cores are shared out by shard
    report, output = units.Report(), pathlib.Path(task.output)
    path = output / task.shard
    records.write_shard(path, payloads(task, report))
    report.checksum, report.size = records.checksum(path), path.stat().st_size
    report.subjects.sort()
    report.sequences.sort()
    note = output / STATE / f"{task.shard}.json"
    partial = note.with_name(f"{note.name}.{os.getpid()}{records.PARTIAL}")
    partial.write_text(json.dumps(dataclasses.asdict(report)), encoding="utf-8")
    os.replace(partial, note)
    return report


def finished(task: units.Task) -> units.Report | None:
    """Returns the report of a shard that is done, or None."""
    output = pathlib.Path(task.output)
    try:
        text = (output / STATE / f"{task.shard}.json").read_text(encoding="utf-8")
        report = units.Report(**json.loads(text))
        whole = (output / task.shard).stat().st_size == report.size
    except (OSError, ValueError, TypeError):
        return None
    return report if whole else None


def payloads(task: units.Task, report: units.Report) -> Iterator[bytes]:
    """Yields the records of a shard; units that cannot be read are named in `report`.

    Args:
        task: what to read.
        report: is filled on the way.
    """
    root = pathlib.Path(task.source)
    dataset = DATASETS[task.dataset]
    for unit in task.units:
        before = report.records
        try:
            # Damaged files make the readers' libraries raise whatever they like.
            items = list(dataset.read(root, unit, task.settings))
        except Exception as error:
            report.skipped[unit.name] = _reason(error)
            continue
        try:
            for name in unit.files:
                if (root / name).is_file():
                    report.sources[name] = _checksum(root / name)
            for item in items:
                yield from _records(task, unit, item, report)
        except (errors.InputError, video.UnreadableError) as error:
            report.skipped[unit.name] = _reason(error)
        if report.records == before:
            report.skipped.setdefault(unit.name, "nothing in it can be used")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    known = (errors.InputError, video.UnreadableError)
    return text if isinstance(error, known) else f"{type(error).__name__}: {text}"


@functools.lru_cache(maxsize=64)
def _checksum(path: pathlib.Path) -> str:
    return records.checksum(path)


def _records(
    task: units.Task, unit: units.Unit, item: Any, report: units.Report
) -> Iterator[bytes]:
    """The records of a motion, of labelled pictures or of a video."""
    if isinstance(item, records.Frame):  # made at the stored size: nothing to cut
        report.records += 1
        report.clips += item.position == 0
        report.made(item.subject, item.sequence)
        yield records.encode_frame(item)
        return
    if isinstance(item, schema.Sequence):
        limit = glitches.MAX_SNAP if task.dataset == "cmu" else glitches.MAX_JUMP
        item = dataclasses.replace(item, split=unit.split)
        for motion in motions.prepared(item, limit, report):
            report.records += 1
            report.clips += 1
            report.made(item.subject, item.name)
            yield records.encode_motion(motion)
        return
    before = report.records
    if isinstance(item, schema.Frames):
        item = dataclasses.replace(item, split=unit.split)
        subject, name = item.subject, item.name
        yield from _labelled(task, item, report)
    else:
        subject, name = "", item[0].name
        yield from _seen(task, unit, *item, report)
    if report.records > before:
        report.made(subject, name)


def _labelled(
    task: units.Task, frames: schema.Frames, report: units.Report
) -> Iterator[bytes]:
    """The records of labelled pictures."""
    todo = cutting.cuts(frames, task.single, report)
    rows = sorted({int(row) for cut in todo for row in cut.rows})
    if not rows:
        return
    digest, before = hashlib.sha256(), report.records
    if frames.video:
        stream = cutting.video_rows(frames, rows)
    else:
        stream = cutting.image_rows(frames, rows, digest)
    yield from cutting.payloads(
        todo, stream, functools.partial(cutting.label, frames), task.settings, report
    )
    if report.records == before:
        path = frames.video or frames.images[rows[0]]
        raise video.UnreadableError(f"no picture can be cut: {path} and the others")
    if frames.images:
        first, last = (pathlib.Path(frames.images[row]) for row in (rows[0], rows[-1]))
        place = first.relative_to(task.source).as_posix()
        report.sources[f"{place} .. {last.name}"] = digest.hexdigest()


def _seen(
    task: units.Task,
    unit: units.Unit,
    source: video.Source,
    scan: people.Scan,
    report: units.Report,
) -> Iterator[bytes]:
    """The records of the people in a video."""
    todo = cutting.scan_cuts(scan)
    for note in scan.notes:
        report.count(f"{source.name}: {note}")
    wanted = {int(row) for cut in todo for row in cut.rows}
    stream = (
        (row, picture)
        for row, picture in video.frames(source, wanted.__contains__)
        if picture is not None
    )
    describe = functools.partial(cutting.unlabelled, source.name, unit.split)
    yield from cutting.payloads(todo, stream, describe, task.settings, report)
    for path in source.images or (source.path,):
        name = path.relative_to(task.source).as_posix()
        report.sources[name] = _checksum(path)
