"""Reading videos and frame folders."""

import errno
import os
import pathlib
import struct

import cv2
import numpy as np
import pytest
import small_video

from sa3dhp import errors
from sa3dhp.data.videos import video


def _everything(_: int) -> bool:
    return True


def _write(path, num_frames=40, fps=30.0, size=(96, 64)) -> None:
    """A video whose frame k has red level 4 k and a blue top left corner."""
    code = "mp4v" if path.suffix == ".mp4" else "MJPG"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*code), fps, size)
    assert writer.isOpened()
    for k in range(num_frames):
        frame = np.zeros((size[1], size[0], 3), np.uint8)
        frame[..., 2] = 4 * k
        frame[:20, :20] = [255, 0, 0]
        writer.write(frame)
    writer.release()


def _write_folder(folder, sizes) -> None:
    folder.mkdir(parents=True)
    for k, (width, height) in enumerate(sizes):
        frame = np.full((height, width, 3), 10 * k, np.uint8)
        cv2.imwrite(str(folder / f"f{k}.png"), frame)


def _only(folder) -> video.Source:
    (source,) = video.discover(folder)
    return source


def test_discover_finds_nested_sources_in_natural_order(tmp_path) -> None:
    for name in ["b/take10.mp4", "b/take2.MOV", "a.avi", ".hidden.mp4", "notes.txt"]:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    _write_folder(tmp_path / "c" / "frames", [(8, 8)] * 12)
    _write_folder(tmp_path / "c" / "one picture", [(8, 8)])
    sources = video.discover(tmp_path)
    names = [source.name for source in sources]
    assert names == ["a.avi", "b/take2.MOV", "b/take10.mp4", "c/frames"]
    assert [path.name for path in sources[-1].images] == [
        f"f{k}.png" for k in range(12)
    ]


def test_discover_is_the_same_twice(tmp_path) -> None:
    for name in ["1.mp4", "01.mp4", "A.mp4", "a.avi", "x1y.mp4", "x.mp4", "2/a.mp4"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert video.discover(tmp_path) == video.discover(str(tmp_path))


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_videos_is_an_input_error(tmp_path, name) -> None:
    (tmp_path / "empty" / "sub").mkdir(parents=True)
    (tmp_path / "empty" / "notes.txt").write_text("x")
    with pytest.raises(errors.InputError, match="; give a folder") as caught:
        video.discover(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".mp4", ".avi"])
def test_frames_come_in_order_as_rgb(tmp_path, suffix) -> None:
    _write(tmp_path / f"v{suffix}")
    source = _only(tmp_path)
    assert video.probe(source) == video.Info(30.0, 40, seconds=40 / 30)
    got = list(video.frames(source, _everything))
    assert [index for index, _ in got] == list(range(40))
    red = [frame[50, 60, 0] for _, frame in got]
    np.testing.assert_allclose(red, 4 * np.arange(40), atol=6)
    assert got[5][1][5, 5, 2] > 200 and got[5][1][5, 5, 0] < 60  # blue corner


def test_unwanted_frames_count_and_are_not_decoded(tmp_path) -> None:
    _write(tmp_path / "v.mp4")
    got = list(video.frames(_only(tmp_path), lambda k: k % 10 == 3))
    assert [k for k, frame in got if frame is not None] == [3, 13, 23, 33]
    assert len(got) == 40


def test_the_rotation_mark_of_a_phone_is_obeyed(tmp_path) -> None:
    path = tmp_path / "v.mp4"
    _write(path)
    data = path.read_bytes()
    upright = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 1 << 30)
    turned = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)
    at = data.index(upright, data.index(b"tkhd"))
    path.write_bytes(data[:at] + turned + data[at + len(turned) :])
    _, frame = next(video.frames(_only(tmp_path), _everything))
    assert frame.shape == (96, 64, 3)
    assert frame[5, -5, 2] > 200  # the corner went from top left to top right


def test_a_frame_folder_passes_over_broken_pictures(tmp_path, capfd) -> None:
    _write_folder(tmp_path / "f", [(16, 12)] * 6)
    whole = (tmp_path / "f" / "f2.png").read_bytes()
    (tmp_path / "f" / "f2.png").write_text("no picture")
    (tmp_path / "f" / "f4.png").write_bytes(whole[:20])
    source = _only(tmp_path)
    got = list(video.frames(source, _everything))
    assert [int(frame[0, 0, 0]) for _, frame in got] == [0, 10, 30, 50]
    assert [index for index, _ in got] == [0, 1, 2, 3]
    assert video.probe(source, 12.0).fps == 12.0
    assert "12 fps" in video.probe(source, 12.0).notes[0]
    assert capfd.readouterr().err == ""


def test_pictures_of_different_sizes_are_no_video(tmp_path) -> None:
    _write_folder(tmp_path / "f", [(16, 12), (16, 12), (20, 12)])
    for wanted in (_everything, lambda k: k == 0):
        with pytest.raises(video.UnreadableError, match="16 x 12 and 20 x 12"):
            list(video.frames(_only(tmp_path), wanted))


@pytest.mark.parametrize("kind", ["empty", "text", "truncated"])
def test_hostile_files_are_refused_quietly(tmp_path, capfd, kind) -> None:
    path = tmp_path / "v.mp4"
    _write(path)
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "text": b"hello\n" * 99}.get(kind, data[:-700]))
    with pytest.raises(video.UnreadableError) as caught:
        list(video.frames(_only(tmp_path), _everything))
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("fps", [float("nan"), 0.0, 1000.0, -5.0, float("inf")])
def test_absurd_frame_rates_are_taken_as_30_and_said(
    tmp_path, monkeypatch, fps
) -> None:
    class Capture:
        def isOpened(self):  # noqa: N802
            return True

        def get(self, which):
            return fps if which == cv2.CAP_PROP_FPS else float("nan")

        def set(self, which, value):
            pass

        def release(self):
            pass

    (tmp_path / "v.mp4").write_bytes(b"x")
    monkeypatch.setattr(cv2, "VideoCapture", lambda *_: Capture())
    info = video.probe(_only(tmp_path))
    assert info.fps == 30.0 and info.declared_frames == 0
    assert "taken as 30 fps" in info.notes[0]


def test_pictures_every_other_second_are_no_truncated_video(tmp_path) -> None:
    _write(tmp_path / "v.mp4", 6, fps=0.5)
    info = video.probe(_only(tmp_path))
    assert (info.fps, info.declared_frames, info.seconds) == (30.0, 6, 0.0)


def test_timeline_at_the_same_rate_is_the_identity() -> None:
    np.testing.assert_array_equal(video.timeline(50, 30.0, 30.0), np.arange(50))


def test_timeline_by_hand() -> None:
    np.testing.assert_array_equal(video.timeline(4, 10.0, 30.0), np.repeat(range(4), 3))
    np.testing.assert_array_equal(video.timeline(8, 60.0, 30.0), [1, 3, 5, 7])
    assert len(video.timeline(65, 5.0, 30.0)) == 390
    assert len(video.timeline(0, 30.0, 30.0)) == 0


@pytest.mark.parametrize(
    "source_fps", [5.0, 12.0, 15.0, 24.0, 25.0, 29.97, 50.0, 59.94]
)
def test_timeline_shows_the_frame_on_screen(source_fps) -> None:
    index = video.timeline(200, source_fps, 30.0)
    middle = (np.arange(len(index)) + 0.5) / 30.0
    assert (np.diff(index) >= 0).all() and index[-1] <= 199
    assert (index / source_fps <= middle + 1e-6).all()
    assert ((index + 1) / source_fps >= middle - 1e-6).all()


@pytest.mark.parametrize(
    ("fps", "count"), [(5.0, 20), (10.0, 21), (12.0, 40), (90.0, 99)]
)
def test_resampling_commutes_with_reversing_time(fps, count) -> None:
    index = video.timeline(count, fps, 30.0)
    reverse = count - 1 - index[::-1]
    # Where a source frame changes exactly in the middle of an interval either will do.
    assert np.abs(reverse - index).max() <= 1
    assert (reverse == index).mean() >= 0.8


def test_one_file_one_picture_or_several_are_sources_too(tmp_path) -> None:
    _write(tmp_path / "a, b.mp4", 3)
    (tmp_path / "c").mkdir()
    _write(tmp_path / "c" / "c.avi", 3)
    _write_folder(tmp_path / "d" / "f", [(8, 8)] * 2)
    (one,) = video.discover(tmp_path / "a, b.mp4")  # a comma may be in the name
    assert one == video.Source("a, b.mp4", tmp_path / "a, b.mp4")
    picture = tmp_path / "d" / "f" / "f1.png"
    (still,) = video.discover(str(picture))
    assert still.images == (picture,) and video.probe(still).declared_frames == 1
    assert video.probe(still).notes == ()
    (frame,) = [frame for _, frame in video.frames(still, _everything)]
    assert frame.shape == (8, 8, 3)
    several = video.discover(f"{picture}, {tmp_path / 'd'},{tmp_path / 'c/c.avi'}")
    assert [source.name for source in several] == ["c.avi", "d/f", "f1.png"]
    assert video.discover([tmp_path / "d" / "f", picture])[0].name == "f"


@pytest.mark.parametrize("where", ["typo.mp4", "a.mp4,typo.mp4", "a.mp4,", "", []])
def test_a_path_that_is_not_there_is_named(tmp_path, monkeypatch, where) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.mp4").write_bytes(b"x")
    with pytest.raises(errors.InputError, match="no such file or folder; give"):
        video.discover(where)


def test_what_is_no_video_or_named_twice_is_refused(tmp_path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "a.mp4").write_bytes(b"x")
    with pytest.raises(errors.InputError, match="not a video nor a picture"):
        video.discover(tmp_path / "notes.txt")
    with pytest.raises(errors.InputError, match=r"a\.mp4 is named twice"):
        video.discover([tmp_path / "a.mp4", tmp_path / "a.mp4"])


def test_until_stops_after_the_last_frame_in_use(tmp_path) -> None:
    _write(tmp_path / "v.mp4")
    got = list(video.until(_only(tmp_path), {7, 3}))
    assert [index for index, _ in got] == [3, 7]
    assert list(video.until(_only(tmp_path), ())) == []


def _timed(path) -> tuple[list[np.ndarray], list[float]]:
    times: list[float] = []
    (source,) = video.discover(path)
    shown = [f for _, f in video.frames(source, lambda number: True, times)]
    return shown, times


def test_each_frame_comes_with_the_time_at_which_it_is_shown(tmp_path) -> None:
    small_video.write(tmp_path / "a.mp4", 30)
    assert video.uneven(_timed(tmp_path)[1], 30.0) is None
    small_video.show_at(tmp_path / "a.mp4", [0.02] * 10 + [0.1] * 20)
    frames, times = _timed(tmp_path)
    expected = np.cumsum([0, *[0.02] * 10, *[0.1] * 19])
    np.testing.assert_allclose(times, expected, atol=2e-3)
    assert len(frames) == 30
    np.testing.assert_allclose(video.uneven(times, 13.6), expected, atol=2e-3)


@pytest.mark.parametrize(
    "times",
    [[], [0.0], [0.0] * 30, [0.0, 1.0, 0.5], [0.0, np.nan], [-1.0, -1.0], [0, 1e-6]],
)
def test_times_that_say_nothing_are_not_used(times) -> None:
    assert video.uneven(times, 30.0) is None


def test_times_without_end_are_refused() -> None:
    """Some bytes of a damaged file would ask for a terabyte."""
    with pytest.raises(
        video.UnreadableError, match=r"3 pictures are said to last 1\.5e"
    ):
        video.uneven([0.0, 1.0, 1e15], 30.0)
    assert video.uneven([0.0, 1.0, 1e5], 30.0) is not None


def test_at_a_steady_rate_times_show_the_same_frames() -> None:
    for rate in (10.0, 25.0, 30.0, 59.94):
        index = video.timeline_of(np.arange(200) / rate, 30.0)
        np.testing.assert_array_equal(index, video.timeline(200, rate, 30.0))


def test_the_frame_on_screen_is_shown_at_uneven_times() -> None:
    times = np.array([0.0, 0.1, 0.2, 0.7, 0.8])
    assert video.duration(times) == pytest.approx(0.9)  # the last for a usual time
    shown = video.timeline_of(times, 10.0)
    np.testing.assert_array_equal(shown, [0, 1, 2, 2, 2, 2, 2, 3, 4])


def test_pixels_that_are_not_square_are_shown_as_wide_as_they_are(tmp_path) -> None:
    small_video.write(tmp_path / "a.mp4", 5)
    assert video.stretch(*video.discover(tmp_path)) == (1.0, 1.0)
    square, _ = _timed(tmp_path)
    small_video.make_pixels_wide(tmp_path / "a.mp4")
    assert video.stretch(*video.discover(tmp_path)) == pytest.approx((16 / 11, 1.0))
    wide, _ = _timed(tmp_path)
    assert square[0].shape == (120, 160, 3) and wide[0].shape == (120, 233, 3)
    red = np.flatnonzero(wide[0][60, :, 0] > 150)
    assert red.mean() == pytest.approx(40 * 16 / 11, abs=1.5)


@pytest.mark.parametrize(
    ("at", "claim"), [(8, b"\xff\xff\xff\xf0"), (33, b"\xff\xff\xff\xf0"),
                      (20, b"\x04\x04\x4c\x00")]  # 8 x 67 million pixels
)  # fmt: skip
def test_a_png_that_claims_gigabytes_is_not_decoded(tmp_path, at, claim) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), np.full((8, 8, 3), 90, np.uint8))
    assert video.read_image(path).shape == (8, 8, 3)
    data = bytearray(path.read_bytes())
    data[at : at + 4] = claim
    path.write_bytes(data)
    for cut in (len(data), at + 6):  # the file may end within what claims
        path.write_bytes(data[:cut])
        if at != 20 or cut > 24:
            assert not video._png_is_bounded(bytes(data[:cut]))
        assert video.read_image(path) is None


def test_a_pattern_is_all_that_fits_named_below_its_folder(tmp_path):
    for name in ("a/x.mp4", "a/x2.mp4", "b/x.mp4", "b/note.txt", "b/y.avi"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    found = video.discover(f"{tmp_path}/*/x*.mp4")
    assert [source.name for source in found] == ["a/x2.mp4", "a/x.mp4", "b/x.mp4"]
    found = video.discover(f"{tmp_path}/b/*")  # other files are passed over
    assert [source.name for source in found] == ["x.mp4", "y.avi"]
    found = video.discover(f"{tmp_path}/a/x.mp4,{tmp_path}/b/*.avi")
    assert [source.name for source in found] == ["x.mp4", "y.avi"]
    with pytest.raises(errors.InputError, match="no video and no picture fits it"):
        video.discover(f"{tmp_path}/*.mov")
    (tmp_path / "[1].mp4").write_bytes(b"x")  # a name, not a pattern
    assert [s.name for s in video.discover(tmp_path / "[1].mp4")] == ["[1].mp4"]


def test_pipes_and_devices_are_no_videos_and_no_pictures(tmp_path) -> None:
    """Reading them would wait for ever, or never end."""
    for name in ("a.mp4", "a.jpg", "b.jpg"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "c.jpg").symlink_to("/dev/zero")
    movie, folder = sorted(video.discover(tmp_path), key=lambda s: len(s.images))
    with pytest.raises(video.UnreadableError, match="a device or a pipe"):
        video.probe(movie)
    assert len(folder.images) == 3 and not list(video.frames(folder, _everything))


def test_a_picture_of_gigabytes_is_not_read(tmp_path) -> None:
    with (tmp_path / "a.jpg").open("wb") as file:
        file.truncate(1 << 40)
    assert video.read_image(tmp_path / "a.jpg") is None


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_a_fault_of_the_machine_is_no_verdict_on_videos(
    tmp_path, monkeypatch, number
) -> None:
    _write(tmp_path / "a.mp4", 3)
    _write_folder(tmp_path / "frames", [(8, 8)] * 2)

    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(pathlib.Path, "open", refuse)
    for source in video.discover(tmp_path):
        with pytest.raises(OSError, match=os.strerror(number)):
            list(video.frames(source, _everything))
