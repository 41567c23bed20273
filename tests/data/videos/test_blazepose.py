"""BlazePose's detector: what the network says, and where it is asked."""

import importlib.metadata
import json
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data.videos import blazepose, detection


def _slow_overlap(one, other):
    """Intersection over union of the squares about two circles."""
    boxes = [(x - r, y - r, x + r, y + r) for x, y, r, _ in (one, other)]
    low, high = np.maximum(*np.array(boxes)[:, :2]), np.minimum(*np.array(boxes)[:, 2:])
    common = np.prod(np.maximum(high - low, 0))
    return common / (4 * one[2] ** 2 + 4 * other[2] ** 2 - common)


def test_anchors_are_the_middles_of_the_cells_of_each_layer() -> None:
    anchors = blazepose.anchors()
    assert anchors.shape == (2254, 2)
    np.testing.assert_allclose(anchors[:2], 0.5 / 28)
    np.testing.assert_allclose(anchors[2], [1.5 / 28, 0.5 / 28])
    np.testing.assert_allclose(anchors[2 * 28 * 28], 0.5 / 14)
    np.testing.assert_allclose(anchors[-1], 6.5 / 7)
    assert (anchors > 0).all() and (anchors < 1).all()


def test_decoding_gives_the_circle_about_the_hips() -> None:
    boxes, scores = np.zeros((2254, 12)), np.full(2254, -20.0)
    at = 2 * 28 * 28 + 2 * 14 * 7  # stride 16, row 7, column 0: 8 and 120 pixels
    boxes[at, 4:8] = [40, 10, 40 + 30, 10 - 40]  # the rim is 30 right, 40 up: 50 away
    scores[at] = np.log(9.0)  # 0.9
    (found,) = blazepose.decode(boxes, scores)
    np.testing.assert_allclose(found, [48 / 224, 130 / 224, 50 / 224, 0.9])


def test_neighbouring_anchors_are_one_person_and_averaged() -> None:
    boxes, scores = np.zeros((2254, 12)), np.full(2254, -20.0)
    for at, right, logit in ((0, 100, np.log(4.0)), (1, 110, np.log(1.5))):
        boxes[at, 4:8] = [right, 100, right, 40]
        scores[at] = logit  # 0.8 and 0.6
    (found,) = blazepose.decode(boxes, scores)
    x = 4 + (0.8 * 100 + 0.6 * 110) / 1.4
    np.testing.assert_allclose(found, [x / 224, 104 / 224, 60 / 224, 0.8])
    assert len(blazepose.decode(boxes, np.full(2254, -1000.0))) == 0


def test_of_one_person_the_best_circle_stays() -> None:
    rng = np.random.default_rng(0)
    people = np.concatenate([rng.uniform(0, 300, (40, 3)) + 1, rng.random((40, 1))], 1)
    left = blazepose.once(people)
    assert (np.diff(left[:, 3]) <= 0).all() and len(left) < len(people)
    for number, one in enumerate(left):
        for other in left[number + 1 :]:
            assert _slow_overlap(one, other) < blazepose._SAME
    for one in people:
        assert any(_slow_overlap(one, kept) >= blazepose._SAME for kept in left)
    np.testing.assert_array_equal(blazepose.once(people[::-1]), left)


@pytest.mark.parametrize("size", [(640, 360), (360, 640), (640, 640), (640, 480)])
def test_who_fits_into_half_a_square_is_whole_in_one(size) -> None:
    levels = blazepose.tiles(*size)
    (whole,) = levels[0]
    assert whole[2] == max(size) and whole[0] <= 0 and whole[1] <= 0
    rng = np.random.default_rng(1)
    for level in levels[1:]:
        side = level[0][2]
        for _ in range(50):
            half = 0.4 * side  # squares may overlap by a little less than half
            low = rng.uniform(0, np.array(size) - half)
            inside = [
                left <= low[0] + 1e-6
                and top <= low[1] + 1e-6
                and low[0] + half <= left + side + 1e-6
                and low[1] + half <= top + side + 1e-6
                for left, top, _ in level
            ]
            assert any(inside)


class _Red(blazepose.BlazePose):
    """Sees red discs as the network sees people: of a fitting size, the first alone."""

    def __init__(self) -> None:
        self.looks = 0

    def _look(self, frame, left, top, side):
        self.looks += 1
        red = (frame[..., 0] > 150) & (frame[..., 1] < 90)
        _, _, stats, centres = cv2.connectedComponentsWithStats(red.astype(np.uint8))
        people = []
        for (_, _, width, _, _), centre in zip(stats[1:], centres[1:]):
            inside = (
                np.abs(centre - [left + side / 2, top + side / 2]) < side / 2
            ).all()
            if inside and 0.3 <= width / side <= 1.0:
                people.append([*centre, width / 2, 0.9])
        return np.array(people).reshape(-1, 4)


def _discs(*discs, size=(640, 360)) -> np.ndarray:
    frame = np.full((size[1], size[0], 3), 60, np.uint8)
    for x, y, radius in discs:
        cv2.circle(frame, (x, y), radius, (220, 20, 20), -1)
    return frame


def test_large_and_small_people_are_found_and_boxed() -> None:
    frame = _discs((200, 180, 110), (500, 100, 30))
    boxes = _Red()(frame[None])[0]
    order = np.argsort(boxes[:, 0])
    np.testing.assert_allclose(boxes[order[0]], [90, 70, 310, 290, 0.9], atol=2)
    np.testing.assert_allclose(boxes[order[1]], [470, 70, 530, 130, 0.9], atol=2)


def test_a_small_person_is_followed_without_searching_again() -> None:
    frames = np.stack([_discs((100 + 4 * k, 100, 30)) for k in range(8)])
    detector = _Red()
    for k, boxes in enumerate(detector(frames)):
        np.testing.assert_allclose(boxes[:, 0], [70 + 4 * k], atol=2)
    first = sum(len(level) for level in blazepose.tiles(640, 360))
    assert detector.looks < first + 8 + 12


def test_who_comes_later_is_found_and_who_goes_is_gone() -> None:
    here, there = (150, 180, 100), (480, 180, 100)
    frames = [_discs(here)] * 3 + [_discs(here, there)] * 5 + [_discs(there)] * 4
    found = [len(boxes) for boxes in _Red()(np.stack(frames))]
    assert found[0] == 1 and found[7] == 2 and found[8:] == [1] * 4


def test_what_is_gone_at_a_second_look_is_nobody() -> None:
    class Once(_Red):
        def _look(self, frame, left, top, side):
            found = super()._look(frame, left, top, side)
            return found if side == 640 else found[:0]

    assert len(Once()(_discs((200, 180, 110))[None])[0]) == 0


def test_an_empty_picture_and_any_size_hold_nobody() -> None:
    for size in [(1, 1), (20, 480), (640, 30), (640, 640)]:
        found = _Red()(_discs(size=size)[None])
        assert [boxes.shape for boxes in found] == [(0, 5)]


def test_the_file_is_found_in_the_installed_package_without_importing_it(
    tmp_path, monkeypatch
) -> None:
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", missing)
    assert blazepose.find() is None
    target = tmp_path / "mediapipe/modules/pose_detection" / blazepose.FILE
    target.parent.mkdir(parents=True)
    target.write_bytes(b"x")

    class File(pathlib.PurePosixPath):
        def locate(self):
            return tmp_path / self

    listed = [File("mediapipe/__init__.py"), File(target.relative_to(tmp_path))]
    monkeypatch.setattr(importlib.metadata, "files", lambda name: listed)
    assert blazepose.find() == target
    assert "mediapipe" not in sys.modules
    target.unlink()
    assert blazepose.find() is None


def test_files_that_are_no_such_network_are_refused(tmp_path) -> None:
    import tensorflow as tf

    (tmp_path / "text.tflite").write_text("hello")
    with pytest.raises(errors.InputError, match="does not load as TFLite; give"):
        detection.make(tmp_path / "text.tflite")
    function = tf.function(
        lambda x: x + 1.0, input_signature=[tf.TensorSpec([1, 4], tf.float32)]
    ).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    (tmp_path / "other.tflite").write_bytes(converter.convert())
    with pytest.raises(errors.InputError, match=r"takes \(1, 4\)") as caught:
        detection.make(tmp_path / "other.tflite")
    assert "\n" not in str(caught.value)


# --- real pictures --------------------------------------------------------------------


@pytest.fixture(scope="module")
def network(shared_data) -> pathlib.Path:
    """The file of the real detector; skips where absent."""
    path = shared_data / "assets" / "pose_models" / blazepose.FILE
    if not path.is_file():
        pytest.skip(f"the detector's file is not at hand: {path}")
    return path


def _frames(path, every=1) -> np.ndarray:
    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        good, frame = capture.read()
        if not good:
            break
        frames.append(frame[..., ::-1])
    frames = frames[::every]
    scale = 640 / max(frames[0].shape)
    small = [cv2.resize(f, None, fx=scale, fy=scale) for f in frames]
    return np.stack(small)


def test_the_circle_holds_the_body_of_a_real_person(network, shared_data) -> None:
    folder = shared_data / "person_clips"
    frames = _frames(folder / "squats_tfjs.mp4", 16)
    points = np.array(json.loads((folder / "pose_squats.full.json").read_text()))
    points = points[::16, :, :2] / 2  # [5, 33, 2], an estimate, pixels
    for boxes, body in zip(detection.make(network)(frames), points):
        (box,) = boxes
        assert box[4] > 0.9
        hips = body[[23, 24]].mean(axis=0)
        side = box[2] - box[0]
        np.testing.assert_allclose((box[:2] + box[2:4]) / 2, hips, atol=0.08 * side)
        inside = (body >= box[:2] - 0.1 * side) & (body <= box[2:4] + 0.1 * side)
        assert inside.all(axis=1).mean() > 0.95
        assert 0.7 < np.ptp(body, axis=0).max() / side < 1.1


def test_several_people_of_a_street_are_found(network, shared_data) -> None:
    frames = _frames(shared_data / "person_clips" / "street_mmpose.mp4")
    for boxes in detection.make(network)(frames):
        assert len(boxes) >= 2 and (boxes[:, 4] >= blazepose.FOLLOWED).all()


def test_nobody_is_seen_in_noise(network) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 255, (2, 120, 200, 3)).astype(np.uint8)
    assert [len(boxes) for boxes in detection.make(network)(noise)] == [0, 0]


def test_nothing_of_tflite_reaches_the_users_screen(network) -> None:
    code = (
        "import pathlib, sys; from sa3dhp import cli; "
        "from sa3dhp.data.videos import blazepose; "
        "blazepose.BlazePose(pathlib.Path(sys.argv[1])); print('done', file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, str(network)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "done\n")
