"""Rotations: orthogonal, composed as documented, smallest."""

import hypothesis
import hypothesis.extra.numpy as hnp
import hypothesis.strategies as st
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.geometry import rotation

X, Y, Z = np.eye(3)
ANGLES = st.floats(-10, 10)
VECTORS = hnp.arrays(np.float64, 3, elements=st.floats(-1, 1)).filter(
    lambda v: np.linalg.norm(v) > 1e-3
)


def _assert_rotation(matrix: np.ndarray, atol: float = 1e-12) -> None:
    unit = matrix @ np.swapaxes(matrix, -1, -2)
    np.testing.assert_allclose(unit, np.broadcast_to(np.eye(3), unit.shape), atol=atol)
    np.testing.assert_allclose(np.linalg.det(matrix), 1.0, atol=atol)


def test_quarter_turns_by_hand() -> None:
    for axis, start, end in ((X, Y, Z), (Y, Z, X), (Z, X, Y)):
        got = rotation.from_axis_angle(axis, np.pi / 2) @ start
        np.testing.assert_allclose(got, end, atol=1e-15)


@hypothesis.given(VECTORS, ANGLES)
def test_axis_angle_turns_by_the_angle_about_the_axis(axis, angle) -> None:
    matrix = rotation.from_axis_angle(axis, angle)
    _assert_rotation(matrix)
    np.testing.assert_allclose(matrix @ axis, axis, atol=1e-12)
    assert np.trace(matrix) == pytest.approx(1 + 2 * np.cos(angle), abs=1e-12)


@hypothesis.given(VECTORS, VECTORS)
def test_smallest_takes_one_direction_to_the_other(source, target) -> None:
    matrix = rotation.smallest(source, target)
    _assert_rotation(matrix, 1e-9)
    want = target / np.linalg.norm(target)
    got = matrix @ source / np.linalg.norm(source)
    np.testing.assert_allclose(got, want, atol=1e-7)


@hypothesis.given(VECTORS, VECTORS)
def test_smallest_turns_by_the_angle_between(source, target) -> None:
    cos = source @ target / np.linalg.norm(source) / np.linalg.norm(target)
    hypothesis.assume(cos > -0.999)
    trace = np.trace(rotation.smallest(source, target))
    assert trace == pytest.approx(1 + 2 * cos, abs=1e-9)


def test_smallest_of_opposites_is_a_half_turn() -> None:
    directions = np.random.default_rng(0).normal(size=(50, 3))
    matrix = rotation.smallest(directions, -2 * directions)
    _assert_rotation(matrix)
    got = np.einsum("nij,nj->ni", matrix, directions)
    np.testing.assert_allclose(got, -directions, atol=1e-12)
    np.testing.assert_allclose(np.trace(matrix, axis1=1, axis2=2), -1, atol=1e-12)


def test_smallest_of_equals_is_the_identity() -> None:
    np.testing.assert_allclose(rotation.smallest(Y, 3 * Y), np.eye(3), atol=1e-15)


def test_euler_applies_its_letters_in_order() -> None:
    a, b, c = 0.3, -0.7, 1.9
    x, y, z = (
        rotation.from_axis_angle(axis, t) for axis, t in ((X, a), (Y, b), (Z, c))
    )
    angles = np.array([a, b, c])
    np.testing.assert_allclose(
        rotation.from_euler(angles, "xyz"), z @ y @ x, atol=1e-14
    )
    backwards = rotation.from_euler(angles[::-1], "zyx")
    np.testing.assert_allclose(backwards, x @ y @ z, atol=1e-14)


def test_rotation_vectors_start_at_the_identity() -> None:
    vectors = np.stack([np.zeros(3), 0.5 * Z])
    matrix = rotation.from_rotation_vector(vectors)
    np.testing.assert_allclose(matrix[0], np.eye(3))
    np.testing.assert_allclose(matrix[1], rotation.from_axis_angle(Z, 0.5), atol=1e-15)


def test_leading_axes_broadcast() -> None:
    axis = np.random.default_rng(0).normal(size=(4, 1, 3))
    assert rotation.from_axis_angle(axis, np.zeros((4, 5))).shape == (4, 5, 3, 3)
    assert rotation.from_euler(np.zeros((4, 5, 3)), "xyz").shape == (4, 5, 3, 3)
    assert rotation.smallest(axis, np.ones((5, 3))).shape == (4, 5, 3, 3)


def test_bad_input_is_named() -> None:
    with pytest.raises(errors.InputError, match="length 0"):
        rotation.from_axis_angle(np.zeros(3), 1.0)
    with pytest.raises(errors.InputError, match=r"expected \[\.\.\., 3\]"):
        rotation.from_euler(np.zeros(2), "xyz")
    with pytest.raises(errors.InputError, match="letters xyz"):
        rotation.from_euler(np.zeros(2), "xw")
