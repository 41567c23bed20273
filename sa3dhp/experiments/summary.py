"""The records of a table's rows as numbers with intervals, as text and as a picture."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import matplotlib.figure
import numpy as np
from scipy import stats

from sa3dhp import files
from sa3dhp.evaluation import metrics, statistics
from sa3dhp.experiments import rows, session
from sa3dhp.systems.relation_distillation import adaptation, selection
from sa3dhp.visualisation import forest

HARM_MM = 2.0  # worse than the source model by more is harm
_FEW_LOOKS = 10  # too few for a correlation
_ERROR = adaptation.TEST_ERROR
METRICS = ("mpjpe", "pa_mpjpe")  # of `metrics.METRICS`, what the tables show
_SIDES = ("source_only", "adapted", "oracle")
_BESIDE = (rows.SELF_TRAINING, rows.BOUND)  # rows that all others are set beside
_LEAST_GAP_MM = 1.0  # of a smaller one no share is told


def write(
    context: session.Session, table: rows.Table, records: Sequence[Mapping]
) -> dict:
    """Writes `<workdir>/<table>.json`, `.md`, `.png`; returns what the first holds."""
    found = summarise(table, records)
    base = context.workdir / table.name
    files.write_json(base.with_suffix(".json"), found)
    files.write_text(base.with_suffix(".md"), markdown(found))
    _save(forest.plot(_lines(found), table.title), base.with_suffix(".png"))
    if table.name == "non_localness":
        ruled = [r for r in found["rows"] if r["relation"] and "last_change" in r]
        figure = forest.scatter(
            [row["relation"]["non_localness"] for row in ruled],
            [row["last_change"]["mean"] for row in ruled],
            [row["rule"] for row in ruled],
            (
                "non-localness (latent distance)",
                "change of MPJPE at the last step (mm)",
            ),
        )
        _save(figure, base.with_name(f"{table.name}_scatter.png"))
    return found


def summarise(table: rows.Table, records: Sequence[Mapping]) -> dict:
    """Returns a table's numbers: medians over seeds, changes with their intervals.

    Args:
        table: gives the order and what is compared with what.
        records: one for each row and seed that was run.
    """
    by_row: dict[str, list] = {}
    for record in records:
        by_row.setdefault(record["row"], []).append(record)
    lines = []
    for row in table.rows:
        if row.id in by_row:
            own = by_row[row.id]
            line = _summary_of(row, own, by_row.get(row.against or "", ()))
            beside = {name: by_row.get(name, ()) for name in _BESIDE if name != row.id}
            lines.append({**line, **_worth(own, **beside)})
    found = {
        "table": table.name,
        "title": table.title,
        "note": table.note,
        "measured": table.measured,
        "seeds": sorted({record["seed"] for record in records}),
        "sequences_per_seed": len(records[0]["sequences"]),
        "resamples": statistics.RESAMPLES,
        "drawn": ["seeds", "sequences"],
        "commits": sorted({r.get("commit", "unknown") for r in records}),
        "command": records[-1].get("command"),
        "hardware": records[-1].get("hardware"),
        "protocol": records[0]["protocol"],
        "protocol_hash": records[0]["protocol_hash"],
        "seconds": round(sum(record["seconds"] for record in records), 1),
        "rows": lines,
    }
    chosen = [r for r in records if r.get("label_free") or r.get("stopped")]
    if chosen:
        found["choice"] = _choice(chosen)
    return found


def _summary_of(
    row: rows.Row, own: Sequence[Mapping], against: Sequence[Mapping]
) -> dict:
    """One row's numbers."""
    sides = [side for side in _SIDES if all(r.get(side) for r in own)]
    line = {
        "id": row.id,
        "title": row.title,
        "paper": row.paper,
        "rule": row.rule,
        "seeds": [r["seed"] for r in own],
        **{
            side: {m: _spread([r[side][m] for r in own]) for m in METRICS}
            for side in sides
        },
        "steps": [r.get("steps") for r in own],
        "oracle_steps": [r.get("oracle_step") for r in own],
        "stopped": [r["stopped"] for r in own if r.get("stopped")],
        "target_information": own[0]["target_information"],
        "relation": own[0].get("relation"),
        "seconds": round(sum(r["seconds"] for r in own), 1),
        "change": _change(own, own, "source_only", "adapted"),
        "against": row.against,
        "elsewhere": _elsewhere(own),
    }
    if "oracle" in sides:
        line["oracle_change"] = _change(own, own, "source_only", "oracle")
    last = [x for x in map(_last_change, own) if x is not None]
    if len(last) == len(own):
        line["last_change"] = {"mean": float(np.mean(last)), "values": last}
    firsts, seconds = _same_sequences(against, own)
    if firsts:
        line["versus"] = _change(firsts, seconds, "adapted", "adapted")
        if all(r.get("oracle") for r in firsts + seconds):
            line["oracle_versus"] = _change(firsts, seconds, "oracle", "oracle")
    return line


def _worth(
    own: Sequence[Mapping],
    self_training: Sequence[Mapping] = (),
    bound: Sequence[Mapping] = (),
) -> dict:
    """What a row's gain is worth beside the gap, the bound and self-training."""
    found: dict[str, dict] = {}
    homes = [r["home"] for r in own if r.get("home")]
    if len(homes) == len(own):
        found["gap_closed"] = _shares(own, homes)
    labelled, same = _same_sequences(bound, own)
    if same:
        found["of_the_bound"] = _shares(same, [r["adapted"] for r in labelled])
        found["from_the_bound"] = _change(labelled, same, "adapted", "adapted")
    plain, same = _same_sequences(self_training, own)
    if same:
        found["versus_self_training"] = _change(plain, same, "adapted", "adapted")
    return found


def _shares(records: Sequence[Mapping], goals: Sequence[Mapping]) -> dict:
    """The share of the way from the source model to a goal, by metric, over seeds."""
    found = {}
    for metric in METRICS:
        shares = [
            (r["source_only"][metric] - r["adapted"][metric])
            / (r["source_only"][metric] - goal[metric])
            for r, goal in zip(records, goals)
            if r["source_only"][metric] - goal[metric] > _LEAST_GAP_MM
        ]
        if shares:
            found[metric] = _spread(shares)
    return found


def _elsewhere(records: Sequence[Mapping]) -> dict:
    """Card -> metric, both models' numbers and the change, see `session.Elsewhere`."""
    found = {}
    for card in records[0].get("elsewhere", {}):
        sides = {
            side: [r["elsewhere"][card][side] for r in records]
            for side in ("source_only", "adapted")
        }
        interval = statistics.paired_change(
            *([np.array(x["sequences"]) for x in sides[side]] for side in sides)
        )
        metric = metrics.METRICS[sides["adapted"][0]["metric"]]
        verdict = interval.told(not metric.less_is_better)
        found[card] = {
            "metric": metric.id,
            **{side: _spread([x["value"] for x in sides[side]]) for side in sides},
            "change": {**dataclasses.asdict(interval), "verdict": verdict},
        }
    return found


def _last_change(record: Mapping) -> float | None:
    """How far the last look's error is from the first's; None without two of them."""
    errors = [look.get(_ERROR) for look in record.get("history", ())]
    if len(errors) < 2 or None in (errors[0], errors[-1]):
        return None
    return errors[-1] - errors[0]


def _same_sequences(
    first: Sequence[Mapping], second: Sequence[Mapping]
) -> tuple[list[Mapping], list[Mapping]]:
    """The records of both that have the seed and the clips in common, in one order."""
    known = {r["seed"]: r for r in first}
    pairs = [(known[r["seed"]], r) for r in second if r["seed"] in known]
    same = [
        (a, b)
        for a, b in pairs
        if a["per_sequence"]["source_only"] == b["per_sequence"]["source_only"]
    ]
    return [a for a, _ in same], [b for _, b in same]


def _change(
    first: Sequence[Mapping], second: Sequence[Mapping], before: str, after: str
) -> dict:
    """The change from one side of some records to a side of others, by metric."""
    found = {}
    for metric in METRICS:
        interval = statistics.paired_change(
            [np.array(r["per_sequence"][before][metric]) for r in first],
            [np.array(r["per_sequence"][after][metric]) for r in second],
        )
        found[metric] = {**dataclasses.asdict(interval), "verdict": interval.verdict}
    return found


def _spread(values: Sequence[float]) -> dict:
    return {**dataclasses.asdict(statistics.spread(values)), "values": list(values)}


def _choice(records: Sequence[Mapping]) -> dict:
    """How far the choice without labels is from the oracle's; whether it did harm."""
    harm = [r["adapted"]["mpjpe"] - r["source_only"]["mpjpe"] for r in records]
    chosen = [r for r in records if r.get("oracle")]
    regret = [r["adapted"]["mpjpe"] - r["oracle"]["mpjpe"] for r in chosen]
    last = [r["history"][-1].get(_ERROR) for r in chosen]
    first = [r["history"][0][_ERROR] for r in chosen]
    worse = [b is None or b - a > HARM_MM for a, b in zip(first, last)]
    return {
        "runs": len(records),
        "worst_mm": max(harm),
        "returned_worse_than_source_by_2_mm": sum(x > HARM_MM for x in harm),
        "last_step_worse_than_source_by_2_mm": sum(worse)
        + sum(bool(r.get("stopped")) for r in records),
        "mean_regret_mm": float(np.mean(regret)) if regret else None,
        "worst_regret_mm": max(regret, default=None),
        **_correlations(chosen),
    }


def _correlations(records: Sequence[Mapping]) -> dict:
    """How the monitors' changes since the first look rank with the error's."""
    found: dict[str, list] = {"error": [], "implausibility": [], "residuals": []}
    for record in records:
        first, *others = record["history"]
        names = _known(record)
        if not set(names) <= set(first):
            continue  # made before there was such a monitor
        finite = [x for x in others if all(np.isfinite(v) for v in x.values())]
        for look in finite:
            # A run that collapsed has no spread at all.
            ratios = {k: max(look[k], 1e-9) / max(first[k], 1e-9) for k in names}
            grown = {key: float(np.log(ratio)) for key, ratio in ratios.items()}
            found["error"].append(look[_ERROR] - first[_ERROR])
            found["implausibility"].append(grown.pop(selection.IMPLAUSIBILITY))
            spread = grown.pop(selection.SPREAD)
            found["residuals"].append(np.mean(list(grown.values())) - spread)
    error = found.pop("error")
    if len(error) < _FEW_LOOKS:
        return {"looks": len(error)}
    ranks = {k: float(stats.spearmanr(v, error)[0]) for k, v in found.items()}
    return {"looks": len(error), "rank_correlation": ranks}


def _known(record: Mapping) -> tuple[str, ...]:
    """The monitors whose changes are compared with the error's."""
    return (selection.IMPLAUSIBILITY, selection.SPREAD, *record["floor"])


def markdown(found: Mapping) -> str:
    """Returns the summary as a Markdown table with what it was made of."""
    seeds = ", ".join(map(str, found["seeds"]))
    lines = [f"### {found['title']}", ""]
    measured = found.get("measured", rows.Table.measured)
    if found["note"]:
        lines += [found["note"], ""]
    lines += [
        f"MPJPE in mm, median over seeds {seeds} (least to greatest). Changes: mean, "
        f"95 % interval of a paired bootstrap over {_told_of_the_draws(found)} "
        f"({found['resamples']} draws). {measured} "
        f"{_told_of_the_worth(found['rows'])}*Last*: "
        "the change at the last step, whatever was chosen, on pictures evenly taken "
        "from all clips. *Oracle*: the best step by the test labels; no result, a "
        "bound.",
        "",
        *_table(found["rows"]),
        "",
        *_told_elsewhere(found["rows"]),
    ]
    if "choice" in found:
        lines += [_told_of_the_choice(found["choice"]), ""]
    lines += [
        f"`{found['command']}`, protocol {found['protocol']} "
        f"({found['protocol_hash']}), commit {', '.join(found['commits'])}, "
        f"{found['seconds'] / 60:.0f} minutes.",
        "",
    ]
    return "\n".join(lines)


def _told_of_the_draws(found: Mapping) -> str:
    """What the bootstrap draws; in tables of 0.1 and 0.2 the seeds were given."""
    if "seeds" in found.get("drawn", ()):
        return f"seeds and {found['sequences_per_seed']} sequences of each"
    return f"{found['sequences_per_seed']} sequences a seed"


def _told_of_the_worth(lines: Sequence[Mapping]) -> str:
    """What the columns beside the gain say, of those that are there."""
    told = {
        "gap_closed": "*Gap closed*: the share of the way from the source model's "
        "error here to its error on its own domain. ",
        "of_the_bound": "*Of the bound*: the share of what the labels of the same "
        "clips gain. ",
        "versus_self_training": "*Self-training*: the difference to that row. ",
    }
    return "".join(v for k, v in told.items() if any(k in row for row in lines))


def _told_elsewhere(lines: Sequence[Mapping]) -> list[str]:
    """A table of what the models are worth where nothing was adapted to."""
    shown = [row for row in lines if row.get("elsewhere")]
    if not shown:
        return []
    cells = [["row", "card", "source", "returned", "change"]]
    for row in shown:
        for card, found in row["elsewhere"].items():
            metric = metrics.METRICS[found["metric"]]
            named = f"{card}, {metric.title} [{metric.unit}]"
            both = [_cell(found[side]) for side in ("source_only", "adapted")]
            cells.append([row["title"], named, *both, _interval(found["change"])])
    table = [f"| {' | '.join(row)} |" for row in cells]
    return ["Elsewhere:", "", table[0], "|" + "---|" * 5, *table[1:], ""]


def _told_of_the_choice(numbers: Mapping) -> str:
    text = (
        f"Chosen without a label in {numbers['runs']} runs: the worst returned model "
        f"is {_number(numbers['worst_mm'])} mm from the source model "
        f"({numbers['returned_worse_than_source_by_2_mm']} worse by more than "
        f"{HARM_MM:g} mm; at the last step "
        f"{numbers['last_step_worse_than_source_by_2_mm']}). Mean distance to the "
        f"oracle {_number(numbers['mean_regret_mm'])} mm, at most "
        f"{_number(numbers['worst_regret_mm'])}."
    )
    ranks = numbers.get("rank_correlation")
    if ranks:
        text += (
            f" Over {numbers['looks']} looks implausibility goes with the error by "
            f"a rank correlation of {ranks['implausibility']:.2f}, the residuals of "
            f"all rules, in units of the spread, by {ranks['residuals']:.2f}."
        )
    return text


def _table(lines: Sequence[Mapping]) -> list[str]:
    columns = {
        "row": lambda r: r["title"],
        "source": lambda r: _cell(r["source_only"]["mpjpe"]),
        "returned": lambda r: _cell(r["adapted"]["mpjpe"]),
        "change": lambda r: _interval(r["change"]["mpjpe"]),
        "PA source": lambda r: _cell(r["source_only"]["pa_mpjpe"]),
        "PA returned": lambda r: _cell(r["adapted"]["pa_mpjpe"]),
        "PA change": lambda r: _interval(r["change"]["pa_mpjpe"]),
        "gap closed": lambda r: _share(r.get("gap_closed", {}).get("mpjpe")),
        "of the bound": lambda r: _share(r.get("of_the_bound", {}).get("mpjpe")),
        "against": lambda r: _versus(r),
        "self-training": lambda r: _interval(
            r.get("versus_self_training", {}).get("mpjpe")
        ),
        "PA self-training": lambda r: _interval(
            r.get("versus_self_training", {}).get("pa_mpjpe")
        ),
        "step": lambda r: _steps(r),
        "last": lambda r: _number(r.get("last_change", {}).get("mean"), ""),
        "oracle": lambda r: _cell(r["oracle"]["mpjpe"]) if "oracle" in r else "",
        "oracle change": lambda r: _interval(r.get("oracle_change", {}).get("mpjpe")),
        "d": lambda r: f"{r['relation']['non_localness']:.2f}" if r["relation"] else "",
        "residual of T": lambda r: (
            f"{r['relation']['residual']:.2f}" if r["relation"] else ""
        ),
        "paper": lambda r: "" if r["paper"] is None else f"{r['paper']:.1f}",
    }
    cells = {name: [cell(row) for row in lines] for name, cell in columns.items()}
    kept = {name: column for name, column in cells.items() if any(column)}
    table = [f"| {' | '.join(kept)} |", "|" + "---|" * len(kept)]
    return table + [f"| {' | '.join(row)} |" for row in zip(*kept.values())]


def _number(value: float | None, unknown: str = "-") -> str:
    return unknown if value is None else f"{value:+.1f}"


def _cell(spread: Mapping) -> str:
    if len(spread["values"]) == 1:
        return f"{spread['median']:.1f}"
    return f"{spread['median']:.1f} ({spread['low']:.1f} to {spread['high']:.1f})"


def _interval(change: Mapping | None) -> str:
    if not change or change["verdict"] == "unchanged":
        return "unchanged" if change else ""
    text = f"{change['mean']:+.1f} [{change['low']:+.1f}, {change['high']:+.1f}]"
    return f"{text} {change['verdict']}"


def _share(spread: Mapping | None) -> str:
    if not spread:
        return ""
    values = [f"{100 * spread[key]:.0f} %" for key in ("median", "low", "high")]
    if len(spread["values"]) == 1:
        return values[0]
    return f"{values[0]} ({values[1]} to {values[2]})"


def _versus(row: Mapping) -> str:
    if "versus" not in row:
        return ""
    return f"{row['against']}: {_interval(row['versus']['mpjpe'])}"


def _steps(row: Mapping) -> str:
    if row["stopped"]:
        return "stopped"
    steps = [str(step) for step in row["steps"] if step is not None]
    return ", ".join(steps)


def _lines(found: Mapping) -> list[forest.Line]:
    return [
        forest.Line(
            row["title"],
            row["source_only"]["mpjpe"]["values"],
            row["adapted"]["mpjpe"]["values"],
            row["oracle"]["mpjpe"]["values"] if "oracle" in row else (),
            tuple(row["change"]["mpjpe"][key] for key in ("mean", "low", "high")),
            row["change"]["mpjpe"]["verdict"],
        )
        for row in found["rows"]
    ]


def _save(figure: matplotlib.figure.Figure, path: pathlib.Path) -> None:
    with files.atomic(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
