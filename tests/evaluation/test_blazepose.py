"""BlazePose beside ours: its genuine network where it is at hand, and what is none."""

import json

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.data.videos import video
from sa3dhp.evaluation import blazepose, inputs, metrics, prediction
from sa3dhp.geometry import crop
from sa3dhp.skeleton import skeleton as skeletons


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A network of the genuine shapes: landmark `i` is at (i, mean colour, 2) cm."""
    given = tf.keras.Input([256, 256, 3], batch_size=1)
    mean = tf.reduce_mean(given, axis=[1, 2, 3])[:, None]
    steps = tf.range(39, dtype=tf.float32)[None]
    world = tf.stack([steps, mean * tf.ones([1, 39]), 2 * tf.ones([1, 39])], -1)
    outputs = [mean, tf.reshape(world, [1, 117]) / 100.0]
    converter = tf.lite.TFLiteConverter.from_keras_model(tf.keras.Model(given, outputs))
    path = tmp_path_factory.mktemp("model") / "pose.tflite"
    path.write_bytes(converter.convert())
    return path


def test_landmarks_are_chosen_in_order_and_in_mm(small):
    images = np.stack([np.full([40, 40, 3], value, np.uint8) for value in (0, 255)])
    found = prediction.predict(small, images)
    assert found.skeleton == "blazepose12" and found.joints.shape == (2, 12, 3)
    chosen = np.concatenate([np.arange(11, 17), np.arange(23, 29)])
    np.testing.assert_allclose(found.joints[0, :, 0], 10.0 * chosen, rtol=1e-5)
    np.testing.assert_allclose(found.joints[:, 0, 1], [0, 10], atol=1e-3)
    np.testing.assert_allclose(found.joints[..., 2], 20, rtol=1e-5)


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
    chosen = list(blazepose._LANDMARKS)
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
