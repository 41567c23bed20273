"""Light of panoramas, against sums over the sphere."""

import miniature_makehuman
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.synthetic.people import scene


def _directions(count: int = 20) -> np.ndarray:
    ways = np.random.default_rng(0).normal(size=(count, 3))
    return ways / np.linalg.norm(ways, axis=1, keepdims=True)


def _smooth(rows: int = 64) -> np.ndarray:
    """A panorama, brighter above and towards +x."""
    where = scene.directions(rows)
    level = 1.0 + 0.5 * where[..., 1] + 0.3 * where[..., 0]
    return (level[..., None] * [1.0, 0.8, 0.6]).astype(np.float32)


def test_harmonics_are_orthonormal() -> None:
    where = scene.directions(64)
    solid = np.sqrt(1 - where[..., 1] ** 2)
    solid *= 4 * np.pi / solid.sum()
    values = scene.basis(where)
    product = np.einsum("hwi,hwj,hw->ij", values, values, solid)
    np.testing.assert_allclose(product, np.eye(9), atol=2e-3)


def test_a_white_room_is_as_bright_on_every_side() -> None:
    room = scene.lit("white", np.full((16, 32, 3), 7.0, np.float32))
    np.testing.assert_allclose(
        scene.basis(_directions()) @ room.harmonics, 1, atol=1e-2
    )
    np.testing.assert_allclose(room.light, 0.0, atol=1e-9)
    assert room.typical == pytest.approx(1.0, abs=0.01)
    np.testing.assert_allclose(room.colour, 1.0, atol=1e-5)


def test_light_is_the_sum_over_the_hemisphere() -> None:
    room = scene.lit("smooth", _smooth())
    where = scene.directions(64).reshape(-1, 3)
    solid = np.sqrt(1 - where[:, 1] ** 2)
    solid *= 4 * np.pi / solid.sum()
    for normal in _directions(8):
        shed = np.maximum(where @ normal, 0) * solid / np.pi
        expected = shed @ room.radiance.reshape(-1, 3)
        got = scene.basis(normal) @ room.harmonics
        np.testing.assert_allclose(got, expected, rtol=0.03)


def test_a_sun_is_the_main_light() -> None:
    picture = np.full((32, 64, 3), 0.2, np.float32)
    picture[8, 48] = [900.0, 800.0, 700.0]
    room = scene.lit("sun", picture)
    there = scene.directions(32)[8, 48]
    assert room.towards @ there > 0.999
    assert room.light[0] > room.light[1] > room.light[2] > 1.0
    assert scene.basis(there) @ room.harmonics[:, 0] < room.light[0]


def test_a_turned_panorama_is_that_of_turned_directions() -> None:
    room = scene.lit("smooth", _smooth())
    harmonics, towards = scene.turned(room, np.pi / 2)
    # z goes to x, x to -z: the bright side, +x, becomes -z.
    for normal, before in (([0, 0, -1], [1, 0, 0]), ([1, 0, 0], [0, 0, 1])):
        got = scene.basis(np.array(normal, float)) @ harmonics
        expected = scene.basis(np.array(before, float)) @ room.harmonics
        np.testing.assert_allclose(got, expected, atol=1e-9)
    np.testing.assert_allclose(towards[1], room.towards[1])


def test_files_are_read_and_others_refused(tmp_path) -> None:
    folder = miniature_makehuman.panoramas(tmp_path / "rooms")
    room = scene.read(folder / "room0.hdr")
    assert room.name == "room0" and room.radiance.shape == (16, 32, 3)
    assert room.light.min() > 0 and room.towards[1] > 0
    (tmp_path / "a.hdr").write_text("no picture")
    with pytest.raises(errors.InputError, match="twice as wide"):
        scene.read(tmp_path / "a.hdr")
