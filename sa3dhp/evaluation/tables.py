"""Results as plain text, for terminals and logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sa3dhp.evaluation import metrics, protocol

HEADLINE = "*"  # marks the metric that stands for the whole result
_PARTS = {
    "per_group": "group",
    "per_action": "action",
    "per_joint": "joint",
    "per_sequence": "sequence",
}


def align_columns(rows: Sequence[Sequence[str]]) -> str:
    """Returns rows of cells as text: the first column left, the others right."""
    widths = [max(len(row[c]) for row in rows) for c in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:])]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def header(names: Sequence[str]) -> list[str]:
    """Returns the titles of metrics with their units."""
    found = [metrics.METRICS[name] for name in names]
    return [f"{metric.title} [{metric.unit}]" for metric in found]


def number(value: float) -> str:
    """Returns a value with one decimal, as the tables of the field print it."""
    return f"{value:.1f}"


def summary(result: Mapping) -> str:
    """Returns the lines above every table: protocol, hash, class of information."""
    information = result["target_information"]
    lines = [
        f"protocol {result['protocol']} ({result['protocol_hash']}), "
        f"{result['num_samples']} frames"
        + (f", {result['num_skipped']} not counted" if result["num_skipped"] else ""),
        f"target information {information}: {protocol.TARGET_INFORMATION[information]}"
        + ("; say it with --target_information" if information == "unstated" else ""),
    ]
    return "\n".join(lines + [f"note: {note}" for note in result["notes"]])


def result_table(result: Mapping, *, parts: Sequence[str] = tuple(_PARTS)) -> str:
    """Returns a result as text: the overall numbers, then the tables per part.

    Args:
        result: of `evaluator.Evaluator.result`.
        parts: which of `per_group`, `per_action`, `per_joint`, `per_sequence`.
    """
    shown = list(result["overall"])
    overall = [number(result["overall"][metric]) for metric in shown]
    titles = header(shown)
    if result.get("headline") in shown:
        titles[shown.index(result["headline"])] += HEADLINE
    rows = [["", *titles], ["all", *overall]]
    if means := result.get("mean_over_actions"):
        rows.append(["mean over actions", *(number(means[m]) for m in shown)])
    blocks = [summary(result), align_columns(rows)]
    if HEADLINE in "".join(titles):
        blocks[-1] += f"\n{HEADLINE} the number of this card: the one to be quoted"
    if result.get("trunk"):
        blocks.append(trunk_line(result["trunk"]))
    for part in parts:
        if not result[part]:
            continue
        counted = "num_samples" in next(iter(result[part].values()))
        rows = [[_PARTS[part], *header(shown)] + (["frames"] if counted else [])]
        for name, values in result[part].items():
            cells = [name, *(number(values[metric]) for metric in shown)]
            rows.append(cells + ([str(values["num_samples"])] if counted else []))
        blocks.append(align_columns(rows))
    return "\n\n".join(blocks)


def trunk_line(told: Mapping) -> str:
    """Returns how trunks lean in one line; `told` is a result's `trunk`."""
    said = []
    if "in_picture_deg" in told:
        said.append(
            f"median {number(told['in_picture_deg'])} degrees from the annotated one "
            "in the picture"
        )
    said.append(
        f"{told['standing']} standing people"
        + (
            f", whose predicted trunks are a median {number(told['standing_tilt_deg'])}"
            " degrees from the vertical in 3D"
            if "standing_tilt_deg" in told
            else ""
        )
    )
    return f"trunk: {'; '.join(said)}"


def percent_change(before: float, after: float) -> str:
    """Returns e.g. `-41 %`."""
    return f"{100 * (after - before) / before:+.0f} %" if before else "-"
