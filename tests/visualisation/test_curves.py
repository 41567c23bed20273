"""Curves over steps."""

import numpy as np

from sa3dhp.visualisation import curves

ROWS = [
    {"step": 0, "a": 1.0, "b": np.float32(2), "name": "x"},
    {"step": 5, "a": 3},
    {"step": 9, "a": float("nan"), "b": 1.0},
]


def test_series_keep_steps_and_leave_out_what_is_no_number():
    got = curves.series(ROWS)
    assert list(got) == ["a", "b"]
    assert got["b"] == ([0.0, 9.0], [2.0, 1.0])
    assert got["a"][0] == [0.0, 5.0, 9.0]


def test_every_name_has_its_plot_with_floor_and_mark(to_image):
    figure = curves.plot(ROWS, floor={"a": 2.0}, marked_step=5)
    assert [axes.get_title() for axes in figure.axes] == ["a", "b"]
    assert [len(axes.lines) for axes in figure.axes] == [3, 2]
    assert to_image(figure).std() > 0


def test_one_point_is_no_curve():
    rows = [{"step": 0, "a": 1.0, "b": 1.0}, {"step": 5, "a": 2.0}]
    assert list(curves.curved(rows)) == ["a"]
    assert len(curves.plot(rows).axes) == 1


def test_names_fill_rows_of_plots():
    rows = [{"step": s, **{f"term_{i}": 1.0 for i in range(4)}} for s in (0, 5)]
    figure = curves.plot(rows, columns=3)
    assert len(figure.axes) == 6
    assert [axes.axison for axes in figure.axes] == [True] * 4 + [False] * 2
