"""The algebra of the rules on poses and clips."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.skeleton import kinematics, skeleton, transforms

BODY = skeleton.SA3DHP17
ANGLES = st.floats(-7, 7)


def _poses(*shape: int, seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(*shape, 17, 3)) * 300
    return values.astype(np.float32)


def _close(got: tf.Tensor, want: tf.Tensor) -> None:
    np.testing.assert_allclose(got, want, atol=2e-3)


def test_flip_twice_is_identity() -> None:
    joints = _poses(4)
    np.testing.assert_array_equal(
        transforms.flip(transforms.flip(joints, BODY), BODY), joints
    )


def test_flip_mirrors_x_and_swaps_left_with_right() -> None:
    joints = np.zeros((17, 3), np.float32)
    joints[BODY.index("left_wrist")] = (100, -20, 30)
    joints[BODY.index("head_top")] = (7, -700, 0)
    flipped = transforms.flip(joints, BODY).numpy()
    np.testing.assert_array_equal(flipped[BODY.index("right_wrist")], (-100, -20, 30))
    np.testing.assert_array_equal(flipped[BODY.index("head_top")], (-7, -700, 0))
    assert not flipped[BODY.index("left_wrist")].any()


def test_positive_angle_turns_x_towards_y() -> None:
    joints = np.zeros((17, 3), np.float32)
    joints[1] = (1, 0, 5)
    got = transforms.rotate_in_plane(joints, np.pi / 2).numpy()
    np.testing.assert_allclose(got[1], (0, 1, 5), atol=1e-6)


@hypothesis.given(ANGLES, ANGLES)
@hypothesis.settings(deadline=None, max_examples=30)
def test_rotations_add_up(a: float, b: float) -> None:
    joints = _poses(2)
    twice = transforms.rotate_in_plane(transforms.rotate_in_plane(joints, a), b)
    _close(twice, transforms.rotate_in_plane(joints, a + b))


@hypothesis.given(ANGLES)
@hypothesis.settings(deadline=None, max_examples=30)
def test_flip_after_rotation_is_the_opposite_rotation_after_flip(angle: float) -> None:
    joints = _poses(2)
    _close(
        transforms.flip(transforms.rotate_in_plane(joints, angle), BODY),
        transforms.rotate_in_plane(transforms.flip(joints, BODY), -angle),
    )


def test_backward_twice_is_identity_and_commutes_with_flip() -> None:
    clip = _poses(2, 30)
    np.testing.assert_array_equal(transforms.backward(transforms.backward(clip)), clip)
    np.testing.assert_array_equal(transforms.backward(clip), clip[:, ::-1])
    np.testing.assert_array_equal(
        transforms.flip(transforms.backward(clip), BODY),
        transforms.backward(transforms.flip(clip, BODY)),
    )


def test_rules_keep_bone_lengths_up_to_sides() -> None:
    joints = _poses(5)
    lengths = kinematics.bone_lengths(joints, BODY)
    turned = kinematics.bone_lengths(transforms.rotate_in_plane(joints, 0.9), BODY)
    np.testing.assert_allclose(turned, lengths, rtol=1e-5, atol=1e-3)
    mirrored = kinematics.bone_lengths(transforms.flip(joints, BODY), BODY).numpy()
    np.testing.assert_allclose(mirrored[:, list(BODY.flip_indices)], lengths, rtol=1e-5)


def test_flip_mirrors_local_vectors_as_well() -> None:
    joints = _poses(5)
    got = kinematics.to_local(transforms.flip(joints, BODY), BODY)
    want = transforms.flip(kinematics.to_local(joints, BODY), BODY)
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_each_pose_may_have_its_own_angle() -> None:
    joints = _poses(3, 4)
    angles = np.random.default_rng(0).uniform(-3, 3, (3, 4)).astype(np.float32)
    got = transforms.rotate_in_plane(joints, angles).numpy()
    for i in np.ndindex(3, 4):
        _close(got[i], transforms.rotate_in_plane(joints[i], angles[i]))
    per_clip = transforms.rotate_in_plane(joints, angles[:, :1]).numpy()
    _close(per_clip[1, 3], transforms.rotate_in_plane(joints[1, 3], angles[1, 0]))


def test_keypoints_in_the_image_follow_the_joints() -> None:
    joints = _poses(3)
    _close(
        transforms.flip(joints[..., :2], BODY), transforms.flip(joints, BODY)[..., :2]
    )
    _close(
        transforms.rotate_in_plane(joints[..., :2], 0.4),
        transforms.rotate_in_plane(joints, 0.4)[..., :2],
    )


def test_inputs_are_left_alone_and_dtypes_kept() -> None:
    joints = _poses(2).astype(np.float64)
    before = joints.copy()
    assert transforms.flip(joints, BODY).dtype == tf.float64
    assert transforms.rotate_in_plane(joints, 0.3).dtype == tf.float64
    np.testing.assert_array_equal(joints, before)


def test_wrong_shapes_are_named() -> None:
    message = r"joints: expected \[\.\.\., 17, 3\], got \(8, 16, 3\)"
    with pytest.raises(errors.InputError, match=message):
        transforms.flip(np.zeros((8, 16, 3)), BODY)
    with pytest.raises(errors.InputError, match=r"got \(17,\)"):
        transforms.flip(np.zeros(17), BODY)
    with pytest.raises(errors.InputError, match=r"clip: expected \[\.\.\., T, J, 3\]"):
        transforms.backward(np.zeros((17, 3)))
