"""3DPW, from pickles written exactly to their layout, in Python 2's protocol."""

import pickle

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data.datasets import threedpw

FRAMES = 6


def _sequence(people=2):
    """A camera that rolls past people who stand about the world's origin, metres."""
    rng = np.random.default_rng(0)
    poses = np.tile(np.eye(4), (FRAMES, 1, 1))
    for n, angle in enumerate(np.linspace(0, 1, FRAMES)):
        poses[n, :2, :2] = [
            [np.cos(angle), -np.sin(angle)],
            [np.sin(angle), np.cos(angle)],
        ]
        poses[n, :3, 3] = (0.1 * n, 0.0, 4.0)
    detected = rng.uniform(1, 1000, (people, FRAMES, 3, 18))
    detected[0, 2] = 0.0
    valid = np.ones((people, FRAMES), np.int64)
    valid[1, :3] = 0
    return dict(
        sequence="downtown_walking_00",
        poses=[rng.normal(size=(FRAMES, 72)) for _ in range(people)],
        betas=[np.zeros(10) for _ in range(people)],
        trans=[np.zeros((FRAMES, 3)) for _ in range(people)],
        jointPositions=[rng.normal(size=(FRAMES, 72)) * 0.5 for _ in range(people)],
        poses2d=list(detected),
        cam_poses=poses,
        campose_valid=list(valid),
        cam_intrinsics=np.array([[1960.0, 0, 540], [0, 1960, 960], [0, 0, 1]]),
        genders=["m", "f"][:people],
        img_frame_ids=np.arange(FRAMES) * 2,
        texture_maps=[],
    )


def _write(root, data, split="test"):
    path = root / "sequenceFiles" / split / "downtown_walking_00.pkl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(data, 2))
    return path


def test_people_read_one_by_one(tmp_path, read_all):
    data = _sequence()
    _write(tmp_path, data)
    first, second = read_all("threedpw", tmp_path)
    assert list(first.frame_numbers) == [0, 1, 3, 4, 5]  # not detected in one
    assert list(second.frame_numbers) == [3, 4, 5]  # no camera in three
    assert first.name == "downtown_walking_00_0" and first.split == "test"
    assert first.images[2].endswith("imageFiles/downtown_walking_00/image_00003.jpg")
    assert first.camera.size == (1080, 1920)
    assert (first.skeleton, first.fps) == ("smpl24", 30.0)


def test_joints_are_mm_in_the_cameras_frame(tmp_path):
    data = _sequence()
    (first, _) = threedpw.read_sequence(_write(tmp_path, data))
    for row, frame in enumerate(first.frame_numbers):
        for joint in (0, 7, 23):
            world = data["jointPositions"][0][frame].reshape(24, 3)[joint]
            expected = data["cam_poses"][frame] @ np.append(world, 1.0)
            np.testing.assert_allclose(
                first.joints[row, joint], 1000 * expected[:3], rtol=1e-5, atol=0.01
            )


def test_joints_fall_on_the_image(tmp_path):
    (first, _) = threedpw.read_sequence(_write(tmp_path, _sequence()))
    pixels = first.camera.project(first.joints[0, 0])
    x, y, z = first.joints[0, 0]
    np.testing.assert_allclose(
        pixels, (1960 * x / z + 540, 1960 * y / z + 960), rtol=1e-5
    )


def test_the_skull_is_a_guess_and_the_rest_is_not(tmp_path):
    (first, _) = threedpw.read_sequence(_write(tmp_path, _sequence()))
    mask = first.as_skeleton("sa3dhp17").mask
    assert mask.sum() == mask.size - len(mask)


def test_other_files_are_refused(tmp_path, read_all):
    with pytest.raises(errors.InputError, match=r"no sequenceFiles/<split>/\*\.pkl"):
        read_all("threedpw", tmp_path)
    path = _write(tmp_path, {"sequence": "a"})
    with pytest.raises(errors.InputError, match="not a 3DPW sequence"):
        threedpw.read_sequence(path)
    path = _write(tmp_path, {**_sequence(), "genders": errors.InputError("x")})
    with pytest.raises(errors.InputError, match="not a pickle that is safe"):
        threedpw.read_sequence(path)
