"""Rows from top to bottom, each with its seeds and the interval of its change."""

import numpy as np

from sa3dhp.visualisation import forest


def _line(title, verdict, best=()):
    return forest.Line(
        title, [200.0, 210.0], [190.0, 195.0], best, (-12.5, -20, -5), verdict
    )


def test_every_row_has_its_values_and_its_interval(to_image):
    lines = [_line("a", "improves", [180.0, 190.0]), _line("b", "not significant")]
    figure = forest.plot(lines, "Title")
    values, changes = figure.axes
    assert [text.get_text() for text in values.get_yticklabels()] == ["a", "b"]
    assert values.get_ylim()[0] > values.get_ylim()[1]  # the first is on top
    ends = [x for line in changes.lines for x in np.ravel(line.get_xdata())]
    assert -20 in ends and -5 in ends and -12.5 in ends
    assert to_image(figure).std() > 0


def test_points_bear_their_names():
    figure = forest.scatter([1.0, 2.0], [5.0, 4.0], ["z1", "z3"], ("d", "mm"))
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.texts] == ["z1", "z3"]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("d", "mm")
