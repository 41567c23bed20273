"""BVH of predicted motions, read by two readers."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data.formats import bvh
from sa3dhp.prediction import animation
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import world

SKELETON = skeletons.SA3DHP17


@pytest.fixture(scope="module")
def motion():
    """One person of the embedded world, rolled, 20 frames `[20, 17, 3]`."""
    rng = np.random.default_rng(3)
    (joints,) = world.motions(rng, count=1, num_frames=20, rolled=1.0)
    return joints - joints[:, :1]


@pytest.fixture(scope="module")
def written(motion, tmp_path_factory):
    path = tmp_path_factory.mktemp("bvh") / "person.bvh"
    animation.write(path, motion, 25.0)
    return path


def _y_down(centimetres):
    return np.asarray(centimetres) * 10.0 * [1, -1, -1]


def test_our_reader_finds_the_joints_again(written, motion) -> None:
    read = bvh.read(written)
    found = _y_down(bvh.forward_kinematics(read, SKELETON.joint_names))
    assert read.fps == 25.0
    np.testing.assert_allclose(found, motion, atol=0.01)  # mm


def test_a_reader_of_others_finds_the_joints_again(written, motion) -> None:
    bvhio = pytest.importorskip("bvhio", reason="another reader needs the extra test")
    root = bvhio.readAsHierarchy(str(written))
    for frame in (0, 7, 19):
        root.loadPose(frame)
        places = {joint.Name: tuple(joint.PositionWorld) for joint, *_ in root.layout()}
        found = _y_down([places[name] for name in SKELETON.joint_names])
        np.testing.assert_allclose(found, motion[frame], atol=0.1)


def test_the_rest_pose_is_a_t_that_faces_z(written) -> None:
    places = {}
    for joint in bvh.read(written).joints:
        above = places.get(joint.parent, np.zeros(3))
        places[len(places)] = above + joint.offset
    names = bvh.read(written).names()
    at = {name: places[k] for k, name in enumerate(names)}
    assert at["left_wrist"][0] > 40 > -40 > at["right_wrist"][0]  # cm
    assert at["left_wrist"][1] == pytest.approx(at["neck"][1])
    assert at["head_top"][1] > at["neck"][1] > 0 > at["left_ankle"][1]
    assert at["left_foot"][2] > 5 and at["right_foot"][2] > 5


def test_limbs_turned_straight_back_or_gone_are_no_trouble(tmp_path) -> None:
    """Every limb along +x: from the T pose the right arm's turns by 180 degrees."""
    joints = np.zeros((3, 17, 3))
    for parent, joint in SKELETON.limbs:
        joints[:, joint] = joints[:, parent] + (100.0, 0.0, 0.0)
    joints[:, SKELETON.index("head_top")] = joints[:, SKELETON.index("neck")]
    animation.write(tmp_path / "a.bvh", joints, 30.0)
    read = bvh.read(tmp_path / "a.bvh")
    assert np.isfinite(read.values).all()
    found = _y_down(bvh.forward_kinematics(read, SKELETON.joint_names))
    np.testing.assert_allclose(found, joints, atol=0.01)


def test_limbs_have_their_median_length(tmp_path, motion) -> None:
    grown = motion * np.linspace(0.9, 1.1, len(motion))[:, None, None]
    animation.write(tmp_path / "a.bvh", grown, 30.0)
    read = bvh.read(tmp_path / "a.bvh")
    found = bvh.forward_kinematics(read, SKELETON.joint_names) * 10
    sizes = np.linalg.norm(found - found[:, list(SKELETON.parents)], axis=-1)
    meant = np.linalg.norm(grown - grown[:, list(SKELETON.parents)], axis=-1)
    np.testing.assert_allclose(
        sizes, np.tile(np.median(meant, axis=0), (20, 1)), atol=0.01
    )


@pytest.mark.parametrize(
    ("joints", "words"),
    [
        (np.zeros((0, 17, 3)), "T > 0"),
        (np.zeros((4, 16, 3)), r"expected \[T, 17, 3\]"),
        (np.full((4, 17, 3), np.nan), "expected finite joints"),
    ],
)
def test_bad_joints_are_refused_and_nothing_is_written(tmp_path, joints, words) -> None:
    with pytest.raises(errors.InputError, match=words):
        animation.write(tmp_path / "a.bvh", joints, 30.0)
    assert not list(tmp_path.iterdir())


def test_other_skeletons_are_refused(tmp_path) -> None:
    other = skeletons.get("h36m17")
    assert not animation.is_possible(other)
    with pytest.raises(errors.InputError, match="got joints of h36m17"):
        animation.write(tmp_path / "a.bvh", np.zeros((4, 17, 3)), 30.0, other)
