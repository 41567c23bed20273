"""2D points that the method can use, and those that it refuses, by name."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.systems.nrsfm import points


def _points(frames=20, count=5):
    return np.random.default_rng(0).normal(size=(frames, count, 2)) * 30 + 100


def _check(value, **more):
    return points.check(value, source="file.npz", **more)


def test_good_points_pass_as_float64_and_unchanged():
    given = _points().astype(np.float32)
    got = _check(given, mask=np.ones((20, 5)), expected=5, atoms=20)
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, given)


def _with(place, value):
    given = _points()
    given[place] = value
    return given


@pytest.mark.parametrize(
    ("given", "more", "message"),
    [
        (_points()[..., 0], {}, r"points: got float64 \(20, 5\), expected numbers"),
        (_points().astype(str), {}, "expected numbers"),
        (_points(), {"expected": 17}, "file.npz: got 5 points, expected 17; the same"),
        (_points(count=3), {}, "got 3 points, expected at least 4"),
        (_with((7, 2, 1), np.nan), {}, "point 2 of frame 7 is not a finite number"),
        (_with((7, 2), np.inf), {"names": list("abcde")}, "c of frame 7 is not a fin"),
        (_with(3, 55.5), {}, "all points of frame 3 coincide"),
        (_points(), {"atoms": 21}, r"got 20 frames, expected at least .* \(21\)"),
        (_points(frames=0), {}, "got 0 frames"),
        (_points(), {"mask": np.ones(5)}, r"mask: got \(5,\), expected \(20, 5\)"),
    ],
)
def test_bad_points_are_refused_by_name(given, more, message):
    with pytest.raises(errors.InputError, match=message):
        _check(given, **more)


def test_a_missing_point_is_named_with_its_frame_and_how_many_there_are():
    mask = np.ones((20, 5), bool)
    mask[4, 1] = mask[9, 0] = False
    names = ["head", "left_wrist", "c", "d", "e"]
    with pytest.raises(errors.InputError) as caught:
        _check(_points(), mask=mask, names=names)
    text = str(caught.value)
    assert "left_wrist of frame 4 is missing (2 of 20 frames lack a point)" in text


def test_normalised_points_forget_place_and_size_and_can_be_put_back():
    given = _points()
    found = points.normalised(given)
    moved = points.normalised(given * 7 + [3, -5])
    np.testing.assert_allclose(found.points, moved.points, atol=1e-5)
    np.testing.assert_allclose(np.ptp(found.points, axis=1).max(axis=-1), 2, rtol=1e-6)
    np.testing.assert_allclose(
        found.points * found.scale + found.centre, given, rtol=1e-5
    )


def test_one_unit_keeps_the_sizes_of_frames():
    made = np.random.default_rng(1).normal(size=(5, 6, 2))
    made *= np.array([1.0, 2, 3, 4, 50])[:, None, None]
    unit = points.typical_size(made)
    half = np.ptp(made, axis=1).max(axis=-1) / 2
    assert unit == sorted(half)[2]
    found = points.normalised(made, unit)
    np.testing.assert_allclose(
        np.ptp(found.points, axis=1).max(-1) / 2, half / unit, rtol=1e-5
    )
    np.testing.assert_allclose(
        found.points * found.scale + found.centre, made, atol=1e-4
    )
