"""The tables of the system nrsfm: their rows, their numbers, and that they go on."""

import json
import pathlib

import numpy as np
import pytest
from small_nrsfm import SMALL

from sa3dhp.experiments import nrsfm
from sa3dhp.systems.nrsfm import config as configs
from sa3dhp.systems.nrsfm import predictions, stages

ROOT = pathlib.Path(__file__).resolve().parents[2]
FACTS = {"command": "tools/reproduce.py", "commit": "abc"}


def _configure(*more):
    return lambda overrides=(): configs.load(None, (*SMALL, *more, *overrides))


def test_the_weight_table_has_the_papers_weights_against_weaksup():
    table = nrsfm.rows("nrsfm_weight", configs.load())
    weights = [_configure()(row.overrides).student.l1_weight for row in table[1:]]
    assert weights == [0.01, 0.1, 0.3, 0.5]
    assert all(row.against == ("weaksup",) for row in table[1:])
    assert _configure()(table[0].overrides).student.depth == "teacher"


def test_the_student_table_compares_with_teacher_and_weaksup():
    table = {row.id: row for row in nrsfm.rows("nrsfm_student", configs.load())}
    assert list(table) == ["teacher", "weaksup", "distilled", "bound"]
    assert table["distilled"].against == ("teacher", "weaksup")
    assert _configure()(table["bound"].overrides).student.depth == "truth"


# Eager steps are quicker than traced ones here; the reader of records says it is none.
@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run")
def test_the_teacher_table_is_over_all_and_for_each_of_some_subjects(
    motions, tmp_path, eagerly, monkeypatch
):
    monkeypatch.setattr(nrsfm, "_SUBJECTS", 1)
    configure = _configure(
        *("data.source=motions", f"data.path={motions}"),
        *("data.held_out_subjects=['02']", "classical.rank=1", "data.scale=one"),
    )
    table = nrsfm.rows("nrsfm_teacher", configure())
    assert [row.id for row in table] == [
        *("rigid", "low_rank", "teacher"),
        *("rigid_seen", "low_rank_seen", "teacher_seen"),
        *("rigid_01", "low_rank_01", "teacher_01"),
    ]
    text = nrsfm.run(configure, "nrsfm_teacher", [0], tmp_path, FACTS)
    found = json.loads((tmp_path / "nrsfm_teacher.json").read_text())
    assert [line["id"] for line in found["rows"]] == [row.id for row in table]
    for line in found["rows"]:
        for side in nrsfm.SIDES:
            values = [x["median"] for x in line[side].values()]
            assert len(values) == 5 and np.isfinite(values).all()
    assert "subject 01 alone" in text and "low_rank: " in text
    # What is seen is better than what was fitted to it, of the same teacher.
    lines = {line["id"]: line for line in found["rows"]}
    fitted, seen = lines["rigid"]["own"], lines["rigid_seen"]["own"]
    assert seen["mpjpe"]["median"] < fitted["mpjpe"]["median"]
    assert len(list((tmp_path / "runs").glob("teacher_*"))) == 2
    assert text == (tmp_path / "nrsfm_teacher.md").read_text()
    # The same command again makes nothing anew.
    records = sorted((tmp_path / "nrsfm_teacher").glob("*.json"))
    before = [path.stat().st_mtime_ns for path in records]
    assert nrsfm.run(configure, "nrsfm_teacher", [0], tmp_path, FACTS) == text
    assert [path.stat().st_mtime_ns for path in records] == before


def test_students_share_their_teacher_and_what_a_frozen_backbone_sees(
    tmp_path, eagerly, small_backbone, monkeypatch
):
    seen, features = [], predictions.features
    monkeypatch.setattr(stages, "_FEATURES", {})
    monkeypatch.setattr(
        predictions, "features", lambda *given: seen.append(1) or features(*given)
    )
    kept = ("student.frozen=true", "student.augmentation=0")
    configure = _configure("data.source=world", *kept)
    text = nrsfm.run(configure, "nrsfm_student", [0], tmp_path, FACTS)
    assert len(list((tmp_path / "runs").glob("teacher_*"))) == 1
    assert len(list((tmp_path / "runs").glob("student_*"))) == 3 and len(seen) == 1
    found = json.loads((tmp_path / "nrsfm_student.json").read_text())
    line = {row["id"]: row for row in found["rows"]}["distilled"]
    assert set(line["own_changes"]) == {"teacher", "weaksup"}
    assert line["paper"] == {"own": 71.2, "unseen": 73.1}
    assert "| 71.2 |" in text


def test_the_weight_of_the_paper_is_the_student_of_the_other_table():
    rows = {row.id: row for row in nrsfm.rows("nrsfm_weight", configs.load())}
    assert _configure()(rows["weight_0.3"].overrides) == _configure()()


@pytest.mark.parametrize("name", nrsfm.NAMES)
def test_the_tool_knows_every_table_and_a_configuration_for_it(name):
    text = (ROOT / "tools" / "reproduce.py").read_text()
    assert f'"{name}": "configs/nrsfm' in text
