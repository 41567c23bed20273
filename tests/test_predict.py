"""tools/predict.py on a drawn video, and what users get wrong."""

import json
import pathlib

import numpy as np
import pytest
import small_video
import tool_runner

ROOT = pathlib.Path(__file__).resolve().parent.parent


def test_a_video_becomes_poses_and_a_drawn_video(tmp_path):
    small_video.write(tmp_path / "v.mp4", 12)
    rows = [[k, 30 + k // 2, 35, 20, 50] for k in range(12)]
    (tmp_path / "boxes.json").write_text(json.dumps({"v.mp4": rows}))
    done = tool_runner.run(
        "predict",
        *("--input=v.mp4", "--output=out", "--boxes=boxes.json", "--mirrored"),
        cwd=tmp_path,
        fresh=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        *("poses.npz", "poses.json", "poses.csv", "person_0.bvh"),
        *("overlay.mp4", "tracks.png", "prediction.json", "report.html"),
    }
    with np.load(tmp_path / "out/poses.npz", allow_pickle=False) as file:
        assert file["joints"].shape == (12, 17, 3)
        assert np.isfinite(file["joints"]).all() and np.abs(file["joints"]).max() > 300
        assert str(file["model"]) == "people" and str(file["model_hash"])
    assert "the mean of each picture and its mirror image" in done.stdout
    assert "drawing v.mp4" in done.stdout and " frames/s in all" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("next: python -c ")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ([], ["--input"]),
        (["--input=v.mp4"], ["--output"]),
        (["--input=typo.mp4", "--output=out"], ["typo.mp4: no such file or folder"]),
        (["--input=*.avi", "--output=out"], ["*.avi: no video and no picture fits"]),
        (["--input=99", "--output=out"], ["camera 99: there is none"]),
        (
            ["--input=99", "--output=out", "--smooth=motion"],
            ["smooth: got 'motion'", "next frames are not known"],
        ),
        (
            ["--input=v.mp4", "--output=out", "--detector=hog", "--pack=x"],
            ["no such domain pack"],
        ),
        (["--input=v.mp4", "--output=out", "--precision=half"], ["should be one of"]),
        (["--input=v.mp4", "--output=full"], ["full holds other things"]),
        (["--input=v.mp4", "--output=out", "--detector=x"], ["detector: got x"]),
        (
            ["--input=v.mp4", "--output=out", "--system=multi_person"],
            ["--model", "saw drawings alone", "configs/multi_person_folder.yaml says"],
        ),
        (
            ["--input=v.mp4", "--output=out", "--system=multi_person", "--boxes=x"],
            ["--boxes=x", "sees everybody", "leave it out"],
        ),
        (
            ["--input=v.mp4", "--output=out", "--system=multi_person", "--mirrored"],
            ["--mirrored=True", "leave it out"],
        ),
        (
            [
                "--input=v.mp4",
                "--output=out",
                "--system=multi_person",
                "--smooth=motion",
            ],
            ["smooth: got 'motion'", "has no such part"],
        ),
        (["--input=v.mp4", "--output=out", "--formats=fbx"], ["formats: got fbx"]),
        (["--input=v.mp4", "--output=out", "--boxes=x"], ["boxes file: cannot read x"]),
        (["--input=v.mp4", "--output=out", "--detector=hog", "--model=x"], ["model:"]),
    ],
)
def test_bad_input_is_one_line_and_leaves_no_trace(tmp_path, flags, words):
    (tmp_path / "v.mp4").write_text("hello")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/letter.txt").write_text("mine")
    done = tool_runner.run("predict", *flags, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ") and done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr
    assert not (tmp_path / "out").exists()
