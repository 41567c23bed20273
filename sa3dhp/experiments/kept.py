"""Records of the rows of a table: what is done with the same settings is kept."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import pathlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from sa3dhp import files
from sa3dhp.evaluation import statistics


class Row(Protocol):
    """One line of a table."""

    @property
    def id(self) -> str:
        """Of its file."""

    @property
    def title(self) -> str:
        """For people."""

    @property
    def overrides(self) -> tuple[str, ...]:
        """`section.key=value`, on top of the configuration's."""


def records(
    table: Sequence[Any],
    seeds: Sequence[int],
    folder: pathlib.Path,
    configure: Callable[[Sequence[str]], Any],
    measure: Callable[[Any, Any], Mapping],
    facts: Mapping,
    content: Callable[[Any], Mapping],
) -> list[dict]:
    """Runs the rows of a table that are not done, one file for each row and seed.

    Args:
        table: of `Row`.
        seeds: `training.seed` of each run.
        folder: gets `<row>-seed<seed>.json`; its name is that of the table.
        configure: from overrides to a configuration.
        measure: from a row and its configuration to what is recorded.
        facts: kept with every row: command, commit and the like.
        content: from a configuration to the hashes of the folders that it names: a row
            of other data is another row.

    Returns:
        The records of one seed after another, all with the command of this table.
    """
    plans = []
    for seed in seeds:  # one after the other: a table of the first is soon there
        for row in table:
            config = configure([*row.overrides, f"training.seed={seed}"])
            method = getattr(row, "method", None)
            settings = {"method": method, **dataclasses.asdict(config)}
            # What is wrong with a folder is told here, hours before it is needed.
            settings = with_content(settings, content(config))
            # As the file has them.
            plans.append((seed, row, config, json.loads(json.dumps(settings))))
    found = []
    for seed, row, config, settings in plans:
        path = folder / f"{row.id}-seed{seed}.json"
        record = _done(path, settings)
        if record is None:
            print(f"\n{folder.name}: {row.title}, seed {seed}", flush=True)
            began = time.monotonic()
            record = {
                **facts,
                "row": row.id,
                "seed": seed,
                **measure(row, config),
                "settings": settings,
                "seconds": round(time.monotonic() - began, 1),
            }
            files.write_json(path, record)
        # A table is made by one command, its rows perhaps by several.
        found.append({**record, "command": facts.get("command")})
    return found


def _done(path: pathlib.Path, settings: Mapping) -> dict | None:
    """The record of a row that was made with these settings, or None."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    same = isinstance(record, dict) and record.get("settings") == settings
    return record if same else None


def trained(
    stage: str,
    folder: pathlib.Path,
    *,
    done: Callable[[str, pathlib.Path], bool],
    needs: Callable[[str], Sequence[str]],
    settings: Callable[[str], Mapping],
    train: Callable[[str, pathlib.Path], object],
) -> pathlib.Path:
    """Trains a stage and those before it, each once for all rows that share it.

    Args:
        stage: its name.
        folder: gets a folder for each stage and its settings.
        done: whether a folder of networks has all that a stage leaves behind.
        needs: from a stage to those right before it.
        settings: from a stage to all that it depends on, those before it included.
        train: trains a stage in a workdir whose `checkpoints` hold what it needs.

    Returns:
        The workdir of the stage, whose checkpoints hold those it needed too.
    """
    home = folder / f"{stage}_{name_of(settings(stage))}"
    if done(stage, home / "checkpoints"):
        return home  # written when a stage has ended
    again = functools.partial(
        trained, done=done, needs=needs, settings=settings, train=train
    )
    for before in needs(stage):
        earlier = again(before, folder)
        for path in sorted((earlier / "checkpoints").iterdir()):
            with files.atomic(home / "checkpoints" / path.name) as temporary:
                shutil.copyfile(path, temporary)
    train(stage, home)
    return home


def about(records: Sequence[Mapping]) -> dict:
    """Returns where the numbers of a table come from: how, with what, how long."""
    last = records[-1]
    return {
        "seeds": sorted({record["seed"] for record in records}),
        "command": last.get("command"),
        "hardware": last.get("hardware"),
        "commits": sorted({record.get("commit", "unknown") for record in records}),
        "seconds": round(sum(record["seconds"] for record in records), 1),
    }


def by_row(found: Sequence[Mapping]) -> dict[str, list[Mapping]]:
    """Returns the records of each row, by its id."""
    rows: dict[str, list[Mapping]] = {}
    for record in found:
        rows.setdefault(record["row"], []).append(record)
    return rows


def spreads(values: Sequence[Mapping[str, float]]) -> dict[str, dict]:
    """Returns median, least and greatest over seeds, by metric."""
    return {
        key: dataclasses.asdict(statistics.spread([one[key] for one in values]))
        for key in values[0]
    }


def change(
    before: Sequence[Mapping],
    after: Sequence[Mapping],
    side: str,
    metric: str,
    *,
    more_is_better: bool = False,
) -> dict:
    """Returns the change of a metric from one row to another, over sequences.

    Args:
        before: records of the row that is compared with, by seed.
        after: records of the row.
        side: of the record, with `per_sequence`.
        metric: its name there.
        more_is_better: of what it counts; of an error less is.
    """
    sides = [
        [
            np.array([x[metric] for x in record[side]["per_sequence"].values()])
            for record in rows
        ]
        for rows in (before, after)
    ]
    interval = statistics.paired_change(*sides)
    return {**dataclasses.asdict(interval), "verdict": interval.told(more_is_better)}


def cell(spread: Mapping) -> str:
    """Returns a median with its extremes, as the tables print it."""
    if spread["low"] == spread["high"]:
        return f"{spread['median']:.1f}"
    return f"{spread['median']:.1f} ({spread['low']:.1f} to {spread['high']:.1f})"


def changes(found: Mapping[str, Mapping]) -> str:
    """Returns the changes against other rows, as the tables print them."""
    return "; ".join(
        f"{other}: {x['mean']:+.1f} [{x['low']:+.1f}, {x['high']:+.1f}] {x['verdict']}"
        for other, x in found.items()
    )


def with_content(settings: Mapping, hashes: Mapping[str, str]) -> dict:
    """Returns settings with the hashes of the folders that they name, if any."""
    return {**settings, "content": dict(hashes)} if hashes else dict(settings)


def name_of(values: Mapping) -> str:
    """Returns twelve digits that name a mapping of JSON values."""
    text = json.dumps(values, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
