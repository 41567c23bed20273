"""A whole preparation: plan, go on where one stopped, run, write the manifest."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import fcntl
import os
import pathlib
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sa3dhp import documents, errors, files
from sa3dhp.data import datasets, records
from sa3dhp.data.preparing import transform, units
from sa3dhp.data.videos import boxes_file, detection

Engine = Callable[[Sequence[units.Task], Callable[[units.Report], None]], None]
Progress = Callable[[int, int, int], None]
_LARGEST = 4096  # pixels of a stored picture's side
_PLAN = "plan.json"
_HALF = f"*{records.PARTIAL}"
# Settings of one data set that are an error with any other.
_REFUSED_ELSEWHERE = ("smpl", "clips", "boxes", "detector")
_NAMED = 100  # units that a manifest names as skipped


def run(
    dataset: str,
    source: str | os.PathLike,
    output: str | os.PathLike,
    settings: units.Settings,
    engine: Engine,
    *,
    progress: Progress = lambda done, total, number: None,
) -> records.Manifest:
    """Prepares a data set, or the part of it that is not done yet.

    Args:
        dataset: one of `datasets.DATASETS`.
        source: the data set as distributed.
        output: an empty folder, one that does not exist, or that of a run with the same
            arguments that was stopped.
        settings: see there.
        engine: runs tasks, see `local.run`.
        progress: told (shards done, shards in all, records written by this run).

    Returns:
        The manifest that was written.

    Raises:
        InputError: if the data set is unknown or not there, nothing of it can be used,
            or the output holds something else.
        OSError: if the output cannot be written.
    """
    settings, advice = _checked(dataset, settings)
    root, folder = pathlib.Path(source).resolve(), pathlib.Path(output).resolve()
    if not root.is_dir() or not any(root.iterdir()):
        raise errors.InputError(
            f"--input={source}: {'empty' if root.is_dir() else 'not a folder'}; give "
            f"the folder that holds {dataset}"
        )
    plan = datasets.DATASETS[dataset].plan(root, settings)
    if not plan.units:
        raise errors.InputError(f"--input={source}: nothing of {dataset} to prepare")
    fingerprint = plan.fingerprint(dataset, settings)
    plan = dataclasses.replace(plan, notes=(*plan.notes, *advice))
    new = not folder.exists()
    if _claim(folder, dataset, settings, fingerprint):
        return records.read_manifest(folder)
    tasks = _tasks(dataset, root, folder, plan, settings)
    with _alone(folder):
        _work(tasks, engine, progress)
        reports = {task.shard: _report(task) for task in tasks}
        if not any(report.records for report in reports.values()):
            for task in tasks:  # what is damaged will be replaced: leave no trace
                (folder / task.shard).unlink()
            shutil.rmtree(folder / transform.STATE)
            if new:
                folder.rmdir()
        manifest = _manifest(dataset, plan, settings, fingerprint, reports)
        records.write_manifest(folder, manifest)
        shutil.rmtree(folder / transform.STATE)
    return manifest


def _report(task: units.Task) -> units.Report:
    """The report of a shard after all work is done."""
    report = transform.finished(task)
    if report is None:
        raise RuntimeError(f"{task.shard}: the engine ended without it")
    return report


def _work(tasks: list[units.Task], engine: Engine, progress: Progress) -> None:
    """Prepares the shards that are not done yet."""
    waiting = [task for task in tasks if transform.finished(task) is None]
    count = number = 0

    def done(report: units.Report) -> None:
        nonlocal count, number
        count, number = count + 1, number + report.records
        progress(len(tasks) - len(waiting) + count, len(tasks), number)

    progress(len(tasks) - len(waiting), len(tasks), 0)
    if waiting:
        engine(waiting, done)


@contextlib.contextmanager
def _alone(folder: pathlib.Path) -> Iterator[None]:
    """Keeps a second run out, and removes what a killed one left half written."""
    state = folder / transform.STATE
    with open(state / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise errors.InputError(
                f"--output={folder}: another run is at work there; wait for it"
            ) from None
        manifest = files.unfinished(folder / records.MANIFEST)
        for partial in (*folder.glob(_HALF), *manifest):
            partial.unlink(missing_ok=True)
        yield


def _checked(
    dataset: str, settings: units.Settings
) -> tuple[units.Settings, list[str]]:
    """The settings with whole paths, and the checksum of their boxes file.

    Returns:
        The settings, and what a user should know of them.
    """
    if dataset not in datasets.DATASETS:
        raise errors.InputError(
            f"--dataset={dataset}: expected one of {', '.join(datasets.DATASETS)}"
        )
    if not 0 < settings.image_size <= settings.stored_size <= _LARGEST:
        raise errors.InputError(
            f"sizes: got image_size {settings.image_size} and stored_size "
            f"{settings.stored_size}, expected 0 < image_size <= stored_size <= "
            f"{_LARGEST}"
        )
    for name in _REFUSED_ELSEWHERE:
        value = getattr(settings, name)
        owners = [n for n, d in datasets.DATASETS.items() if name in d.settings]
        given = value != getattr(units.Settings, name)
        if given and dataset not in owners:
            raise errors.InputError(
                f"--{name}={value}: is of {', '.join(owners)} alone, got "
                f"--dataset={dataset}"
            )
    if settings.smpl:
        settings = dataclasses.replace(settings, smpl=os.path.abspath(settings.smpl))
    if not settings.boxes:
        if "detector" not in datasets.DATASETS[dataset].settings:
            return settings, []
        # By its own name: a run that goes on must not take another one half way.
        name, advice = detection.choose(settings.detector)
        named = dataclasses.replace(settings, detector=name)
        return named, [advice] if advice else []
    boxes_file.read(settings.boxes)
    path = os.path.abspath(settings.boxes)
    checksum = records.checksum(path)
    return dataclasses.replace(settings, boxes=path, boxes_checksum=checksum), []


def _held(path: pathlib.Path) -> dict[str, Any]:
    """The plan of a preparation that was stopped."""
    held = documents.parse_json(path.read_bytes(), str(path))
    known = {"plan", "dataset", "stored_size", "image_size"}
    if not isinstance(held, dict) or not known <= set(held):
        raise errors.InputError(f"{path}: damaged; empty the folder, to start anew")
    return held


def _claim(
    folder: pathlib.Path, dataset: str, settings: units.Settings, fingerprint: str
) -> bool:
    """Makes the output ours.

    Returns:
        Whether it is finished already.

    Raises:
        InputError: if it holds anything but the same job.
    """
    remedy = "give another --output, or empty this one"
    state = folder / transform.STATE
    if (folder / records.MANIFEST).exists():
        held = records.read_manifest(folder)
        if held.plan == fingerprint:
            shutil.rmtree(state, ignore_errors=True)
            return True
        raise errors.InputError(
            f"--output={folder}: holds {held.dataset} already (stored_size "
            f"{held.stored_size}, image_size {held.image_size}), of another input or "
            f"with other settings; {remedy}"
        )
    if (state / _PLAN).exists():
        begun = _held(state / _PLAN)
        if begun["plan"] != fingerprint:
            raise errors.InputError(
                f"--output={folder}: holds an unfinished preparation of "
                f"{begun['dataset']} (stored_size {begun['stored_size']}, image_size "
                f"{begun['image_size']}), of another input or with other settings; "
                f"{remedy}"
            )
    elif folder.exists() and any(folder.iterdir()):
        raise errors.InputError(
            f"--output={folder}: not empty, and not prepared data; {remedy}"
        )
    state.mkdir(parents=True, exist_ok=True)
    entry = dict(
        dataset=dataset,
        stored_size=settings.stored_size,
        image_size=settings.image_size,
        plan=fingerprint,
    )
    files.write_json(state / _PLAN, entry)
    return False


def _tasks(
    dataset: str,
    root: pathlib.Path,
    folder: pathlib.Path,
    plan: units.Plan,
    settings: units.Settings,
) -> list[units.Task]:
    return [
        units.Task(
            dataset,
            str(root),
            str(folder),
            f"{split}-{number:05d}-of-{len(shards):05d}.tfrecord",
            members,
            split in plan.single,
            settings,
        )
        for split, shards in units.deal(plan).items()
        for number, members in enumerate(shards)
    ]


def _manifest(
    dataset: str,
    plan: units.Plan,
    settings: units.Settings,
    fingerprint: str,
    reports: dict[str, units.Report],
) -> records.Manifest:
    """Adds the reports up; raises `InputError` if there is no record in them."""
    skipped = {n: why for r in reports.values() for n, why in r.skipped.items()}
    if not any(report.records for report in reports.values()):
        name, why = next(iter(sorted(skipped.items())), ("all", "no records"))
        raise errors.InputError(
            f"{dataset}: none of {len(plan.units)} sources can be used; the first: "
            f"{name}: {why}"
        )
    splits = {}
    for split, skeleton in sorted(plan.skeletons.items()):
        mine = {n: r for n, r in reports.items() if n.startswith(f"{split}-")}
        splits[split] = dict(
            shards=list(mine),
            checksums=[report.checksum for report in mine.values()],
            records=sum(report.records for report in mine.values()),
            clips=sum(report.clips for report in mine.values()),
            subjects=sorted({s for r in mine.values() for s in r.subjects}),
            sequences=len({s for r in mine.values() for s in r.sequences}),
            skeleton=skeleton,
        )
    pictures = plan.kind == "frames"
    meaning: dict[str, Any] = dict(
        dataset=dataset,
        kind=plan.kind,
        fps=plan.fps,
        image_size=settings.image_size if pictures else 0,
        stored_size=settings.stored_size if pictures else 0,
        frame="camera" if pictures else "world",
    )
    first = "train" if "train" in splits else next(iter(splits))
    return records.Manifest(
        **meaning,
        skeleton=plan.skeletons[first],
        splits=splits,
        sources={n: c for r in reports.values() for n, c in sorted(r.sources.items())},
        licence=datasets.DATASETS[dataset].licence,
        data_hash=records.data_hash(splits, **meaning),
        notes=(*plan.notes, *_notes(reports.values(), skipped)),
        plan=fingerprint,
    )


def _notes(reports: Iterable[units.Report], skipped: dict[str, str]) -> list[str]:
    """What was left out, and how often."""
    counts: collections.Counter = collections.Counter()
    for report in reports:
        counts.update(report.counts)
    notes = [f"{number} {what}" for what, number in sorted(counts.items())]
    named = sorted(skipped.items())
    if named:
        notes.append(f"{len(named)} sources skipped, or not read to the end")
        notes += [f"skipped {name}: {why}" for name, why in named[:_NAMED]]
    return notes
