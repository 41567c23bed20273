"""An exported model on a data set of crops."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.evaluation import evaluator, prediction, protocol
from sa3dhp.synthetic import world

IMAGES = np.random.default_rng(0).integers(0, 255, (70, 8, 8, 3)).astype(np.uint8)


class _Model(tf.Module):
    """Answers with the mean colour of a crop as the place of every joint."""

    def __init__(self, joints=17):
        self.joints = joints

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.uint8, "images")])
    def serve(self, images):
        colour = tf.reduce_mean(tf.cast(images, tf.float32), axis=[1, 2])
        weights = tf.range(float(self.joints))[None, :, None]
        joints = colour[:, None] * weights
        return {"joints": joints, "latent": tf.zeros([tf.shape(images)[0], 32])}


def _save(folder, model):
    tf.saved_model.save(model, str(folder), {"serving_default": model.serve})
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return _save(tmp_path_factory.mktemp("model"), _Model())


def test_predictions_come_in_batches_and_in_order(model):
    got = prediction.predict(model, IMAGES)
    assert got.skeleton == "sa3dhp17" and got.joints.shape == (70, 17, 3)
    want = IMAGES.mean(axis=(1, 2))[:, None] * np.arange(17)[None, :, None]
    np.testing.assert_allclose(got.joints, want, rtol=1e-5)


class _Sided(_Model):
    """Sees a bright left half of a crop as a person to the left, by its colour."""

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.uint8, "images")])
    def serve(self, images):
        left = tf.reduce_mean(tf.cast(images[:, :, :4], tf.float32), axis=[1, 2])
        return {"joints": left[:, None] * tf.ones([1, 17, 1])}


def test_a_model_that_looks_twice_sees_both_halves(tmp_path):
    folder = _save(tmp_path, _Sided())
    got = prediction.predict(folder, IMAGES, mirrored=True).joints
    left, right = (IMAGES[:, :, x].mean(axis=(1, 2)) for x in (slice(4), slice(4, 8)))
    expected = (left + right * [-1, 1, 1]) / 2
    np.testing.assert_allclose(got[:, 5], expected, rtol=1e-5)
    (tmp_path / "pose.tflite").touch()
    with pytest.raises(errors.InputError, match=r"--mirrored: .* BlazePose"):
        prediction.predict(tmp_path / "pose.tflite", IMAGES, mirrored=True)


def test_a_model_is_scored_on_a_data_set(model, tmp_path):
    path = tmp_path / "data.npz"
    joints = prediction.predict(model, IMAGES).joints
    np.savez(path, images=IMAGES, joints=joints, action=["walk"] * 70)
    images, truth = prediction.read_dataset(path)
    pred = prediction.predict(model, images)
    got = evaluator.evaluate(pred, truth, protocol.load("procedural"))
    assert got["overall"]["mpjpe"] < 1e-3 and list(got["per_action"]) == ["walk"]


def test_clips_of_the_embedded_world_are_cropped_and_labelled():
    clips = [
        world.Clip(np.full((2, 12, 12, 3), n, np.uint8), np.ones((2, 17, 3)), "walk")
        for n in range(3)
    ]
    clips[1].images[:, 2:-2, 2:-2] = 9
    images, truth = prediction.from_clips(clips, 8)
    assert images.shape == (6, 8, 8, 3) and (images[2:4] == 9).all()
    assert truth.labels["sequence"].tolist()[1:3] == ["clip_000", "clip_001"]
    assert truth.labels["action"].tolist() == ["walk"] * 6


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match="no SavedModel"):
        prediction.predict(tmp_path, IMAGES)
    (tmp_path / "saved_model.pb").write_bytes(b"cut")
    with pytest.raises(errors.InputError, match="not usable"):
        prediction.predict(tmp_path, IMAGES)


def test_images_of_another_size_are_refused(model):
    with pytest.raises(errors.InputError, match="resize the crops"):
        prediction.predict(model, IMAGES[:, :4])


def test_a_model_of_other_joints_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match=r"gave joints \(70, 5, 3\)"):
        prediction.predict(_save(tmp_path, _Model(5)), IMAGES)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"joints": np.zeros((70, 17, 3))}, "`images` is missing"),
        ({"images": IMAGES}, "`joints` is missing"),
        ({"images": IMAGES / 255, "joints": np.zeros((70, 17, 3))}, "expected uint8"),
        ({"images": IMAGES[:5], "joints": np.zeros((70, 17, 3))}, "5 images and 70"),
    ],
)
def test_wrong_data_sets_are_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "d.npz", **arrays)
    with pytest.raises(errors.InputError, match=message):
        prediction.read_dataset(tmp_path / "d.npz")
