"""Local vectors: inverse of FK, mirror and view, finite gradients at nasty poses."""

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.geometry import rotation
from sa3dhp.skeleton import kinematics, skeleton

BODY = skeleton.SA3DHP17
ROUND_TRIP_MM = 0.01


def _flip(values: np.ndarray) -> np.ndarray:
    return np.asarray(values)[..., list(BODY.flip_indices), :] * (-1, 1, 1)


def _round_trip(joints: np.ndarray) -> np.ndarray:
    local = kinematics.to_local(joints, BODY)
    lengths = kinematics.bone_lengths(joints, BODY)
    return kinematics.from_local(local, BODY, lengths).numpy()


def _unit(local: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(local, axis=-1, keepdims=True)
    return local / np.where(length > 0, length, 1)


def _random_poses(count: int, seed: int = 0) -> np.ndarray:
    """Any tree of limbs, human or not, of 100 to 500 mm each."""
    rng = np.random.default_rng(seed)
    limbs = rng.normal(size=(count, 17, 3))
    limbs *= rng.uniform(100, 500, (count, 17, 1)) / np.linalg.norm(
        limbs, axis=-1, keepdims=True
    )
    joints = np.zeros((count, 17, 3))
    for parent, child in BODY.limbs:
        joints[:, child] = joints[:, parent] + limbs[:, child]
    return joints.astype(np.float32)


def _slow_to_local(joints: np.ndarray) -> np.ndarray:
    """The definition, one pose and one joint at a time, in float64."""
    rest = kinematics.rest_directions(BODY).astype(np.float64)
    parts = {name: joints[j] for j, name in enumerate(BODY.joint_names)}

    def limb(name: str) -> np.ndarray:
        vector = parts[name] - joints[BODY.parents[BODY.index(name)]]
        return vector / np.linalg.norm(vector)

    up = limb("neck")
    across = limb("left_hip") - limb("right_hip")
    normal = np.cross(across, up)
    normal /= np.linalg.norm(normal)
    across /= np.linalg.norm(across)
    torso = np.stack([np.cross(up, normal), -up, -normal])
    pelvis = np.stack([across, np.cross(across, normal), -normal])
    frames = {"neck": torso, "left_hip": pelvis, "right_hip": pelvis}
    local = np.zeros((17, 3))
    shoulders = torso @ (limb("left_shoulder") - limb("right_shoulder"))
    for j, name in enumerate(BODY.joint_names[1:], start=1):
        if name in frames:
            local[j] = limb(name)
            continue
        parent = frames[BODY.joint_names[BODY.parents[j]]]
        local[j] = parent @ limb(name)
        target = local[j]
        if name.endswith("shoulder"):
            target = shoulders * (1 if name.startswith("left") else -1)
        frames[name] = rotation.smallest(rest[j], target).T @ parent
    return local


def test_matches_the_definition_joint_by_joint() -> None:
    joints = _random_poses(200)
    want = np.stack([_slow_to_local(pose.astype(np.float64)) for pose in joints])
    error = np.abs(kinematics.to_local(joints, BODY).numpy() - want).max((1, 2))
    # Random trees come near antipodes, where the frame turns fast with the limb.
    assert np.median(error) < 1e-5
    assert np.percentile(error, 95) < 1e-4


def test_upright_person_facing_the_camera_has_the_camera_frame(poses) -> None:
    joints = poses["t_pose"]
    local = kinematics.to_local(joints, BODY).numpy()
    np.testing.assert_allclose(local[BODY.index("neck")], (0, -1, 0), atol=1e-6)
    left, right = BODY.indices("left_shoulder", "right_shoulder")
    np.testing.assert_allclose(local[left], (0.998, 0.059, 0), atol=1e-3)
    np.testing.assert_allclose(local[right], (-0.998, 0.059, 0), atol=1e-3)
    np.testing.assert_allclose(local[BODY.index("left_elbow")], (1, 0, 0), atol=1e-6)
    head = local[BODY.index("head_top")]
    np.testing.assert_allclose(head, (0, -0.993, -0.119), atol=1e-3)


def test_straight_limbs_have_the_rest_coordinates_of_their_parent(poses) -> None:
    # In its own frame a limb is where its rest direction is.
    local = kinematics.to_local(poses["t_pose"], BODY).numpy()
    rest = kinematics.rest_directions(BODY)
    for side in ("left", "right"):
        elbow, wrist = BODY.indices(f"{side}_elbow", f"{side}_wrist")
        np.testing.assert_allclose(local[wrist], rest[elbow], atol=1e-6)


def test_local_vectors_are_unit_and_the_root_is_zero(poses) -> None:
    joints = np.stack(list(poses.values()))
    local = kinematics.to_local(joints, BODY).numpy()
    assert local.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(local[:, 1:], axis=-1), 1, atol=1e-6)
    np.testing.assert_array_equal(local[:, 0], 0)


def test_round_trip_of_named_poses(poses) -> None:
    for name, joints in poses.items():
        error = np.abs(_round_trip(joints) - joints).max()
        assert error < ROUND_TRIP_MM, name


def test_round_trip_of_real_motion(mocap) -> None:
    assert np.linalg.norm(_round_trip(mocap) - mocap, axis=-1).max() < ROUND_TRIP_MM


def test_round_trip_of_random_trees() -> None:
    joints = _random_poses(5000)
    error = np.linalg.norm(_round_trip(joints) - joints, axis=-1).max(-1)
    # No human pose comes as near to an antipode as the worst of these.
    assert np.percentile(error, 99) < ROUND_TRIP_MM and error.max() < 0.1


@hypothesis.given(
    hnp.arrays(np.float32, (17, 3), elements=st.floats(-1, 1, width=32)),
)
@hypothesis.settings(deadline=None, max_examples=60)
def test_any_numbers_give_unit_vectors_and_the_lengths_asked_for(local) -> None:
    lengths = np.full(17, 200.0, np.float32)
    joints = kinematics.from_local(local, BODY, lengths)
    got = kinematics.bone_lengths(joints, BODY).numpy()
    np.testing.assert_allclose(got[1:], 200.0, rtol=1e-4)
    again = kinematics.to_local(joints, BODY).numpy()
    np.testing.assert_allclose(np.linalg.norm(again[1:], axis=-1), 1, atol=1e-5)


def test_flipped_pose_has_flipped_local_vectors(poses) -> None:
    joints = np.concatenate([np.stack(list(poses.values())), _random_poses(500)])
    want = _flip(kinematics.to_local(joints, BODY))
    got = kinematics.to_local(_flip(joints), BODY).numpy()
    np.testing.assert_allclose(got, want, atol=1e-5)
    lengths = np.full(17, 200.0)
    want = _flip(kinematics.from_local(got, BODY, lengths))
    got = kinematics.from_local(_flip(got), BODY, lengths).numpy()
    np.testing.assert_allclose(got, want, atol=1e-2)


def test_turning_the_camera_turns_neck_and_hips_alone(poses) -> None:
    turn = rotation.from_rotation_vector(np.array([0.3, -1.1, 0.7]))
    held = list(BODY.indices("neck", "left_hip", "right_hip"))
    free = [j for j in range(1, 17) if j not in held]
    for name in ("standing", "sitting", "kneeling", "lying"):
        local = kinematics.to_local(poses[name], BODY).numpy()
        turned = kinematics.to_local(poses[name] @ turn.T, BODY).numpy()
        np.testing.assert_allclose(turned[free], local[free], atol=1e-5)
        np.testing.assert_allclose(turned[held], local[held] @ turn.T, atol=1e-5)


def test_local_vectors_do_not_depend_on_bone_lengths(poses) -> None:
    local = kinematics.to_local(poses["squatting"], BODY)
    for seed in range(3):
        lengths = np.random.default_rng(seed).uniform(50, 500, 17)
        joints = kinematics.from_local(local, BODY, lengths)
        again = kinematics.to_local(joints, BODY)
        np.testing.assert_allclose(again, local, atol=1e-5)


def test_arms_and_legs_do_not_depend_on_where_neck_and_pelvis_are_marked(poses) -> None:
    # The neck 60 mm higher, the pelvis 60 mm higher, shoulders and hips in place.
    other = poses["standing"].copy()
    other[list(BODY.indices("pelvis", "neck"))] -= (0, 60, 0)
    names = [f"{s}_{p}" for s in ("left", "right") for p in ("elbow", "knee", "ankle")]
    rows = list(BODY.indices(*names))
    want = kinematics.to_local(poses["standing"], BODY).numpy()
    got = kinematics.to_local(other, BODY).numpy()
    np.testing.assert_allclose(got[rows], want[rows], atol=1e-6)


def _gradients(joints: np.ndarray) -> list:
    weights = np.random.default_rng(0).normal(size=(17, 3)).astype(np.float32)
    joints = tf.constant(joints)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(joints)
        local = kinematics.to_local(joints, BODY)
        lengths = kinematics.bone_lengths(joints, BODY)
        back = kinematics.from_local(local, BODY, lengths)
        targets = [tf.reduce_sum(x * weights) for x in (local, back)]
        targets.append(tf.reduce_sum(lengths))
    return [tape.gradient(target, joints).numpy() for target in targets]


def test_gradients_are_finite_at_every_named_pose(poses) -> None:
    for gradient in _gradients(np.stack(list(poses.values()))):
        for name, rows in zip(poses, gradient):
            assert np.isfinite(rows).all(), name


def test_gradients_are_finite_on_real_motion(mocap) -> None:
    assert all(np.isfinite(gradient).all() for gradient in _gradients(mocap))


def test_gradients_of_zero_and_antipodal_local_vectors_are_finite() -> None:
    rest = kinematics.rest_directions(BODY)
    towards = np.random.default_rng(1).normal(size=rest.shape).astype(np.float32)
    local = [np.zeros_like(rest), rest, -rest]
    local += [-rest + step * towards for step in (1e-4, 1e-2, 0.04, 0.05)]
    local = tf.constant(np.stack(local))
    with tf.GradientTape() as tape:
        tape.watch(local)
        joints = kinematics.from_local(local, BODY, np.full(17, 200.0))
        target = tf.reduce_sum(joints**2)
    assert np.isfinite(tape.gradient(target, local)).all()
    lengths = kinematics.bone_lengths(joints, BODY).numpy()[:, 1:]
    np.testing.assert_allclose(lengths, 200.0, rtol=1e-5)
    again = kinematics.to_local(joints, BODY).numpy()
    np.testing.assert_allclose(again[3:, 1:], _unit(local[3:, 1:]), atol=1e-4)


def test_gradient_is_the_slope(poses) -> None:
    weights = np.random.default_rng(0).normal(size=(17, 3))  # as in `_gradients`
    steps = 0.5 * np.random.default_rng(4).normal(size=(20, 17, 3)).astype(np.float32)
    for name in ("standing", "sitting", "kneeling", "lying"):
        joints = poses[name]
        slope = np.sum(_gradients(joints)[0] * steps, axis=(1, 2))
        ahead = kinematics.to_local(joints + steps, BODY).numpy()
        behind = kinematics.to_local(joints - steps, BODY).numpy()
        want = np.sum((ahead - behind) * weights, axis=(1, 2)) / 2
        np.testing.assert_allclose(slope, want, rtol=0.02, atol=1e-4)


def test_round_trip_passes_gradients_through_unchanged(poses) -> None:
    weights = np.random.default_rng(0).normal(size=(17, 3)).astype(np.float32)
    joints = np.stack([poses[name] for name in ("standing", "sitting", "lying")])
    got = _gradients(joints)[1]
    np.testing.assert_allclose(got[:, 1:], np.stack([weights[1:]] * 3), atol=2e-3)


def test_pose_is_relative_to_the_pelvis_whatever_its_place(poses) -> None:
    joints = poses["kneeling"]
    moved = _round_trip(joints + np.float32([100, 200, 4000]))
    np.testing.assert_allclose(moved, joints, atol=ROUND_TRIP_MM)


def test_any_leading_axes_and_half_precision(poses) -> None:
    joints = np.stack([poses["standing"], poses["sitting"]] * 3).reshape(2, 3, 17, 3)
    local = kinematics.to_local(joints.astype(np.float16), BODY)
    assert local.dtype == tf.float32 and local.shape == (2, 3, 17, 3)
    lengths = kinematics.bone_lengths(joints, BODY)
    assert lengths.shape == (2, 3, 17) and not lengths.numpy()[..., 0].any()
    assert kinematics.from_local(local, BODY, lengths).shape == (2, 3, 17, 3)
    assert kinematics.from_local(local, BODY, lengths[0, 0]).shape == (2, 3, 17, 3)
    assert kinematics.to_local(joints[0, 0], BODY).shape == (17, 3)


def test_unknown_batch_size_works_in_a_graph(poses) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 17, 3])])
    def run(joints: tf.Tensor) -> tf.Tensor:
        local = kinematics.to_local(joints, BODY)
        return kinematics.from_local(local, BODY, kinematics.bone_lengths(joints, BODY))

    joints = np.stack([poses["standing"], poses["sitting"]])
    np.testing.assert_allclose(run(joints), joints, atol=ROUND_TRIP_MM)


def test_nan_is_not_hidden(poses) -> None:
    joints = poses["standing"].copy()
    wrist = BODY.index("left_wrist")
    joints[wrist] = np.nan
    local = kinematics.to_local(joints, BODY).numpy()
    assert np.isnan(local[wrist]).all()
    assert np.isfinite(np.delete(local, wrist, axis=0)).all()


def test_bone_lengths_are_distances() -> None:
    joints = np.zeros((17, 3))
    joints[BODY.index("neck")] = (0, -300, 400)
    lengths = kinematics.bone_lengths(joints, BODY).numpy()
    assert lengths[BODY.index("neck")] == 500 and lengths[BODY.index("left_hip")] == 0
    assert lengths[BODY.index("head_top")] == 500


def test_wrong_shapes_are_named() -> None:
    message = r"joints: expected \[\.\.\., 17, 3\], got \(8, 16, 3\)"
    with pytest.raises(errors.InputError, match=message):
        kinematics.to_local(np.zeros((8, 16, 3)), BODY)
    with pytest.raises(errors.InputError, match=message):
        kinematics.bone_lengths(np.zeros((8, 16, 3)), BODY)
    with pytest.raises(errors.InputError, match=r"local: expected \[\.\.\., 17, 3\]"):
        kinematics.from_local(np.zeros(17), BODY, np.zeros(17))
    with pytest.raises(errors.InputError, match=r"bone_lengths: expected \[\.\.\., 17"):
        kinematics.from_local(np.zeros((17, 3)), BODY, np.zeros(16))
    other = skeleton.get("h36m17")
    with pytest.raises(errors.InputError, match="needs the joints of sa3dhp17"):
        kinematics.to_local(np.zeros((17, 3)), other)


def test_rest_directions_mirror() -> None:
    rest = kinematics.rest_directions(BODY)
    np.testing.assert_allclose(rest, _flip(rest), atol=1e-7)
    np.testing.assert_allclose(np.linalg.norm(rest[1:], axis=-1), 1, atol=1e-6)
