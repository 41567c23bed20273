"""Person detectors."""

import cv2
import numpy as np
import pytest
import small_onnx

from sa3dhp import errors
from sa3dhp.data.videos import blazepose, detection


@pytest.mark.parametrize("layout", ["rows", "columns"])
def test_onnx_boxes_come_back_in_pixels_of_the_frame(tmp_path, layout) -> None:
    small_onnx.brightness_network(tmp_path / "d.onnx", layout)
    frames = np.zeros((2, 160, 320, 3), np.uint8)  # the network sees it twice as large
    frames[0, 32:48, 64:80, 0] = 255  # red: a bright cell
    frames[0, 32:48, 240:256, 0] = 255  # the other class
    frames[1, 96:112, 16:32, 2] = 255  # blue: dark in the red channel
    one, two = detection.make(tmp_path / "d.onnx")(frames)
    lit = one[one[:, 4] > 0.9]
    np.testing.assert_allclose(lit[:, :4], [[64, 32, 80, 48]], atol=0.01)
    assert one[0, 4] == one[:, 4].max() and not (two[:, 4] > 0.5).any()


def test_an_onnx_output_of_another_layout_is_refused(tmp_path) -> None:
    node = small_onnx.node("Reshape", ["image", "shape"], "out")
    data = small_onnx.model(
        [node], {"shape": np.array([1, 3 * 640 * 640])}, (1, 3 * 640 * 640)
    )
    (tmp_path / "d.onnx").write_bytes(data)
    with pytest.raises(errors.InputError, match="export it with such an output"):
        detection.make(tmp_path / "d.onnx")(np.zeros((1, 64, 64, 3), np.uint8))


def _save_model(path, classes=(1.0, 2.0)) -> None:
    """A SavedModel that boxes the bright pixels of a picture."""
    import tensorflow as tf

    class Bright(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([1, None, None, 3], tf.uint8)])
        def __call__(self, input_tensor):
            lit = tf.where(input_tensor[0, :, :, 0] > 128)  # [M, 2] y x
            size = tf.cast(tf.shape(input_tensor)[1:3], tf.float32)
            low = tf.cast(tf.reduce_min(lit, axis=0), tf.float32) / size
            high = tf.cast(tf.reduce_max(lit, axis=0) + 1, tf.float32) / size
            box = tf.concat([low, high], axis=0)
            return {
                "detection_boxes": tf.stack([box, box])[None],
                "detection_classes": tf.constant([classes]),
                "detection_scores": tf.constant([[0.9, 0.8]]),
                "num_detections": tf.constant([2.0]),
            }

    module = Bright()
    tf.saved_model.save(module, str(path), signatures=module.__call__)


def test_saved_model_boxes_come_back_in_pixels(tmp_path) -> None:
    _save_model(tmp_path / "m")
    frames = np.zeros((2, 60, 100, 3), np.uint8)
    frames[0, 10:30, 40:60] = 255
    frames[1, 5:55, 1:99] = 255
    one, two = detection.make(tmp_path / "m")(frames)
    np.testing.assert_allclose(one, [[40, 10, 60, 30, 0.9]], atol=1e-3)
    np.testing.assert_allclose(two, [[1, 5, 99, 55, 0.9]], atol=1e-3)


def test_a_saved_model_with_another_signature_is_refused(tmp_path) -> None:
    import tensorflow as tf

    module = tf.Module()
    module.f = tf.function(
        lambda x: {"y": x}, input_signature=[tf.TensorSpec([1], tf.float32)]
    )
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.f)
    with pytest.raises(errors.InputError, match="use an object detection export"):
        detection.make(tmp_path / "m")


@pytest.mark.parametrize("name", ["yolo", "none.onnx", "text.onnx", "model", "folder"])
def test_detectors_that_do_not_exist_or_load_are_one_line_errors(
    tmp_path, capfd, name
) -> None:
    (tmp_path / "text.onnx").write_text("hello")
    (tmp_path / "folder").mkdir()
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_text("hello")
    with pytest.raises(errors.InputError, match=r"detector: .*; ") as caught:
        detection.make(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_hog_takes_any_picture_size_and_sees_nobody_in_noise() -> None:
    rng = np.random.default_rng(0)
    for shape in [(1, 1, 1, 3), (2, 480, 20, 3), (1, 30, 640, 3), (1, 360, 640, 3)]:
        found = detection.make("hog")(rng.integers(0, 255, shape).astype(np.uint8))
        assert len(found) == shape[0]
        assert all(boxes.shape[1] == 5 and (boxes[:, 4] < 0.5).all() for boxes in found)


@pytest.fixture(scope="module")
def standing(shared_data) -> np.ndarray:
    """A standing woman, RGB, 360 x 640; head at 85 and feet at 506."""
    clip = shared_data / "person_clips" / "squats_tfjs.mp4"
    good, frame = cv2.VideoCapture(str(clip)).read()
    assert good
    return cv2.resize(frame, (360, 640), interpolation=cv2.INTER_AREA)[..., ::-1]


def test_hog_finds_the_person_of_a_real_picture(standing) -> None:
    (boxes,) = detection.make("hog")(standing[None])
    assert boxes[0, 4] > 0.9
    np.testing.assert_allclose(boxes[0, :4], [65, 79, 259, 521], atol=30)


def test_hog_gives_the_same_boxes_each_time(standing) -> None:
    detect = detection.make("hog")
    first = detect(standing[None])[0]
    for _ in range(3):
        np.testing.assert_array_equal(detect(standing[None])[0], first)


def test_invalid_rows_of_a_detector_are_dropped_and_the_best_come_first() -> None:
    rows = np.array(
        [
            [0, 0, 9, 9, 0.5],
            [0, 0, 9, 9, 0.9],
            [np.nan, 0, 9, 9, 0.9],
            [9, 0, 0, 9, 0.9],
            [0, 0, 9, 9, 0.0],
        ]
    )
    np.testing.assert_allclose(detection._best(rows)[:, 4], [0.9, 0.5])
    many = np.concatenate([rows[:2]] * 50)
    assert len(detection._best(many)) == detection.MAX_BOXES


def test_auto_is_blazepose_where_it_is_installed(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(blazepose, "find", lambda: None)
    name, note = detection.choose("auto")
    assert name == "hog" and note.endswith("pip install --no-deps mediapipe==0.10.14")
    with pytest.raises(errors.InputError, match="run `pip install --no-deps"):
        detection.make("blazepose")
    (tmp_path / "d.tflite").write_text("hello")
    monkeypatch.setattr(blazepose, "find", lambda: tmp_path / "d.tflite")
    assert detection.choose("auto") == ("blazepose", "")
    assert detection.choose("hog") == ("hog", "")
    with pytest.raises(errors.InputError, match="does not load as TFLite"):
        detection.make("auto")


def test_yolox_boxes_are_decoded_from_their_cells(tmp_path) -> None:
    rows = np.full((1, 8400, 7), -9.0, np.float32)  # two classes
    rows[..., 4:] = 0.0
    at = 80 * 80 + 40 * 2 + 3  # stride 16, row 2, column 3: corner 48, 32
    rows[0, at] = [0.5, 1.0, np.log(2.0), np.log(4.0), 0.8, 0.5, 0.1]
    rows[0, at + 1] = [0.5, 1.0, np.log(2.0), np.log(4.0), 0.8, 0.1, 0.9]  # a thing
    found = detection._decode_onnx(rows, tmp_path)
    lit = found[found[:, 4] > 0.01]
    np.testing.assert_allclose(lit, [[40, 16, 72, 80, 0.4]], rtol=1e-5)


def test_yolov5_boxes_are_in_pixels_already(tmp_path) -> None:
    rows = np.zeros((1, 25200, 7), np.float32)
    rows[0, 5] = [100, 200, 20, 40, 0.5, 0.8, 0.1]
    found = detection._decode_onnx(rows, tmp_path)
    lit = found[found[:, 4] > 0.01]
    np.testing.assert_allclose(lit, [[90, 180, 110, 220, 0.4]], rtol=1e-5)


def test_a_real_yolox_finds_the_person(shared_data, standing) -> None:
    path = shared_data / "assets" / "pose_models" / "yolox_nano.onnx"
    if not path.is_file():
        pytest.skip(f"no such file: {path}")
    (boxes,) = detection.make(path)(standing[None])
    assert boxes[0, 4] > 0.7
    np.testing.assert_allclose(boxes[0, :4], [88, 85, 262, 506], atol=25)


def _output(count: int, width: int, people: list, other=0.0) -> np.ndarray:
    """`[1, count, width]` of faint boxes, and some rows that are given."""
    rows = np.full((count, width), other, np.float32)
    rows[:, :4] = [320, 320, 50, 50]
    for at, row in enumerate(people):
        rows[at, : len(row)] = row
    return rows[None]


_POINTS = [*range(100, 151)]  # 17 key-points, some in hundreds of pixels
_BOX = [150, 240, 100, 320]
_LAYOUTS = {
    "YOLOv5": _output(25200, 85, [[*_BOX, 0.9, 0.95]]),
    "YOLOv5 of one class": _output(25200, 6, [[*_BOX, 0.9, 0.95]]),
    "YOLOv7's pose head": _output(25200, 57, [[*_BOX, 0.9, 0.95, *_POINTS]]),
    "YOLOv5, turned": _output(25200, 85, [[*_BOX, 0.9, 0.95]]).swapaxes(1, 2),
    "YOLOX, decoded": _output(8400, 85, [[*_BOX, 0.9, 0.95]]),
    "YOLOv8": _output(8400, 84, [[*_BOX, 0.855]]).swapaxes(1, 2),
    "YOLOv8, not turned": _output(8400, 84, [[*_BOX, 0.855]]),
    "YOLOv8 of one class": _output(8400, 5, [[*_BOX, 0.855]]).swapaxes(1, 2),
    "YOLOv8's pose head": _output(
        8400, 56, [[*_BOX, 0.855, *_POINTS]]
    ).swapaxes(1, 2),
    "COCO's classes, of another count": _output(300, 84, [[*_BOX, 0.855]]),
    "one pair of ends": np.float32([[[100, 80, 200, 400, 0.855, 0]]]),
    "ends": _output(300, 6, [[100, 80, 200, 400, 0.855, 0]], 0.0),
}  # fmt: skip


@pytest.mark.parametrize("output", _LAYOUTS.values(), ids=_LAYOUTS)
def test_layouts_are_recognised_by_shape_and_numbers(output, tmp_path) -> None:
    if output.shape == (1, 300, 6):
        output[0, 1:] = 0
    found = detection._decode_onnx(output, tmp_path)
    sure = found[found[:, 4] > 0.25]
    np.testing.assert_allclose(sure, [[100, 80, 200, 400, 0.855]], atol=1e-3)


_UNKNOWN = {
    "shares of the picture (RT-DETR)": _output(300, 84, [])
    / np.float32([640] * 4 + [1] * 80),
    "a picture's number first (YOLOv7)": _output(300, 7, [[0, *_BOX, 0, 0.9]]),
    "shares, YOLOv8, not turned": _output(8400, 84, [[*_BOX, 0.9]])
    / np.float32([640] * 4 + [1] * 80),
    "score and class swapped, people alone": np.float32(
        [[[100, 80, 200, 400, 0, 0.9], [0] * 6, [0] * 6]]
    ),
    "ends with points (YOLOv8's pose head)": _output(
        300, 57, [[100, 80, 200, 400, 0.9, 0, *_POINTS]]
    ),
    "no number": np.full((1, 84, 8400), np.nan, np.float32),
    "logits": _output(8400, 84, [[*_BOX, -4.0, 7.0]]).swapaxes(1, 2),
    "6 of which score and class are swapped": _output(300, 6, [[*_BOX, 3, 0.5]]),
    "8400 rows of another width in pixels": _output(8400, 20, [[*_BOX, 0.5]]),
    "masks": np.zeros((1, 32, 160, 160), np.float32),
    "no batch": _output(300, 6, [])[0],
}


@pytest.mark.parametrize("output", _UNKNOWN.values(), ids=_UNKNOWN)
def test_what_fits_no_layout_is_refused_with_its_shape(output, tmp_path) -> None:
    with pytest.raises(errors.InputError) as error:
        detection._decode_onnx(output, tmp_path)
    assert str(output.shape) in str(error.value)


def test_no_detection_at_all_is_no_other_layout(tmp_path) -> None:
    for shape in ((1, 0, 6), (1, 300, 6), (1, 84, 8400), (1, 25200, 85)):
        assert detection._decode_onnx(np.zeros(shape, np.float32), tmp_path).size == 0
