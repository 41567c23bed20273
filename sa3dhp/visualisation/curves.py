"""Readings over steps as small plots, one per name."""

from __future__ import annotations

import math
import typing
from collections.abc import Mapping, Sequence

import numpy as np

if typing.TYPE_CHECKING:  # it takes seconds, and not everybody draws
    from matplotlib import figure as mpl_figure

_COLOURS = ("#1f6fb4", "#d9621e", "#2e8b57", "#8250a0", "#b8860b", "#c0392b")
_FEW = 40  # so many points are drawn as points


def series(rows: Sequence[Mapping[str, float]]) -> dict[str, tuple[list, list]]:
    """Returns name -> (steps, values) of readings that each have a `step`.

    A reading may lack names; what is no number is left out.
    """
    found: dict[str, tuple[list, list]] = {}
    for row in rows:
        for name, value in row.items():
            if name != "step" and isinstance(value, (int, float, np.number)):
                steps, values = found.setdefault(name, ([], []))
                steps.append(float(row["step"]))
                values.append(float(value))
    return found


def curved(rows: Sequence[Mapping[str, float]]) -> dict[str, tuple[list, list]]:
    """Returns those of `series` that are more than one point."""
    return {name: both for name, both in series(rows).items() if len(both[0]) > 1}


def plot(
    rows: Sequence[Mapping[str, float]],
    *,
    floor: Mapping[str, float] | None = None,
    marked_step: float | None = None,
    columns: int = 3,
) -> mpl_figure.Figure:
    """Returns a figure with one small plot per name, all over the same steps.

    Args:
        rows: see `series`; names with one reading alone are left out.
        floor: name -> value of a dotted line.
        marked_step: where to put a dashed line in every plot.
        columns: plots per row.
    """
    from matplotlib import figure as mpl_figure
    from matplotlib import layout_engine

    floor, found = dict(floor or {}), curved(rows)
    columns = max(1, min(columns, len(found)))
    count = max(1, math.ceil(len(found) / columns))
    figure = mpl_figure.Figure(
        figsize=(4 * columns, 2.3 * count),
        layout=layout_engine.ConstrainedLayoutEngine(h_pad=0.08, w_pad=0.06),
    )
    grid = figure.subplots(count, columns, squeeze=False).reshape(-1)
    for index, (name, (steps, values)) in enumerate(found.items()):
        axes, colour = grid[index], _COLOURS[index % len(_COLOURS)]
        marker = "o" if len(steps) < _FEW else ""
        axes.plot(steps, values, color=colour, marker=marker, markersize=3)
        if name in floor:
            axes.axhline(floor[name], color=colour, linestyle=":", linewidth=1.2)
            axes.annotate(
                "floor",
                (0.99, floor[name]),
                xycoords=("axes fraction", "data"),
                ha="right",
                va="bottom",
                fontsize=7,
                color=colour,
            )
        if marked_step is not None:
            axes.axvline(marked_step, color="#555555", linestyle="--", linewidth=1)
        axes.set_title(name.replace("_", " "), fontsize=10)
        axes.set_xlabel("step", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.margins(y=0.15)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[len(found) :]:
        axes.set_axis_off()
    return figure
