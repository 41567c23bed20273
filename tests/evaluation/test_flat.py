"""Poses put into the picture: the best scale and shift, and how trunks lean."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.evaluation import evaluator, flat, metrics, poses, protocol, tables
from sa3dhp.skeleton import skeleton as skeletons

RNG = np.random.default_rng(0)
LSP = skeletons.get("lsp14")
# A person who stands, in pixels: y down.
STANDING = {
    "right_ankle": (40, 190),
    "right_knee": (42, 150),
    "right_hip": (44, 110),
    "left_hip": (56, 110),
    "left_knee": (58, 150),
    "left_ankle": (60, 190),
    "right_wrist": (28, 105),
    "right_elbow": (30, 80),
    "right_shoulder": (35, 50),
    "left_shoulder": (65, 50),
    "left_elbow": (70, 80),
    "left_wrist": (72, 105),
    "neck": (50, 48),
    "head_top": (50, 15),
}
POINTS = np.array([STANDING[name] for name in LSP.joint_names], float)[None]
TORSO = np.hypot(21, 60)  # both diagonals are (21, 60)


def _deep(points, depth=0.0, scale=8.0):
    """Poses in mm whose orthographic picture is `points`."""
    z = np.full_like(points[..., :1], depth) + RNG.normal(size=points[..., :1].shape)
    return scale * np.concatenate([points, z], axis=-1) - 100.0


def test_scale_and_shift_are_found_exactly():
    pred = RNG.normal(size=(5, 14, 3)) * 300
    scale = RNG.uniform(0.1, 3, size=(5, 1, 1))
    points = pred[..., :2] * scale + RNG.normal(size=(5, 1, 2)) * 50
    mask = RNG.random((5, 14)) < 0.8
    mask[:, :2] = True
    junk = np.where(mask[..., None], points, 1e6)
    np.testing.assert_allclose(flat.placed(pred, junk, mask), points, atol=1e-6)


def test_no_other_scale_or_shift_is_nearer():
    pred, points = RNG.normal(size=(1, 14, 3)), RNG.normal(size=(1, 14, 2)) + 2
    points += pred[..., :2]
    best = flat.placed(pred, points, np.ones((1, 14), bool))
    least = np.square(best - points).sum()
    for change in (1.01, 0.99):
        middle = best.mean(axis=1, keepdims=True)
        assert np.square((best - middle) * change + middle - points).sum() > least
        assert np.square(best * [1, 1] + change - 1 - points).sum() > least


def test_a_pose_is_never_turned_and_a_point_stays_a_point():
    mask = np.ones((1, 14), bool)
    upside_down = flat.placed(-POINTS, POINTS, mask)
    np.testing.assert_allclose(upside_down, POINTS.mean(1, keepdims=True) + 0 * POINTS)
    nowhere = flat.placed(np.zeros((1, 14, 3)), POINTS, mask)
    np.testing.assert_allclose(nowhere, upside_down)


def _named(points):
    return {name: points[:, j] for j, name in enumerate(LSP.joint_names)}


def test_the_torso_is_the_mean_of_the_diagonals_that_are_known():
    points = np.repeat(POINTS, 3, axis=0)
    points[1, LSP.index("left_hip")] = np.nan
    points[2, list(LSP.indices("left_hip", "right_hip"))] = np.nan
    np.testing.assert_allclose(flat.torso(_named(points)), [TORSO, TORSO, 0])


def test_tilt_is_from_the_vertical_in_the_picture_and_in_depth():
    up = np.array([0.0, -1.0, 0.0])
    leaning = np.array([0.0, -1.0, 1.0])  # away from the camera: unseen in 2D
    np.testing.assert_allclose(
        flat.tilt_deg(np.stack([up, leaning, -up])), [0, 45, 180]
    )
    np.testing.assert_allclose(flat.tilt_deg(np.array([[1.0, 0.0]])), [90])
    turned = flat.between_deg(np.array([[0.0, -1.0]]), np.array([[1.0, -1.0]]))
    np.testing.assert_allclose(turned, [45])


def test_who_stands_is_told_by_the_annotation():
    def turn(degrees):
        a = np.radians(degrees)
        return POINTS @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])

    raised = POINTS.copy()
    raised[:, LSP.index("left_ankle"), 1] = 60  # above the hips
    hidden = POINTS.copy()
    hidden[:, LSP.index("left_ankle")] = np.nan
    people = np.concatenate([POINTS, turn(19), turn(21), raised, hidden])
    assert flat.standing(_named(people)).tolist() == [True, True, False, False, False]
    trunk = {k: v for k, v in _named(people).items() if k in flat.TRUNK_JOINTS}
    assert not flat.standing(trunk).any()  # no ankles at all


def _score(pred, points=POINTS, mask=None, card="lsp_2d"):
    truth = poses.from_keypoints(points, "lsp14", mask)
    side = poses.Poses(pred, "lsp14")
    return evaluator.evaluate(side, truth, protocol.load(card))


def test_pck_counts_joints_within_a_fifth_of_the_trunk():
    moved = POINTS.copy()
    # Two wrists off in opposite directions leave the best shift where it was.
    left, right = LSP.indices("left_wrist", "right_wrist")
    for share, want in ((0.17, 100.0), (0.26, 100.0 * 12 / 14)):
        off = share * TORSO
        moved[0, left] = POINTS[0, left] + [0, off]
        moved[0, right] = POINTS[0, right] - [0, off]
        got = _score(_deep(moved))
        assert got["overall"]["pck_2d"] == pytest.approx(want), share


def test_joints_that_are_not_annotated_count_for_nothing():
    mask = np.ones((2, 14), bool)
    mask[0, LSP.index("head_top")] = False
    whole = np.repeat(POINTS, 2, axis=0)
    points = np.where(mask[..., None], whole, -900.0)
    assert _score(_deep(whole), points, mask)["overall"]["pck_2d"] == 100.0
    with pytest.raises(errors.InputError, match="has no head_top"):
        _score(_deep(whole[:1]), points[:1], mask[:1])


def test_pictures_without_a_trunk_do_not_count():
    mask = np.ones((2, 14), bool)
    mask[1, list(LSP.indices("left_hip", "right_hip"))] = False
    points = np.repeat(POINTS, 2, axis=0)
    got = _score(_deep(points), points, mask)
    assert (got["num_samples"], got["num_skipped"]) == (1, 1)


def test_predictions_that_hide_a_trunk_lower_the_coverage():
    points = np.repeat(POINTS, 2, axis=0)
    hidden = np.ones((2, 14), bool)
    hidden[1, list(LSP.indices("left_hip", "right_hip"))] = False
    truth = poses.from_keypoints(points, "lsp14", None)
    side = poses.Poses(_deep(points), "lsp14", hidden)
    got = evaluator.evaluate(side, truth, protocol.load("lsp_2d"))
    assert got["num_skipped"] == 1 and got["coverage"] == pytest.approx(0.5)


def test_trunks_of_those_who_stand_are_told():
    points = np.repeat(POINTS, 2, axis=0)
    pred = _deep(points)
    top = list(LSP.indices("left_shoulder", "right_shoulder"))
    hips = list(LSP.indices("left_hip", "right_hip"))
    pred[..., 2] = 0.0
    pred[:, top, 2] = 8.0 * 60  # as far back as up
    got = _score(pred, points)
    assert got["trunk"]["standing"] == 2
    assert got["trunk"]["standing_tilt_deg"] == pytest.approx(45)
    assert got["trunk"]["in_picture_deg"] == pytest.approx(0, abs=1e-5)
    pred[:, top, 0] += 8.0 * 60
    assert _score(pred, points)["trunk"]["in_picture_deg"] == pytest.approx(45)
    text = tables.result_table(got, parts=())
    assert "2 standing people, whose predicted trunks are a median 45.0 degrees" in text
    assert "note: reference: 14 joints that were clicked by hand" in text
    seated = points.copy()
    seated[:, hips, 1] = 300
    none = _score(pred, seated)
    assert none["trunk"]["standing"] == 0 and "standing_tilt_deg" not in none["trunk"]
    assert "0 standing people" in tables.result_table(none, parts=())


def test_the_person_may_be_of_another_skeleton_than_ours():
    pred = np.zeros((1, 17, 3))
    ours = skeletons.SA3DHP17
    for name in LSP.joint_names:
        pred[:, ours.index(name), :2] = POINTS[:, LSP.index(name)] * 7
    truth = poses.from_keypoints(POINTS, "lsp14")
    side = poses.Poses(pred, "sa3dhp17")
    got = evaluator.evaluate(side, truth, protocol.load("lsp_2d"))
    assert got["overall"] == {"pck_2d": 100.0}


def test_dimensions_that_are_not_known_are_refused():
    in_2d = poses.from_keypoints(POINTS, "lsp14", source="photos (test)")
    pred = poses.Poses(np.zeros((1, 17, 3)), "sa3dhp17")
    with pytest.raises(errors.InputError, match="1 of 1 pictures have no 3D joints"):
        evaluator.evaluate(pred, in_2d, protocol.load("procedural"))
    with pytest.raises(errors.InputError, match="no key-points in 2D"):
        evaluator.evaluate(pred, pred, protocol.load("lsp_2d"))


def test_the_reach_is_one_number_a_sample():
    one = np.zeros((2, 3, 3))
    mask = np.ones((2, 3), bool)
    for reach in (None, np.ones(3)):
        with pytest.raises(errors.InputError, match=r"expected \[2\] pixels"):
            metrics.flat_hits(one, one, mask, metrics.Thresholds(flat=reach))
