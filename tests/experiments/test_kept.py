"""Records of rows: kept, made again, compared, printed."""

import dataclasses
import json

import pytest

from sa3dhp import errors
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


def _records(folder, made, *overrides, seeds=(0,), hashes=(), command="run"):
    def measure(row, config):
        made.append(row.id)
        return {"error": len(made)}

    rows = [Row("a"), Row("b", overrides=overrides)]
    configure = lambda given: Config(tuple(given))  # noqa: E731
    content = lambda config: dict(hashes)  # noqa: E731
    facts = {"commit": "abc", "command": command}
    return kept.records(rows, seeds, folder, configure, measure, facts, content)


def test_what_is_done_is_kept_and_other_settings_are_run_again(tmp_path):
    made: list = []
    first = _records(tmp_path, made, seeds=(0, 1))
    assert made == ["a", "b", "a", "b"] and [r["seed"] for r in first] == [0, 0, 1, 1]
    assert _records(tmp_path, made, seeds=(0, 1)) == first
    other = _records(tmp_path, made, "x.y=1")
    assert made[4:] == ["b"] and other[0] == first[0] and other[1]["commit"] == "abc"
    (tmp_path / "a-seed0.json").write_text("{")
    assert _records(tmp_path, made, "x.y=1")[1] == other[1] and made[5:] == ["a"]


def test_a_table_names_the_command_that_made_it(tmp_path):
    made: list = []
    _records(tmp_path, made, seeds=(0, 2), command="run --seeds=0,2")
    found = _records(tmp_path, made, seeds=(0, 1, 2), command="run --seeds=0,1,2")
    assert made == ["a", "b"] * 3
    records = [{**record, "seconds": 1.0} for record in found]
    assert kept.about(records)["command"] == "run --seeds=0,1,2"
    stored = json.loads((tmp_path / "b-seed2.json").read_text())
    assert stored["command"] == "run --seeds=0,2"


def test_settings_are_compared_as_json_has_them(tmp_path):
    made: list = []
    _records(tmp_path, made)
    stored = json.loads((tmp_path / "a-seed0.json").read_text())["settings"]
    assert stored == {"method": None, "values": ["training.seed=0"]}


def test_rows_of_other_data_are_run_again(tmp_path):
    made: list = []
    for hashes, count in (((), 2), ((("data/x", "1"),), 4), ((("data/x", "2"),), 6)):
        for _ in range(2):
            found = _records(tmp_path, made, hashes=hashes)
            assert len(made) == count
    assert found[0]["settings"]["content"] == {"data/x": "2"}


def test_a_fault_of_a_later_row_is_told_before_the_first(tmp_path):
    def content(config):
        if "x=1" in config.values:
            raise errors.InputError("no such folder")
        return {}

    def measure(row, config):
        raise AssertionError("never measured")

    rows = [Row("a"), Row("b", overrides=("x=1",))]
    configure = lambda given: Config(tuple(given))  # noqa: E731
    with pytest.raises(errors.InputError, match="no such folder"):
        kept.records(rows, (0,), tmp_path, configure, measure, {}, content)


def test_what_is_no_record_is_made_again(tmp_path):
    made: list = []
    first = _records(tmp_path, made)
    for text in ("[]", "3", "[" * 5000):
        (tmp_path / "a-seed0.json").write_text(text)
        again = _records(tmp_path, made)
        assert made.pop() == "a" and again[1] == first[1]


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


def test_a_change_is_told_by_what_is_better():
    """Fewer millimetres, more percent."""

    def seen(value):
        scores = {str(n): {"x": value + 0.1 * n} for n in range(9)}
        return [{"target": {"per_sequence": scores}}]

    for more, verdict in ((False, "worsens"), (True, "improves")):
        found = kept.change(seen(1), seen(2), "target", "x", more_is_better=more)
        assert (found["mean"], found["verdict"]) == (pytest.approx(1.0), verdict)
    for more in (False, True):
        same = kept.change(seen(1), seen(1), "target", "x", more_is_better=more)
        assert same["verdict"] == "unchanged"
