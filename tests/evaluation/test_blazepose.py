"""BlazePose beside ours: its genuine network where it is at hand, and what is none."""

import json

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from sa3dhp import errors
from sa3dhp.data.videos import video
from sa3dhp.evaluation import blazepose, inputs, metrics, prediction
from sa3dhp.geometry import crop
from sa3dhp.skeleton import skeleton as skeletons


def _network(folder, end):
    """A network of the genuine shapes: it sees a circle from its middle to `end`.

    Landmark `i` is at (i, mean colour, 2) cm.
    """
    given = tf.keras.Input([256, 256, 3], batch_size=1)
    mean = tf.reduce_mean(given, axis=[1, 2, 3])[:, None]
    steps = tf.range(39, dtype=tf.float32)[None]
    world = tf.stack([steps, mean * tf.ones([1, 39]), 2 * tf.ones([1, 39])], -1)
    flat = np.zeros((1, 39, 5), np.float32)
    flat[0, 33, :2], flat[0, 34, :2] = 128, end
    flat = tf.constant(flat.reshape(1, 195)) + 0 * mean
    outputs = [mean, flat, tf.reshape(world, [1, 117]) / 100.0]
    converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(given, outputs))
    path = folder / "pose.tflite"
    path.write_bytes(converter.convert())
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """One that sees an upright person as large as its input."""
    return _network(tmp_path_factory.mktemp("model"), (128, 128 - 102.4))


def test_landmarks_are_chosen_in_order_and_in_mm(small):
    images = np.stack([np.full([40, 40, 3], value, np.uint8) for value in (0, 255)])
    found = prediction.predict(small, images)
    assert found.skeleton == "blazepose12" and found.joints.shape == (2, 12, 3)
    chosen = np.concatenate([np.arange(11, 17), np.arange(23, 29)])
    np.testing.assert_allclose(found.joints[0, :, 0], 10.0 * chosen, rtol=1e-5)
    np.testing.assert_allclose(found.joints[:, 0, 1], [0, 10], atol=1e-3)
    np.testing.assert_allclose(found.joints[..., 2], 20, rtol=1e-5)


def test_a_body_that_lies_is_looked_at_upright_and_turned_back(tmp_path):
    """The head is to the right, so that the picture is turned by a quarter."""
    path = _network(tmp_path, (128 + 51.2, 128))  # and half as large
    image = np.zeros((1, 64, 64, 3), np.uint8)
    image[:, 17:47, 17:47] = 255  # fills the square of the second look, all but a rim
    found = blazepose.predict(path, image).joints
    chosen = np.concatenate([np.arange(11, 17), np.arange(23, 29)])
    # x of the upright body points down the picture; y, down it, to the left.
    np.testing.assert_allclose(found[0, :, 1], 10.0 * chosen, rtol=1e-4)
    np.testing.assert_allclose(found[0, :, 0], -10.0, atol=1.5)


def test_the_square_of_a_person_holds_the_circle_upright():
    landmarks = np.zeros((39, 5))
    landmarks[33, :2], landmarks[34, :2] = (100.5, 90.5), (160.5, 10.5)  # reach 100
    matrix, turn = blazepose._person(landmarks, 256)
    hips, end = (matrix @ [x, y, 1] for x, y in ((100, 90), (160, 10)))
    np.testing.assert_allclose(hips, [127.5, 127.5])
    np.testing.assert_allclose(end, [127.5, 127.5 - 102.4])
    up = turn @ [0, -1, 0]  # the body's own up, as the picture shows it
    np.testing.assert_allclose(up, [0.6, -0.8, 0])


def test_it_is_a_model_like_others(small, tmp_path):
    assert prediction.check_model(small) == small
    data = tmp_path / "data.npz"
    images = np.zeros((2, 32, 32, 3), np.uint8)
    np.savez(data, images=images, joints=np.zeros((2, 17, 3)))
    pred, truth, _ = inputs.load(
        model=str(small), dataset=str(data), unseen=pytest.fail
    )
    assert len(pred.joints) == len(truth.joints) == 2


def test_what_is_no_such_network_is_refused(tmp_path):
    path = tmp_path / "a.tflite"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(errors.InputError, match="not readable"):
        blazepose.predict(path, np.zeros((1, 8, 8, 3), np.uint8))
    with pytest.raises(errors.InputError, match="no SavedModel"):
        prediction.check_model(tmp_path / "none.tflite")


def test_the_genuine_network_says_what_upstream_says_it_says(shared_data):
    """The squats of tensorflow/tfjs-models: PA error of a few cm, upstream's own."""
    network = shared_data / "assets/pose_models/pose_landmark_lite.tflite"
    folder = shared_data / "person_clips"
    if not network.is_file():
        pytest.skip(f"BlazePose is not at hand: {network} does not exist")
    flat, deep = (
        np.array(json.loads((folder / name).read_text()))[::20]
        for name in ("pose_squats.full.json", "pose_squats_3d.full.json")
    )
    chosen = list(blazepose.LANDMARKS)
    source = video.Source("squats", folder / "squats_tfjs.mp4")
    shown = [f for n, f in video.frames(source, lambda n: n % 20 == 0) if n % 20 == 0]
    crops = []
    for points, frame in zip(flat[..., :2], shown):
        low, high = points.min(0), points.max(0)
        side = 1.25 * (high - low).max()
        crops.append(crop.extract(frame, (low + high) / 2, side, 256))
    found = blazepose.predict(network, np.stack(crops))
    assert found.skeleton in skeletons.ALL
    errors_mm = metrics.pa_mpjpe(found.joints, 1000 * deep[:, chosen])
    assert np.median(errors_mm) < 80
    tilted = [ndimage.rotate(c, 35, reshape=False, mode="nearest") for c in crops]
    again = blazepose.predict(network, np.stack(tilted)).joints
    angle = np.radians(35)  # anticlockwise on the screen
    back = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    again[..., :2] = again[..., :2] @ back.T
    off = metrics.mpjpe(again, found.joints)
    assert np.median(off) < 80
