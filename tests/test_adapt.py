"""The main job end to end, a few steps of everything: train, adapt, measure, export.

With a small ResNet: the whole one is run where it is shipped, by predict and export.
"""

import json
import pathlib
import shlex

import cv2
import numpy as np
import pytest
import tool_runner
from plotly import offline

ROOT = pathlib.Path(__file__).resolve().parent.parent
METRICS = {"mpjpe", "pa_mpjpe", "n_mpjpe", "pck", "auc"}


@pytest.fixture(scope="module")
def adapted(tmp_path_factory):
    """A workdir in which every stage ran for a few steps, and what was printed."""
    folder = tmp_path_factory.mktemp("adapt")
    smoke = ROOT / "configs" / "smoke.yaml"
    flags = (f"--config={smoke}", "--workdir=run", "--from_scratch")
    done = tool_runner.run("adapt", *flags, cwd=folder, small=True)
    assert done.returncode == 0, done.stderr
    return folder / "run", done


def test_a_run_prints_nothing_that_is_not_ours(adapted):
    _, done = adapted
    assert done.stderr == ""
    assert "tensorflow" not in done.stdout.lower()
    command = done.stdout.splitlines()[-1].removeprefix("next: ")
    *start, page = shlex.split(command)
    assert start == ["python", "-m", "webbrowser", "-t"]
    assert page == (adapted[0] / "report.html").resolve().as_uri()


def test_the_result_has_the_documented_keys(adapted):
    result = json.loads((adapted[0] / "result.json").read_text())
    for side in ("source_only", "adapted"):
        assert set(result[side]) >= METRICS
        assert np.isfinite(list(result[side].values())).all()
    keys = {"protocol", "target_information", "seed", "config", "commit", "steps"}
    assert keys <= set(result)
    assert result["target_information"] == "R" and result["protocol"] == "procedural"


def test_the_report_is_self_contained(adapted):
    text = (adapted[0] / "report.html").read_text(encoding="utf-8")
    assert "data:image/png;base64," in text
    ours = text.replace(offline.get_plotlyjs(), "")  # a browser looks at that
    assert 'src="http' not in ours and 'href="http' not in ours


def test_the_exported_model_scores_what_the_result_says(adapted):
    workdir, _ = adapted
    done = tool_runner.run(
        "evaluate",
        f"--workdir={workdir}",
        "--protocol=procedural",
        "--output=again.json",
        cwd=workdir,
        small=True,
    )
    assert done.returncode == 0, done.stderr
    again = json.loads((workdir / "again.json").read_text())
    told = json.loads((workdir / "result.json").read_text())
    found = again.get("overall", again)["mpjpe"]
    assert found == pytest.approx(told["adapted"]["mpjpe"], rel=0.05)  # bfloat16


def test_base_and_pack_export_the_same_model(adapted):
    workdir, _ = adapted
    done = tool_runner.run(
        "export", f"--workdir={workdir}", "--output=again", cwd=workdir, small=True
    )
    assert done.returncode == 0, done.stderr
    from sa3dhp.export import saved_model

    images = np.random.default_rng(0).integers(0, 255, (3, 40, 40, 3), np.uint8)
    first = saved_model.load(workdir / "saved_model")(images)["joints"]
    second = saved_model.load(workdir / "again")(images)["joints"]
    np.testing.assert_allclose(first, second, atol=0.1)


def test_videos_run_to_the_end(adapted, tmp_path):
    """A drawn figure with a boxes file: no detector, no truth."""
    workdir, _ = adapted
    boxes = {}
    for name in ("one", "two"):
        path = tmp_path / "clips" / f"{name}.mp4"
        path.parent.mkdir(exist_ok=True)
        writer = cv2.VideoWriter(
            str(path), cv2.VideoWriter_fourcc(*"mp4v"), 30, (160, 120)
        )
        rows = []
        for frame in range(64):
            picture = np.full((120, 160, 3), 70, np.uint8)
            x = 40 + frame
            cv2.circle(picture, (x, 30), 9, (120, 160, 220), -1)
            cv2.rectangle(picture, (x - 12, 40), (x + 12, 100), (200, 90, 40), -1)
            writer.write(picture)
            rows.append([frame, x - 14, 20, 28, 82])
        writer.release()
        boxes[f"{name}.mp4"] = rows
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    done = tool_runner.run(
        "adapt",
        f"--config={ROOT / 'configs' / 'smoke.yaml'}",
        f"--videos={tmp_path / 'clips'}",
        f"--boxes={tmp_path / 'boxes.json'}",
        f"--checkpoints={workdir / 'checkpoints'}",
        "--workdir=mine",
        cwd=tmp_path,
        small=True,
    )
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (tmp_path / "mine").iterdir()}
    expected = {"result.json", "report.html", "saved_model", "domain_pack"}
    assert names >= expected | {"overlays.png", "tracks.png"}
    assert "tracks: look at mine/tracks.png" in done.stdout
    assert done.stderr == ""


@pytest.mark.slow
def test_two_devices_adapt_to_the_same_result(untrained, tmp_path):
    flags = (f"--config={untrained.parent / 'config.yaml'}", "--seed=1")
    flags += (f"--checkpoints={untrained}",)
    results = []
    for devices, strategy in ((1, "none"), (2, "mirrored")):
        more = (f"--strategy={strategy}", f"--workdir={strategy}")
        done = tool_runner.run(
            "adapt", *flags, *more, cwd=tmp_path, small=True, devices=devices
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        results.append(json.loads((tmp_path / strategy / "result.json").read_text()))
    one, two = (result["adapted"] for result in results)
    assert one == pytest.approx(two, rel=1e-4)


def test_something_in_the_way_of_the_model_is_told_before_the_work(tmp_path):
    (tmp_path / "domain_pack").mkdir()
    (tmp_path / "domain_pack" / "notes.txt").write_text("mine")
    done = tool_runner.run("adapt", "--workdir=.", cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "domain_pack holds other things" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["domain_pack"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--videos=empty"], ["empty", "no video"]),
        (["--videos="], ["--videos: expected a value, got none"]),
        (["--videos=typo"], ["typo: no such file or folder"]),
        (["--videos=v.mp4,typo.mp4"], ["typo.mp4: no such file or folder"]),
        (["--videos=v.mp4", "--detector=x"], ["detector: got x"]),
        (["--videos=v.mp4", "--boxes=x"], ["boxes file: cannot read x"]),
        (["--boxes=x"], ["--boxes=x: is for videos alone", "procedural"]),
        (["--detector=hog"], ["--detector=hog: is for videos alone"]),
        (["--set=data.imagesize=64"], ["data.imagesize", "data.image_size"]),
        (["--checkpoints=nowhere"], ["nowhere", "tools/pretrain.py"]),
        (["--config=missing.yaml"], ["missing.yaml"]),
        (["--set=data.evaluation_card=h36m"], ["protocol: unknown card 'h36m'"]),
        (
            ["--videos=v.mp4", "--boxes=b.json", "--set=adaptation.select=oracle"],
            ["select: got 'oracle'", "no labels here"],
        ),
        (["--precision=float8"], ["precision"]),
        (["--strategy=mirror"], ["--strategy", "<none|mirrored|multi_worker>"]),
        (["--strategy=multi_worker"], ["TF_CONFIG: got nothing, expected as in"]),
        (["--strategy=mirrored", "--from_scratch"], ["not with --from_scratch"]),
    ],
)
def test_bad_input_is_one_line_with_the_remedy(tmp_path, flags, words):
    (tmp_path / "empty").mkdir()
    (tmp_path / "v.mp4").write_bytes(b"x")
    (tmp_path / "b.json").write_text('{"v.mp4": [[0, 5, 5, 4, 4]]}')
    done = tool_runner.run("adapt", *flags, "--workdir=run", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr
    assert not (tmp_path / "run" / "result.json").exists()
    assert not (tmp_path / "run").exists()
