"""Captured turns move a body as the captured one."""

import numpy as np
import pytest

from sa3dhp.geometry import rotation
from sa3dhp.synthetic.people import body as bodies
from sa3dhp.synthetic.people import motion

AT = bodies.SKELETON.index
# Where the bones of CMU's figure point at rest.
REST = {
    "LowerBack": [0.0, 1.0, -0.03],
    **{
        f"{side}{bone}": [x * sign, y, z]
        for side, sign in (("Left", 1.0), ("Right", -1.0))
        for bone, (x, y, z) in dict(
            UpLeg=(0.34, -0.94, 0.0),
            Leg=(0.34, -0.94, 0.0),
            Foot=(0.09, -0.24, 0.97),
            Arm=(1.0, 0.0, 0.0),
            ForeArm=(1.0, 0.0, 0.0),
            Hand=(1.0, 0.0, 0.0),
        ).items()
    },
}
REST = {name: np.array(way) / np.linalg.norm(way) for name, way in REST.items()}
LIMBS = {
    f"{side}_{child}": (f"{side}_{parent}", f"{side.capitalize()}{bone}")
    for side in ("left", "right")
    for child, parent, bone in (
        ("elbow", "shoulder", "Arm"),
        ("wrist", "elbow", "ForeArm"),
        ("knee", "hip", "UpLeg"),
        ("ankle", "knee", "Leg"),
    )
}


def _capture(rng, rig, frames: int = 5, size: float = 0.7) -> motion.Capture:
    """Random turns of every bone."""
    turns = {
        name: rotation.from_rotation_vector(rng.normal(0, size, (frames, 3)))
        for name in rig.names
    }
    return motion.Capture(turns, REST, rng.normal(0, 1, (frames, 3)), 0.84)


def test_limbs_point_as_the_captured_ones(cast, skeleton) -> None:
    capture = _capture(np.random.default_rng(0), cast.body.rig)
    posed = motion.pose(cast.body.rig, skeleton, capture)
    for child, (parent, bone) in LIMBS.items():
        way = posed.joints[:, AT(child)] - posed.joints[:, AT(parent)]
        way = way / np.linalg.norm(way, axis=-1, keepdims=True)
        np.testing.assert_allclose(way, capture.turns[bone] @ REST[bone], atol=1e-9)


def test_limbs_keep_their_length_and_the_root_its_path(cast, skeleton) -> None:
    capture = _capture(np.random.default_rng(1), cast.body.rig)
    joints = motion.pose(cast.body.rig, skeleton, capture).joints
    rest = skeleton.joints
    for child, (parent, _) in LIMBS.items():
        length = np.linalg.norm(joints[:, AT(child)] - joints[:, AT(parent)], axis=-1)
        expected = np.linalg.norm(rest[AT(child)] - rest[AT(parent)])
        np.testing.assert_allclose(length, expected)
    path = joints[:, 0] - joints[0, 0]
    scaled = (capture.path - capture.path[0]) * skeleton.leg / capture.leg
    np.testing.assert_allclose(path, scaled, atol=1e-9)


def test_at_rest_arms_point_sideways_and_feet_ahead(cast, skeleton) -> None:
    rig = cast.body.rig
    still = {name: np.eye(3)[None] for name in rig.names}
    capture = motion.Capture(still, REST, np.zeros((1, 3)), 0.84)
    posed = motion.pose(rig, skeleton, capture)
    joints = posed.joints[0]
    assert joints[AT("left_wrist"), 0] > 0.6 and joints[AT("right_wrist"), 0] < -0.6
    for side in ("left", "right"):
        foot = joints[AT(f"{side}_foot")] - joints[AT(f"{side}_ankle")]
        assert foot[2] > 0.1
    # Soles stay flat: a foot is turned about the vertical alone.
    foot = posed.turns[0, rig.index("LeftFoot")]
    np.testing.assert_allclose(foot[1], [0.0, 1.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(joints[0, [0, 2]], 0.0, atol=1e-9)


def test_the_lowest_sole_is_on_the_floor(cast, skeleton) -> None:
    rig = cast.body.rig
    capture = _capture(np.random.default_rng(2), rig, size=0.2)
    posed = motion.pose(rig, skeleton, capture)
    feet = posed.joints[:, bodies.SKELETON.indices("left_foot", "right_foot")]
    assert -0.02 < feet[..., 1].min() < 0.12


def test_a_twisted_hand_twists_half_the_forearm(cast, skeleton) -> None:
    rig = cast.body.rig
    capture = _capture(np.random.default_rng(3), rig)
    for name in ("LeftHand", "LeftFingerBase"):
        capture.turns[name] = capture.turns["LeftForeArm"]
    plain = motion.pose(rig, skeleton, capture)
    angle = 1.2
    twist = rotation.from_axis_angle(REST["LeftHand"], angle)
    turned = capture.turns["LeftForeArm"] @ twist
    capture.turns["LeftHand"] = turned
    posed = motion.pose(rig, skeleton, capture)
    np.testing.assert_allclose(posed.joints, plain.joints, atol=1e-9)
    fore = rig.index("LeftForeArm")
    between = np.swapaxes(plain.turns[:, fore], 1, 2) @ posed.turns[:, fore]
    cosine = (np.trace(between, axis1=1, axis2=2) - 1) / 2
    np.testing.assert_allclose(np.arccos(cosine), angle / 2, atol=0.02)


def test_curled_fingers_move_no_joint(cast, skeleton) -> None:
    capture = _capture(np.random.default_rng(4), cast.body.rig)
    open_, closed = (
        motion.pose(cast.body.rig, skeleton, capture, curl) for curl in ((0, 0), (1, 1))
    )
    np.testing.assert_allclose(open_.joints, closed.joints)
    finger = cast.body.rig.index("LeftHandFinger1")
    assert np.abs(open_.turns[:, finger] - closed.turns[:, finger]).max() > 0.5


def test_points_at_rest_go_where_their_bone_goes(cast, skeleton) -> None:
    capture = _capture(np.random.default_rng(5), cast.body.rig)
    posed = motion.pose(cast.body.rig, skeleton, capture)
    elbow = cast.body.rig.index("LeftForeArm")
    for bone in (elbow, cast.body.rig.index("LeftArm")):  # both end there
        there = posed.turns[:, bone] @ skeleton.heads[elbow] + posed.places[:, bone]
        np.testing.assert_allclose(there, posed.joints[:, AT("left_elbow")], atol=1e-9)
    moved = posed.select(slice(1, 3)).moved(np.array([1.0, 0.0, 0.0]))
    assert len(moved) == 2
    np.testing.assert_allclose(moved.joints - posed.joints[1:3], [[[1, 0, 0]] * 17] * 2)


@pytest.mark.parametrize("name", ["LHipJoint", "LeftToeBase", "LeftShoulder"])
def test_bones_that_a_capture_lacks_follow_their_parents(cast, skeleton, name) -> None:
    rig = cast.body.rig
    capture = _capture(np.random.default_rng(6), rig)
    parent = rig.names[rig.parents[rig.index(name)]]
    capture.turns[name] = capture.turns[parent]
    full = motion.pose(rig, skeleton, capture)
    del capture.turns[name]
    np.testing.assert_allclose(motion.pose(rig, skeleton, capture).turns, full.turns)
