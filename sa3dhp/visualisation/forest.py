"""A forest plot: values before and after in each row, the change and its interval."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import matplotlib.figure
import numpy as np

_BEFORE, _AFTER, _ORACLE = "#999999", "#1f77b4", "#2ca02c"
_VERDICTS = {"improves": "#1a7f37", "worsens": "#c62828"}


@dataclasses.dataclass(frozen=True)
class Line:
    """One row of the plot; mm.

    Attributes:
        title: of the row.
        before: one value for each seed.
        after: one value for each seed.
        best: one value for each seed, of the step that labels would choose; may be
            empty.
        change: mean, and the two ends of its interval.
        verdict: of the change: `improves`, `worsens`, or another word.
    """

    title: str
    before: Sequence[float]
    after: Sequence[float]
    best: Sequence[float]
    change: tuple[float, float, float]
    verdict: str


def plot(
    lines: Sequence[Line], title: str, unit: str = "MPJPE (mm)"
) -> matplotlib.figure.Figure:
    """Draws rows from top to bottom.

    Args:
        lines: the rows.
        title: above the plot.
        unit: of the values.

    Returns:
        A matplotlib figure: on the left the values of each seed, on the right the
        change.
    """
    figure = matplotlib.figure.Figure(
        figsize=(10, 1.4 + 0.34 * len(lines)), layout="constrained"
    )
    values, changes = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
    for place, line in enumerate(lines):
        for side, colour, shift, name in (
            (line.before, _BEFORE, 0.16, "source model"),
            (line.best, _ORACLE, -0.16, "best step by labels (oracle)"),
            (line.after, _AFTER, 0.0, "returned"),
        ):
            label = name if place == 0 else None
            rows = np.full(len(side), place - shift)
            values.plot(side, rows, "o", color=colour, markersize=4, label=label)
            if len(side):
                median, at = np.median(side), place - shift
                values.plot([median], [at], "|", color=colour, markersize=13)
        mean, low, high = line.change
        colour = _VERDICTS.get(line.verdict, "#555555")
        changes.plot([low, high], [place, place], "-", color=colour, linewidth=2)
        changes.plot([mean], [place], "o", color=colour, markersize=5)
    changes.axvline(0, color="#555555", linewidth=1)
    values.set_yticks(range(len(lines)), [line.title for line in lines], fontsize=8)
    values.invert_yaxis()
    values.set_xlabel(unit, fontsize=9)
    changes.set_xlabel("change, 95 % interval (mm); left is better", fontsize=9)
    for axes in (values, changes):
        axes.tick_params(axis="x", labelsize=8)
        axes.grid(axis="x", color="#e5e5e5")
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)
    figure.suptitle(title, fontsize=11)
    return figure


def scatter(
    x: Sequence[float],
    y: Sequence[float],
    names: Sequence[str],
    labels: tuple[str, str],
) -> matplotlib.figure.Figure:
    """Draws named points: a property of each thing against what it reaches.

    Args:
        x: one for each thing.
        y: one for each thing.
        names: of the things.
        labels: of the two axes.

    Returns:
        A matplotlib figure.
    """
    figure = matplotlib.figure.Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(x, y, "o", color=_AFTER)
    for name, across, up in zip(names, x, y):
        axes.annotate(name, (across, up), (5, 4), textcoords="offset points")
    axes.set_xlabel(labels[0])
    axes.set_ylabel(labels[1])
    axes.margins(0.15)
    axes.spines[["top", "right"]].set_visible(False)
    return figure
