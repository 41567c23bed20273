"""`tools/pretrain.py` as a user runs it."""

import json
import pathlib

import numpy as np
import pytest
import small_nrsfm
import tool_runner

ROOT = pathlib.Path(__file__).resolve().parent.parent


def _pretrain(*args):
    return tool_runner.run("pretrain", "--config=configs/smoke.yaml", *args, cwd=ROOT)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--stage=source"], "pose_encoder.npz: no such checkpoint; run python"),
        (["--set=source.setps=3"], "unknown key source.setps; did you mean source.st"),
        (["--set=source.learning_rate=1e-4"], "write 1.0e-4"),
        (["--config=none.yaml"], "none.yaml: no such configuration file"),
        (["--stage=sauce"], "value should be one of"),
        (["--stage=source,all"], "value should be one of <all|pose_autoencoder|"),
        (["--checkpoints=setup.py"], "setup.py: is a file, expected a folder's name"),
        (["--set=image_encoder.weights=w.npz"], "weights: no file w.npz; expected a R"),
        (["--precision=half"], "value should be one of"),
        (["--strategy=multi_worker"], "TF_CONFIG: got nothing, expected as in"),
    ],
)
def test_bad_input_is_one_line(tmp_path, args, message):
    done = _pretrain(*args, f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")
    assert message in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_folder_in_the_way_of_the_model_is_told_before_the_work(tmp_path):
    (tmp_path / "saved_model").mkdir()
    (tmp_path / "saved_model" / "notes.txt").write_text("mine")
    done = tool_runner.run(
        *("pretrain", "--system=interventions", f"--workdir={tmp_path}"),
        *("--config=configs/interventions_world.yaml",),
        cwd=ROOT,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "saved_model holds other things (it has no saved_model.pb)" in done.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["saved_model", "notes.txt"]


def test_some_stages_train_in_the_systems_order(tmp_path):
    """Of those given the first is told to lack what it needs."""
    done = tool_runner.run(
        *("pretrain", "--system=multi_person", "--stage=equivariance,alignment"),
        f"--workdir={tmp_path}",
        cwd=ROOT,
    )
    assert done.returncode == 2 and "teacher" in done.stderr, done.stderr


def test_a_sister_system_trains_on_two_devices(tmp_path):
    """To which numbers: `systems/test_strategies.py`."""
    changes = [f"--set={x}" for x in small_nrsfm.SMALL]
    done = tool_runner.run(
        *("pretrain", "--system=nrsfm", "--stage=teacher", "--strategy=mirrored"),
        *("--config=configs/nrsfm_world.yaml", "--workdir=run", *changes),
        cwd=tmp_path,
        devices=2,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "note: " not in done.stdout  # of one device
    assert "--system=nrsfm --stage=student" in done.stdout.splitlines()[-1]
    assert (tmp_path / "run" / "teacher_model" / "saved_model.pb").is_file()
    with np.load(tmp_path / "run" / "reconstruction.npz") as found:
        assert np.isfinite(found["joints"]).all()


@pytest.mark.slow
def test_all_stages_run_quietly_and_say_what_comes_next(tmp_path):
    done = _pretrain("--stage=all", f"--workdir={tmp_path}", "--precision=float32")
    assert (done.returncode, done.stderr) == (0, "")
    assert "relation_v3" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("next: python tools/adapt.py")
    run = json.loads((tmp_path / "run.json").read_text())
    assert (run["precision"], run["stage"]) == ("float32", "all")
    assert len(list((tmp_path / "checkpoints").glob("*.npz"))) == 8
    again = _pretrain("--set=training.seed=2", f"--workdir={tmp_path}")
    assert again.returncode == 2 and "another --workdir" in again.stderr
