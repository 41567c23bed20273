"""A folder of videos becomes clips of persons."""

import json

import cv2
import numpy as np
import pytest
import small_video

from sa3dhp import errors
from sa3dhp.data.videos import video_folder

SIZE = (160, 120)
RED = np.array([220, 30, 30])


def _position(k: int) -> tuple:
    return 40 + k // 2, 60


def _frame(k: int, size=SIZE, person=True) -> np.ndarray:
    """RGB: a grey room; a red figure of 20 x 50 that walks half a pixel per frame."""
    frame = np.full((size[1], size[0], 3), 90, np.uint8)
    if person:
        x, y = _position(k)
        frame[y - 25 : y + 25, x - 10 : x + 10] = RED
    return frame


def _write(path, num_frames=90, fps=30.0, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    size = options.get("size", SIZE)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), fps, size)
    assert writer.isOpened()
    for k in range(num_frames):
        writer.write(np.ascontiguousarray(_frame(k, **options)[..., ::-1]))
    writer.release()


def _red_detector(frames: np.ndarray) -> list:
    """A detector that boxes what is red."""
    found = []
    for frame in frames.astype(int):
        y, x = np.nonzero((frame[..., 0] > 150) & (frame[..., 1] < 90))
        box = [x.min(), y.min(), x.max() + 1, y.max() + 1, 0.9] if len(x) > 20 else []
        found.append(np.array(box, np.float32).reshape(-1, 5))
    return found


def _load(folder, **options) -> video_folder.VideoSet:
    return video_folder.load(
        folder,
        **{"stored_size": 48, "image_size": 32, "detector": _red_detector, **options},
    )


def _figure(picture: np.ndarray) -> np.ndarray:
    """Centre and size `[cx, cy, w, h]` of the red pixels."""
    y, x = np.nonzero((picture[..., 0] > 150) & (picture[..., 1] < 100))
    low = np.array([x.min(), y.min()])
    high = np.array([x.max(), y.max()]) + 1
    return np.concatenate([(low + high) / 2, high - low])


def test_clips_hold_the_person_at_the_size_of_the_crop_rule(tmp_path) -> None:
    _write(tmp_path / "walk.mp4")
    found = _load(tmp_path)
    assert found.clips.shape == (2, 60, 48, 48, 3) and found.clips.dtype == np.uint8
    for clip in found.clips:
        for picture in clip[::7]:
            # 50 of 1.25 * 50 pixels, on 32 of them.
            figure = _figure(picture)
            np.testing.assert_allclose(figure[:2], 24, atol=1.6)
            np.testing.assert_allclose(figure[3], 32 / 1.25, atol=2)


def test_the_crops_colours_are_rgb_and_of_their_own_frame(tmp_path) -> None:
    _write(tmp_path / "walk.mp4")
    found = _load(tmp_path)
    middle = found.clips[:, :, 22:26, 22:26].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(middle, RED, atol=20)
    window = found.windows[0]
    np.testing.assert_array_equal(window.frames, np.arange(60))
    want = [_position(k)[0] for k in window.frames]
    np.testing.assert_allclose(window.centres[:, 0], want, atol=1.5)


def test_overlays_land_on_the_person(tmp_path) -> None:
    _write(tmp_path / "walk.mp4")
    found = _load(tmp_path)
    for index, positions in ((0, [0, 59, 30]), (1, [5, 5])):
        pictures = found.source_frames(index, positions)
        assert len(pictures) == len(positions)
        for position, picture in zip(positions, pictures):
            assert picture.shape == (120, 160, 3)
            centre = found.windows[index].centres[position]
            np.testing.assert_allclose(_figure(picture)[:2], centre, atol=1.6)


@pytest.mark.parametrize(("fps", "count"), [(5.0, 13), (12.0, 40), (60.0, 180)])
def test_any_frame_rate_comes_out_at_30(tmp_path, fps, count) -> None:
    _write(tmp_path / "v.mp4", count, fps)
    found = _load(tmp_path)
    assert sum(len(t.boxes) for t in found.tracks) == int(count * 30 / fps + 1e-6)
    seconds = found.windows[0].frames / fps
    np.testing.assert_allclose(np.diff(seconds).sum(), 59 / 30, atol=2 / fps)
    # Repeats of a picture are the same crop.
    window, clip = found.windows[0], found.clips[0]
    for k in np.flatnonzero(np.diff(window.frames) == 0):
        np.testing.assert_array_equal(clip[k], clip[k + 1])
        np.testing.assert_array_equal(window.centres[k], window.centres[k + 1])


def test_a_short_track_is_played_forth_and_back(tmp_path) -> None:
    _write(tmp_path / "v.mp4", 40)
    found = _load(tmp_path)
    want = np.concatenate([np.arange(40), np.arange(39, 19, -1)])
    np.testing.assert_array_equal(found.windows[0].frames, want)
    np.testing.assert_array_equal(found.clips[0, 45], found.clips[0, 34])


def test_a_long_track_is_cut_into_even_windows(tmp_path) -> None:
    _write(tmp_path / "v.mp4", 200)
    found = _load(tmp_path)
    assert [int(w.frames[0]) for w in found.windows] == [0, 70, 140]
    assert found.video_ids.tolist() == [0, 0, 0]


def test_memory_is_bounded_and_said(tmp_path) -> None:
    _write(tmp_path / "a.mp4", 130)
    _write(tmp_path / "b.mp4", 130)
    found = _load(tmp_path, max_bytes=2 * 60 * 48 * 48 * 3)
    assert found.video_ids.tolist() == [0, 1]
    assert "2 of 4 clips" in found.summary()


def test_what_cannot_be_used_is_named_with_its_reason(tmp_path, capfd) -> None:
    _write(tmp_path / "good" / "walk.mp4")
    _write(tmp_path / "empty room.mp4", person=False)
    _write(tmp_path / "five.mp4", 5)
    _write(tmp_path / "slow.mp4", 7, fps=5.0)
    whole = (tmp_path / "good" / "walk.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "nothing.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("hello")
    folder = tmp_path / "mixed"
    folder.mkdir()
    for k in range(40):
        size = (40 + (k == 30), 40)
        cv2.imwrite(str(folder / f"{k}.png"), np.zeros((size[1], size[0], 3), np.uint8))
    (tmp_path / "broken").mkdir()
    for k in range(40):
        (tmp_path / "broken" / f"{k}.jpg").write_text("no picture")
    found = _load(tmp_path)
    reasons = dict(found.skipped)
    wanted = {
        "empty room.mp4": "no person found",
        "five.mp4": "too short: 0.2 s, needs 1 s",
        "slow.mp4": "too few pictures: 7",
        "cut.mp4": "cannot be decoded",
        "nothing.mp4": "empty file",
        "text.mp4": "cannot be decoded",
        "mixed": "different sizes (40 x 40 and 41 x 40)",
        "broken": "no frame can be decoded",
    }
    assert set(reasons) == set(wanted)
    for name, reason in wanted.items():
        assert reason in reasons[name]
        assert f"{name}: {reasons[name]}" in found.summary()
    assert "used     good/walk.mp4: 2 clips from 1 track, 3.0 s" in found.summary()
    assert capfd.readouterr().err == ""


def test_a_folder_with_nothing_usable_is_an_input_error(tmp_path) -> None:
    _write(tmp_path / "v.mp4", 20)
    with pytest.raises(errors.InputError, match=r"v.mp4: too short.*; give") as caught:
        _load(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_video_whose_end_is_lost_gives_its_beginning(tmp_path, monkeypatch) -> None:
    _write(tmp_path / "v.mp4", 150)
    stream = video_folder.video._video_frames

    def broken(*args):
        return (item for item in stream(*args) if item[0] < 100)

    monkeypatch.setattr(video_folder.video, "_video_frames", broken)
    found = _load(tmp_path)
    assert "ends at frame 100 of 150 (truncated)" in found.summary()
    assert found.tracks[0].source_frames[-1] == 69


def test_a_source_that_fails_the_second_time_is_left_out(tmp_path, monkeypatch) -> None:
    _write(tmp_path / "a.mp4")
    _write(tmp_path / "b.mp4")
    stream = video_folder.video.until
    monkeypatch.setattr(
        video_folder.video,
        "until",
        lambda source, uses: (
            stream(source, uses) if source.name == "a.mp4" else iter(())
        ),
    )
    assert set(_load(tmp_path).video_ids) == {0}


def test_a_hard_cut_ends_a_track(tmp_path) -> None:
    folder = tmp_path / "film"
    folder.mkdir()
    for k in range(120):
        frame = _frame(30)
        if k >= 60:
            frame[(frame == 90).all(axis=-1)] = [20, 160, 240]
        cv2.imwrite(str(folder / f"{k}.png"), frame[..., ::-1])
    found = _load(tmp_path)
    for window in found.windows:
        assert window.frames.max() < 60 or window.frames.min() >= 60
    assert len(found.windows) == 2


def test_frame_folders_are_read_at_the_given_rate(tmp_path) -> None:
    folder = tmp_path / "take" / "frames"
    folder.mkdir(parents=True)
    for k in range(20):
        cv2.imwrite(str(folder / f"{k}.jpg"), _frame(3 * k)[..., ::-1])
    found = _load(tmp_path, frames_fps=10.0)
    assert found.clips.shape[0] == 1
    np.testing.assert_array_equal(found.windows[0].frames, np.repeat(range(20), 3))
    assert "taken as 10 fps" in found.summary()


def test_loading_twice_gives_the_same_clips(tmp_path) -> None:
    _write(tmp_path / "v.mp4")
    np.testing.assert_array_equal(_load(tmp_path).clips, _load(tmp_path).clips)


def test_given_boxes_take_the_place_of_the_detector(tmp_path) -> None:
    _write(tmp_path / "in" / "v.mp4")
    _write(tmp_path / "in" / "w.mp4")
    rows = [[k, _position(k)[0] - 10, 35, 20, 50] for k in range(10, 80, 3)]
    (tmp_path / "boxes.json").write_text(json.dumps({"v": rows}))
    found = _load(tmp_path / "in", boxes=tmp_path / "boxes.json", detector="hog")
    assert found.skipped == [("w.mp4", "not in the boxes file")]
    window = found.windows[0]
    np.testing.assert_array_equal(found.tracks[0].source_frames, np.arange(10, 80))
    np.testing.assert_array_equal(window.frames, np.arange(15, 75))  # in the middle
    np.testing.assert_allclose(_figure(found.clips[0, 30])[:2], 24, atol=1.6)


@pytest.mark.parametrize(
    ("box", "reason"),
    [
        ([0, 500, 0, 20, 50], "box of frame 0 in the boxes file lies outside"),
        ([0, 0, 0, 5000, 50], "box of frame 0 in the boxes file lies outside"),
        ([60, 10, 10, 20, 50], "of frames from 60 on, which it does not have"),
    ],
)
def test_boxes_that_miss_the_picture_are_a_reason(tmp_path, box, reason) -> None:
    _write(tmp_path / "in" / "v.mp4", 60)
    _write(tmp_path / "in" / "ok.mp4", 60)
    rows = {"v.mp4": [box], "ok.mp4": [[0, 30, 35, 60, 50], [59, 30, 35, 60, 50]]}
    (tmp_path / "b.json").write_text(json.dumps(rows))
    found = _load(tmp_path / "in", boxes=tmp_path / "b.json")
    assert reason in dict(found.skipped)["v.mp4"]


@pytest.mark.parametrize(
    "options", [{"image_size": 64}, {"image_size": 0}, {"clip_frames": 1}]
)
def test_impossible_sizes_are_refused(tmp_path, options) -> None:
    with pytest.raises(errors.InputError, match="expected image_size <= stored_size"):
        _load(tmp_path, **options)


def test_progress_names_each_source(tmp_path) -> None:
    _write(tmp_path / "a.mp4")
    _write(tmp_path / "b.mp4", 3)
    calls = []
    _load(tmp_path, progress=lambda *call: calls.append(call))
    assert calls == [("a.mp4", 0, 2), ("b.mp4", 1, 2)]


@pytest.mark.parametrize("detector", ["hog", "blazepose"])
def test_real_clips_hold_the_whole_person(shared_data, capfd, detector) -> None:
    folder = shared_data / "person_clips"
    if detector == "blazepose":
        detector = shared_data / "assets" / "pose_models" / "pose_detection.tflite"
        if not detector.is_file():
            pytest.skip(f"no such file: {detector}")
    found = video_folder.load(folder, stored_size=96, image_size=64, detector=detector)
    used = {window.name for window in found.windows}
    assert used == {"squats_tfjs.mp4", "single_person_mmhuman3d.mp4"}
    reasons = dict(found.skipped)
    assert "too short" in reasons["frames_folder_example"]
    assert "too few pictures: 5" in reasons["street_mmpose.mp4"]
    assert capfd.readouterr().err == ""
    landmarks = json.loads((folder / "pose_squats.full.json").read_text())
    landmarks = np.array(landmarks)[:, :, :2]  # [65, 33, 2], an estimate, pixels
    for window in found.windows:
        if window.name == "squats_tfjs.mp4":
            points = landmarks[window.frames]  # [60, 33, 2]
            inside = np.abs(points - window.centres[:, None]) <= window.side / 2
            assert inside.all(axis=-1).mean() > 0.98
            tall = np.ptp(points[..., 1], axis=1).max()
            assert 0.6 < tall / window.side < 0.95


def test_no_thing_is_followed_in_a_real_room(shared_data) -> None:
    """One man; cameras on the wall look like people to the detector, and are told."""
    folder = shared_data / "real_multiview"
    detector = shared_data / "assets" / "pose_models" / "pose_detection.tflite"
    if not (folder.is_dir() and detector.is_file()):
        pytest.skip("the clips or the detector are not at hand")
    clips = [folder / f"SinglePerson_cam0{k}.mp4" for k in (1, 3)]
    found = video_folder.load(clips, stored_size=96, image_size=64, detector=detector)
    assert [track.name for track in found.tracks] == [path.name for path in clips]
    assert all(track.seen == 1 and track.confidence > 0.8 for track in found.tracks)
    assert {track.dropped for track in found.dropped} == {
        "it does not move, and the detector is not sure: a thing"
    }
    assert "a track of 1.7 s was dropped: it does not move" in found.summary()


def test_tracks_that_give_no_clip_are_told_apart(tmp_path) -> None:
    _write(tmp_path / "a.mp4")
    _write(tmp_path / "b.mp4", 20)
    found = _load(tmp_path)
    assert [t.name for t in found.tracks] == ["a.mp4"]
    assert [(t.name, t.dropped) for t in found.dropped] == [
        ("b.mp4", "good, but too short for a clip")
    ]
    assert found.write_sheet(tmp_path / "out").is_file()


def test_the_old_detector_is_told_with_the_remedy(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(video_folder.detection.blazepose, "find", lambda: None)
    monkeypatch.setattr(video_folder.detection, "make", lambda name: _red_detector)
    _write(tmp_path / "a.mp4")
    text = _load(tmp_path, detector="auto").summary()
    assert "note     all: people are searched with OpenCV's old detector (hog)" in text
    assert "pip install --no-deps mediapipe==0.10.14" in text


def test_a_rate_that_varies_is_resampled_by_its_own_times(tmp_path) -> None:
    """Half of 60 pictures at 60 fps, half at 15: 0.5 + 2 s, at 30 fps 15 + 60."""
    small_video.write(tmp_path / "v.mp4", 60)
    small_video.show_at(tmp_path / "v.mp4", [1 / 60] * 30 + [1 / 15] * 30)
    found = _load(tmp_path)
    shown = found.tracks[0].source_frames
    assert len(shown) == 75 and not found.skipped
    np.testing.assert_allclose(shown[:15], 0.5 + 2 * np.arange(15), atol=1)
    np.testing.assert_array_equal(shown[15:], 30 + np.arange(60) // 2)
    (note,) = (text for name, text in found.notes if name == "v.mp4")
    assert "rate varies" in note and "60 pictures in 2.5 s" in note


def test_given_boxes_are_in_pixels_as_stored(tmp_path) -> None:
    small_video.write(tmp_path / "in" / "v.mp4", 60)
    small_video.make_pixels_wide(tmp_path / "in" / "v.mp4")
    rows = [[k, 30 + k // 2, 35, 20, 50] for k in range(60)]
    (tmp_path / "b.json").write_text(json.dumps({"v": rows}))
    found = _load(tmp_path / "in", boxes=tmp_path / "b.json")
    np.testing.assert_allclose(_figure(found.clips[0, 30])[:2], 24, atol=1.6)


def test_no_clip_goes_across_a_gap_where_nobody_is_there(tmp_path) -> None:
    _write(tmp_path / "in" / "v.mp4", 260)
    there = [*range(60), *range(180, 250)]
    rows = [[k, 30, 35, 20, 50] for k in there]
    (tmp_path / "b.json").write_text(json.dumps({"v": rows}))
    found = _load(tmp_path / "in", boxes=tmp_path / "b.json")
    assert len(found.tracks) == 2
    for window in found.windows:
        assert set(window.frames) <= set(there)


def test_sparse_boxes_are_no_gaps(tmp_path) -> None:
    _write(tmp_path / "in" / "v.mp4", 200)
    rows = [[k, 30, 35, 20, 50] for k in range(0, 200, 45)]
    (tmp_path / "b.json").write_text(json.dumps({"v": rows}))
    (track,) = _load(tmp_path / "in", boxes=tmp_path / "b.json").tracks
    np.testing.assert_array_equal(track.source_frames, np.arange(181))


_CORNERS = {
    "at the right": lambda k: [100 + k / 4, 20, 130 + k / 4, 110],
    "at the left, moving": lambda k: [5 + k / 2, 2, 40 + k / 2, 60],
}
_SIDES = {
    "large and cut": lambda k: [10, 20, 100, 110],
    "at the left, moving": lambda k: [5 + k / 2, 20, 70, 80],
    "coming nearer": lambda k: [20 - k / 6, 20 - k / 6, 60 + k / 3, 60 + k / 3],
}


@pytest.mark.parametrize("box", _CORNERS.values(), ids=_CORNERS)
def test_corners_that_are_given_as_sides_are_refused(tmp_path, box) -> None:
    _write(tmp_path / "in" / "v.mp4", 60)
    (tmp_path / "b.json").write_text(
        json.dumps({"v": [[k, *box(k)] for k in range(60)]})
    )
    with pytest.raises(errors.InputError, match="look like x1 y1 x2 y2"):
        _load(tmp_path / "in", boxes=tmp_path / "b.json")


@pytest.mark.parametrize("box", _SIDES.values(), ids=_SIDES)
def test_sides_are_not_taken_for_corners(tmp_path, box) -> None:
    _write(tmp_path / "in" / "v.mp4", 60)
    (tmp_path / "b.json").write_text(
        json.dumps({"v": [[k, *box(k)] for k in range(60)]})
    )
    assert len(_load(tmp_path / "in", boxes=tmp_path / "b.json").clips) == 1


def test_boxes_by_their_centres_are_noted(tmp_path) -> None:
    """A person whom the picture's edge cuts may have such a box, so it is used."""
    _write(tmp_path / "in" / "v.mp4", 60)
    rows = [[k, 60 + k / 3, 75, 40, 80] for k in range(70)]
    (tmp_path / "b.json").write_text(json.dumps({"v": rows}))
    found = _load(tmp_path / "in", boxes=tmp_path / "b.json")
    first, second = (note for _, note in found.notes if "boxes file" in note)
    assert first.startswith(
        "10 of its 70 boxes in the boxes file are of frames from 60"
    )
    assert "would not if x y were their centres; look at tracks.png" in second
