"""Predictions of several videos."""

import json
import shlex
import subprocess
import sys

import numpy as np
import pytest
import small_video

from sa3dhp import errors
from sa3dhp.data.videos import detection, video
from sa3dhp.prediction import job, prediction


@pytest.fixture(autouse=True)
def red(monkeypatch):
    """The detector of drawn figures under the name of another."""
    monkeypatch.setattr(detection, "make", lambda name: small_video.detect)


def _run(source, output, **options):
    chosen = job.Options(**{"detector": "hog", **options})
    sources = video.discover(source)
    return job.run(small_video.Model(), sources, output, chosen, name="still")


def _names(folder):
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
    )


def test_of_one_video_all_lies_in_the_folder(tmp_path) -> None:
    small_video.write(tmp_path / "v.mp4", 10)
    told = _run(tmp_path / "v.mp4", tmp_path / "out")
    made = ["overlay.mp4", "person_0.bvh", "poses.csv", "poses.json", "poses.npz"]
    made += ["prediction.json", "tracks.png"]
    assert _names(tmp_path / "out") == made
    assert json.loads((tmp_path / "out/prediction.json").read_text()) == told
    assert told["sources"]["v.mp4"]["poses"] == 10 and told["model"] == "still"
    text = job.summary(told, tmp_path / "out")
    assert "v.mp4: 10 poses of 1 person in 10 frames" in text


def test_of_several_each_has_a_folder_and_what_fails_is_told(tmp_path) -> None:
    small_video.write(tmp_path / "in/a.mp4", 10)
    small_video.write(tmp_path / "in/b/c.mp4", 10, others=(130,))
    small_video.write(tmp_path / "in/b/c.avi", 10)
    (tmp_path / "in/broken.mp4").write_text("hello")
    told = _run(tmp_path / "in", tmp_path / "out", draw=False, formats=())
    names = ["a", "b/c.avi", "b/c.mp4"]
    made = [f"{name}/poses.npz" for name in names]
    assert _names(tmp_path / "out") == [*made, "prediction.json", "tracks.png"]
    assert "cannot be decoded" in told["sources"]["broken.mp4"]["skipped"]
    text = job.summary(told, tmp_path / "out")
    assert "skipped  broken.mp4: cannot be decoded" in text
    assert "b/c.mp4: 20 poses of 2 people in 10 frames" in text
    again = prediction.load(tmp_path / "out/b/c.mp4/poses.npz")
    assert again.source == "b/c.mp4"


def test_the_next_step_works_when_it_is_pasted(tmp_path) -> None:
    small_video.write(tmp_path / "v.mp4", 10)
    output = tmp_path / "my out's"
    told = _run(tmp_path / "v.mp4", output, draw=False)
    last = job.summary(told, output).splitlines()[-1]
    command = shlex.split(last.removeprefix("next: "))
    assert command[0] == "python"
    done = subprocess.run(
        [sys.executable, *command[1:]], capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stdout.startswith("(10, 17, 3) ['pelvis'")


def test_an_earlier_prediction_is_replaced_and_nothing_else(tmp_path) -> None:
    small_video.write(tmp_path / "v.mp4", 10)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/letter.txt").write_text("mine")
    with pytest.raises(errors.InputError, match="holds other things"):
        _run(tmp_path / "v.mp4", tmp_path / "out")
    assert _names(tmp_path / "out") == ["letter.txt"]
    _run(tmp_path / "v.mp4", tmp_path / "new")
    _run(tmp_path / "v.mp4", tmp_path / "new", draw=False)
    assert "overlay.mp4" not in _names(tmp_path / "new")


def test_where_nothing_can_be_read_nothing_is_written(tmp_path) -> None:
    (tmp_path / "v.mp4").write_text("hello")
    with pytest.raises(errors.InputError, match=r"nothing can be read \(v.mp4: cannot"):
        _run(tmp_path / "v.mp4", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


def test_where_nobody_is_found_the_sheet_and_empty_poses_say_so(
    tmp_path, monkeypatch
) -> None:
    low = [np.array([[30, 35, 50, 85, 0.4]], np.float32)]
    monkeypatch.setattr(detection, "make", lambda name: lambda f: low * len(f))
    small_video.write(tmp_path / "v.mp4", 10)
    told = _run(tmp_path / "v.mp4", tmp_path / "out")
    assert len(prediction.load(tmp_path / "out/poses.npz").joints) == 0
    text = job.summary(told, tmp_path / "out")
    assert "a track of 0.3 s was dropped: low confidence: 0.40, needs 0.5" in text
    assert "no person was found" in text and text.splitlines()[-1].startswith("next: ")
