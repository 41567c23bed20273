"""Results on disk: written whole or not at all, and compared only where it is fair."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence

from sa3dhp import errors, files
from sa3dhp.evaluation import metrics, protocol, tables

_PARTS = ("source_only", "adapted")  # what an adaptation writes into one file
_LARGEST = 1e300
_COVERED_ALIKE = 1e-3  # difference of coverage that no table shows
_SETTING = ("protocol", "protocol_hash", "target_information")


def check_writable(path: str | pathlib.Path) -> None:
    """Raises InputError at once where `write` would fail after all the work."""
    path = pathlib.Path(path)
    files.check_file(path)
    if not os.access(path.parent, os.W_OK):
        raise errors.InputError(
            f"output: {path.parent} is no folder one can write to; make it first"
        )


def write(path: str | pathlib.Path, result: Mapping) -> None:
    """Writes a result as JSON, whole or not at all.

    Raises:
        errors.InputError: as `check_writable`.
        ValueError: if a number is not finite; JSON does not know it.
    """
    check_writable(path)
    files.write_text(path, json.dumps(result, indent=2, allow_nan=False) + "\n")


def read(path: str | pathlib.Path) -> dict[str, dict]:
    """Returns the results in a file, or in the `result.json` of a folder, by label.

    A file of `tools/evaluate.py` holds one result; that of an adaptation holds two,
    told apart as `FILE:source_only` and `FILE:adapted`.

    Returns:
        label -> `overall` (metric -> number), `protocol`, `protocol_hash`,
        `target_information`.

    Raises:
        errors.InputError: if the file is missing, is no JSON or holds no result.
    """
    path = pathlib.Path(path)
    file = path / "result.json" if path.is_dir() else path
    if not file.is_file():
        raise errors.InputError(f"results: no file {file}; check the path")
    try:
        content = json.loads(files.read_bounded(file))
    except errors.InputError:
        raise
    except (ValueError, RecursionError):
        raise errors.InputError(
            f"results {file}: not JSON; give files that evaluate or adapt wrote"
        ) from None
    found = {}
    if isinstance(content, dict) and all(key in content for key in _SETTING):
        setting = {key: str(content[key]) for key in _SETTING}
        if isinstance(content.get("overall"), dict):
            overall = _numbers(content["overall"])
            found[str(path)] = {**setting, "overall": overall, **_coverage(content)}
        for part in _PARTS:
            if isinstance(content.get(part), dict):
                overall = _numbers(content[part])
                found[f"{path}:{part}"] = {**setting, "overall": overall}
    if not found or not all(entry["overall"] for entry in found.values()):
        raise errors.InputError(
            f"results {file}: holds no result, expected {', '.join(_SETTING)} and "
            "`overall`; give files that evaluate or adapt wrote"
        )
    return found


def _coverage(content: Mapping) -> dict[str, float]:
    """Share of the truth's joints that were predicted, where a file says it."""
    value = content.get("coverage")
    if isinstance(value, (int, float)) and 0 <= value <= 1:
        return {"coverage": float(value)}
    return {}


def _numbers(values: Mapping) -> dict[str, float]:
    """The metrics among the entries of a result."""
    return {
        key: float(values[key])
        for key in metrics.METRICS
        if isinstance(values.get(key), (int, float))
        and abs(values[key]) <= _LARGEST  # no NaN, and no integer beyond floats
    }


def compare(
    entries: Mapping[str, Mapping],
    *,
    allow_different_protocols: bool = False,
    allow_different_information: bool = False,
) -> str:
    """Returns results side by side as text, each with what was known of the target.

    Args:
        entries: label -> result, as `read` gives them; the changes in percent relate
            to the first.
        allow_different_protocols: print them although their cards differ.
        allow_different_information: print them although their classes of target
            information differ.

    Raises:
        errors.InputError: if they differ and it was not allowed.
    """
    _refuse(
        entries,
        "protocol_hash",
        lambda e: f"{e['protocol']} ({e['protocol_hash']})",
        "" if allow_different_protocols else "--allow_different_protocols",
    )
    _refuse(
        entries,
        "target_information",
        lambda e: f"class {e['target_information']}",
        "" if allow_different_information else "--allow_different_information",
    )
    _refuse_coverage(entries, allow_different_protocols)
    present = set.intersection(*(set(e["overall"]) for e in entries.values()))
    shown = [metric for metric in metrics.METRICS if metric in present]
    if not shown:
        raise errors.InputError("results: have no metric in common")
    rows = [["", "protocol", "information", *tables.header(shown)]]
    first = next(iter(entries.values()))["overall"]
    for number, (label, entry) in enumerate(entries.items()):
        values = [entry["overall"][metric] for metric in shown]
        cells = [tables.number(value) for value in values]
        if number:
            changes = [
                tables.percent_change(first[metric], value)
                for metric, value in zip(shown, values)
            ]
            cells = [f"{cell} ({change})" for cell, change in zip(cells, changes)]
        rows.append([label, entry["protocol"], entry["target_information"], *cells])
    classes = sorted({entry["target_information"] for entry in entries.values()})
    legend = [f"{c}: {protocol.TARGET_INFORMATION.get(c, c)}" for c in classes]
    for label, entry in entries.items():
        if entry.get("coverage", 1.0) < 1:
            share = 100 * entry["coverage"]
            legend.append(f"{label}: coverage {share:.1f} % of the reference's joints")
    return tables.align_columns(rows) + "\n\n" + "\n".join(legend)


def _refuse_coverage(entries: Mapping[str, Mapping], allowed: bool) -> None:
    """Raises InputError where one method left out joints that another predicted."""
    shares = {label: entry.get("coverage", 1.0) for label, entry in entries.items()}
    low, high = min(shares, key=shares.__getitem__), max(shares, key=shares.__getitem__)
    if not allowed and shares[high] - shares[low] > _COVERED_ALIKE:
        raise errors.InputError(
            f"results: {low} covers {100 * shares[low]:.1f} % of the reference's "
            f"joints, {high} {100 * shares[high]:.1f} %: means over different joints "
            "do not compare; predict all of them, or say --allow_different_protocols"
        )


def _refuse(
    entries: Mapping[str, Mapping],
    key: str,
    words: Callable[[Mapping], str],
    flag: str,
) -> None:
    """Raises InputError where entries differ in `key`, unless no flag is asked for."""
    values: dict[str, Sequence[str]] = {}
    for label, entry in entries.items():
        values.setdefault(entry[key], (label, words(entry)))
    if flag and len(values) > 1:
        (label_a, a), (label_b, b) = list(values.values())[:2]
        raise errors.InputError(
            f"results: {label_a} is {a}, {label_b} is {b}: such numbers do not "
            f"compare; evaluate both alike, or say {flag}"
        )
