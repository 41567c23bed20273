"""Genuine frames in SPIN's and MMPose's form, projected by the genuine cameras."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data import calibration
from sa3dhp.data.datasets.human36m import cameras as human36m_cameras
from sa3dhp.data.formats import annotated_npz, restricted_pickle
from sa3dhp.skeleton import skeleton as skeletons


@pytest.mark.parametrize(
    "file", ["camera-parameters.json", "cameras.h5", "cameras.pkl"]
)
def test_human36m_projects_to_its_own_key_points(shared_data, file):
    folder = shared_data / "formats/h36m"
    frames = annotated_npz.read(folder / "h36m_body3d_2samples.npz", "h36m17", folder)
    cameras = human36m_cameras.read(folder / file)
    for n, subject in enumerate(("S1", "S5")):
        camera = cameras[subject, "54138969"]
        pixels = camera.project(frames.joints[n])
        np.testing.assert_allclose(pixels, frames.keypoints[n], atol=5e-5)
        flat = calibration.Camera("flat", camera.matrix, camera.size)
        off = np.abs(flat.project(frames.joints[n]) - frames.keypoints[n]).max()
        assert 0.5 < off < 2.5  # without the lens
    assert frames.mask.all()


def test_the_files_of_cameras_agree(shared_data):
    folder = shared_data / "formats/h36m"
    one, other, third = (
        human36m_cameras.read(folder / name)
        for name in ("camera-parameters.json", "cameras.h5", "cameras.pkl")
    )
    assert set(one) == set(third) >= set(other)
    assert len(one) == 44 and len(other) == 28
    for key, camera in other.items():
        for same in (one[key], third[key]):
            assert camera.size == same.size
            for field in ("matrix", "distortion", "rotation", "translation"):
                np.testing.assert_allclose(
                    getattr(camera, field), getattr(same, field), atol=1e-9
                )


@pytest.mark.parametrize(
    ("file", "camera"), [("train", "S4_Seq2_Cam0"), ("test", "TS1")]
)
def test_3dhp_projects_to_its_own_key_points(shared_data, file, camera):
    folder = shared_data / "formats/mpi_inf_3dhp"
    frames = annotated_npz.read(
        folder / f"{file}_1sample.npz", "mpi_inf_3dhp17", folder
    )
    numbers = restricted_pickle.load(folder / f"cameras_{file}.pkl")[camera]
    matrix = calibration.pinhole(*numbers["f"].ravel(), *numbers["c"].ravel())
    pixels = calibration.Camera(camera, matrix, (2048, 2048)).project(frames.joints)
    distance = np.linalg.norm(pixels - frames.keypoints, axis=-1)[0]
    index = skeletons.get("mpi_inf_3dhp17").index
    loose = [index("left_hip"), index("right_hip"), index("spine")]
    assert distance[loose].max() < 2.5
    assert np.delete(distance, loose).max() < 0.2


def test_spins_24_joints_start_as_lsp(shared_data):
    folder = shared_data / "formats/h36m"
    ours = annotated_npz.read(folder / "h36m_smpl24_2samples.npz", "lsp14", folder)
    same = annotated_npz.read(folder / "h36m_body3d_2samples.npz", "h36m17", folder)
    index = skeletons.get("lsp14").index
    assert not ours.mask[:, index("head_top")].any()
    for name in ("left_knee", "right_wrist", "left_shoulder"):
        np.testing.assert_allclose(
            ours.joints[:, index(name)],
            same.joints[:, skeletons.get("h36m17").index(name)],
            atol=1.0,
        )


def test_fewer_joints_are_refused(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, imgname=np.array(["a.jpg"]), part=np.zeros((1, 14, 3)))
    assert len(annotated_npz.read(path, "lsp14", tmp_path)) == 1  # 2D only
    with pytest.raises(errors.InputError, match="17 or more"):
        annotated_npz.read(path, "h36m17", tmp_path)


def test_a_file_of_no_cameras_is_refused(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(errors.InputError, match="not a file of cameras"):
        human36m_cameras.read(tmp_path / "a.json")
    with pytest.raises(errors.InputError, match=r"expected one of \.json"):
        human36m_cameras.read(tmp_path / "a.txt")
