"""The whole way of a video is timed beside MediaPipe's, whose stand-in is followed."""

import json
import sys
import types

import cv2
import numpy as np
import pytest
import small_video
import tool_runner

from sa3dhp.data.videos import detection, video
from sa3dhp.experiments import benchmark, pipeline_speed


class _Pose:
    """Sees somebody in every other frame."""

    frames, resets = 0, 0

    def reset(self):
        type(self).resets += 1

    def process(self, picture):
        assert picture.dtype == np.uint8 and picture.ndim == 3
        type(self).frames += 1
        points = [types.SimpleNamespace(x=0.1, y=0.2, z=0.3)] * 33
        seen = types.SimpleNamespace(landmark=points) if self.frames % 2 else None
        return types.SimpleNamespace(pose_landmarks=seen, pose_world_landmarks=seen)


@pytest.fixture
def mediapipe(monkeypatch):
    """The package as far as it is used; what was drawn by it."""
    drawn = []
    pose = types.SimpleNamespace(Pose=_Pose, POSE_CONNECTIONS=frozenset({(0, 1)}))
    utils = types.SimpleNamespace(draw_landmarks=lambda *told: drawn.append(told))
    solutions = types.SimpleNamespace(pose=pose, drawing_utils=utils)
    package = types.SimpleNamespace(solutions=solutions)
    monkeypatch.setitem(sys.modules, "mediapipe", package)
    return drawn


@pytest.fixture
def works(tmp_path, monkeypatch):
    """Yields the works of a video of 12 frames, 161 pixels wide."""
    monkeypatch.setattr(detection, "choose", lambda name: (name, ""))
    monkeypatch.setattr(detection, "make", lambda name: small_video.detect)
    small_video.write(tmp_path / "v.mp4", 12, size=(161, 120))
    (source,) = video.discover(tmp_path / "v.mp4")
    model, folder = small_video.Model(), tmp_path / "out"
    return lambda: list(pipeline_speed.works(model, source, folder, "stand-in"))


def test_both_go_over_every_frame_and_write_what_the_work_says(
    works, mediapipe, tmp_path
):
    poses, whole = works()
    assert (poses.amount, poses.unit, poses.rounds) == (12, "frames", 3)
    assert "12 frames, stand-in finds the people" in poses.name
    assert list(poses.runs) == list(whole.runs) == ["ours", "MediaPipe"]
    resets = _Pose.resets
    assert len(poses.runs["ours"]().frame) == 12
    assert poses.runs["MediaPipe"]() == 6 and not mediapipe
    assert not (tmp_path / "out").exists()
    assert whole.runs["ours"]()["sources"]["v.mp4"]["poses"] == 12
    assert whole.runs["MediaPipe"]() == 6 and len(mediapipe) == 12
    assert _Pose.resets - resets == 2  # each run is a video of its own
    for name in ("ours/overlay.mp4", "peer/overlay.mp4"):
        capture = cv2.VideoCapture(str(tmp_path / "out" / name))
        assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 12
    assert (tmp_path / "out/peer/poses.json").is_file()


def test_where_mediapipe_is_not_the_row_says_so(works, monkeypatch):
    monkeypatch.setitem(sys.modules, "mediapipe", None)
    poses, whole = works()
    assert list(poses.runs) == list(whole.runs) == ["ours"]
    text = benchmark.text([benchmark.compare(poses, 1)])
    assert "frames" in text and "no MediaPipe here" in text
    assert "pip install --no-deps mediapipe==0.10.14 attrs" in text


def test_the_tool_refuses_what_is_no_single_video(tmp_path):
    small_video.write(tmp_path / "in/a.mp4", 3)
    small_video.write(tmp_path / "in/b.mp4", 3)
    done = tool_runner.run("benchmark", "--video=in", cwd=tmp_path)
    assert done.returncode == 2 and "--video: got in, expected one" in done.stderr
    done = tool_runner.run("benchmark", "--video=none.mp4", cwd=tmp_path)
    assert done.returncode == 2 and "no such file" in done.stderr


def test_the_tool_times_a_video_alone(tmp_path):
    small_video.write(tmp_path / "v.mp4", 6)
    flags = ("--sizes=", "--video=v.mp4", "--rounds=1", "--output=told.json")
    done = tool_runner.run("benchmark", *flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "a video to poses, 6 frames" in done.stdout
    rows = json.loads((tmp_path / "told.json").read_text())["rows"]
    assert [row["unit"] for row in rows] == ["poses", "starts", "frames", "frames"]
