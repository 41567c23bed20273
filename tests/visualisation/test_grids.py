"""Sheets of images."""

import cv2
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.visualisation import grids

TILES = np.arange(5, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 6, 3), "u1")


def test_grid_keeps_every_image_in_reading_order():
    sheet = grids.grid(TILES, columns=2, padding=1, background=9)
    assert sheet.shape == (3 * 5 + 1, 2 * 7 + 1, 3)
    for index in range(5):
        top, left = 1 + (index // 2) * 5, 1 + (index % 2) * 7
        assert (sheet[top : top + 4, left : left + 6] == index).all()
    assert (sheet[-5:, 8:] == 9).all()


def test_grid_is_about_square_and_no_wider_than_needed():
    assert grids.grid(TILES, padding=0).shape == (8, 18, 3)
    assert grids.grid(TILES[:2], columns=10, padding=0).shape == (4, 12, 3)


def test_letterbox_keeps_the_aspect():
    image = grids.letterbox(np.zeros((10, 40, 3), np.uint8), 20, background=7)
    assert (image[:7] == 7).all() and (image[8:12] == 0).all()


def test_contact_sheet_takes_images_of_any_size_and_cuts_captions():
    images = [np.zeros((h, 30, 3), np.uint8) for h in (10, 50, 300)]
    sheet = grids.contact_sheet(images, ["a", "b" * 200, ""], size=60, columns=3)
    assert sheet.shape == (60 + 18 + 8, 3 * 64 + 4, 3)


def test_a_legend_stands_above_all_pictures():
    pictures = [np.zeros((20, 20, 3), np.uint8)] * 3
    plain = grids.contact_sheet(pictures, ["a", "b", "c"], size=60)
    legend = ["orange is the right", "x" * 500]
    sheet = grids.contact_sheet(pictures, ["a", "b", "c"], size=60, legend=legend)
    assert sheet.shape[1] == plain.shape[1]
    height = sheet.shape[0] - plain.shape[0]
    np.testing.assert_array_equal(sheet[height:], plain)
    first, second = sheet[: height // 2], sheet[height // 2 : height]
    assert first.min() < 100 and second.min() < 100  # each has words


@pytest.mark.parametrize("name", ["sheet.png", "sheet.jpg"])
def test_saved_images_are_read_again(tmp_path, name):
    image = np.zeros((16, 16, 3), np.uint8)
    image[..., 0] = 200  # red
    grids.save(tmp_path / name, image)
    got = cv2.imread(str(tmp_path / name))
    np.testing.assert_allclose(got[..., ::-1], image, atol=4)
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda p: grids.grid([]), "at least one"),
        (lambda p: grids.grid([TILES[0], TILES[0][:2]]), "one shape"),
        (lambda p: grids.contact_sheet(list(TILES), ["a"]), "5 images and 1 captions"),
        (lambda p: grids.save(p / "a.xyz", TILES[0]), r"\.png or \.jpg"),
        (lambda p: grids.save(p / "a", TILES[0]), r"\.png or \.jpg"),
    ],
)
def test_wrong_input_is_named(tmp_path, call, message):
    with pytest.raises(errors.InputError, match=message):
        call(tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_image_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "sheet.png"
    grids.save(path, TILES[0])
    before = path.read_bytes()

    def full(*_):
        raise OSError("no space left")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space left"):
        grids.save(path, TILES[1])
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
