"""Cameras project as the data sets' own annotations do."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data import calibration

MATRIX = calibration.pinhole(1100.0, 1200.0, 500.0, 520.0)
POINTS = np.random.default_rng(0).normal(size=(6, 5, 3)) * 500 + (0, 0, 4000)


def test_a_pinhole_by_hand():
    camera = calibration.Camera("a", MATRIX, (1000, 1000))
    pixels = camera.project(np.array([200.0, -400.0, 4000.0]))
    np.testing.assert_allclose(pixels, (500 + 55, 520 - 120))


def test_no_distortion_is_a_pinhole():
    bent = calibration.Camera("a", MATRIX, (1000, 1000), (0.0,) * 5)
    straight = calibration.Camera("a", MATRIX, (1000, 1000))
    np.testing.assert_allclose(bent.project(POINTS), straight.project(POINTS))


def test_distortion_by_the_formula():
    """The textbook loop, with factor 1 before the tangential part."""
    k1, k2, p1, p2, k3 = coefficients = (-0.2, 0.24, -0.0014, -0.001, -0.003)
    for x, y in np.random.default_rng(1).uniform(-0.4, 0.4, (20, 2)):
        r2 = x * x + y * y
        radial = 1 + k1 * r2 + k2 * r2 * r2 + k3 * r2**3
        tangential = p1 * y + p2 * x
        expected = (
            x * (radial + tangential) + p2 * r2,
            y * (radial + tangential) + p1 * r2,
        )
        ours = calibration.distort(np.array([x, y]), coefficients)
        np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_a_fit_finds_the_camera():
    camera = calibration.Camera("a", MATRIX, (1000, 1000))
    fitted = calibration.fit_pinhole(POINTS, camera.project(POINTS))
    np.testing.assert_allclose(fitted, MATRIX, rtol=1e-9)
    for wrong in (0.0, np.nan):
        points = POINTS.copy()
        points[0, 2] = wrong
        with pytest.raises(ValueError, match=r"expected (finite|a distance)"):
            calibration.fit_pinhole(points, POINTS[:, :2])


def test_the_world_needs_a_place():
    with pytest.raises(errors.InputError, match="its place is not known"):
        calibration.Camera("a", MATRIX, (1, 1)).from_world(POINTS)
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    camera = calibration.Camera("a", MATRIX, (1, 1), (), turn, np.array([0, 0, 9.0]))
    np.testing.assert_allclose(camera.from_world([[1.0, 2, 3]]), [[-2, 1, 12]])
