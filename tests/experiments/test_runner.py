"""A table end to end, a few steps of each row; what is done is not done again."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest
import tool_runner

from sa3dhp.errors import InputError
from sa3dhp.experiments import networks, rows, runner, session
from sa3dhp.systems.relation_distillation import adaptation, monitors
from sa3dhp.systems.relation_distillation import networks as networks_
from sa3dhp.training import checkpoint, loop, store

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLE = rows.Table(
    "ablation",
    "Small",
    (
        rows.SOURCE,
        rows.Row("flip", "mirrored", method="flip_average"),
        rows.Row("z3", "adapted", against="flip", rule="z3"),
    ),
)


@pytest.fixture(scope="module")
def done(three_blocks, configure, checkpoints, tmp_path_factory):
    """The table, run once: its workdir, session and summary."""
    workdir = tmp_path_factory.mktemp("reproduce")
    context = session.Session(configure, checkpoints, workdir)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "make", lambda name, base: TABLE)
        found = runner.run(context, "ablation", [0], {"commit": "c", "command": "x"})
    return workdir, context, found


def _again(context, monkeypatch, table=TABLE):
    """Runs the table again; returns the rows that were run."""
    ran = []
    monkeypatch.setattr(rows, "make", lambda name, base: table)
    original = runner._run_row

    def run_row(*arguments):
        ran.append(arguments[2].id)
        return original(*arguments)

    monkeypatch.setattr(runner, "_run_row", run_row)
    runner.run(context, "ablation", [0], {"commit": "c", "command": "x"})
    return ran


def test_every_row_leaves_a_record_of_both_models_on_the_same_sequences(done):
    workdir, _, _ = done
    for row in TABLE.rows:
        record = json.loads((workdir / "ablation" / f"{row.id}-seed0.json").read_text())
        assert record["sequences"] == ["clip_000", "clip_001"]
        for side in ("source_only", "adapted"):
            errors = record["per_sequence"][side]["mpjpe"]
            assert np.mean(errors) == pytest.approx(record[side]["mpjpe"], abs=0.01)
        assert record["commit"] == "c"
    assert record["home"]["mpjpe"] != record["source_only"]["mpjpe"]  # on `studio`
    assert record["steps"] in (0, 1, 2) and record["oracle_step"] in (0, 1, 2)
    assert [look["step"] for look in record["history"]] == [0, 1, 2]
    assert set(record["floor"]) == {"z3"}
    assert record["relation"]["non_localness"] > 0
    assert not (workdir / "ablation" / "runs" / "z3-seed0").exists()


def test_source_row_and_the_others_start_from_one_model(done):
    _, _, found = done
    errors = [row["source_only"]["mpjpe"]["median"] for row in found["rows"]]
    assert len(set(errors)) == 1
    assert found["rows"][0]["change"]["mpjpe"]["verdict"] == "unchanged"
    assert found["rows"][1]["change"]["mpjpe"]["verdict"] != "unchanged"


def test_a_row_says_what_its_method_knows_of_the_target(done):
    lines = {row["id"]: row["target_information"] for row in done[2]["rows"]}
    assert lines == {"source": "N", "z3": "R", "flip": "N"}


def test_table_is_written_as_json_text_and_picture(done):
    workdir, _, found = done
    assert json.loads((workdir / "ablation.json").read_text()) == json.loads(
        json.dumps(found)
    )
    assert "| adapted |" in (workdir / "ablation.md").read_text()
    assert (workdir / "ablation.png").read_bytes()[1:4] == b"PNG"
    assert not [p for p in workdir.iterdir() if p.name.startswith(".")]


def test_what_is_done_is_kept_and_other_settings_are_run_again(done, monkeypatch):
    workdir, context, _ = done
    assert _again(context, monkeypatch) == []
    (workdir / "ablation" / "flip-seed0.json").unlink()
    assert _again(context, monkeypatch) == ["flip"]
    other = rows.Row("z3", "adapted", ("adaptation.learning_rate=0.5",))
    table = rows.Table("ablation", "Small", (*TABLE.rows[:2], other))
    assert _again(context, monkeypatch, table) == ["z3"]


def test_a_row_that_another_table_made_is_taken_from_it(done, monkeypatch):
    workdir, context, found = done
    rest = dict(method="flip_average", title="as in the other table")
    other = rows.Table("controls", "Other", (rows.Row("same", rule="z3", **rest),))
    monkeypatch.setattr(rows, "make", lambda name, base: other)
    monkeypatch.setattr(runner, "_run_row", None)  # never called
    facts = {"commit": "later", "command": "y"}
    taken = runner.run(context, "controls", [0], facts)
    assert taken["rows"][0]["adapted"] == found["rows"][1]["adapted"]
    assert taken["rows"][0]["title"] == "as in the other table"
    assert taken["rows"][0]["relation"]["non_localness"] > 0
    assert (taken["commits"], taken["command"]) == (["c"], "y")
    assert (workdir / "controls" / "same-seed0.json").is_file()


def test_records_hold_the_schedule_and_the_settings_of_the_labels(done):
    _, context, _ = done

    def settings(*overrides):
        row = rows.Row("z3", "adapted", overrides)
        return context.settings(TABLE, row, 0)

    plain = settings()
    assert plain["schedule"] == "constant"
    assert settings("training.schedule=cosine") != plain
    other = "source.joints_weight=0.5"
    assert settings(other) == plain, "no term reads it"
    labels = ("adaptation.terms=[z3, source]", "data.labelled=1.0")
    labelled = settings(*labels)
    assert labelled["labelled"]["joints_weight"] == 1.0
    assert settings(*labels, other) != labelled


@pytest.mark.parametrize("key", ["schedule", "labelled"])
def test_a_record_made_with_other_settings_is_none(done, key, tmp_path, capsys):
    workdir, context, _ = done
    settings = context.settings(TABLE, TABLE.rows[2], 0)
    record = json.loads((workdir / "ablation" / "flip-seed0.json").read_text())
    path = tmp_path / "z3-seed0.json"
    for made, kept in ((settings, True), ({**settings, key: "other"}, False)):
        path.write_text(json.dumps({**record, "settings": made}))
        assert (runner._done(path, settings) is not None) == kept
        assert ("other settings; again" in capsys.readouterr().out) != kept
        early = {k: v for k, v in made.items() if k != key}
        path.write_text(json.dumps({**record, "settings": early}))
        assert runner._done(path, settings) is None, "of an earlier program"
        capsys.readouterr()


def test_the_readings_before_any_update_are_taken_from_an_earlier_run(
    done, monkeypatch, tmp_path
):
    _, context, _ = done
    job = context.job(TABLE, TABLE.rows[2], 0)
    target = context.target(job, None)
    first = job.run(target, tmp_path / "first")
    job = context.job(TABLE, TABLE.rows[2], 0)
    read = []
    original = monitors.Monitors.read
    monkeypatch.setattr(
        monitors.Monitors, "read", lambda *a: read.append(1) or original(*a)
    )
    again = job.run(target, tmp_path / "again")
    assert len(read) == len(again.history) - 1 == 2
    assert again.history == first.history
    job = context.job(TABLE, TABLE.rows[2], 0)
    other = dataclasses.replace(target, clips=target.clips[:, ::-1])
    job.run(other, tmp_path / "other")
    assert len(read) == 5


def test_a_run_leaves_its_readings_and_goes_back_to_any_of_them(done, tmp_path):
    _, context, _ = done
    job = context.job(TABLE, TABLE.rows[2], 0)
    start = [v.numpy() for v in job.learner.step.variables]
    course = job.run(context.target(job, None), tmp_path)
    folder = tmp_path / adaptation.SNAPSHOTS
    text = (folder / "monitors.json").read_text(encoding="utf-8")
    assert json.loads(text) == {"history": course.history}
    assert [x["step"] for x in course.history] == [0, 1, 2]
    job.go_to(tmp_path, 2)
    moved = [v.numpy() for v in job.learner.step.variables]
    assert any((a != b).any() for a, b in zip(start, moved))
    job.go_to(tmp_path, 0)
    for before, variable in zip(start, job.learner.step.variables):
        np.testing.assert_array_equal(variable, before)
    with pytest.raises(InputError, match="no such snapshot"):
        job.go_to(tmp_path, 3)


def test_a_model_predicts_as_the_step_that_it_went_to(done, tmp_path):
    """The folded G follows: predictions change with the block, and come back."""
    _, context, _ = done
    job = context.job(TABLE, TABLE.rows[2], 0)
    place = context.place(job)
    job.run(context.target(job, None), tmp_path)
    job.go_to(tmp_path, 2)
    assert np.abs(place.truth.predict(job.model) - place.joints).max() > 1e-4
    job.go_to(tmp_path, 0)
    np.testing.assert_allclose(place.truth.predict(job.model), place.joints, atol=1e-3)


def test_batch_norm_of_the_target_changes_what_is_predicted_until_a_restart(done):
    _, context, _ = done
    job = context.job(TABLE, TABLE.rows[2], 0)
    place = context.place(job)
    found = runner.METHODS["batch_norm"](context, job, place)
    assert np.abs(found - place.joints).max() > 1
    job = context.job(TABLE, TABLE.rows[2], 0)
    np.testing.assert_allclose(place.truth.predict(job.model), place.joints, atol=1e-3)


def test_pictures_seen_a_few_at_a_time_lead_to_the_same_run(done, tmp_path):
    _, context, _ = done
    found = []
    for number in (480, 4):
        sets = (f"adaptation.pictures_at_once={number}",)
        job = context.job(TABLE, rows.Row("few", "few", sets), 0)
        found.append(job.run(context.target(job, None), tmp_path / str(number)))
    for one, other in zip(*(course.history for course in found)):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-3)


def test_the_errors_at_home_are_read_once_for_all_targets(done, monkeypatch):
    _, context, _ = done
    rendered = []
    original = session._test
    monkeypatch.setattr(
        session, "_test", lambda job, name: rendered.append(name) or original(job, name)
    )
    for name in ("hall", "night"):
        row = rows.Row(name, name, (f"data.target_domain={name}",))
        place = context.place(context.job(TABLE, row, 0))
        assert place.home["mpjpe"] > 0
    assert rendered == ["hall", "night"]


def test_exact_relations_take_the_place_of_the_networks_in_the_terms_alone(
    done, tmp_path
):
    _, context, _ = done
    plain = context.job(TABLE, TABLE.rows[2], 0)
    target = context.target(plain, None)
    course = plain.run(target, tmp_path / "plain")
    row = rows.Row("exact", "exact", ("adaptation.relations=exact",))
    found = context.job(TABLE, row, 0).run(target, tmp_path / "exact")
    assert found.start["z3"] == course.start["z3"], "the monitors read the networks"
    read = [
        {tag: value for tag, value in look.items() if tag != "step"}
        for look in (found.history[-1], course.history[-1])
    ]
    assert read[0] != read[1] and np.isfinite(list(read[0].values())).all()


def test_a_run_that_diverges_returns_the_source_model(done, monkeypatch):
    _, context, _ = done
    job = context.job(TABLE, TABLE.rows[2], 0)
    place = context.place(job)

    def run(*arguments, **options):
        raise loop.Diverged("adapt: term 'z3' is nan")

    monkeypatch.setattr(job, "run", run)
    joints, found, elsewhere = runner._adapt(job, place, None, pathlib.Path("x"))
    assert elsewhere == {}
    np.testing.assert_array_equal(joints["adapted"], place.joints)
    assert "nan" in found["stopped"] and not found["adapted_model"]


def test_missing_relation_networks_are_trained_and_fitting_ones_kept(
    configure, checkpoints, done, capsys
):
    folder = done[0] / "networks"
    before = checkpoint.read_meta(folder / "relation_z3.npz")["weights_hash"]
    networks.complete(configure(), checkpoints, folder)
    assert "training" not in capsys.readouterr().out
    meta = checkpoint.read_meta(folder / "relation_z3.npz")
    assert meta["weights_hash"] == before
    rule = "{id: mine, angle_deg: 25}"
    wider = configure((f"relations.custom=[{rule}]", "relations.rules=[z3, mine]"))
    networks.complete(wider, checkpoints, folder)
    assert "training relation networks: mine\n" in capsys.readouterr().out
    made = checkpoint.read_meta(folder / "relation_mine.npz")
    assert made["pieces"] == "pose: 25 degrees" and "theta_deg" not in made
    turned = configure(
        (f"relations.custom=[{rule.replace('25', '30')}]", "relations.rules=[mine]")
    )
    with pytest.raises(InputError, match="pieces: trained with pose: 25 degrees"):
        networks_.Networks(turned, store.Store(folder)).load("relation_mine")
    assert not list(checkpoints.glob("relation_*"))


def test_wrong_flip_networks_are_others(configure, checkpoints, done, tmp_path):
    right = done[0] / "networks"
    networks.complete(configure(), checkpoints, tmp_path, wrong_flip=True)
    found = [store.Store(f).hash("relation_z3") for f in (right, tmp_path)]
    assert found[0] != found[1]


def test_each_seed_begins_with_another_term(done):
    _, context, _ = done
    row = rows.Row("all", "all", ("adaptation.terms=[cr, z3, v2]",))
    orders = [context.config(TABLE, row, seed).adaptation.terms for seed in (0, 1, 5)]
    assert orders == [("cr", "z3", "v2"), ("z3", "v2", "cr"), ("v2", "cr", "z3")]


@pytest.mark.parametrize("text", ["[]", "3", "{", "[" * 5000])
def test_what_is_no_record_is_none(text, tmp_path):
    (tmp_path / "row.json").write_text(text)
    assert runner._read(tmp_path / "row.json") is None


@pytest.mark.parametrize("text", ["[]", "{", '{"a": 2}'])
def test_a_run_whose_settings_are_not_these_begins_anew(text, tmp_path):
    folder = tmp_path / "run"
    assert runner._fresh(folder, {"a": 1}) == folder
    (folder / "state").write_text("kept")
    assert (runner._fresh(folder, {"a": 1}) / "state").is_file()
    (folder / "settings.json").write_text(text)
    assert not (runner._fresh(folder, {"a": 1}) / "state").exists()
    assert runner._read(folder / "settings.json") == {"a": 1}


def test_a_target_of_videos_is_refused(configure, checkpoints, tmp_path):
    def of_videos(overrides=()):
        return configure(("data.target=videos", *overrides))

    with pytest.raises(InputError, match="tables are of the embedded world"):
        session.Session(of_videos, checkpoints, tmp_path)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "--table is missing: one of ablation"),
        (("--table=ablation", "--seeds=a"), "--seeds: got ['a'], expected such as 0,1"),
        (("--table=ablation", "--seeds=\N{SUPERSCRIPT TWO}"), "expected such as 0,1"),
        (("--table=ablation", "--seeds=1,01"), "['1', '01'], expected each once"),
        (("--table=ablation", "--checkpoints=none"), "none/meta.json: no such checkpo"),
        (("--table=nrsfm_teacher", "--checkpoints=x"), "rows train their own networks"),
    ],
)
def test_bad_flags_are_one_line(flags, message, tmp_path):
    got = tool_runner.run("reproduce", *flags, cwd=tmp_path)
    assert got.returncode != 0 and got.stderr.count("\n") == 1
    assert message in got.stderr
    assert not list(tmp_path.iterdir())
