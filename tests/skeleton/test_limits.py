"""Joint limits: real motion is inside, impossible joints are not."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.skeleton import kinematics, limits, skeleton

BODY = skeleton.SA3DHP17


def _within(joints: np.ndarray) -> dict:
    local = kinematics.to_local(joints.astype(np.float32), BODY).numpy()
    return dict(zip(BODY.joint_names, limits.within(local, BODY)))


def test_real_motion_is_inside(mocap) -> None:
    inside = limits.within(kinematics.to_local(mocap, BODY).numpy(), BODY)
    assert inside.shape == (len(mocap), 17)
    assert inside.mean() > 0.999 and inside.all(-1).mean() > 0.99


def test_random_directions_are_outside() -> None:
    local = np.random.default_rng(0).normal(size=(20000, 17, 3))
    inside = limits.within(local, BODY)
    assert inside.all(-1).mean() < 1e-3
    free = [j for j, name in enumerate(BODY.joint_names) if name in limits.LIMITS]
    assert (inside[:, free].mean(0) < 0.66).all()


def test_human_poses_are_inside(poses) -> None:
    for name in ("standing", "sitting", "kneeling", "squatting", "arms_up", "t_pose"):
        outside = [joint for joint, ok in _within(poses[name]).items() if not ok]
        assert not outside, name


def test_view_is_free(poses) -> None:
    for name in ("lying", "head_to_camera"):
        assert all(_within(poses[name]).values())


@pytest.mark.parametrize("side", ["left", "right"])
def test_joints_bent_the_wrong_way_are_outside(poses, side: str) -> None:
    def bent(part: str, offset: tuple, below: tuple = ()) -> np.ndarray:
        joints = poses["standing"].astype(np.float64).copy()
        joint = BODY.index(f"{side}_{part}")
        sign = (-1, 1, 1) if side == "right" else (1, 1, 1)
        shift = joints[BODY.parents[joint]] + np.multiply(offset, sign) - joints[joint]
        for name in (part, *below):
            joints[BODY.index(f"{side}_{name}")] += shift
        return joints

    knee = bent("ankle", (0, 0, -420), ("foot",))  # the shin forwards
    assert not _within(knee)[f"{side}_ankle"]
    thigh = bent("knee", (0, -200, 370), ("ankle", "foot"))  # up and back
    assert not _within(thigh)[f"{side}_knee"]
    elbow = bent("elbow", (-150, -200, 150), ("wrist",))  # up, back and inwards
    assert not _within(elbow)[f"{side}_elbow"]
    forearm = bent("wrist", (0, 0, 240))  # backwards from a hanging arm
    assert not _within(forearm)[f"{side}_wrist"]
    foot = bent("foot", (0, 0, 150))  # the toes behind the heel
    assert not _within(foot)[f"{side}_foot"]
    assert sum(not ok for ok in _within(foot).values()) == 1


def test_head_upside_down_is_outside(poses) -> None:
    joints = poses["standing"].copy()
    joints[BODY.index("head_top")] = joints[BODY.index("neck")] + (0, 200, 50)
    assert not _within(joints)["head_top"]


def test_limits_mirror() -> None:
    local = np.random.default_rng(0).normal(size=(5000, 17, 3))
    flipped = local[:, list(BODY.flip_indices)] * (-1, 1, 1)
    inside, mirrored = limits.within(local, BODY), limits.within(flipped, BODY)
    np.testing.assert_array_equal(mirrored, inside[:, list(BODY.flip_indices)])


def test_the_centre_is_inside_and_its_antipode_is_not() -> None:
    for name, limit in limits.LIMITS.items():
        local = np.zeros((2, 17, 3))
        local[:, BODY.index(name)] = [limit.centre, np.negative(limit.centre)]
        inside = limits.within(local, BODY)[:, BODY.index(name)]
        np.testing.assert_array_equal(inside, [True, False])


def test_boundary_is_where_the_table_says() -> None:
    # The head's centre leans forwards; azimuth 180 is straight towards the front.
    limit = limits.LIMITS["head_top"]
    start = np.arctan2(limit.centre[2], -limit.centre[1])  # towards the back
    for off, want in ((-1, True), (1, False)):
        angle = start - np.radians(limit.polar_deg[6] + off)
        local = np.zeros((17, 3))
        local[BODY.index("head_top")] = (0, -np.cos(angle), np.sin(angle))
        assert limits.within(local, BODY)[BODY.index("head_top")] == want


def test_nan_is_outside_and_wrong_shapes_are_named() -> None:
    assert not limits.within(np.full((17, 3), np.nan), BODY).any()
    with pytest.raises(errors.InputError, match=r"local: expected .* got \(16, 3\)"):
        limits.within(np.zeros((16, 3)), BODY)


def test_random_vectors_are_anywhere_within_the_limits_and_nowhere_else() -> None:
    rng = np.random.default_rng(0)
    local = limits.sample(rng, 4000, BODY)
    np.testing.assert_allclose(np.linalg.norm(local[:, 1:], axis=-1), 1.0, atol=1e-5)
    assert limits.within(local, BODY).all()
    # As even as directions on a sphere of which those outside are thrown away.
    every = rng.normal(size=(60000, 3))
    every /= np.linalg.norm(every, axis=-1, keepdims=True)
    for name in ("left_elbow", "right_knee", "head_top"):
        joint = BODY.index(name)
        tried = np.tile(local[:1], (len(every), 1, 1))
        tried[:, joint] = every
        kept = every[limits.within(tried, BODY)[:, joint]]
        np.testing.assert_allclose(local[:, joint].mean(0), kept.mean(0), atol=0.06)
        np.testing.assert_allclose(local[:, joint].std(0), kept.std(0), atol=0.05)
    rest = kinematics.rest_directions(BODY)
    fixed = [BODY.index(x) for x in ("neck", "left_hip", "right_hip")]
    np.testing.assert_allclose(local[:, fixed], np.tile(rest[fixed], (4000, 1, 1)))
