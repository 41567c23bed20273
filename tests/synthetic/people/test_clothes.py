"""What people wear lies on them and bends with them."""

import shutil

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.synthetic.people import clothes


def test_the_wardrobe_knows_what_it_holds(cast) -> None:
    wardrobe = cast.wardrobe
    assert list(wardrobe.suits) == ["female_suit01", "male_suit01"]
    assert list(wardrobe.shoes) == ["shoes01"] and list(wardrobe.hairs) == ["short01"]
    assert len(wardrobe.skins) == 2


def test_an_empty_wardrobe_is_no_error(tmp_path) -> None:
    assert not clothes.Wardrobe(tmp_path / "assets").suits


def test_clothes_follow_the_body_they_lie_on(cast, average) -> None:
    suit = cast.wardrobe.garment("suits", "male_suit01")
    body = cast.body.shaped(average)
    fitted = suit.fit(body)
    under = body[suit.fitting.vertices[:, 0]]
    assert 0.05 < np.abs(fitted - under).max() < 0.4
    moved = suit.fit(body + np.float32([1.0, 2.0, 3.0]))
    shifted = np.full_like(fitted, [1.0, 2.0, 3.0])
    np.testing.assert_allclose(moved - fitted, shifted, atol=1e-5)
    twice = suit.fit(2 * body)  # offsets grow with the body
    np.testing.assert_allclose(twice, 2 * fitted, atol=1e-5)


def test_clothes_bend_as_the_skin_under_them(cast) -> None:
    shoes = cast.wardrobe.garment("shoes", "shoes01")
    weights = shoes.weights(cast.body.rig.weights)
    np.testing.assert_allclose(weights.sum(axis=1), 1.0)
    feet = [
        n for n, b in enumerate(cast.body.rig.names) if b.endswith(("Foot", "Base"))
    ]
    np.testing.assert_allclose(weights[:, feet].sum(axis=1), 1.0)


def test_a_picture_starts_below(cast, tmp_path) -> None:
    found = clothes.picture(next(iter(cast.wardrobe.skins.values())))
    assert found.shape == (4, 3, 4) and found.dtype == np.uint8
    np.testing.assert_array_equal(
        found[0, :, :3], [[255, 0, 0], [255] * 3, [0, 0, 255]]
    )
    (tmp_path / "a.png").write_bytes(b"nothing")
    with pytest.raises(errors.InputError, match="not a picture"):
        clothes.picture(tmp_path / "a.png")


def test_the_picture_of_a_garment_is_that_of_its_colours(folder, tmp_path) -> None:
    shutil.copytree(folder / "assets", tmp_path / "assets")
    home = tmp_path / "assets/hair/short01"
    for name in ("short01_ao.png", "short01_normal.png"):
        shutil.copy(home / "short01_diffuse.png", home / name)
    found = clothes.Wardrobe(tmp_path / "assets").garment("hairs", "short01")
    assert found.texture.name == "short01_diffuse.png"


def test_a_folder_without_its_files_is_named(tmp_path) -> None:
    (tmp_path / "hair/bald").mkdir(parents=True)
    with pytest.raises(errors.InputError, match=r"bald: expected a \.mhclo"):
        clothes.Wardrobe(tmp_path).garment("hairs", "bald")
