"""One man in calibrated views: where the reference lies in his pictures."""

import json

import miniature
import miniature_real
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data.datasets import person_clips, real_multiview, single_frames
from sa3dhp.data.preparing import units
from sa3dhp.skeleton import skeleton as skeletons

SETTINGS = units.Settings(96, 64)


@pytest.fixture(scope="module")
def multiview(tmp_path_factory):
    folder = tmp_path_factory.mktemp("multiview")
    miniature.real_multiview(folder, frames=8)
    return folder


def test_the_calibration_is_a_camera_of_ours(multiview):
    found = real_multiview.read_calibration(multiview / "Calib.qca.txt")
    assert list(found) == ["cam01", "cam02"]
    for number, camera in enumerate(found.values()):
        want = miniature_real.camera(number)
        np.testing.assert_allclose(camera.rotation, want.rotation, atol=1e-12)
        np.testing.assert_allclose(camera.translation, want.translation, atol=1e-8)
        np.testing.assert_allclose(camera.matrix, want.matrix, atol=1e-9)
        assert camera.distortion == want.distortion and camera.size == want.size


def test_clips_and_single_pictures_are_the_same_at_half_the_rate(multiview):
    plan = real_multiview.plan(multiview, SETTINGS)
    assert plan.single == ("test",) and len(plan.units) == 4
    (note,) = plan.notes
    assert "no marker motion capture" in note
    found = {}
    for unit in plan.units:
        (found[unit.split, unit.part],) = real_multiview.read(multiview, unit, SETTINGS)
    test = found["test", "cam01"]
    assert test.fps == pytest.approx(30.0)
    assert list(test.frame_numbers) == list(test.video_indices) == [0, 2, 4, 6]
    source, scan = found["train", "cam01"]  # no joint in it
    (track,) = scan.tracks
    assert list(track.source_frames) == [0, 2, 4, 6]
    assert source.name == track.name == test.name
    x1, y1, x2, y2 = track.boxes.T
    points = test.keypoints
    assert (x1 < points[..., 0].min(1)).all() and (x2 > points[..., 0].max(1)).all()
    assert (y2 > points[..., 1].max(1)).all()
    # Room for the head, which the reference does not have.
    neck = points[:, :2, 1].mean(1)
    hips = points[:, 6:8, 1].mean(1)
    assert (y1 < neck - 0.5 * (hips - neck)).all()


def test_the_genuine_man_is_upright_and_before_his_cameras(shared_data):
    folder = shared_data / "real_multiview"
    plan = real_multiview.plan(folder, SETTINGS)
    assert len(plan.units) == 6
    for unit in plan.units[:3]:
        (frames,) = real_multiview.read(folder, unit, SETTINGS)
        assert len(frames) == 50 and frames.fps == pytest.approx(30.0)
        left, right, ankle = skeletons.get(frames.skeleton).indices(
            "left_shoulder", "right_shoulder", "left_ankle"
        )
        assert (frames.joints[..., 2] > 500).all()
        assert (frames.joints[:, left, 1] < frames.joints[:, ankle, 1]).all()
        width = np.linalg.norm(frames.joints[:, left] - frames.joints[:, right], axis=1)
        assert 300 < np.median(width) < 480  # mm
        size = np.array(frames.camera.size)
        inside = (frames.keypoints > -0.1 * size) & (frames.keypoints < 1.1 * size)
        assert inside.mean() > 0.98


def test_files_of_another_form_are_refused(multiview, tmp_path):
    with pytest.raises(errors.InputError, match="expected SinglePerson"):
        real_multiview.plan(tmp_path, SETTINGS)
    path = tmp_path / "calib.txt"
    for text in ("<a>", "<calibration/>", "<c><cameras><camera/></cameras></c>"):
        path.write_text(text)
        with pytest.raises(errors.InputError, match=r"(no|not a) Qualisys calibration"):
            real_multiview.read_calibration(path)
    with pytest.raises(errors.InputError, match="no such file, expected a reference"):
        real_multiview.read_reference(tmp_path / "none.npz")
    np.savez(tmp_path / "b.npz", X=np.zeros((2, 3, 3)), J=[1, 2, 3], frames=[0, 1])
    with pytest.raises(errors.InputError, match=r"of the landmarks \(1, 2, 3\)"):
        real_multiview.read_reference(tmp_path / "b.npz")
    del multiview


def test_blazepose_of_the_genuine_squats(shared_data):
    folder = shared_data / "person_clips"
    plan = person_clips.plan(folder, SETTINGS)
    assert [unit.split for unit in plan.units] == ["test", "train"]
    (frames,) = person_clips.read(folder, plan.units[0], SETTINGS)
    assert len(frames) == 65 and frames.fps == pytest.approx(5.0)
    hips = list(skeletons.get(frames.skeleton).indices("left_hip", "right_hip"))
    np.testing.assert_allclose(frames.joints[:, hips].mean(1), 0, atol=5)  # mm
    # The same body in both: what is wide in metres is wide in pixels.
    flat, deep = frames.keypoints, frames.joints[..., :2]
    flat, deep = (x - x[:, hips].mean(1, keepdims=True) for x in (flat, deep))
    ratio = (flat * deep).sum((1, 2)) / (deep**2).sum((1, 2))
    left = np.linalg.norm(flat - ratio[:, None, None] * deep, axis=-1)
    assert np.median(left) < 0.1 * np.ptp(flat, axis=1).max(1).mean()


def test_landmarks_of_another_form_are_refused(tmp_path):
    with pytest.raises(errors.InputError, match=r"no squats_tfjs\.mp4"):
        person_clips.plan(tmp_path, SETTINGS)
    path = tmp_path / "a.json"
    for text, words in (("{", "no landmarks"), ("[[1]]", r"got landmarks \(1, 1\)")):
        path.write_text(text)
        with pytest.raises(errors.InputError, match=words):
            person_clips.read_landmarks(path)
    path.write_text(json.dumps(np.zeros((2, 33, 3)).tolist()))
    assert person_clips.read_landmarks(path).shape == (2, 33, 3)


def test_genuine_single_frames_come_in_one_skeleton(shared_data, read_all):
    found = read_all("single_frames", shared_data / "formats")
    assert {frames.name for frames in found} == {
        "S1_Directions_1.54138969",
        "S5_SittingDown.54138969",
        "S4_Seq2_Cam0",
        "TS1",
    }
    feet = list(skeletons.SA3DHP17.indices("left_foot", "right_foot"))
    for frames in found:
        assert len(frames) == 1 and frames.skeleton == "sa3dhp17"
        assert not frames.mask[:, feet].any() and frames.mask.sum() == 15
        size = np.linalg.norm(frames.joints[0, 1] - frames.joints[0, 0])
        assert 400 < size < 620  # mm, pelvis to neck


def test_other_npz_are_passed_over(tmp_path):
    miniature.single_frames(tmp_path)
    assert single_frames.skeleton_of(tmp_path / "h36m17/some.npz") == "h36m17"
    assert single_frames.skeleton_of(tmp_path / "h36m17/other.npz") == ""
    np.savez(tmp_path / "plain.npz", a=np.zeros(3))
    assert single_frames.skeleton_of(tmp_path / "plain.npz") == ""
    assert len(single_frames.plan(tmp_path, SETTINGS).units) == 2
    with pytest.raises(errors.InputError, match=r"no \.npz with imgname"):
        (tmp_path / "empty").mkdir()
        single_frames.plan(tmp_path / "empty", SETTINGS)


def test_the_genuine_extension_is_a_test_set_of_250(shared_data, read_all):
    (frames,) = read_all("lsp_2d", shared_data / "formats")
    assert len(frames) == 250 and frames.name == "lsp_2d" and frames.joints is None
