"""SURREAL: the genuine file projects to the pixel and has its sides the right way."""

import numpy as np
import pytest
import scipy.io

from sa3dhp import errors
from sa3dhp.data.datasets import surreal
from sa3dhp.skeleton import skeleton as skeletons


@pytest.fixture
def info(shared_data):
    return shared_data / "formats/surreal/01_01_c0001_info.mat"


def _write(path, frames=3, **changes):
    """A file of the genuine form: two of the frames without a body where possible."""
    rng = np.random.default_rng(0)
    world = rng.normal(size=(3, 24, frames)).astype(np.float32)
    place = np.float32([[7], [-1], [0.5]])
    camera = np.einsum("ij,jkt->ikt", surreal.ROTATION, world - place[..., None])
    pixels = np.einsum("ij,jkt->ikt", surreal.MATRIX, camera)
    pixels = np.round(pixels[:2] / pixels[2:]).astype(np.float32)
    if frames > 2:
        world[:, :, 0] = pixels[:, :, 0] = 0
        pixels[:, :, 1] = np.float32([[0], [238]])
    if frames == 1:  # MATLAB drops the last axis
        world, pixels = world[..., 0], pixels[..., 0]
    data = dict(joints3D=world, joints2D=pixels, camLoc=place)
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, {**data, **changes})


def test_the_genuine_file_projects_to_the_pixel(info):
    frames = surreal.read_info(info)
    assert len(frames) == 100 and frames.skeleton == "smpl24" and frames.mirrored
    pixels = np.round(frames.camera.project(frames.joints))
    np.testing.assert_array_equal(pixels, frames.keypoints)
    assert frames.video.endswith("01_01_c0001.mp4")
    assert (frames.subject, frames.action, frames.fps) == ("01", "01_01", 30.0)


def _facing(joints, skeleton):
    """How far the feet point to where left x up does, `[T]`."""
    index = skeletons.get(skeleton).index
    left = joints[:, index("left_hip")] - joints[:, index("right_hip")]
    forward = np.cross(left, joints[:, index("neck")] - joints[:, index("pelvis")])
    feet = joints[:, index("left_foot")] - joints[:, index("left_ankle")]
    return np.sum(feet * forward, axis=-1)


def test_sides_are_those_seen_in_the_mirror(info):
    frames = surreal.read_info(info)
    assert (_facing(frames.joints, "smpl24") > 0).all()
    swapped = frames.joints[:, list(skeletons.get("smpl24").flip_indices)]
    assert (_facing(swapped, "smpl24") < 0).all()
    assert (_facing(frames.as_skeleton("sa3dhp17").joints, "sa3dhp17") > 0).all()


def test_a_person_is_upright_and_of_human_size(info):
    frames = surreal.read_info(info).as_skeleton("sa3dhp17")
    index = skeletons.SA3DHP17.index
    joints = frames.joints
    height = joints[:, index("left_ankle"), 1] - joints[:, index("head_top"), 1]
    assert 1200 < height.max() < 1900
    assert not frames.mask[:, index("head_top")].any()  # a guess, and marked as one


def test_frames_without_a_body_are_left_out(tmp_path, read_all):
    path = tmp_path / "cmu/val/run1/104_46/ung_104_46_c0003_info.mat"
    _write(path, frames=4)
    (frames,) = read_all("surreal", tmp_path)
    assert list(frames.frame_numbers) == [2, 3] == list(frames.video_indices)
    assert (frames.subject, frames.action) == ("104", "ung_104_46")
    assert frames.split == "val"
    np.testing.assert_allclose(
        frames.camera.project(frames.joints), frames.keypoints, atol=0.51
    )


def test_a_video_of_one_frame_reads(tmp_path):
    _write(tmp_path / "01_01_c0005_info.mat", frames=1)
    assert len(surreal.read_info(tmp_path / "01_01_c0005_info.mat")) == 1


def test_what_is_no_annotation_is_refused(tmp_path, read_all):
    with pytest.raises(errors.InputError, match=r"no \*_info\.mat"):
        read_all("surreal", tmp_path)
    with pytest.raises(errors.InputError, match="expected a name like"):
        surreal.read_info(tmp_path / "01_01_c0001_segm.mat")
    path = tmp_path / "a_c0001_info.mat"
    scipy.io.savemat(path, {"joints2D": np.zeros((2, 24, 3))})
    with pytest.raises(errors.InputError, match="camLoc"):
        surreal.read_info(path)
    _write(path, joints3D=np.zeros((3, 17, 3)))
    with pytest.raises(errors.InputError, match=r"expected \(3, 24, T\)"):
        surreal.read_info(path)
