"""Who is matched, who is missed, and what each number counts."""

import numpy as np
import pytest

from sa3dhp.systems.multi_person import scoring


def _person(x, seed=0):
    """Joints `[17, 3]`, mm, and points `[17, 2]`, pixels."""
    rng = np.random.default_rng(seed)
    joints = rng.uniform(-500, 500, (17, 3)) + np.array([x, 0, 4000])
    joints[0] = [x, 0, 4000]
    return joints, 50 + joints[:, :2] / 40


def _match(pred, truth):
    sides = [[np.stack([p[n] for p in side])] for side in (pred, truth) for n in (0, 1)]
    return scoring.match(*sides, size=100)


def test_the_truth_scores_full_marks_in_any_order():
    people = [_person(-900, 1), _person(900, 2)]
    found = scoring.measure(_match(people[::-1], people))
    for name in ("pck_rel", "auc_rel", "pck_abs", "recall", "precision"):
        # The first threshold of the curve is 0: nothing is nearer than that.
        assert found[name] == pytest.approx(100 if name != "auc_rel" else 96.8, abs=0.1)
    assert found["mpjpe"] == 0.0 and found["error_2d"] == 0.0


def test_who_is_missed_counts_as_wrong_and_who_is_invented_costs_precision():
    people = [_person(-900, 1), _person(900, 2)]
    found = scoring.measure(_match(people[:1], people))
    assert found["pck_rel"] == 50.0 and found["recall"] == 50.0
    assert found["matched_pck_rel"] == 100.0 and found["precision"] == 100.0
    found = scoring.measure(_match(people, people[1:]))
    assert found["recall"] == 100.0 and found["precision"] == 50.0


def test_a_shift_in_depth_is_an_absolute_error_alone():
    joints, points = _person(0)
    pairs = _match([(joints + np.array([0, 0, 300]), points)], [(joints, points)])
    found = scoring.measure(pairs)
    assert found["pck_rel"] == 100.0 and found["pck_abs"] == 0.0
    assert found["root_error"] == pytest.approx(300.0)


def test_somebody_far_away_is_no_partner():
    joints, points = _person(0)
    pairs = _match([(joints, points + np.array([16, 0]))], [(joints, points)])
    assert (len(pairs.pred), pairs.missed, pairs.invented) == (0, 1, 1)
    assert "mpjpe" not in scoring.measure(pairs)
    assert scoring.measure_points(pairs, 100) == {"recall": 0.0}


def test_two_pelvises_in_one_cell_are_counted():
    first, second = _person(0, 1), _person(10, 2)
    assert _match([first], [first, second]).sharing == 1
    assert _match([first], [first, _person(900, 2)]).sharing == 0


def test_points_are_measured_where_both_sides_have_them():
    joints, points = _person(0)
    shifted, unknown = points + np.array([1.0, 0.0]), points.copy()
    shifted[3] = np.nan
    unknown[4] = np.nan
    pairs = _match([(joints, shifted)], [(joints, unknown)])
    found = scoring.measure_points(pairs, 100)
    assert found["error_2d"] == pytest.approx(1.0) and found["pck_2d"] == 100.0
    assert 80.0 < found["iou"] < 100.0


def test_pictures_without_anybody_are_no_fault():
    nobody = [np.zeros((0, 17, 3))], [np.zeros((0, 17, 2))]
    pairs = scoring.match(*nobody, *nobody, size=100)
    assert scoring.measure(pairs)["recall"] == 0.0
