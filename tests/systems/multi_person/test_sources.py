"""Pictures and labels turn alike; whom the teacher saw gets the nearest truth."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data import prepared
from sa3dhp.skeleton import kinematics, limits
from sa3dhp.synthetic import world
from sa3dhp.systems.multi_person import canonical, networks, poses, sources

SKELETON = poses.SKELETON


def test_points_stay_on_what_they_show_when_the_picture_is_turned():
    rng = np.random.default_rng(0)
    turns, flipped = sources._turns(rng, 8, 60, 20.0)
    assert {True, False} == set(flipped.tolist())
    for turn, mirrored in zip(turns, flipped):
        assert (np.linalg.det(turn[:, :2]) < 0) == mirrored
        image = np.zeros((1, 60, 60, 3), np.uint8)
        image[0, 20:23, 34:37] = 255
        shown = sources._warped(image, turn[None])[0, ..., 0].astype(float)
        rows, columns = np.nonzero(shown > 60)
        weight = shown[rows, columns]
        found = [np.average(columns, weights=weight), np.average(rows, weights=weight)]
        expected = turn[:, :2] @ [35.0, 21.0] + turn[:, 2]
        np.testing.assert_allclose(found, expected, atol=0.5)


def test_cells_and_pixels_are_the_inverse_of_each_other():
    points = np.array([[0.0, 111.0], [-0.5, 55.5]])
    cells = sources.in_cells(points, 112)
    np.testing.assert_allclose(cells[1], [-0.5, 13.5])
    np.testing.assert_allclose(sources.in_pixels(cells, 112), points)


def test_truth_is_that_of_the_nearest_pelvis_or_unknown(load):
    found = sources.crowds(load("data.people=3", "data.unseen=6"), "street", True)
    seen = found.points[:, ::-1] + 1.0  # in another order, and a little off
    joints, points = sources.truth_of(seen, found, 56)
    there = np.isfinite(seen[:, :, SKELETON.root, 0])
    np.testing.assert_array_equal(joints[there], found.joints[:, ::-1][there])
    assert np.isnan(joints[~there]).all() and np.isnan(points[~there]).all()
    far, _ = sources.truth_of(seen + 9.0, found, 56)
    assert np.isnan(far).mean() > np.isnan(joints).mean()


def test_pictures_are_turned_for_l_ss_alone_and_all_else_is_the_same(load, tmp_path):
    config = load("data.augmentation=0.5")
    made = networks.Networks(config, tmp_path)
    taught = made.new_teacher(bare=True)
    of_both = [
        sources.StudentBatches(config, made.camera, *taught, turned=turned).make(3)
        for turned in (True, False)
    ]
    for name, left, right in zip(of_both[0]._fields, *of_both):
        same = np.array_equal(left, right, equal_nan=left.dtype != bool)
        assert same == (name != "turned"), name
    np.testing.assert_array_equal(of_both[1].turned, of_both[1].images)


@pytest.mark.parametrize("kind", ["artificial", "captured"])
def test_poses_are_canonical_within_limits_and_others_measure(load, kind):
    config = load(f"data.poses={kind}", "data.pool=60")
    known = sources.canonical_poses(config)
    assert known.shape == (60, 17, 3) and not known[:, SKELETON.root].any()
    again, turns = canonical.split(known, SKELETON)
    np.testing.assert_allclose(again, known, atol=0.1)
    np.testing.assert_allclose(turns, np.tile(np.eye(3), (60, 1, 1)), atol=1e-3)
    if kind == "artificial":
        local = kinematics.to_local(known, SKELETON).numpy()
        assert limits.within(local, SKELETON).mean() > 0.99
    other = sources.canonical_poses(config, unseen=True)
    assert np.abs(other[:20] - known[:20]).max() > 10


def test_captured_poses_may_be_motion_capture(load, motions):
    told = ("data.poses=captured", f"data.motions={motions}", "data.pool=10")
    config = load(*told, "data.held_out_subjects=['03']")
    assert sources.check(config, "poses") == {str(motions): "hash"}
    assert sources.check(config, "teacher") == {}
    known = sources.canonical_poses(config)
    other = sources.canonical_poses(config, unseen=True)
    assert known.shape == (10, 17, 3)
    bones = kinematics.bone_lengths(known, SKELETON).numpy()
    np.testing.assert_allclose(bones, np.tile(world.mean_bone_lengths(), (10, 1)), 1e-3)
    turns = canonical.split(np.concatenate([known, other]), SKELETON)[1]
    np.testing.assert_allclose(turns, np.tile(np.eye(3), (len(turns), 1, 1)), atol=1e-3)
    # Those of the subject that is held out are in none that train.
    (moving,) = prepared.by_subject(
        prepared.motions(str(motions), 10.0, SKELETON), ["03"], ""
    )[1]
    whole = poses.captured(poses.sized(moving.joints, world.mean_bone_lengths()))
    apart = np.abs(whole[:, None] - known).max(axis=(2, 3))
    assert apart.min() > 1 > np.abs(whole[:, None] - other).max(axis=(2, 3)).min()


@pytest.mark.parametrize("held_out", ["[]", "['04']", "['01', '02', '03']"])
def test_some_subjects_of_motion_capture_measure(load, motions, held_out):
    told = ("data.poses=captured", f"data.motions={motions}")
    config = load(*told, f"data.held_out_subjects={held_out}")
    with pytest.raises(errors.InputError, match=r"some but not all.*: 01, 02, 03"):
        sources.check(config, "poses")


def test_somebody_who_looks_into_the_camera_stands_upright():
    rest = poses.artificial(np.random.default_rng(0), 1, np.full(17, 250.0, np.float32))
    turned = canonical.turned(rest, poses.UPRIGHT[None].astype(np.float32)).numpy()[0]
    neck, left, right = (
        turned[SKELETON.index(name)] for name in ("neck", "left_hip", "right_hip")
    )
    assert neck[1] < -200, "up"
    assert left[0] > 50 > -50 > right[0], "their left is the picture's right"


def test_a_domain_that_is_not_there_is_told(load):
    with pytest.raises(errors.InputError, match="moon"):
        sources.check(load("data.target=moon"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("data.near_mm=9500", "expected less than data.far_mm = 9000.0"),
        ("data.image_size=100", "got 100, expected one of 56, 112, 224, 448"),
        ("data.people=145", "got 145, expected at most 144"),
        ("data.held_out_subjects=['1']", "data.motions, which is not given"),
        ("student.first_steps=3", "expected at most student.steps = 2"),
    ],
)
def test_values_that_do_not_fit_each_other_are_refused(load, override, message):
    with pytest.raises(errors.InputError, match=message):
        load(override)
