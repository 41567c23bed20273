"""From records to a table: what is said of a row, and what is not."""

import copy

import numpy as np
import pytest

from sa3dhp.experiments import rows, summary

TABLE = rows.Table(
    "ablation",
    "Title",
    (
        rows.SOURCE,
        rows.Row("a", "first", against="source", paper=193.4),
        rows.Row("b", "second", against="a"),
    ),
    note="A note.",
)


def _look(error, implausibility=1.0, z3=0.9):
    return {
        "test_mpjpe": error,
        "implausibility": implausibility,
        "z3": z3,
        "spread": 1.0,
    }


def _record(row, seed, shift, *, noise=1.0, oracle=None, count=30):
    rng = np.random.default_rng(seed)
    before = rng.uniform(100, 300, count)
    drawn = np.random.default_rng([seed, ord(row[0])]).normal(0, noise, count)
    after = before + shift + (drawn - drawn.mean()) * bool(shift)
    sides = {"source_only": before, "adapted": after}
    if oracle is not None:
        sides["oracle"] = before + oracle
    return {
        "row": row,
        "seed": seed,
        **{k: {"mpjpe": v.mean(), "pa_mpjpe": v.mean() / 2} for k, v in sides.items()},
        "per_sequence": {
            k: {"mpjpe": list(v), "pa_mpjpe": list(v / 2)} for k, v in sides.items()
        },
        "sequences": [f"clip_{i}" for i in range(count)],
        "target_information": "R",
        "steps": 48,
        "label_free": True,
        "floor": {"z3": 0.6},
        "history": [_look(200.0), _look(230.0, 2.0)],
        "protocol": "procedural",
        "protocol_hash": "abc",
        "commit": "1234",
        "command": "python tools/reproduce.py",
        "seconds": 60.0,
    }


def _records(a=-10.0, b=-10.05, **options):
    return [
        _record(row, seed, shift, **options)
        for row, shift in (("source", 0.0), ("a", a), ("b", b))
        for seed in (0, 1, 2)
    ]


def test_improvement_is_claimed_only_where_the_interval_excludes_zero():
    found = summary.summarise(TABLE, _records())
    source, first, second = found["rows"]
    assert source["change"]["mpjpe"]["verdict"] == "unchanged"
    assert first["change"]["mpjpe"]["verdict"] == "improves"
    assert second["change"]["mpjpe"]["verdict"] == "improves"
    assert second["versus"]["mpjpe"]["verdict"] == "not significant"
    text = summary.markdown(found)
    line = next(x for x in text.splitlines() if x.startswith("| second"))
    assert line.count("improves") == 2  # of MPJPE and PA, not against the row above
    assert "a: " in line and "not significant" in line


def test_worse_is_called_worse():
    found = summary.summarise(TABLE, _records(a=8.0))
    assert found["rows"][1]["change"]["mpjpe"]["verdict"] == "worsens"


def test_medians_and_extremes_are_those_of_the_seeds():
    records = _records()
    found = summary.summarise(TABLE, records)
    values = [r["adapted"]["mpjpe"] for r in records if r["row"] == "a"]
    adapted = found["rows"][1]["adapted"]["mpjpe"]
    assert adapted["median"] == np.median(values)
    assert (adapted["low"], adapted["high"]) == (min(values), max(values))
    change = found["rows"][1]["change"]["mpjpe"]["mean"]
    assert change == pytest.approx(-10, abs=0.5)


def test_rows_on_other_clips_are_not_compared():
    records = _records()
    for record in records:
        if record["row"] == "b":
            sides = copy.deepcopy(record["per_sequence"])
            sides["source_only"]["mpjpe"][0] += 1
            record["per_sequence"] = sides
    found = summary.summarise(TABLE, records)
    assert "versus" in found["rows"][1] and "versus" not in found["rows"][2]


def test_last_step_is_shown_whatever_was_chosen():
    found = summary.summarise(TABLE, _records())
    assert found["rows"][1]["last_change"]["values"] == [30.0] * 3
    assert "| +30.0 |" in summary.markdown(found)
    short = [{**r, "history": r["history"][:1]} for r in _records()]
    found = summary.summarise(TABLE, short)
    assert "last_change" not in found["rows"][1]
    assert "| last |" not in summary.markdown(found)


def test_a_gain_is_told_as_a_share_of_the_gap_and_beside_labels_and_self_training():
    names = ("source", "a", "self_training", "bound")
    table = rows.Table("ablation", "Title", tuple(rows.Row(x, x) for x in names))
    records = [
        _record(row, seed, shift)
        for row, shift in zip(names, (0.0, -30.0, -20.0, -40.0))
        for seed in (0, 1, 2)
    ]
    for record in records:
        base = record["source_only"]
        record["home"] = {key: value - 60.0 for key, value in base.items()}
    found = summary.summarise(table, records)
    a = found["rows"][1]
    assert a["gap_closed"]["mpjpe"]["median"] == pytest.approx(30 / 60)
    assert a["of_the_bound"]["mpjpe"]["median"] == pytest.approx(30 / 40)
    assert a["of_the_bound"]["pa_mpjpe"]["median"] == pytest.approx(30 / 40)
    assert a["from_the_bound"]["mpjpe"]["mean"] == pytest.approx(10)
    assert a["versus_self_training"]["mpjpe"]["mean"] == pytest.approx(-10)
    assert a["versus_self_training"]["mpjpe"]["verdict"] == "improves"
    assert "versus_self_training" not in found["rows"][2], "beside itself"
    text = summary.markdown(found)
    assert "| 50 % (50 % to 50 %) | 75 % (75 % to 75 %) |" in text
    assert "*Gap closed*" in text and "*Self-training*" in text


def test_no_share_is_told_of_a_gap_that_is_none():
    records = _records()
    for record in records:
        record["home"] = dict(record["source_only"])
    found = summary.summarise(TABLE, records)
    assert found["rows"][1]["gap_closed"] == {}
    assert "| gap closed |" not in summary.markdown(found)


def test_oracle_is_labelled_and_named_a_bound():
    text = summary.markdown(summary.summarise(TABLE, _records(oracle=-20.0)))
    head = next(x for x in text.splitlines() if x.startswith("| row"))
    assert "| oracle |" in head
    assert "no result, a bound" in text
    plain = summary.markdown(summary.summarise(TABLE, _records()))
    head = next(x for x in plain.splitlines() if x.startswith("| row"))
    assert "oracle" not in head and "paper" in head


def test_harm_counts_what_is_worse_than_the_source():
    table = rows.Table("harm", "Harm", (rows.Row("a", "x"), rows.Row("b", "y")))
    records = [
        _record("a", 0, 3.0, noise=0.0, oracle=-5.0),
        _record("b", 0, -1.0, noise=0.0, oracle=-1.0),
    ]
    found = summary.summarise(table, records)["choice"]
    assert found["runs"] == 2 and found["worst_mm"] == pytest.approx(3.0)
    assert found["returned_worse_than_source_by_2_mm"] == 1
    assert found["last_step_worse_than_source_by_2_mm"] == 2
    assert found["worst_regret_mm"] == pytest.approx(8.0)
    assert found["mean_regret_mm"] == pytest.approx(4.0)


def test_it_is_said_how_the_monitors_go_with_the_error():
    record = _record("a", 0, -1.0, oracle=-2.0)
    looks = [_look(200.0 + i, 1.0 + i, 1.5 - 0.05 * i) for i in range(12)]
    found = summary.summarise(TABLE, [{**record, "history": looks}])
    ranks = found["choice"]["rank_correlation"]
    assert found["choice"]["looks"] == 11
    assert ranks["implausibility"] == pytest.approx(1.0)
    assert ranks["residuals"] == pytest.approx(-1.0)
    assert "rank correlation of 1.00" in summary.markdown(found)
    few = summary.summarise(TABLE, [{**record, "history": looks[:5]}])
    assert "rank_correlation" not in few["choice"]
    old = [{k: v for k, v in x.items() if k != "implausibility"} for x in looks]
    found = summary.summarise(TABLE, [{**record, "history": old}])
    assert found["choice"]["looks"] == 0


def test_a_row_that_chose_by_no_monitor_is_not_counted():
    records = [{**_record("a", 0, -1.0, oracle=-2.0), "label_free": False}]
    assert "choice" not in summary.summarise(TABLE, records)


def test_a_run_that_stopped_returned_nothing():
    table = rows.Table("harm", "Harm", (rows.Row("a", "x"),))
    record = _record("a", 0, 0.0)
    record.update(stopped="adapt: term 'cr' is nan", history=[], steps=0)
    found = summary.summarise(table, [record])
    assert found["choice"]["worst_mm"] == 0
    assert found["choice"]["last_step_worse_than_source_by_2_mm"] == 1
    assert "| stopped |" in summary.markdown(found)
