"""`tools/pretrain.py` as a user runs it."""

import json
import pathlib

import pytest
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
        (["--checkpoints=setup.py"], "setup.py: is a file, expected a folder's name"),
        (["--precision=half"], "value should be one of"),
        (["--strategy=mirrored"], "expected --system=relation_distillation --stage=so"),
        (["--strategy=mirrored", "--stage=source"], "expected frozen or reestimated"),
    ],
)
def test_bad_input_is_one_line(tmp_path, args, message):
    done = _pretrain(*args, f"--workdir={tmp_path / 'run'}")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and done.stderr.startswith("error: ")
    assert message in done.stderr
    assert not (tmp_path / "run").exists()


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
