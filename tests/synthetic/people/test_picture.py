"""The film: exposure and each of a camera's faults."""

import numpy as np
import pytest

from sa3dhp.synthetic.people import picture


@pytest.fixture
def radiance():
    """A checkerboard, half black and half mid grey."""
    y, x = np.mgrid[:96, :96]
    board = ((x // 8 + y // 8) % 2)[..., None] * 0.2
    return np.repeat(board, 3, axis=2).astype(np.float32)


def _develop(radiance, **faults):
    film = picture.Film(**faults)
    return picture.develop(radiance, film, np.random.default_rng(0))


def test_a_perfect_camera_only_exposes(radiance) -> None:
    got = _develop(radiance)
    assert got.dtype == np.uint8 and got.shape == radiance.shape
    np.testing.assert_array_equal(got, np.rint(picture.expose(radiance)))


def test_exposure_rises_and_saturates() -> None:
    light = np.array([0.0, 0.05, 0.2, 1.0, 5.0, 1e4], np.float32)
    got = picture.expose(light)
    assert (np.diff(got[:-1]) > 0).all() and got[0] == 0 and got[-1] == 255
    assert 95 < got[2] < 125  # mid grey


@pytest.mark.parametrize(
    "faults",
    [{"defocus": 2.0}, {"shake": (8.0, 0.6)}, {"pixels": 0.3}],
    ids=lambda faults: next(iter(faults)),
)
def test_blur_takes_contrast_and_leaves_the_light(radiance, faults) -> None:
    sharp, got = _develop(radiance).astype(float), _develop(radiance, **faults)
    assert got.shape == radiance.shape
    assert np.abs(np.diff(got.astype(float), axis=1)).max() < 0.8 * np.ptp(sharp)


def test_noise_is_of_its_strength_and_repeats(radiance) -> None:
    grey = np.full_like(radiance, 0.2)
    got = _develop(grey, noise=5.0)
    assert 3.5 < got.astype(float).std() < 6.5
    np.testing.assert_array_equal(got, _develop(grey, noise=5.0))


def test_jpeg_is_near_and_not_the_same(radiance) -> None:
    got, sharp = _develop(radiance, quality=40).astype(float), _develop(radiance)
    assert 0 < np.abs(got - sharp).mean() < 8


def test_a_line_of_blur_sums_to_one_and_lies_along_its_angle() -> None:
    for angle in (0.0, 0.7, np.pi / 2):
        kernel = picture._line(9.0, angle)
        y, x = np.nonzero(kernel)
        middle = len(kernel) // 2
        across = -(x - middle) * np.sin(angle) + (y - middle) * np.cos(angle)
        assert kernel.sum() == pytest.approx(1.0, abs=1e-5)
        assert np.abs(across).max() <= 1.0


def test_most_films_are_nearly_sharp() -> None:
    films = [picture.draw(np.random.default_rng(seed)) for seed in range(200)]
    assert np.median([film.defocus for film in films]) < 0.5
    assert max(film.defocus for film in films) > 1.0
    assert 0 < sum(film.shake[0] > 0 for film in films) < 60
    assert {film.quality > 0 for film in films} == {True, False}
