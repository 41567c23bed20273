"""Videos to poses."""

import json

import cv2
import numpy as np
import pytest
import small_motion
import small_video

from sa3dhp import errors
from sa3dhp.data.videos import video
from sa3dhp.prediction import predictor
from sa3dhp.visualisation import turntable


def _predict(source, **options):
    options = {"detector": small_video.detect, **options}
    return predictor.predict_video(small_video.Model(), source, **options)


@pytest.mark.parametrize("fps", [10.0, 30.0, 50.0])
def test_every_frame_has_a_pose_where_the_person_is(tmp_path, fps) -> None:
    small_video.write(tmp_path / "v.mp4", 60, fps)
    made = _predict(tmp_path / "v.mp4", name="still")
    np.testing.assert_array_equal(made.frame, np.arange(60))
    np.testing.assert_allclose(made.time, np.arange(60) / fps)
    assert (made.person == 0).all() and made.confidence[30] == np.float32(0.9)
    centres = (made.box[:, :2] + made.box[:, 2:]) / 2
    np.testing.assert_allclose(centres[:, 0], 40 + np.arange(60) // 2, atol=4)
    assert (made.fps, made.size, made.source) == (fps, (160, 120), "v.mp4")
    assert (made.model, made.model_hash) == ("still", "abc")
    # At 10 fps there is nothing that a filter of 6 Hz could take away.
    assert made.smoothing == ("none" if fps == 10 else "zero_lag")
    assert [note[:12] for note in made.notes] == ["not smoothed"] * (fps == 10)


def test_the_model_sees_the_crop_of_each_row(tmp_path) -> None:
    """A red figure of 20 x 50 in a grey square of 1.25 * 52: mean red is known."""
    small_video.write(tmp_path / "v.mp4")
    made = _predict(tmp_path / "v.mp4")
    pose = small_video.Model().pose
    size = (made.joints / np.where(pose == 0, 1, pose))[:, 1:].mean(axis=(1, 2))
    share = 20 * 52 / (1.25 * 52) ** 2
    np.testing.assert_allclose(size, 90 + share * 130, atol=6)


def test_several_people_are_rows_sorted_by_frame(tmp_path) -> None:
    small_video.write(tmp_path / "v.mp4", others=(130,))
    made = _predict(tmp_path / "v.mp4")
    assert made.num_people == 2 and len(made.frame) == 120
    order = np.lexsort((made.person, made.frame))
    np.testing.assert_array_equal(order, np.arange(120))
    right = made.box[:, 0] > 100
    assert len(np.unique(made.person[right])) == 1


def test_people_who_stand_together_are_all_predicted(tmp_path) -> None:
    small_video.write(tmp_path / "v.mp4", 20, others=(75,))
    assert _predict(tmp_path / "v.mp4").num_people == 2


def test_batches_do_not_change_the_poses(tmp_path, monkeypatch) -> None:
    small_video.write(tmp_path / "v.mp4", 20, others=(130,))
    whole = _predict(tmp_path / "v.mp4")
    monkeypatch.setattr(predictor, "BATCH", 7)
    model = small_video.Model()
    parts = predictor.predict_video(
        model, tmp_path / "v.mp4", detector=small_video.detect
    )
    assert model.batches == [7, 7, 7, 7, 7, 5]
    np.testing.assert_array_equal(parts.joints, whole.joints)


def test_a_picture_and_a_folder_of_frames_are_sources_too(tmp_path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for k in range(6):
        cv2.imwrite(str(folder / f"{k}.png"), small_video.frame(k)[..., ::-1])
    made = _predict(folder, frames_fps=12.0)
    np.testing.assert_allclose(made.time, np.arange(6) / 12)
    assert made.notes == (
        "frame folder taken as 12 fps",
        "not smoothed: 12 frames per second are too few, it takes over 12",
    )
    still = _predict(folder / "3.png")
    assert len(still.frame) == 1 and still.fps == 0 and still.time[0] == 0
    np.testing.assert_allclose(still.box[0], [31, 35, 51, 86], atol=4)


def test_given_boxes_take_the_place_of_the_detector(tmp_path) -> None:
    small_video.write(tmp_path / "v.mp4")
    rows = [[k, 30 + k // 2, 35, 20, 50] for k in (10, 40)]
    (tmp_path / "boxes.json").write_text(json.dumps({"v": rows}))
    made = _predict(tmp_path / "v.mp4", boxes=tmp_path / "boxes.json")
    np.testing.assert_array_equal(made.frame, np.arange(10, 41))
    assert (made.confidence == 1).all()


def test_a_gap_is_bridged_and_marked(tmp_path) -> None:
    """He is hidden from the detector for half a second."""
    small_video.write(tmp_path / "v.mp4", 90)
    looks = []

    def detect(frames):
        found = small_video.detect(frames)
        for boxes in found:
            boxes[:, 4] = 0.99
        looks.extend(found)
        first = len(looks) - len(found)
        gone = np.zeros((0, 5), np.float32)
        return [gone if 10 <= first + k < 15 else x for k, x in enumerate(found)]

    made = _predict(tmp_path / "v.mp4", detector=detect)
    np.testing.assert_array_equal(made.frame, np.arange(90))  # no gap is left
    np.testing.assert_array_equal(np.flatnonzero(made.bridged), np.arange(28, 45))
    assert (made.confidence[30:43] == 0).all() and made.confidence[27] > 0.8
    centres = (made.box[:, 0] + made.box[:, 2]) / 2
    np.testing.assert_allclose(centres[28:45], 40 + np.arange(28, 45) / 2, atol=4)


def test_pictures_are_kept_of_some_frames_when_asked(tmp_path) -> None:
    small_video.write(tmp_path / "v.mp4", 20)
    assert _predict(tmp_path / "v.mp4").pictures == {}
    made = _predict(tmp_path / "v.mp4", pictures=4)
    assert list(made.pictures) == [0, 5, 10, 15]
    picture = cv2.imdecode(np.frombuffer(made.pictures[5], np.uint8), 1)
    assert picture.shape == (120, 160, 3)


def test_a_model_with_its_motions_denoises_by_them(tmp_path) -> None:
    small_video.write(tmp_path / "v.mp4", 60)
    model = small_video.Model()
    source, asked = tmp_path / "v.mp4", {"detector": small_video.detect}
    with pytest.raises(errors.InputError, match=r"no motion auto-encoder.* give zero_"):
        predictor.predict_video(model, source, smooth="motion", **asked)
    assert model.batches == []  # before the work
    raw = predictor.predict_video(model, source, smooth="none", **asked)
    model.motion = lambda: small_motion.prior(still=True)
    made = predictor.predict_video(model, source, smooth="motion", **asked)
    assert made.smoothing == "motion"
    moved = [np.abs(np.diff(x.joints, axis=0)).mean() for x in (raw, made)]
    assert moved[1] < 0.2 * moved[0]


def test_nobody_is_no_pose(tmp_path) -> None:
    small_video.write(tmp_path / "v.mp4")
    made = _predict(
        tmp_path / "v.mp4",
        detector=lambda frames: [np.zeros((0, 5), np.float32) for _ in frames],
    )
    assert made.joints.shape == (0, 17, 3) and made.num_people == 0
    assert made.size == (160, 120)


def test_bad_sources_are_named(tmp_path) -> None:
    with pytest.raises(errors.InputError, match="no such file or folder"):
        _predict(tmp_path / "none.mp4")
    for name in ("a.mp4", "b.mp4"):
        (tmp_path / name).write_text("hello")
    with pytest.raises(errors.InputError, match=r"holds 2 videos \(a.mp4, b.mp4"):
        _predict(tmp_path)
    with pytest.raises(video.UnreadableError, match="cannot be decoded"):
        _predict(tmp_path / "a.mp4")


def test_it_tells_how_far_it_is(tmp_path) -> None:
    small_video.write(tmp_path / "v.mp4")
    told = []
    _predict(tmp_path / "v.mp4", progress=lambda *args: told.append(args))
    assert ("predicting", 60, 60) in told and told[0] == ("searching", 46, 60)


def test_crops_are_what_the_model_would_see_evenly_taken(tmp_path) -> None:
    small_video.write(tmp_path / "v.mp4")
    (source,) = video.discover(tmp_path / "v.mp4")
    found = predictor.crops(source, 32, small_video.detect, 5)
    assert [picture.shape for picture in found] == [(32, 32, 3)] * 5
    model = small_video.Model()
    made = _predict(tmp_path / "v.mp4", smooth="none")
    chosen = turntable.shown(60, 5)
    assert chosen[0] == 0 and len(chosen) == 5 and (np.diff(chosen) >= 12).all()
    seen = model.predict(np.stack(found))
    np.testing.assert_allclose(seen, made.joints[chosen], atol=1e-3)
