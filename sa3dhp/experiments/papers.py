"""Tables 2, 3 and 4 of [M]: what finished runs of its settings came to, beside it.

A setting is a file in configs/ whose header has the commands. They leave
`<workdir>/<setting>/adapted/result.json`, and what `tools/evaluate.py --output` writes
there beside it is found too, such as a second data set's.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
from collections.abc import Iterator, Mapping

from sa3dhp import errors, files
from sa3dhp.evaluation import metrics

NAME = "papers"
ADAPTED = "adapted"  # the folder of a setting's adaptation
_SIDES = ("source_only", ADAPTED)


@dataclasses.dataclass(frozen=True)
class Line:
    """One of the paper's own rows.

    Attributes:
        setting: the name of its file in configs/.
        title: as the paper calls it.
        paper: metric -> the paper's number.
    """

    setting: str
    title: str
    paper: Mapping[str, float]


@dataclasses.dataclass(frozen=True)
class Table:
    """A table of the paper.

    Attributes:
        title: what it is.
        cards: how the names of its protocols begin.
        lines: its own rows.
    """

    title: str
    cards: str
    lines: tuple[Line, ...]


TABLES = (
    Table(
        "Human3.6M ([M] Table 2)",
        "h36m_",
        (
            Line("s2h_semi", "S -> H, Semi", {"pa_mpjpe": 48.2, "mpjpe": 57.6}),
            Line("s2h", "S -> H", {"pa_mpjpe": 86.2, "mpjpe": 97.8}),
        ),
    ),
    Table(
        "MPI-INF-3DHP ([M] Table 3)",
        "mpi_inf_3dhp",
        (
            Line("h2m", "H -> M", {"pck": 89.8, "auc": 59.3, "pa_mpjpe": 79.6}),
            Line("s2w", "S -> W", {"pck": 79.1, "auc": 43.4, "pa_mpjpe": 114.9}),
            Line("sh2w", "SH -> W", {"pck": 85.5, "auc": 60.7, "pa_mpjpe": 94.1}),
        ),
    ),
    Table(
        "3DPW ([M] Table 4)",
        "3dpw_",
        (
            Line("s2w", "S -> W", {"pa_mpjpe": 79.3}),
            Line("sh2w", "SH -> W", {"pa_mpjpe": 72.1}),
        ),
    ),
)


def run(workdir: str | os.PathLike) -> str:
    """Writes `<workdir>/papers.json` and `.md`; returns the latter.

    Args:
        workdir: holds a folder of each setting that was run, as the headers say.

    Raises:
        InputError: if there is none, or a result is damaged.
    """
    root = pathlib.Path(workdir)
    rows = [row for table in TABLES for row in _rows(root, table)]
    if not any(row["run"] for row in rows):
        raise errors.InputError(
            f"{root}: expected finished runs of the paper's settings, such as "
            f"{root / 's2h' / ADAPTED / 'result.json'}; the commands are in the header "
            "of configs/s2h.yaml and of those beside it"
        )
    text = markdown(rows)
    files.write_json(root / f"{NAME}.json", {"table": NAME, "rows": rows})
    files.write_text(root / f"{NAME}.md", text)
    return text


def _rows(root: pathlib.Path, table: Table) -> Iterator[dict]:
    """One entry for each row and each protocol that it was measured by."""
    for line in table.lines:
        entry = {"of": table.title, **dataclasses.asdict(line), "run": {}}
        found = False
        for path in sorted((root / line.setting / ADAPTED).glob("*.json")):
            result = _read(path)
            if str(result.get("protocol", "")).startswith(table.cards):
                found = True
                yield {**entry, "run": _kept(result)}
        if not found:
            yield entry


def _read(path: pathlib.Path) -> dict:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise errors.InputError(
            f"{path}: expected the result of an adaptation or evaluation, got {error}; "
            "make it again"
        ) from error
    return found if isinstance(found, dict) else {}


def _kept(result: Mapping) -> dict:
    """What a row shows of a result of either tool."""
    after = result.get(ADAPTED) or result.get("overall") or {}
    names = ("protocol", "protocol_hash", "num_samples", "target_information")
    facts = ("seed", "command", "commit")
    return {
        "source_only": result.get("source_only"),
        "adapted": after,
        **{key: result[key] for key in (*names, *facts) if key in result},
    }


def markdown(rows: list[dict]) -> str:
    """Returns the tables as Markdown, with the command of each run."""
    lines = ["### The paper's settings beside the paper", ""]
    lines += [
        "Source model -> adapted (the paper). A protocol other than the paper's is "
        "named; numbers across protocols do not compare.",
        "",
    ]
    for table in TABLES:
        own = [row for row in rows if row["of"] == table.title]
        known = list(dict.fromkeys(key for row in own for key in row["paper"]))
        titles = [
            f"{metrics.METRICS[k].title} [{metrics.METRICS[k].unit}]" for k in known
        ]
        lines += [f"| {table.title} | protocol | {' | '.join(titles)} |"]
        lines += ["|" + "---|" * (2 + len(known))]
        for row in own:
            protocol = row["run"].get("protocol", "not run")
            cells = [_cell(row, key) for key in known]
            lines.append(f"| {row['title']} | {protocol} | {' | '.join(cells)} |")
        lines.append("")
    commands = [
        f"* {row['title']}: `{row['run']['command']}`, commit {row['run']['commit']}"
        for row in rows
        if "command" in row["run"]
    ]
    return "\n".join([*lines, *dict.fromkeys(commands), ""])


def _cell(row: Mapping, metric: str) -> str:
    """Both models' numbers, and the paper's."""
    paper = row["paper"].get(metric)
    told = "" if paper is None else f"({paper:.1f})"
    values = [(row["run"].get(side) or {}).get(metric) for side in _SIDES]
    ours = " -> ".join(f"{value:.1f}" for value in values if value is not None)
    return f"{ours} {told}".strip()
