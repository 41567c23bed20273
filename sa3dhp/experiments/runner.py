"""Runs a table row by row; what is done already is not done again."""

from __future__ import annotations

import json
import math
import pathlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sa3dhp import files
from sa3dhp.experiments import controls, repeated, rows, session, summary
from sa3dhp.systems.relation_distillation import adaptation, selection
from sa3dhp.systems.relation_distillation import target as targets
from sa3dhp.training import loop

# Controls and others without a step to choose:
# (context, job, place) -> joints `[N, 17, 3]`, mm.
METHODS: dict[str, Callable] = {
    "source": lambda context, job, place: place.joints,
    "flip_average": lambda context, job, place: controls.flip_average(
        job.model, place.stored
    ),
    "rotation_average": lambda context, job, place: controls.rotation_average(
        job.model, place.stored
    ),
    "batch_norm": lambda context, job, place: _with_batch_norm(context, job, place),
    "mediapipe": lambda context, job, place: context.mediapipe_joints(place),
}
_STUDY_THE_TARGET = ("batch_norm",)  # the others see a picture when they predict it
_NOTHING = "N"  # see `protocol.TARGET_INFORMATION`


def run(
    context: session.Session, name: str, seeds: Sequence[int], facts: Mapping
) -> dict:
    """Runs a table and writes `<workdir>/<name>.json`, `.md` and `.png`.

    Each row and seed leaves `<workdir>/<name>/<row>-seed<seed>.json`; one that is there
    and was made with the same settings is kept, one that another table left there is
    taken from it, and a row that was interrupted goes on where it was.

    Args:
        context: what rows share.
        name: of the table.
        seeds: each is other target clips, other test clips and other randomness.
        facts: kept with every row: command, commit and the like.

    Returns:
        The summary, as in the JSON.
    """
    table = context.table(name)
    context.prepare(table)
    folder = context.workdir / name
    records = []
    for seed in seeds:  # one after the other: a table of the first is soon there
        for row in table.rows:
            path = folder / f"{row.id}-seed{seed}.json"
            settings = context.settings(table, row, seed)
            record = _done(path, settings)
            if record is None:
                record = _of_another_table(context.workdir, settings)
                if record is None:
                    print(f"\n{name}: {row.title}, seed {seed}", flush=True)
                    record = _run_row(context, table, row, seed, settings)
                    record = _clean({**record, **facts})
                else:
                    named = _clean(_named(context, table, row))
                    record = {**record, **named, "command": facts.get("command")}
                files.write_json(path, record)
                shutil.rmtree(_state(folder, row, seed), ignore_errors=True)
            # A table is made by one command, its rows perhaps by several.
            records.append({**record, "command": facts.get("command")})
    return summary.write(context, table, records)


def _state(folder: pathlib.Path, row: rows.Row, seed: int) -> pathlib.Path:
    return folder / "runs" / f"{row.id}-seed{seed}"


def _done(path: pathlib.Path, settings: Mapping) -> dict | None:
    """The record of a row that was made with these settings, or None."""
    record = _read(path)
    if record is None or record.get("settings") == settings:
        return record
    print(f"{path}: made with other settings; again", flush=True)
    return None


def _of_another_table(workdir: pathlib.Path, settings: Mapping) -> dict | None:
    """The record that another table left of the same run, or None."""
    for path in sorted(workdir.glob(f"*/*-seed{settings['seed']}.json")):
        record = _read(path)
        if record is not None and record.get("settings") == settings:
            return record
    return None


def _read(path: pathlib.Path) -> dict | None:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _named(context: session.Session, table: rows.Table, row: rows.Row) -> dict:
    """What a record says of its place in a table."""
    return {
        "table": table.name,
        "row": row.id,
        "title": row.title,
        "relation": context.measured(row.rule) if row.rule else None,
    }


def _run_row(
    context: session.Session,
    table: rows.Table,
    row: rows.Row,
    seed: int,
    settings: Mapping,
) -> dict:
    """Adapts, or what the row does instead, and measures on clips it did not see."""
    began = time.monotonic()
    job = context.job(table, row, seed)
    place = context.place(job)
    found = {"adapted_model": row.method != "source", "oracle": None}
    there: dict[str, dict] = {}
    if row.method in METHODS:
        joints = {"adapted": METHODS[row.method](context, job, place)}
        information = targets.RAW if row.method in _STUDY_THE_TARGET else _NOTHING
    else:
        target = context.target(job, row.sabotage)
        state = _fresh(_state(context.workdir / table.name, row, seed), settings)
        joints, found, there = _adapt(job, place, target, state)
        information = target.information
    scores = {side: place.truth.score(x, information) for side, x in joints.items()}
    first = place.score
    return {
        **_named(context, table, row),
        "seed": seed,
        "source_only": first["overall"],
        **{side: score["overall"] for side, score in scores.items()},
        **{key: value for key, value in found.items() if key not in scores},
        "home": place.home,
        "sequences": list(first["per_sequence"]),
        "per_sequence": {
            side: _per_sequence(score)
            for side, score in {"source_only": first, **scores}.items()
        },
        "elsewhere": {
            card: {"source_only": _headline(place.elsewhere[card].score), **after}
            for card, after in there.items()
        },
        "protocol": first["protocol"],
        "protocol_hash": first["protocol_hash"],
        "num_samples": first["num_samples"],
        "target_information": information,
        "settings": settings,
        "seconds": round(time.monotonic() - began, 1),
    }


def _adapt(
    job: repeated.Repeated,
    place: session.Place,
    target: targets.Target,
    state: pathlib.Path,
) -> tuple[dict, dict, dict]:
    """Trains; returns the joints by model, what is known of the run, and elsewhere.

    The step that is returned is the configuration's choice; `oracle` is the best of the
    looks by the labels of the test, which no method may use.
    """
    try:
        course = job.run(target, state)
    except loop.Diverged as stopped:  # the tool would have ended here, without a model
        return (
            {"adapted": place.joints},
            {
                "adapted_model": False,
                "oracle": None,
                "stopped": str(stopped),
                "verdict": "stopped: no model is returned",
                "steps": 0,
            },
            {},
        )
    there = {
        card: {"adapted": _headline(x.truth.score(x.truth.predict(job.model)))}
        for card, x in place.elsewhere.items()
    }
    finite = [x for x in course.history if math.isfinite(x[adaptation.TEST_ERROR])]
    best = selection.choose_oracle(finite, adaptation.TEST_ERROR).step
    at = {0: place.joints}
    for step in {course.choice.step, best} - set(at):
        job.go_to(state, step)
        at[step] = place.truth.predict(job.model)
    return (
        {"adapted": at[course.choice.step], "oracle": at[best]},
        {
            "adapted_model": course.choice.adapted,
            "verdict": course.choice.verdict,
            "label_free": course.choice.label_free,
            "steps": course.choice.step,
            "oracle_step": best,
            "floor": dict(course.floor),
            "history": course.history,
        },
        there,
    )


def _with_batch_norm(
    context: session.Session, job: repeated.Repeated, place: session.Place
) -> np.ndarray:
    job.target_batch_norm(np.asarray(context.target(job, None).clips))
    return place.truth.predict(job.model)


def _fresh(folder: pathlib.Path, settings: Mapping) -> pathlib.Path:
    """The folder of an interrupted run of the same settings, or an empty one."""
    file = folder / "settings.json"
    if _read(file) != settings:
        shutil.rmtree(folder, ignore_errors=True)
        files.write_json(file, dict(settings))
    return folder


def _per_sequence(score: Mapping) -> dict[str, list[float]]:
    """The errors of each sequence, by metric."""
    return {
        metric: [round(values[metric], 3) for values in score["per_sequence"].values()]
        for metric in summary.METRICS
    }


def _headline(score: Mapping) -> dict:
    """The number that stands for a result, and that of each sequence."""
    metric = score["headline"]
    return {
        "metric": metric,
        "value": score["overall"][metric],
        "sequences": [
            round(values[metric], 3) for values in score["per_sequence"].values()
        ],
        **({"trunk": score["trunk"]} if "trunk" in score else {}),
    }


def _clean(value: Any) -> Any:
    """A record without NaN and infinity, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _clean(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
