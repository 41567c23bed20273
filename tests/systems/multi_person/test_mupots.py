"""The card of MuPoTS-3D: who is matched with whom, what is rescaled, what counts."""

import dataclasses

import miniature_mupots
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data import calibration
from sa3dhp.data.datasets import mupots as dataset
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.multi_person import mupots

BEST = 100.0 * 30 / 31  # AUC of no error: nothing is nearer than the threshold 0
BONE = [(14, 1), (1, 0), (1, 2), (2, 3), (3, 4), (1, 5), (5, 6), (6, 7), (14, 8)]
BONE += [(8, 9), (9, 10), (14, 11), (11, 12), (12, 13)]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return miniature_mupots.mupots(tmp_path_factory.mktemp("mupots"))


@pytest.fixture(scope="module")
def truth(home):
    return dataset.read(home / "TS1")


def _perfect(truth):
    return [mupots.People(*both) for both in zip(truth.joints, truth.points)]


def _change(found, joints=lambda x: x, points=lambda x: x):
    return [mupots.People(joints(x.joints), points(x.points)) for x in found]


def test_perfect_predictions_are_right_in_everything(truth):
    told = mupots.measure(truth, _perfect(truth))
    for name in ("pck", "pck_abs", "matched_pck", "matched_pck_abs"):
        assert told[name] == 100.0, name
    assert told["recall"] == told["precision"] == 100.0 and told["people"] == 6
    np.testing.assert_allclose([told["auc"], told["matched_auc"]], BEST)
    assert len(told["per_joint"]) == 14 and "pelvis" not in told["per_joint"]
    assert {x["pck"] for x in told["per_joint"].values()} == {100.0}


def test_order_of_people_is_no_matter(truth):
    found = _perfect(truth)
    swapped = _change(found, lambda x: x[::-1], lambda x: x[::-1])
    assert mupots.measure(truth, swapped) == mupots.measure(truth, found)


def test_who_is_missed_is_wrong_among_all_and_not_among_the_matched(truth):
    found = _perfect(truth)
    found[1] = mupots.People(found[1].joints[:1], found[1].points[:1])
    told = mupots.measure(truth, found)
    for name in ("pck", "pck_abs", "recall"):
        np.testing.assert_allclose(told[name], 100 * 5 / 6)
    np.testing.assert_allclose(told["auc"], BEST * 5 / 6)
    assert told["matched_pck"] == told["matched_pck_abs"] == told["precision"] == 100.0


def test_who_is_invented_costs_precision_alone(truth):
    found = _perfect(truth)
    far = found[0].points[:1] + 900.0
    found[0] = mupots.People(
        np.concatenate([found[0].joints, found[0].joints[:1]]),
        np.concatenate([found[0].points, far]),
    )
    told = mupots.measure(truth, found)
    np.testing.assert_allclose(told["precision"], 100 * 6 / 7)
    assert told["pck"] == told["recall"] == 100.0


def test_a_shift_in_depth_is_wrong_in_the_camera_alone(truth):
    found = _change(_perfect(truth), lambda x: x + np.array([0, 0, 300.0]))
    told = mupots.measure(truth, found)
    assert told["pck"] == told["matched_pck"] == 100.0
    assert told["pck_abs"] == told["matched_pck_abs"] == 0.0
    nearer = _change(_perfect(truth), lambda x: x + np.array([0, 0, 249.0]))
    assert mupots.measure(truth, nearer)["pck_abs"] == 100.0


def test_people_of_another_size_are_right_by_their_bones(truth):
    pelvis = mupots.SKELETON.index("pelvis")

    def small(joints):
        root = joints[:, pelvis, None]
        return root + 0.5 * (joints - root)

    told = mupots.measure(truth, _change(_perfect(truth), small))
    assert told["pck"] == 100.0 and told["pck_abs"] < 100.0


def test_nobody_found_is_no_error(truth):
    none = mupots.People(np.zeros((0, 17, 3)), np.zeros((0, 17, 2)))
    told = mupots.measure(truth, [none] * 3)
    numbers = {k: v for k, v in told.items() if k not in ("people", "per_joint")}
    assert set(numbers.values()) == {0.0} and told["people"] == 6
    with pytest.raises(ValueError, match="got 2 frames, expected 3"):
        mupots.measure(truth, [none] * 2)


def test_numbers_are_those_of_a_slow_loop(truth):
    rng = np.random.default_rng(0)
    noisy = _change(_perfect(truth), lambda x: x + rng.normal(size=x.shape) * 90.0)
    noisy[2] = mupots.People(noisy[2].joints[1:], noisy[2].points[1:])
    pck = auc = absolute = 0.0
    for frame, who in ((0, 0), (0, 1), (1, 0), (1, 1), (2, 1)):
        row = who if frame < 2 else 0
        pred, true = noisy[frame].joints[row], truth.universal[frame, who]
        made = {14: np.zeros(3)}
        for parent, child in BONE:
            bone = pred[child] - pred[parent]
            length = np.linalg.norm(true[child] - true[parent])
            made[child] = made[parent] + length * bone / np.linalg.norm(bone)
        for joint in range(14):
            off = np.linalg.norm(made[joint] - (true[joint] - true[14]))
            pck += off < 150
            auc += np.mean([off < step for step in range(0, 151, 5)])
            away = pred[joint] - truth.joints[frame, who, joint]
            absolute += np.linalg.norm(away) < 250
    told = mupots.measure(truth, noisy)
    assert 0 < pck < 70 and 0 < absolute < 70
    for name, hits in (("pck", pck), ("auc", auc), ("pck_abs", absolute)):
        np.testing.assert_allclose(told[name], 100 * hits / (6 * 14))
        np.testing.assert_allclose(told[f"matched_{name}"], 100 * hits / (5 * 14))
        mean = np.mean([x[name] for x in told["per_joint"].values()])
        np.testing.assert_allclose(mean, told[name])


def test_a_bone_without_a_length_leaves_its_joint_on_its_parent():
    rng = np.random.default_rng(1)
    pred, true = rng.normal(size=(2, 4, 17, 3)) * 300
    pred[:, 3] = pred[:, 2]
    made = mupots.rescaled(pred, true)
    np.testing.assert_array_equal(made[:, 3], made[:, 2])
    for parent, child in set(BONE) - {(2, 3)}:
        lengths = [
            np.linalg.norm(x[:, child] - x[:, parent], axis=-1) for x in (made, true)
        ]
        np.testing.assert_allclose(*lengths)


def _points(*places):
    """People whose joints lie in one place each."""
    return np.repeat(np.array(places, float)[:, None], 17, axis=1)


def test_a_match_needs_one_joint_within_40_pixels_and_not_the_head():
    true, yes = _points([100, 100]), np.array([True])
    for shift, expected in ((39.9, 1), (40.0, 0)):
        rows, _ = mupots.match(_points([100 + shift, 100]), true, yes)
        assert len(rows) == expected
    far = _points([900, 900])
    far[0, mupots.SKELETON.index("head_top")] = 100
    assert not len(mupots.match(far, true, yes)[0])
    far[0, mupots.SKELETON.index("left_ankle")] = 100
    assert mupots.match(far, true, yes)[0].tolist() == [0]


def test_most_joints_match_first_then_the_nearest():
    true = _points([100, 100], [130, 100])
    near, both = _points([131, 100]), np.array([True, True])
    half = _points([102, 100])
    half[0, :6] = 900.0
    # Both predictions are within reach of both people.
    rows, columns = mupots.match(np.concatenate([half, near]), true, both)
    assert rows.tolist() == [1, 0] and columns.tolist() == [1, 0]


def test_who_does_not_count_takes_nobody_and_invents_nobody(truth):
    found, valid = _perfect(truth), truth.valid.copy()
    valid[:, 1] = False
    points = truth.points.copy()
    told = mupots.measure(dataclasses.replace(truth, valid=valid), found)
    assert told["people"] == 3 and told["precision"] == told["recall"] == 100.0
    # Without points nobody can say so.
    points[:, 1] = np.nan
    blank = dataclasses.replace(truth, valid=valid, points=points)
    np.testing.assert_allclose(mupots.measure(blank, found)["precision"], 50.0)
    # Whoever counts comes first, though the other is nearer.
    rows, columns = mupots.match(
        _points([100, 100]), _points([100, 100], [110, 100]), np.array([False, True])
    )
    assert (rows.tolist(), columns.tolist()) == ([0], [1])


def test_the_pelvis_is_put_on_its_pixel_and_the_pose_stays(truth):
    matrix, pelvis = dataset.camera_of(truth), mupots.SKELETON.index("pelvis")
    found = _perfect(truth)[0]
    moved = found.joints + np.array([400.0, -50.0, 0.0])
    moved[..., 2] -= 0.5 * moved[:, pelvis, None, 2]  # seen by half the focal length
    placed = mupots.placed(
        mupots.People(moved, found.points),
        0.5 * np.sqrt(matrix[0, 0] * matrix[1, 1]),
        matrix,
    )
    np.testing.assert_allclose(placed.joints, found.joints, atol=1e-2)
    pinhole = calibration.Camera("a", matrix, (2048, 2048))
    np.testing.assert_allclose(
        pinhole.project(placed.joints[:, pelvis]), found.points[:, pelvis], atol=1e-6
    )


def test_a_skeleton_without_a_joint_of_the_14_is_refused():
    mupots.check_skeleton(skeletons.SA3DHP17)
    with pytest.raises(errors.InputError, match="coco17: has no head_top, expected"):
        mupots.check_skeleton(skeletons.get("coco17"))
