"""The tools as a user runs them: output, one-line errors, nothing half written."""

import functools
import json
import subprocess
import sys

import numpy as np
import pytest
import tool_runner

RNG = np.random.default_rng(0)
TRUTH = RNG.normal(size=(6, 17, 3)) * 300


@pytest.fixture
def run(tmp_path):
    return functools.partial(tool_runner.run, cwd=tmp_path)


@pytest.fixture
def files(tmp_path):
    np.savez(tmp_path / "ref.npz", joints=TRUTH, skeleton="sa3dhp17", action=["a"] * 6)
    np.savez(tmp_path / "pred.npz", joints=TRUTH * [1, -1, 1], skeleton="sa3dhp17")
    return tmp_path


def test_evaluate_prints_card_table_and_diagnosis_and_writes_json(run, files):
    got = run(
        "evaluate",
        "--predictions=pred.npz",
        "--reference=ref.npz",
        "--protocol=h36m_p1",
        "--target_information=R",
        "--diagnose",
        "--output=out.json",
    )
    assert got.returncode == 0 and not got.stderr
    result = json.loads((files / "out.json").read_text())
    for text in (
        f"h36m_p1 {result['protocol_hash']}",
        f"{result['overall']['mpjpe']:.1f}",
        "right_elbow",
        "0 mm with y negated",
    ):
        assert text in got.stdout, got.stdout
    assert result["target_information"] == "R"
    first = run("compare", "--results=out.json,out.json")
    assert first.returncode == 2 and "two or more" in first.stderr
    result["protocol_hash"] = "other"
    (files / "b.json").write_text(json.dumps(result))
    refused = run("compare", "--results=out.json,b.json")
    assert refused.returncode == 2 and "--allow_different_protocols" in refused.stderr
    shown = run("compare", "--results=out.json,b.json", "--allow_different_protocols")
    assert shown.returncode == 0 and "(+0 %)" in shown.stdout


def test_predictions_of_no_unit_are_scored_by_the_card_made_for_them(run, files):
    """A student of points answers in half sides of the picture."""
    np.savez(files / "pred.npz", joints=TRUTH / 2000, skeleton="sa3dhp17")
    flags = ("--predictions=pred.npz", "--reference=ref.npz", "--protocol=nrsfm")
    done = run("evaluate", *flags, "--output=out.json")
    assert (done.returncode, done.stderr) == (0, "")
    result = json.loads((files / "out.json").read_text())
    assert result["overall"]["mpjpe"] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"joints": TRUTH[:, :16]}, "expected [N, 17, 3]"),
        ({"joints": np.where(TRUTH > 500, np.nan, TRUTH)}, "not a finite number"),
        ({"joints": TRUTH / 1000}, "looks like metres, expected mm; multiply by 1000"),
        ({"skeleton": "stickman"}, "unknown id 'stickman'"),
        ({"skeleton": "coco17"}, "has no"),
        (None, "no file"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(run, files, change, message):
    if change is None:
        (files / "pred.npz").unlink()
    else:
        good = {"joints": TRUTH, "skeleton": "sa3dhp17"}
        np.savez(files / "pred.npz", **{**good, **change})
    before = sorted(files.iterdir())
    got = run(
        "evaluate",
        "--predictions=pred.npz",
        "--reference=ref.npz",
        "--output=out.json",
    )
    assert got.returncode == 2 and not got.stdout
    assert got.stderr.startswith("error: ") and got.stderr.count("\n") == 1
    assert message in got.stderr
    assert sorted(files.iterdir()) == before


@pytest.mark.parametrize(
    "flags, message",
    [
        ([], "nothing to evaluate"),
        (["--predictions=pred.npz"], "--reference is missing"),
        (["--predictions=pred.npz", "--model=m"], "--predictions and --model"),
        (["--workdir=."], "config.yaml is missing"),
        (["--model=m"], "--dataset is missing"),
        (["--predictions=pred.npz", "--protocol=h36m"], "did you mean h36m_p"),
        (["--output=no/such/folder.json"], "make it first"),
        (["pred.npz"], "not a flag"),
    ],
)
def test_wrong_flags_are_explained(run, files, flags, message):
    got = run("evaluate", *flags)
    assert got.returncode == 2 and message in got.stderr
    assert got.stderr.count("\n") == 1


def test_arrays_are_scored_without_tensorflow(repo_root):
    """It takes seconds to import, on a busy machine half a minute."""
    code = (
        "import sys\n"
        "from sa3dhp.evaluation import doctor, evaluator, inputs, results, tables\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    environment = {"PYTHONPATH": str(repo_root), "PATH": ""}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
