"""Records of rows: kept, made again, compared, printed."""

import dataclasses
import json

import pytest

from sa3dhp.experiments import kept


@dataclasses.dataclass(frozen=True)
class Row:
    """A line of a made-up table."""

    id: str
    title: str = "a row"
    overrides: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Config:
    """What it is made with."""

    values: tuple[str, ...]


def _records(folder, made, *overrides, seeds=(0,)):
    def measure(row, config):
        made.append(row.id)
        return {"error": len(made)}

    rows = [Row("a"), Row("b", overrides=overrides)]
    configure = lambda given: Config(tuple(given))  # noqa: E731
    return kept.records(rows, seeds, folder, configure, measure, {"commit": "abc"})


def test_what_is_done_is_kept_and_other_settings_are_run_again(tmp_path):
    made: list = []
    first = _records(tmp_path, made, seeds=(0, 1))
    assert made == ["a", "b", "a", "b"] and [r["seed"] for r in first] == [0, 0, 1, 1]
    assert _records(tmp_path, made, seeds=(0, 1)) == first
    other = _records(tmp_path, made, "x.y=1")
    assert made[4:] == ["b"] and other[0] == first[0] and other[1]["commit"] == "abc"
    (tmp_path / "a-seed0.json").write_text("{")
    assert _records(tmp_path, made, "x.y=1")[1] == other[1] and made[5:] == ["a"]


def test_settings_are_compared_as_json_has_them(tmp_path):
    made: list = []
    _records(tmp_path, made)
    stored = json.loads((tmp_path / "a-seed0.json").read_text())["settings"]
    assert stored == {"method": None, "values": ["training.seed=0"]}


def test_a_change_is_that_of_the_sequences():
    rows = [
        [{"target": {"per_sequence": {n: {"mpjpe": e + n} for n in range(20)}}}]
        for e in (50.0, 45.0)
    ]
    found = kept.change(*rows, "target", "mpjpe")
    assert found["mean"] == pytest.approx(-5) and found["verdict"] == "improves"
    assert kept.changes({"source": found}) == "source: -5.0 [-5.0, -5.0] improves"


def test_a_cell_is_a_median_with_its_extremes():
    found = kept.spreads([{"mpjpe": 3.0}, {"mpjpe": 1.0}, {"mpjpe": 2.0}])
    assert kept.cell(found["mpjpe"]) == "2.0 (1.0 to 3.0)"
    assert kept.cell(kept.spreads([{"x": 4.0}])["x"]) == "4.0"


def test_a_name_is_that_of_the_values_in_any_order():
    assert kept.name_of({"a": 1, "b": 2}) == kept.name_of({"b": 2, "a": 1})
    assert kept.name_of({"a": 1}) != kept.name_of({"a": 2})
