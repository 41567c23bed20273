"""Predictions of several videos."""

import errno
import json
import shlex
import subprocess
import sys

import cv2
import numpy as np
import pytest
import small_video
from plotly import offline

from sa3dhp import errors
from sa3dhp.data.videos import detection, video
from sa3dhp.prediction import job, prediction, predictor


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
    made += ["prediction.json", "report.html", "tracks.png"]
    assert _names(tmp_path / "out") == made
    assert json.loads((tmp_path / "out/prediction.json").read_text()) == told
    assert told["sources"]["v.mp4"]["poses"] == 10 and told["model"] == "still"
    text = job.summary(told, tmp_path / "out")
    assert "v.mp4: 10 poses of 1 person in 10 of 10 frames" in text
    assert told["frames_per_second"] == pytest.approx(10 / told["seconds"], rel=0.1)
    assert f"{told['frames_per_second']:.1f} frames/s in all" in text


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
    assert "b/c.mp4: 20 poses of 2 people in 10 of 10 frames" in text
    again = prediction.load(tmp_path / "out/b/c.mp4/poses.npz")
    assert again.source == "b/c.mp4"


def test_of_a_picture_one_is_one(tmp_path) -> None:
    cv2.imwrite(str(tmp_path / "p.png"), small_video.frame(0)[..., ::-1])
    told = _run(tmp_path / "p.png", tmp_path / "out")
    text = job.summary(told, tmp_path / "out")
    assert "p.png: 1 pose of 1 person in 1 of 1 frame\n" in text
    page = (tmp_path / "out/report.html").read_text(encoding="utf-8")
    assert "1 pose of 1 person in 1 source." in page


def test_a_video_that_may_not_be_read_is_told_and_the_others_are_done(
    tmp_path, monkeypatch
) -> None:
    for name in ("a.mp4", "b.mp4"):
        small_video.write(tmp_path / "in" / name, 10)
    whole = video.probe

    def probe(source, *args):
        if source.name == "a.mp4":
            raise PermissionError(errno.EACCES, "Permission denied", source.path)
        return whole(source, *args)

    monkeypatch.setattr(video, "probe", probe)
    told = _run(tmp_path / "in", tmp_path / "out", draw=False, formats=())
    skipped = told["sources"]["a.mp4"]["skipped"]
    assert skipped == "cannot be read (Permission denied)"
    assert told["sources"]["b.mp4"]["poses"] == 10


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


class _Stopped(small_video.Model):
    """Ctrl-C while the second batch is predicted."""

    def predict(self, images):
        if self.batches:
            raise KeyboardInterrupt
        return super().predict(images)


def test_an_interrupt_keeps_what_is_done(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(predictor, "BATCH", 7)
    for name in ("a.mp4", "b.mp4"):
        small_video.write(tmp_path / f"in/{name}", 10)
    sources = video.discover(tmp_path / "in")
    told = job.run(_Stopped(), sources, tmp_path / "out", job.Options("hog"))
    assert told["interrupted"] and "a.mp4" in told["sources"]
    made = prediction.load(tmp_path / "out/a/poses.npz")
    np.testing.assert_array_equal(made.frame, np.arange(7))
    assert "overlay.mp4" not in _names(tmp_path / "out/a")
    text = job.summary(told, tmp_path / "out")
    assert "a.mp4: interrupted: 7 of 10 poses" in text
    assert "skipped  b.mp4: interrupted before it" in text
    monkeypatch.setattr(predictor, "BATCH", 20)
    done = [small_video.Model()]

    def stop(*told):
        if told[1] == "drawing":
            raise KeyboardInterrupt

    told = job.run(
        done[0], sources, tmp_path / "out", job.Options("hog"), progress=stop
    )
    assert told["sources"]["a.mp4"]["poses"] == 10 and told["interrupted"]
    assert _names(tmp_path / "out/a") == [
        *("person_0.bvh", "poses.csv", "poses.json", "poses.npz")
    ]


def test_before_anything_is_done_an_interrupt_leaves_nothing(tmp_path) -> None:
    small_video.write(tmp_path / "v.mp4", 10)
    model = _Stopped()
    model.batches = [1]
    with pytest.raises(KeyboardInterrupt):
        sources = video.discover(tmp_path / "v.mp4")
        job.run(model, sources, tmp_path / "out", job.Options("hog"))
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]


def test_without_frames_no_output_holds_a_pixel_of_people(tmp_path) -> None:
    """The figure is red: so is no pixel of any picture, and the page has no picture."""
    small_video.write(tmp_path / "v.mp4", 10)

    def red(folder):
        sheet = cv2.imread(str(folder / "tracks.png")).astype(int)
        capture = cv2.VideoCapture(str(folder / "overlay.mp4"))
        drawn = capture.read()[1].astype(int)[:, :160]
        capture.release()
        return [
            int(((a[..., 2] > 190) & (a[..., 1] < 60) & (a[..., 0] < 60)).sum())
            for a in (sheet, drawn)
        ]

    _run(tmp_path / "v.mp4", tmp_path / "shown")
    assert min(red(tmp_path / "shown")) > 300
    assert "data:image/jpeg" in (tmp_path / "shown/report.html").read_text()
    _run(tmp_path / "v.mp4", tmp_path / "out", frames=False)
    assert red(tmp_path / "out") == [0, 0]
    page = (tmp_path / "out/report.html").read_text()
    assert "data:image/jpeg" not in page.replace(offline.get_plotlyjs(), "")
    assert '"poses":[[[' in page  # the skeletons are there


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
