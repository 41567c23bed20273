"""The tables of several people: rows, shared stages, numbers."""

import dataclasses
import json

import numpy as np
import pytest
import small_multi_person
import small_resnet
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.experiments import multi_person
from sa3dhp.systems.multi_person import config as configs
from sa3dhp.systems.multi_person import maps, scoring, sources, stages
from sa3dhp.training import checkpoint

FACTS = {"command": "tools/reproduce.py", "commit": "abc"}


def _configure(*more):
    base = (*small_multi_person.SMALL, "student.labels=none", *more)
    return lambda overrides=(): configs.load(None, (*base, *overrides))


@pytest.mark.parametrize("name", multi_person.NAMES)
def test_rows_are_settings_and_compared_with_rows_before_them(name):
    known = []
    for row in multi_person.rows(name, _configure()()):
        _configure()(row.overrides)
        assert row.stage in ("", *configs.STAGES) and set(row.against) <= set(known)
        known.append(row.id)
    paper = multi_person._PAPER[name]
    assert set(paper) <= set(known)
    if name == "multi_person_teacher":  # Table 7: IoU, px, PCK
        texts = [text for row in paper.values() for text in row.values()]
        assert {len(text.split(", ")) for text in texts} == {3}


@pytest.mark.parametrize(
    ("poses", "numbers"),
    [
        ("artificial", "- 53.3 57.6 61.9 64.2 66.1 66.4 67.9 71.1 75.8 76.9"),
        ("captured", "- - - - 66.1 64.2 67.9 66.4 71.1 75.8 76.9"),
    ],
)
def test_the_paper_has_each_row_of_one_psi_or_the_other(poses, numbers):
    """[P] Table 2; of H' its supplement."""
    configure = _configure(f"data.poses={poses}")
    table = multi_person.rows("multi_person", configure())
    found = [multi_person._paper("multi_person", row, poses) or "-" for row in table]
    assert found == numbers.split()
    kinds = {row.id: configure(row.overrides).data.poses for row in table}
    assert kinds["ss"] == kinds["ws"] == poses
    assert {kinds["ss_other"], kinds["ss"]} == {"artificial", "captured"}
    assert kinds["fs"] == kinds["fs_bare"] == kinds["refined"] == "captured"


def test_students_that_go_on_from_one_have_its_psi_and_the_table_says_so():
    config = _configure("student.start=somewhere")()
    table = multi_person.rows("multi_person", config)
    ids = [row.id for row in table]
    assert ids == "mean distl recon adapt ss ws fs_bare fs refined".split()
    for row in table:
        assert set(row.against) <= set(ids)
        assert _configure()(row.overrides).data.poses == config.data.poses
    values = {name: 1.0 for name in ("pck_rel", "auc_rel", "pck_abs", "recall")}
    values |= {name: 1.0 for name in ("precision", "error_2d")}
    side = {"overall": values, "per_sequence": {"0": values, "1": values}}
    facts = {"seed": 0, "seconds": 60.0, "target_information": "R", **FACTS}
    records = [{**facts, "row": name, "source": side, "target": side} for name in ids]
    for start, said in (("somewhere", True), ("", False)):
        config = _configure(*[f"student.start={start}"] * said)()
        found = multi_person.summarise("multi_person", table, records, config)
        text = multi_person.markdown(found)
        assert ("All students went on from that of `somewhere`" in text) == said


def test_a_stage_is_of_all_that_it_depends_on(motions):
    """Or two rows would share what was trained with other settings."""
    of_motions = ("data.poses=captured", f"data.motions={motions}")
    configure = _configure(*of_motions, "data.held_out_subjects=['03']")

    def settings(stage, *overrides):
        return multi_person._settings(configure(overrides), stage)

    for stage, override, differs in (
        ("poses", "data.held_out_subjects=['02']", True),
        ("poses", "student.sized=true", False),
        ("teacher", "data.held_out_subjects=['02']", False),
        ("alignment", "student.sized=true", True),
        ("alignment", "student.map_rate=1.0e-5", True),
        ("alignment", "student.decays=true", True),
        ("alignment", "data.held_out_subjects=['02']", True),
        ("alignment", "student.equivariance_rate=1.0e-6", False),
        ("alignment", "student.distils=true", False),
        ("equivariance", "student.distils=true", True),
    ):
        assert (settings(stage, override) != settings(stage)) == differs, override
    assert settings("poses")["content"] == {str(motions): "hash"}


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
    some = ("mean", "distl", "ss", "refined")
    table = tuple(
        dataclasses.replace(
            row,
            against=("distl",) * (row.id not in ("mean", "distl")),
            # Of H' as of Us, whose stages there are.
            overrides=() if row.id == "refined" else row.overrides,
        )
        for row in multi_person.rows("multi_person", _configure()())
        if row.id in some
    )
    monkeypatch.setattr(multi_person, "rows", lambda name, config: table)
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
        knows = "L" if line["id"] == "mean" else "R"
        assert f"| {line['title']} | {knows} |" in text
    constant = lines["mean"]["target"]
    assert constant["recall"]["median"] == constant["precision"]["median"] == 100
    assert 0 < constant["pck_rel"]["median"] < 100
    records = sorted((tmp_path / "multi_person").glob("*.json"))
    before = [path.stat().st_mtime_ns for path in records]
    assert multi_person.run(_configure(), "multi_person", [0], tmp_path, FACTS) == text
    assert [path.stat().st_mtime_ns for path in records] == before


def test_the_teachers_row_knows_no_depth(tmp_path, found_by_all, monkeypatch):
    table = multi_person.rows("multi_person_teacher", _configure()())[:1]
    monkeypatch.setattr(multi_person, "rows", lambda name, config: table)
    text = multi_person.run(_configure(), "multi_person_teacher", [0], tmp_path, FACTS)
    found = json.loads((tmp_path / "multi_person_teacher.json").read_text())
    target = found["rows"][0]["target"]
    assert "mpjpe" not in target and target["recall"]["median"] == 100.0
    assert target["error_2d"]["median"] == pytest.approx(0.0, abs=1e-3)
    assert "60.1, 38.0, 66.6" in text


def test_a_table_begins_with_a_teacher_and_an_auto_encoder(tmp_path, found_by_all):
    """All its students have these; of the other Psi the auto-encoder is its own."""
    configure, there = _configure(), tmp_path / "there"
    with pytest.raises(errors.InputError, match=r"there/canonical_encoder\.npz: no "):
        multi_person.run(configure, "multi_person", [0], tmp_path, FACTS, there)
    made = stages.make(configure(), there)
    made.train("poses", tmp_path / "work")
    made.train("teacher", tmp_path / "work")
    given = multi_person.Given(there, "artificial")
    other = configure(("data.poses=captured", "training.seed=3"))
    assert set(given.hashes(configure())) - set(given.hashes(other)) == {
        "canonical_encoder",
        "canonical_decoder",
    }
    homes = [
        multi_person.trained(config, "alignment", tmp_path / "runs", given)
        for config in (configure(), other)
    ]
    assert not list((tmp_path / "runs").glob("teacher_*/state"))
    assert len(list((tmp_path / "runs").glob("poses_*/state"))) == 1  # the other Psi's

    def hashes(folder):
        paths = (folder / f"{x}.npz" for x in ("teacher_trunk", "canonical_decoder"))
        return [checkpoint.read_meta(path)["weights_hash"] for path in paths]

    taught, psi = hashes(there)
    assert hashes(homes[0] / "checkpoints") == [taught, psi]
    trunk, decoder = hashes(homes[1] / "checkpoints")
    assert trunk == taught and decoder != psi
    with pytest.raises(errors.InputError, match="which needs no trained networks"):
        multi_person.run(configure, "multi_person_speed", [0], tmp_path, FACTS, there)


def test_a_source_that_nobody_has_labelled_is_told_before_its_mean_pose(monkeypatch):
    """Not by NumPy's warning of a mean of nothing."""
    asked = []

    def crowds(config, name, unseen=False):
        asked.append((name, unseen))
        raise errors.InputError(f"{name}: has no labelled pictures")

    monkeypatch.setattr(sources, "crowds", crowds)
    config, none = _configure()(), multi_person.Given()
    row = multi_person.rows("multi_person", config)[0]
    with pytest.raises(errors.InputError, match="studio: has no labelled pictures"):
        multi_person._measure(row, config, "nowhere", none)
    assert row.id == "mean" and asked == [("studio", True)]


def test_a_picture_counts_those_who_were_missed_in_it():
    rng = np.random.default_rng(0)
    joints = rng.uniform(-500, 500, (2, 17, 3)) + np.array([0, 0, 4000])
    joints[1] += [2000, 0, 0]
    points = 50 + joints[..., :2] / 40
    pairs = scoring.match([joints[:1]], [points[:1]], [joints], [points], 100)
    assert scoring.by_picture(pairs, [2, 0])[0]["pck_rel"] == 50.0
    assert scoring.points_by_picture(pairs, [2, 0], 100) == {0: {"pck_2d": 50.0}}
