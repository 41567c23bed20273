"""People before a camera that is none."""

import cv2
import numpy as np
import pytest
import small_video

from sa3dhp import errors
from sa3dhp.data.videos import detection
from sa3dhp.prediction import job, live, prediction


class _Camera:
    """Shows drawn figures at 10 frames per second; Ctrl-C after the last."""

    def __init__(self, pictures, interrupt=True):
        self.pictures, self.interrupt = list(pictures), interrupt
        self.count, self.released = 0, False

    def read(self):
        if self.count == len(self.pictures):
            if self.interrupt:
                raise KeyboardInterrupt
            return False, None
        self.count += 1
        return True, np.ascontiguousarray(self.pictures[self.count - 1][..., ::-1])

    def release(self):
        self.released = True

    def clock(self):
        return 100.0 + self.count / 10


def _run(camera, output, monkeypatch, **more):
    monkeypatch.setattr(detection, "make", lambda name: small_video.detect)
    options = {"detector": "hog", **more.pop("options", {})}
    chosen = job.Options(**options)
    return live.run(
        small_video.Model(), camera, output, chosen, clock=camera.clock, **more
    )


@pytest.mark.parametrize("interrupt", [True, False])
def test_ctrl_c_or_the_end_keeps_all_poses(tmp_path, monkeypatch, interrupt) -> None:
    camera = _Camera([small_video.frame(k) for k in range(20)], interrupt)
    told = _run(camera, tmp_path / "out", monkeypatch, name="still")
    assert camera.released
    made = prediction.load(tmp_path / "out/poses.npz")
    np.testing.assert_array_equal(made.frame, np.arange(20))
    np.testing.assert_allclose(made.time, np.arange(1, 21) / 10)
    assert made.num_people == 1 and not made.bridged.any()
    assert (made.smoothing, made.source, made.fps) == ("one_euro", "camera", 10.0)
    centres = (made.box[:, 0] + made.box[:, 2]) / 2
    np.testing.assert_allclose(centres, 40 + np.arange(20) // 2, atol=3)  # it lags
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        *("poses.npz", "poses.json", "poses.csv", "person_0.bvh"),
        *("report.html", "tracks.png", "prediction.json"),
    }
    assert told["frames_per_second"] == 10.0
    assert "camera: 20 poses of 1 person" in job.summary(told, tmp_path / "out")


def test_a_gap_is_bridged_a_longer_one_is_another_person(tmp_path, monkeypatch) -> None:
    empty = np.full_like(small_video.frame(0), 90)
    still = small_video.frame(0)
    pictures = [still] * 5 + [empty] * 6 + [still] * 5 + [empty] * 15 + [still] * 5
    _run(_Camera(pictures), tmp_path / "out", monkeypatch)
    made = prediction.load(tmp_path / "out/poses.npz")
    first, second = made.rows(0), made.rows(1)
    np.testing.assert_array_equal(made.frame[first], np.arange(26))  # and a second on
    gone = [*range(5, 11), *range(16, 26)]
    np.testing.assert_array_equal(np.flatnonzero(made.bridged[first]), gone)
    assert (made.confidence[made.bridged] == 0).all()
    np.testing.assert_array_equal(made.frame[second], np.arange(31, 36))


def test_several_people_keep_their_numbers(tmp_path, monkeypatch) -> None:
    pictures = [small_video.frame(k, 130) for k in range(10)]
    _run(_Camera(pictures), tmp_path / "out", monkeypatch)
    made = prediction.load(tmp_path / "out/poses.npz")
    assert made.num_people == 2 and len(made.frame) == 20
    for person in (0, 1):
        assert np.ptp(made.box[made.rows(person), 0]) < 10


def test_time_is_up_and_nothing_private_is_kept(tmp_path, monkeypatch) -> None:
    camera = _Camera([small_video.frame(k) for k in range(20)])
    options = {"smooth": "none", "frames": False}
    _run(camera, tmp_path / "out", monkeypatch, seconds=1.0, options=options)
    made = prediction.load(tmp_path / "out/poses.npz")
    assert len(made.frame) == 10 and made.smoothing == "none"
    page = (tmp_path / "out/report.html").read_text()
    assert '"pictures":[]' in page


def test_a_camera_has_no_future_to_smooth_by(tmp_path, monkeypatch) -> None:
    with pytest.raises(errors.InputError, match="next frames are not known"):
        options = {"smooth": "motion"}
        _run(_Camera([]), tmp_path / "out", monkeypatch, options=options)


def test_nobody_and_nothing(tmp_path, monkeypatch) -> None:
    empty = np.full_like(small_video.frame(0), 90)
    told = _run(_Camera([empty] * 3), tmp_path / "out", monkeypatch)
    assert "no person was found" in job.summary(told, tmp_path / "out")
    with pytest.raises(errors.InputError, match="it gave no frame"):
        _run(_Camera([]), tmp_path / "none", monkeypatch)
    assert not (tmp_path / "none").exists()


def test_a_number_is_a_camera_unless_there_is_such_a_file(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert live.camera("0") == 0 and live.camera("v.mp4") is None
    (tmp_path / "7").mkdir()
    assert live.camera("7") is None


def test_a_camera_that_is_not_there_is_told() -> None:
    level = cv2.getLogLevel()
    with pytest.raises(errors.InputError, match="camera 99: there is none"):
        live.open_camera(99)
    assert cv2.getLogLevel() == level
