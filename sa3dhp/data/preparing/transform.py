"""The transform: a list of units -> the bytes of a shard, and a report.

A pure function of the input's files and the settings, written once. The engines decide
only where and when it runs.
"""

from __future__ import annotations

import dataclasses
import errno
import functools
import hashlib
import json
import pathlib
from collections.abc import Iterator

import cv2

from sa3dhp import errors, files
from sa3dhp.data import datasets, glitches, records, schema
from sa3dhp.data.datasets import dataset
from sa3dhp.data.preparing import cutting, units
from sa3dhp.data.videos import people, video

_MACHINE = {
    errno.EAGAIN, errno.ENOLCK, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EBUSY,
    errno.EMFILE, errno.ENFILE, errno.ENOMEM,
}  # fmt: skip
STATE = ".preparing"  # folder of what is done, until the manifest is written


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
    files.write_json(note, dataclasses.asdict(report))
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
    known = datasets.DATASETS[task.dataset]
    for unit in task.units:
        before = report.records
        try:
            # Damaged files make the readers' libraries raise whatever they like.
            items = list(known.read(root, unit, task.settings))
        except Exception as error:
            if _passing(error):
                raise
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


def _passing(error: Exception) -> bool:
    """A fault of the machine, which is no verdict on the file: stop, to go on later."""
    return isinstance(error, MemoryError) or (
        isinstance(error, OSError) and error.errno in _MACHINE
    )


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    known = (errors.InputError, video.UnreadableError)
    return text if isinstance(error, known) else f"{type(error).__name__}: {text}"


@functools.lru_cache(maxsize=64)
def _checksum(path: pathlib.Path) -> str:
    return records.checksum(path)


def _records(
    task: units.Task, unit: units.Unit, item: dataset.Item, report: units.Report
) -> Iterator[bytes]:
    """The records of a motion, of labelled pictures or of a video."""
    if isinstance(item, records.Frame):  # made at the stored size: nothing to cut
        report.records += 1
        report.clips += item.position == 0
        report.made(item.subject, item.sequence)
        yield records.encode_frame(item)
        return
    if isinstance(item, schema.Sequence):
        item = dataclasses.replace(item, split=unit.split)
        for motion in _pieces(item, datasets.DATASETS[task.dataset].max_jump, report):
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
        source, scan = item
        subject, name = "", source.name
        yield from _seen(task, unit, source, scan, report)
    if report.records > before:
        report.made(subject, name)


def _pieces(
    sequence: schema.Sequence, max_jump: float, report: units.Report
) -> Iterator[schema.Sequence]:
    """Cuts a motion at jumps of more than `max_jump` mm, counts them, and resamples."""
    pieces, dropped = glitches.split(sequence, max_jump)
    jumps = int(glitches.find(sequence.joints, max_jump).sum())
    report.count("jumps of the capture, where a motion was cut", jumps)
    report.count("captured frames dropped, too short between two jumps", dropped)
    for piece in pieces:
        yield schema.resample(piece, units.FPS)


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
