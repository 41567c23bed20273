"""Procrustes: undoes similarities, never reflects, survives degenerate poses."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import scipy.optimize

from sa3dhp import errors
from sa3dhp.geometry import procrustes, rotation


def _poses(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(*shape, 3)) * 300


@hypothesis.given(st.integers(0, 10**6), st.floats(0.01, 100))
@hypothesis.settings(deadline=None, max_examples=50)
def test_undoes_any_similarity(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    target = _poses(seed, 17)
    turn = rotation.from_rotation_vector(rng.normal(size=3) * 3)
    pred = scale * target @ turn.T + rng.normal(size=3) * 1000
    np.testing.assert_allclose(procrustes.align(pred, target), target, atol=1e-7)


def test_result_does_not_depend_on_the_similarity_of_the_input() -> None:
    pred, target = _poses(0, 6, 17), _poses(1, 6, 17)
    turn = rotation.from_euler(np.array([0.3, 2.0, -1.0]), "xyz")
    moved = 7.0 * pred @ turn.T + 5000
    np.testing.assert_allclose(
        procrustes.align(moved, target), procrustes.align(pred, target), atol=1e-8
    )


def test_fit_gives_the_transform_that_align_applies() -> None:
    pred, target = _poses(0, 4, 17), _poses(1, 4, 17)
    scale, turn, shift = procrustes.fit(pred, target)
    assert scale.shape == (4,) and turn.shape == (4, 3, 3) and shift.shape == (4, 3)
    want = np.stack(
        [
            np.stack([scale[n] * turn[n] @ joint + shift[n] for joint in pred[n]])
            for n in range(4)
        ]
    )
    np.testing.assert_allclose(procrustes.align(pred, target), want)
    np.testing.assert_allclose(np.linalg.det(turn), 1.0)


def test_no_similarity_found_by_search_is_better() -> None:
    for seed in range(5):
        pred, target = _poses(seed, 8) / 300, _poses(seed + 50, 8) / 300
        mirrored = pred * (1, 1, -1) if seed % 2 else pred

        def cost(x: np.ndarray, pred=mirrored, target=target) -> float:
            turn = rotation.from_rotation_vector(x[:3])
            return np.sum((np.exp(x[3]) * pred @ turn.T + x[4:] - target) ** 2)

        got = np.sum((procrustes.align(mirrored, target) - target) ** 2)
        starts = np.random.default_rng(seed).normal(size=(8, 7))
        best = min(scipy.optimize.minimize(cost, x).fun for x in starts)
        assert got <= best + 1e-9 and got >= 0.99 * best - 1e-9


def test_a_mirrored_pose_stays_mirrored() -> None:
    target = _poses(0, 17)
    mirrored = target * (-1, 1, 1)
    _, turn, _ = procrustes.fit(mirrored, target)
    assert np.linalg.det(turn) == pytest.approx(1.0)
    assert np.abs(procrustes.align(mirrored, target) - target).max() > 50


def test_batched_equals_one_by_one() -> None:
    pred, target = _poses(0, 3, 5, 17), _poses(1, 3, 5, 17)
    got = procrustes.align(pred, target)
    for i in np.ndindex(3, 5):
        np.testing.assert_allclose(got[i], procrustes.align(pred[i], target[i]))


def test_coinciding_points_become_the_centroid() -> None:
    target = _poses(0, 17)
    for value in (0.0, 1234.5678):
        got = procrustes.align(np.full((17, 3), value), target)
        np.testing.assert_allclose(got, np.stack([target.mean(0)] * 17), atol=1e-9)


def test_flat_and_straight_poses_align() -> None:
    turn = rotation.from_rotation_vector(np.array([1.0, 2.0, 0.5]))
    for kept in ((1, 1, 0), (1, 0, 0)):
        target = _poses(0, 17) * kept
        pred = 0.3 * target @ turn.T + 10
        np.testing.assert_allclose(procrustes.align(pred, target), target, atol=1e-9)
        _, found, _ = procrustes.fit(pred, target)
        assert np.linalg.det(found) == pytest.approx(1.0)


def test_target_of_one_point_attracts_everything() -> None:
    got = procrustes.align(_poses(0, 17), np.full((17, 3), 5.0))
    np.testing.assert_allclose(got, 5.0, atol=1e-9)


def test_float32_is_computed_in_float64_and_left_alone() -> None:
    pred = _poses(0, 17).astype(np.float32)
    before = pred.copy()
    got = procrustes.align(pred, pred)
    assert got.dtype == np.float64
    np.testing.assert_allclose(got, pred, atol=1e-9)
    np.testing.assert_array_equal(pred, before)


def test_bad_input_is_named() -> None:
    with pytest.raises(errors.InputError, match=r"got \(17, 3\) and \(16, 3\)"):
        procrustes.align(np.zeros((17, 3)), np.zeros((16, 3)))
    with pytest.raises(errors.InputError, match="pred: expected finite joints"):
        procrustes.align(np.full((17, 3), np.nan), np.zeros((17, 3)))
