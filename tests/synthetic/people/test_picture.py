"""Each of a camera's faults."""

import numpy as np
import pytest

from sa3dhp.synthetic.people import picture


@pytest.fixture
def image():
    """A checkerboard, half black and half mid grey."""
    y, x = np.mgrid[:96, :96]
    board = ((x // 8 + y // 8) % 2)[..., None] * 110
    return np.repeat(board, 3, axis=2).astype(np.uint8)


def _develop(image, **faults):
    film = picture.Film(**faults)
    return picture.develop(image, film, np.random.default_rng(0))


def test_a_perfect_camera_changes_nothing(image) -> None:
    np.testing.assert_array_equal(_develop(image), image)
    np.testing.assert_array_equal(_develop(image.astype(np.float32) + 0.2), image)


@pytest.mark.parametrize(
    "faults",
    [{"defocus": 2.0}, {"shake": (8.0, 0.6)}, {"pixels": 0.3}],
    ids=lambda faults: next(iter(faults)),
)
def test_blur_takes_contrast_and_leaves_the_light(image, faults) -> None:
    sharp, got = _develop(image).astype(float), _develop(image, **faults)
    assert got.shape == image.shape
    assert np.abs(np.diff(got.astype(float), axis=1)).max() < 0.8 * np.ptp(sharp)


def test_noise_is_of_its_strength_and_repeats(image) -> None:
    grey = np.full_like(image, 110)
    got = _develop(grey, noise=5.0)
    assert 3.5 < got.astype(float).std() < 6.5
    np.testing.assert_array_equal(got, _develop(grey, noise=5.0))


def test_jpeg_is_near_and_not_the_same(image) -> None:
    got, sharp = _develop(image, quality=40).astype(float), _develop(image)
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
