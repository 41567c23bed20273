"""The tables of several people: rows, shared stages, numbers."""

import dataclasses
import json

import numpy as np
import pytest
import small_multi_person
import small_resnet
import tensorflow as tf

from sa3dhp.experiments import multi_person
from sa3dhp.systems.multi_person import config as configs
from sa3dhp.systems.multi_person import maps, scoring, sources

FACTS = {"command": "tools/reproduce.py", "commit": "abc"}


def _configure(*more):
    base = (*small_multi_person.SMALL, "student.labels=none", *more)
    return lambda overrides=(): configs.load(None, (*base, *overrides))


@pytest.mark.parametrize("name", multi_person.NAMES)
def test_rows_are_settings_and_compared_with_rows_before_them(name):
    known = []
    for row in multi_person.rows(name):
        _configure()(row.overrides)
        assert row.stage in configs.STAGES and set(row.against) <= set(known)
        known.append(row.id)
    paper = multi_person._PAPER[name]
    assert set(paper) <= set(known)
    if name == "multi_person":  # [P] Table 2
        numbers = [float(paper[row].split(",")[0]) for row in known]
        assert numbers == [53.3, 57.6, 61.9, 64.2, 66.4, 75.8, 76.9]
    else:  # Table 7: IoU, px, PCK
        assert {len(text.split(", ")[:3]) for text in paper.values()} == {3}


@pytest.fixture(scope="module", autouse=True)
def small_trunk():
    """E has three blocks."""
    with small_resnet.used():
        yield


@pytest.fixture
def found_by_all(monkeypatch):
    """Every peak is a person, every pair a match: what is not trained is measured."""
    monkeypatch.setattr(maps, "OWN", dataclasses.replace(maps.OWN, peak=-1e9))
    monkeypatch.setattr(scoring, "FAR", 9.0)
    config = _configure()()
    seen = small_multi_person.clairvoyant(config)
    monkeypatch.setattr(sources, "seen_by_teacher", seen)
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run")
def test_rows_share_their_stages_and_go_on(tmp_path, found_by_all, monkeypatch):
    some = ("distl", "ss", "refined")
    table = tuple(
        dataclasses.replace(
            row,
            against=("distl",) * (row.id != "distl"),
            # Of H' as of Us, whose stages there are.
            overrides=() if row.id == "refined" else row.overrides,
        )
        for row in multi_person.rows("multi_person")
        if row.id in some
    )
    monkeypatch.setattr(multi_person, "rows", lambda name: table)
    text = multi_person.run(_configure(), "multi_person", [0], tmp_path, FACTS)
    runs = [path.name.split("_")[0] for path in (tmp_path / "runs").iterdir()]
    counts = {name: runs.count(name) for name in configs.STAGES}
    assert counts == {**dict.fromkeys(counts, 1), "alignment": 2}
    found = json.loads((tmp_path / "multi_person.json").read_text())
    lines = {line["id"]: line for line in found["rows"]}
    assert set(lines) == set(some) and lines["ss"]["paper"] == "64.2"
    for line in lines.values():
        assert 0 <= line["target"]["pck_rel"]["median"] <= 100
        assert line["target"]["recall"]["median"] > 0
        assert f"| {line['title']} | R |" in text
    records = sorted((tmp_path / "multi_person").glob("*.json"))
    before = [path.stat().st_mtime_ns for path in records]
    assert multi_person.run(_configure(), "multi_person", [0], tmp_path, FACTS) == text
    assert [path.stat().st_mtime_ns for path in records] == before


def test_the_teachers_row_knows_no_depth(tmp_path, found_by_all, monkeypatch):
    table = multi_person.rows("multi_person_teacher")[:1]
    monkeypatch.setattr(multi_person, "rows", lambda name: table)
    text = multi_person.run(_configure(), "multi_person_teacher", [0], tmp_path, FACTS)
    found = json.loads((tmp_path / "multi_person_teacher.json").read_text())
    target = found["rows"][0]["target"]
    assert "mpjpe" not in target and target["recall"]["median"] == 100.0
    assert target["error_2d"]["median"] == pytest.approx(0.0, abs=1e-3)
    assert "60.1, 38.0, 66.6" in text


def test_a_picture_counts_those_who_were_missed_in_it():
    rng = np.random.default_rng(0)
    joints = rng.uniform(-500, 500, (2, 17, 3)) + np.array([0, 0, 4000])
    joints[1] += [2000, 0, 0]
    points = 50 + joints[..., :2] / 40
    pairs = scoring.match([joints[:1]], [points[:1]], [joints], [points], 100)
    assert scoring.by_picture(pairs, [2, 0])[0]["pck_rel"] == 50.0
    assert scoring.points_by_picture(pairs, [2, 0], 100) == {0: {"pck_2d": 50.0}}
