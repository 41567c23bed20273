"""MPI-INF-3DHP, from files written exactly to their layout."""

import h5py
import numpy as np
import pytest
import scipy.io

from sa3dhp import errors
from sa3dhp.data import calibration
from sa3dhp.data.datasets import mpi_inf_3dhp
from sa3dhp.data.formats import restricted_pickle

MATRIX = calibration.pinhole(1497.693, 1497.103, 1024.704, 1051.394)
EXTRINSIC = np.array([[1.0, 0, 0, 10], [0, 0, -1, 20], [0, 1, 0, 3000], [0, 0, 0, 1]])


def _joints(frames, count, seed=0):
    rng = np.random.default_rng(seed)
    return rng.uniform(-700, 700, (frames, count, 3)) + np.array([0, 0, 3500])


def _project(joints):
    return calibration.Camera("a", MATRIX, (2048, 2048)).project(joints)


def _write_train(root, frames=7, cameras=14):
    folder = root / "S1/Seq1"
    folder.mkdir(parents=True)
    cells = {key: np.empty((14, 1), object) for key in ("annot2", "annot3", "univ")}
    for camera in range(cameras):
        joints = _joints(frames, 28, camera)
        cells["annot3"][camera, 0] = joints.reshape(frames, 84)
        cells["univ"][camera, 0] = 0.95 * joints.reshape(frames, 84)
        cells["annot2"][camera, 0] = _project(joints).reshape(frames, 56)
    scipy.io.savemat(
        folder / "annot.mat",
        dict(
            annot2=cells["annot2"],
            annot3=cells["annot3"],
            univ_annot3=cells["univ"],
            cameras=np.arange(14)[None],
            frames=np.arange(frames)[:, None],
        ),
    )
    lines = ["Skeletool Camera Calibration File V1.0"]
    fx, cx, fy, cy = 1497.693, 1024.704, 1497.103, 1051.394
    for camera in range(14):
        lines += [
            f"name          {camera}",
            "  sensor      10 10",
            "  size        2048 2048",
            "  animated    0",
            f"  intrinsic   {fx} 0 {cx} 0 0 {fy} {cy} 0 0 0 1 0 0 0 0 1 ",
            f"  extrinsic   {' '.join(str(v) for v in EXTRINSIC.ravel())} ",
            "  radial      0",
        ]
    (folder / "camera.calibration").write_text("\n".join(lines) + "\n")
    return folder


def test_a_training_sequence_reads_per_camera(tmp_path, read_all):
    _write_train(tmp_path)
    items = read_all("mpi_inf_3dhp", tmp_path)
    assert [item.camera.name for item in items] == list("01245678")
    for item in items:
        assert (item.subject, item.action, item.split) == ("S1", "Seq1", "train")
        assert item.fps == 25.0 and item.skeleton == "mpi_inf_3dhp28"
        assert item.video.endswith(
            f"S1/Seq1/imageSequence/video_{item.camera.name}.avi"
        )
        assert item.frame_numbers[0] == 1 and item.video_indices[0] == 0
        np.testing.assert_allclose(
            item.camera.project(item.joints), item.keypoints, atol=1e-2
        )


def test_the_true_height_is_the_default_of_training(tmp_path):
    folder = _write_train(tmp_path)
    (true,) = mpi_inf_3dhp.read_train_sequence(folder, cameras=[3])
    (same,) = mpi_inf_3dhp.read_train_sequence(folder, "univ_annot3", [3])
    np.testing.assert_allclose(true.joints, _joints(7, 28, 3), rtol=1e-6)
    np.testing.assert_allclose(same.joints, 0.95 * true.joints, rtol=1e-5)
    with pytest.raises(errors.InputError, match="got 'annot2'"):
        mpi_inf_3dhp.read_train_sequence(folder, "annot2")


def test_only_frames_of_use_are_read(tmp_path, monkeypatch):
    folder = _write_train(tmp_path)
    monkeypatch.setitem(mpi_inf_3dhp.SEQUENCES, "S1/Seq1", (25, 5))
    assert len(mpi_inf_3dhp.read_train_sequence(folder)[0]) == 5


def test_a_calibration_knows_the_world(tmp_path):
    folder = _write_train(tmp_path)
    cameras = mpi_inf_3dhp.read_calibration(folder / "camera.calibration")
    assert sorted(cameras) == list(range(14))
    np.testing.assert_array_equal(cameras[13].matrix, MATRIX)
    np.testing.assert_allclose(cameras[13].from_world([1.0, 2, 3]), (11, 17, 3002))
    (tmp_path / "empty").write_text("hello")
    with pytest.raises(errors.InputError, match="no cameras in it"):
        mpi_inf_3dhp.read_calibration(tmp_path / "empty")


def test_the_table_of_sequences_is_the_official_one(shared_data):
    import json

    path = shared_data / "formats/mpi_inf_3dhp/sequence_info.json"
    official = json.loads(path.read_text(encoding="utf-8"))
    assert mpi_inf_3dhp.SEQUENCES == {
        name: (entry["fps"], entry["num_frames"]) for name, entry in official.items()
    }


def _write_test(root, scene="TS1", frames=9):
    folder = root / "mpi_inf_3dhp_test_set" / scene
    folder.mkdir(parents=True)
    joints = _joints(frames, 17)
    valid = np.arange(frames) % 3 != 0
    with h5py.File(folder / "annot_data.mat", "w") as file:
        file["annot2"] = _project(joints)[:, None]
        file["annot3"] = joints[:, None]
        file["univ_annot3"] = 1.05 * joints[:, None]
        file["valid_frame"] = valid[:, None].astype(np.float64)
        file["activity_annotation"] = (np.arange(frames)[:, None] % 7 + 1).astype(float)
        file["bb_crop"] = np.zeros((frames, 34))
    return folder


def test_a_test_scene_reads(tmp_path, read_all):
    _write_test(tmp_path)
    (frames,) = read_all("mpi_inf_3dhp", tmp_path)
    assert list(frames.frame_numbers) == [2, 3, 5, 6, 8, 9]  # the valid ones, from 1
    assert list(frames.labels) == [2, 3, 5, 6, 1, 2]
    assert frames.images[0].endswith("TS1/imageSequence/img_000002.jpg")
    assert (frames.name, frames.split) == ("TS1", "test")
    np.testing.assert_allclose(frames.camera.matrix, MATRIX, rtol=1e-6)
    assert frames.camera.size == (2048, 2048)


def test_one_height_is_the_default_of_testing(tmp_path):
    folder = _write_test(tmp_path, "TS5")
    same = mpi_inf_3dhp.read_test_scene(folder)
    true = mpi_inf_3dhp.read_test_scene(folder, "annot3", valid_only=False)
    assert len(true) == 9 and len(same) == 6
    np.testing.assert_allclose(
        true.camera.project(true.joints), true.keypoints, atol=0.01
    )
    kept = true.joints[same.frame_numbers - 1]
    np.testing.assert_allclose(same.joints, 1.05 * kept, rtol=1e-5)
    assert same.camera.size == (1920, 1080)


def test_a_fitted_camera_is_that_of_the_genuine_scene(shared_data):
    """One genuine frame is enough to find its camera to a pixel."""
    folder = shared_data / "formats/mpi_inf_3dhp"
    with np.load(folder / "test_1sample.npz") as data:
        joints, keypoints = data["S"][..., :3], data["part"][..., :2]
    genuine = restricted_pickle.load(folder / "cameras_test.pkl")["TS1"]
    firm = [n for n in range(17) if n not in (8, 11, 15)]
    matrix = calibration.fit_pinhole(joints[:, firm], keypoints[:, firm])
    camera = calibration.Camera("TS1", matrix, (2048, 2048))
    np.testing.assert_allclose(
        camera.project(joints)[:, firm], keypoints[:, firm], atol=0.2
    )
    np.testing.assert_allclose(matrix[:2, 2], genuine["c"].ravel(), atol=1.0)
    np.testing.assert_allclose(matrix[[0, 1], [0, 1]], genuine["f"].ravel(), rtol=5e-3)


def test_other_files_are_refused(tmp_path, read_all):
    neither = r"neither S\*/Seq\*/annot\.mat nor TS\*/annot_data\.mat"
    with pytest.raises(errors.InputError, match=neither):
        read_all("mpi_inf_3dhp", tmp_path)
    (tmp_path / "annot_data.mat").write_bytes(b"MATLAB 5.0")
    with pytest.raises(errors.InputError, match="not a test annotation"):
        mpi_inf_3dhp.read_test_scene(tmp_path)
    scipy.io.savemat(tmp_path / "annot.mat", {"annot2": np.zeros(2)})
    with pytest.raises(errors.InputError, match="no annot2 or no annot3"):
        mpi_inf_3dhp.read_train_sequence(tmp_path)
