"""Groups of dots in a plane."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import figure as figures


def groups(places: np.ndarray, names: Sequence[str]) -> figures.Figure:
    """Returns a figure of dots, a colour for each group.

    Args:
        places: `[G, K, 2]`.
        names: of the G groups.
    """
    figure = figures.Figure(figsize=(6, 5), layout="constrained")
    axes = figure.add_subplot()
    for dots, name in zip(places, names):
        axes.scatter(dots[:, 0], dots[:, 1], s=10, label=name)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.legend(fontsize=8)
    return figure
