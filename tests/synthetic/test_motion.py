"""Movement stays within anatomy, is smooth, and is a function of the seed."""

import numpy as np
import pytest

from sa3dhp.skeleton import kinematics, limits
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import body, motion

T = np.arange(90) / 30.0


def _sample(seed, activity=None):
    return motion.sample(np.random.default_rng(seed), T, activity)


@pytest.mark.parametrize("activity", motion.ACTIVITIES)
def test_every_activity_stays_within_its_limits_and_is_smooth(activity):
    for seed in range(5):
        angles, name = _sample(seed, activity)
        assert name == activity
        assert (angles >= body.LIMITS[:, 0]).all()
        assert (angles <= body.LIMITS[:, 1]).all()
        joints = body.joints(angles, body.mean_lengths())
        # A thrown hand reaches 10 m/s.
        assert np.linalg.norm(np.diff(joints, axis=0), axis=-1).max() * 30 < 12e3


def test_most_joints_are_within_the_limits_of_real_people():
    inside = []
    for seed in range(60):
        joints = body.joints(_sample(seed)[0], body.mean_lengths())
        joints = joints * np.float32([1, -1, -1])  # y down: the camera frame
        local = kinematics.to_local(joints, skeletons.SA3DHP17).numpy()
        inside.append(limits.within(local, skeletons.SA3DHP17))
    assert np.mean(inside) > 0.98


def test_the_same_seed_gives_the_same_movement_and_another_seed_another():
    np.testing.assert_array_equal(_sample(3)[0], _sample(3)[0])
    assert np.abs(_sample(3)[0] - _sample(4)[0]).max() > 0.1


def test_mirrored_angles_are_the_mirrored_pose():
    angles, _ = _sample(7)
    mirrored = angles.copy()
    for name, i in body.INDEX.items():
        if name.startswith("l_"):
            j = body.INDEX["r_" + name[2:]]
            mirrored[:, [i, j]] = angles[:, [j, i]]
        elif name in ("yaw", "roll", "spine_bend", "spine_twist", "neck_bend"):
            mirrored[:, i] = -angles[:, i]
    lengths = body.mean_lengths()
    flip = list(skeletons.SA3DHP17.flip_indices)
    expected = body.joints(angles, lengths)[:, flip] * np.float32([-1, 1, 1])
    np.testing.assert_allclose(body.joints(mirrored, lengths), expected, atol=0.01)


def test_bone_lengths_are_those_of_the_body():
    person = body.sample(np.random.default_rng(0), 0.06)
    joints = body.joints(_sample(1)[0], person.lengths)
    found = kinematics.bone_lengths(joints, skeletons.SA3DHP17).numpy()
    np.testing.assert_allclose(found, np.tile(person.lengths, (90, 1)), rtol=1e-3)


def test_a_spread_of_zero_is_the_average_adult():
    person = body.sample(np.random.default_rng(0), 0.0)
    np.testing.assert_array_equal(person.lengths, body.mean_lengths())
    assert person.girth == 1.0


@pytest.mark.parametrize(
    ("angles", "joint", "towards"),
    [
        ({"l_elbow_flexion": 1.5}, "left_wrist", (0, 0, 1)),  # hands come forward
        ({"l_shoulder_abduction": 1.5}, "left_elbow", (1, 0, 0)),  # to the left
        ({"r_shoulder_abduction": 1.5}, "right_elbow", (-1, 0, 0)),
        ({"r_hip_flexion": 1.5}, "right_knee", (0, 0, 1)),
        ({"r_knee_flexion": 1.5}, "right_ankle", (0, 0, -1)),  # shins go back
        ({"pitch": 1.0}, "neck", (0, 0, 1)),  # leans forward
    ],
)
def test_each_angle_turns_the_way_its_name_says(angles, joint, towards):
    row = np.zeros((1, len(body.ANGLES)), np.float32)
    for name, value in angles.items():
        row[0, body.INDEX[name]] = value
    i = skeletons.SA3DHP17.index(joint)
    rest = body.joints(np.zeros_like(row), body.mean_lengths())[0, i]
    moved = body.joints(row, body.mean_lengths())[0, i] - rest
    assert moved @ np.array(towards) > 200
