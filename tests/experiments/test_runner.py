"""A table end to end, a few steps of each row; what is done is not done again."""

import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from sa3dhp.errors import InputError
from sa3dhp.experiments import networks, rows, runner, session
from sa3dhp.synthetic import world
from sa3dhp.systems.relation_distillation import build, config, monitors
from sa3dhp.training import checkpoint, loop, store

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMALL = (
    "relations.rules=[z3]",
    "relations.steps=2",
    "relations.pairs=8",
    "relations.pose_widths=[8, 32]",
    "adaptation.terms=[z3]",
    "adaptation.steps=2",
    "adaptation.evaluate_every=1",
    "data.evaluation_clips=2",
    "data.target_clips=3",
    "training.precision=float32",
)
TABLE = rows.Table(
    "ablation",
    "Small",
    (
        rows.SOURCE,
        rows.Row("flip", "mirrored", method="flip_average"),
        rows.Row("z3", "adapted", against="flip", rule="z3"),
    ),
)


def _configure(overrides=()):
    return config.load(ROOT / "configs" / "smoke.yaml", (*SMALL, *overrides))


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory):
    """Networks as they are made, but for the relations'."""
    folder = tmp_path_factory.mktemp("checkpoints")
    known = store.Store(folder)
    builder = build.Builder(_configure(), known)
    names = ("pose_encoder", "pose_decoder", "motion_encoder", "motion_decoder")
    known.save({name: builder.network(name) for name in names})
    known.save_bones(build.SKELETON, world.mean_bone_lengths())
    known.save({"image_encoder": builder.network("image_encoder")}, image_size=32)
    return folder


@pytest.fixture(scope="module")
def done(checkpoints, tmp_path_factory):
    """The table, run once: its workdir, session and summary."""
    workdir = tmp_path_factory.mktemp("reproduce")
    context = session.Session(_configure, checkpoints, workdir)
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


def test_the_look_before_any_update_is_taken_from_an_earlier_run(
    done, monkeypatch, tmp_path
):
    _, context, _ = done
    job = context.job(TABLE, TABLE.rows[2], 0)
    clips = context.clips(job, None)
    error = iter([7.0] * 9).__next__
    first = job.run(clips, tmp_path / "first", test_error=error)
    job = context.job(TABLE, TABLE.rows[2], 0)
    looked = []
    relations = monitors.relations
    monkeypatch.setattr(
        monitors, "relations", lambda *a: looked.append(1) or relations(*a)
    )
    again = job.run(clips, tmp_path / "again", test_error=error)
    assert len(looked) == len(again.history) - 1 == 2
    assert again.history == first.history
    job = context.job(TABLE, TABLE.rows[2], 0)
    job.run(clips[::-1], tmp_path / "other", test_error=error)
    assert len(looked) == 5


def test_a_run_that_diverges_returns_the_source_model(done, monkeypatch):
    _, context, _ = done
    job = context.job(TABLE, TABLE.rows[2], 0)
    place = context.place(job)

    def run(*arguments, **options):
        raise loop.Diverged("adapt: term 'z3' is nan")

    monkeypatch.setattr(job, "run", run)
    joints, found = runner._adapt(job, place, None, pathlib.Path("x"), "adapt")
    np.testing.assert_array_equal(joints["adapted"], place.joints)
    assert "nan" in found["stopped"] and not found["adapted_model"]


def test_missing_relation_networks_are_trained_and_fitting_ones_kept(
    checkpoints, done, capsys
):
    folder = done[0] / "networks"
    before = checkpoint.read_meta(folder / "relation_z3.npz")["weights_hash"]
    networks.complete(_configure(), checkpoints, folder)
    assert "training" not in capsys.readouterr().out
    meta = checkpoint.read_meta(folder / "relation_z3.npz")
    assert meta["weights_hash"] == before
    rule = "{id: mine, angle_deg: 25}"
    wider = _configure((f"relations.custom=[{rule}]", "relations.rules=[z3, mine]"))
    networks.complete(wider, checkpoints, folder)
    assert "training relation networks: mine\n" in capsys.readouterr().out
    made = checkpoint.read_meta(folder / "relation_mine.npz")
    assert made["pieces"] == "pose: 25 degrees" and "theta_deg" not in made
    turned = _configure(
        (f"relations.custom=[{rule.replace('25', '30')}]", "relations.rules=[mine]")
    )
    with pytest.raises(InputError, match="pieces: trained with pose: 25 degrees"):
        build.Builder(turned, store.Store(folder)).load("relation_mine")
    assert not list(checkpoints.glob("relation_*"))


def test_wrong_flip_networks_are_others(checkpoints, done, tmp_path, capsys):
    right = done[0] / "networks"
    networks.complete(_configure(), checkpoints, tmp_path, wrong_flip=True)
    found = [store.Store(f).hash("relation_z3") for f in (right, tmp_path)]
    assert found[0] != found[1]


def test_a_target_of_videos_is_refused(checkpoints, tmp_path):
    def configure(overrides=()):
        return _configure(("data.target=videos", *overrides))

    with pytest.raises(InputError, match="tables are of the embedded world"):
        session.Session(configure, checkpoints, tmp_path)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ((), "--table is missing: one of ablation"),
        (("--table=ablation", "--seeds=a"), "--seeds: got ['a'], expected such as 0,1"),
        (("--table=ablation", "--checkpoints=none"), "none/meta.json: no such checkpo"),
    ],
)
def test_bad_flags_are_one_line(flags, message, tmp_path):
    command = [sys.executable, str(ROOT / "tools" / "reproduce.py"), *flags]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    got = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert got.returncode != 0 and got.stderr.count("\n") == 1
    assert message in got.stderr
