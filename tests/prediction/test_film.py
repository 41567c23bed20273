"""Videos are whole, in their colours, and play in a browser."""

import sys

import browser
import cv2
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.prediction import film

RED, SIZE = (200, 40, 30), (96, 64)


@pytest.fixture(params=["ffmpeg", "opencv"])
def codec(request, monkeypatch):
    """Either way of writing; what its file says that it holds."""
    if request.param == "opencv":
        monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
        return "vp09"
    pytest.importorskip("imageio_ffmpeg")
    return "h264"


def _write(path, count=10, fps=30000 / 1001):
    made = film.Film(path, fps, SIZE)
    for k in range(count):
        picture = np.full((SIZE[1], SIZE[0], 3), RED, np.uint8)
        picture[:, : 8 * k] = 0
        made.write(picture)
    made.close()
    return path


def test_every_frame_is_there_in_its_colours_at_its_rate(tmp_path, codec, capfd):
    capture = cv2.VideoCapture(str(_write(tmp_path / "f.mp4")))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(29.97, abs=0.01)
    code = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode()
    assert code in {"h264": ("h264", "avc1"), "vp09": ("vp09", "VP90")}[codec]
    frames = []
    while True:
        good, frame = capture.read()
        if not good:
            break
        frames.append(frame[..., ::-1])
    assert len(frames) == 10 and frames[0].shape == (*SIZE[::-1], 3)
    for k, frame in enumerate(frames):
        assert k == 0 or frame[:, : 8 * k - 4].mean() < 20
        np.testing.assert_allclose(frame[8:-8, 88:].mean((0, 1)), RED, atol=16)
    assert capfd.readouterr() == ("", "")


@browser.needed
def test_a_browser_plays_it(tmp_path, codec):
    _write(tmp_path / "f.mp4")
    script = """
const film = document.createElement("video");
film.muted = true;
film.oncanplaythrough = () => tell([film.videoWidth, film.videoHeight, film.duration]);
film.onerror = () => tell(film.error.message);
film.src = "f.mp4";"""
    (tmp_path / "page.html").write_text(browser.probe(script), encoding="utf-8")
    width, height, seconds = browser.told(tmp_path / "page.html")
    assert (width, height) == SIZE
    assert seconds == pytest.approx(10 * 1001 / 30000, abs=0.05)


def test_the_index_comes_first_so_that_it_starts_before_it_is_loaded(tmp_path):
    pytest.importorskip("imageio_ffmpeg")
    data = _write(tmp_path / "f.mp4").read_bytes()
    assert 0 < data.index(b"moov") < data.index(b"mdat")


def test_where_nothing_can_write_one_the_way_out_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    monkeypatch.setattr(film, "_VP9", "none")
    with pytest.raises(errors.InputError, match="give --nodraw"):
        film.Film(tmp_path / "f.mp4", 30.0, SIZE)
