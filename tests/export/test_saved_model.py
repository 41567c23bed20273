"""The exported model gives what the live one gives, to anyone with TensorFlow."""

import json
import logging
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from sa3dhp import errors
from sa3dhp.export import saved_model, serving
from sa3dhp.geometry import crop
from sa3dhp.models import (
    image_encoder,
    motion_autoencoder,
    pose_autoencoder,
    pose_model,
    pose_prior,
)
from sa3dhp.skeleton import kinematics
from sa3dhp.skeleton import skeleton as skeletons

SKELETON = skeletons.SA3DHP17
SIZE = 32
LENGTHS = np.float32([0, *np.linspace(100, 400, 16)])
IMAGES = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3)).astype(np.uint8)
OTHERS = np.random.default_rng(1).integers(0, 256, (2, 50, 40, 3)).astype(np.uint8)

# What a stranger writes: TensorFlow and the folder, nothing of this package.
STRANGER = """
import json, sys
import numpy as np
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
predict = model.signatures["serving_default"]
found = {}
for name, images in np.load(sys.argv[2]).items():
    out = predict(images=tf.constant(images))
    found[name + "_joints"], found[name + "_latent"] = out["joints"], out["latent"]
about = {k: np.array(v).tolist() for k, v in model.signatures["describe"]().items()}
assert model.describe()["units"].numpy() == b"mm"
assert not any(name.startswith("sa3dhp") for name in sys.modules)
np.savez(sys.argv[3], **found)
print(json.dumps(about, default=bytes.decode))
"""


def _encoder(policy="float32"):
    tf.keras.mixed_precision.set_global_policy(policy)
    encoder = image_encoder.ImageEncoder(SIZE, None, 1, (8, 8, 8), 16)
    tf.keras.mixed_precision.set_global_policy("float32")
    return encoder


@pytest.fixture(scope="module")
def networks():
    """G as an adapting process holds it, with weights that tell pictures apart."""
    tf.keras.utils.set_random_seed(0)
    encoder = _encoder("mixed_bfloat16")
    rng = np.random.default_rng(0)
    for weight in encoder.weights:
        noise = rng.uniform(0.05, 0.15, weight.shape)
        if weight.shape.rank == 1:
            weight.assign_add(noise.astype(np.float32))
    encoder.layers[-1].kernel.assign(rng.normal(size=(16, 32)))
    return encoder, pose_autoencoder.PoseDecoder()


def _model(networks):
    """Pictures to joints by G, D_p and the bones above."""
    encoder, decoder = networks
    prior = pose_prior.PosePrior(
        pose_autoencoder.PoseEncoder(), decoder, SKELETON, LENGTHS
    )
    return pose_model.PoseModel(encoder, prior)


def _latent(encoder, images):
    """What G itself says, in float32 and with its batch norms as Keras has them."""
    live = _encoder()
    live.set_weights(encoder.get_weights())
    return live(images.astype(np.float32) / 255, training=False).numpy()


@pytest.fixture(scope="module")
def expected(networks):
    """The live model in float32, built by hand: latents, joints."""
    latent = tf.constant(_latent(networks[0], IMAGES))
    joints = kinematics.from_local(networks[1](latent), SKELETON, LENGTHS)
    assert np.ptp(joints, axis=0).max() > 10  # mm, or the comparison shows nothing
    return latent.numpy(), joints.numpy()


@pytest.fixture(scope="module")
def folder(networks, tmp_path_factory):
    path = tmp_path_factory.mktemp("export") / "saved_model"
    run = {"model": "adapted", "seed": 3}
    saved_model.export_model(path, _model(networks), metadata=run)
    return path


@pytest.fixture(scope="module")
def stranger(folder, tmp_path_factory):
    """Predictions and description as a process without this package sees them."""
    here = tmp_path_factory.mktemp("stranger")
    np.savez(here / "in.npz", live=IMAGES, other=OTHERS, none=IMAGES[:0])
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, folder, here / "in.npz", here / "out.npz"],
        capture_output=True,
        text=True,
        cwd=here,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(np.load(here / "out.npz")), json.loads(done.stdout)


def test_fresh_process_agrees_with_the_live_float32_model(stranger, expected):
    found, (latent, joints) = stranger[0], expected
    assert found["live_joints"].dtype == found["live_latent"].dtype == np.float32
    assert found["live_joints"].shape == (3, 17, 3)
    np.testing.assert_allclose(found["live_joints"], joints, rtol=0, atol=0.1)
    np.testing.assert_allclose(found["live_latent"], latent, rtol=0, atol=1e-4)


def test_other_sizes_and_an_empty_batch_are_served(stranger):
    found = stranger[0]
    assert found["other_joints"].shape == (2, 17, 3)
    assert np.isfinite(found["other_joints"]).all()
    assert found["none_joints"].shape == (0, 17, 3)
    assert found["none_latent"].shape == (0, 32)


def test_bones_have_the_lengths_given(stranger):
    found = kinematics.bone_lengths(stranger[0]["other_joints"], SKELETON)
    np.testing.assert_allclose(found, [LENGTHS, LENGTHS], rtol=1e-5, atol=1e-3)


def test_a_stranger_can_read_what_the_numbers_mean(stranger, folder):
    about = stranger[1]
    assert about["joint_names"] == list(SKELETON.joint_names)
    assert about["parents"] == list(SKELETON.parents)
    assert (about["skeleton"], about["units"]) == ("sa3dhp17", "mm")
    assert "y down" in about["axes"] and "1.25" in about["crop_rule"]
    assert "no margin" in about["input"] and about["image_size"] == SIZE
    np.testing.assert_allclose(about["bone_lengths_mm"], LENGTHS, atol=1e-3)
    beside = json.loads((folder / saved_model.DESCRIPTION).read_text())
    assert beside == json.loads(about["json"])
    assert beside["versions"]["tensorflow"] == tf.__version__
    assert beside["run"] == {"model": "adapted", "seed": 3}


@pytest.fixture(scope="module")
def model(folder):
    return saved_model.load(folder)


def test_wrapper_gives_the_same_numbers_and_the_description(model, expected):
    found = model(IMAGES)
    np.testing.assert_allclose(found["joints"], expected[1], rtol=0, atol=0.1)
    assert model.description["skeleton"] == "sa3dhp17"


def _operations(folder):
    """The kinds of all operations in a SavedModel, those inside functions too."""
    parsed = saved_model_pb2.SavedModel()
    parsed.ParseFromString((folder / saved_model.MARKER).read_bytes())
    (meta,) = parsed.meta_graphs
    nodes = [node.op for node in meta.graph_def.node]
    for function in meta.graph_def.library.function:
        nodes += [node.op for node in function.node_def]
    return nodes


def test_exported_model_has_no_batch_norm_left(folder, networks):
    found = _operations(folder)
    assert not {name for name in found if "BatchNorm" in name}
    layers = networks[0].backbone.layers
    convolutions = [x for x in layers if isinstance(x, tf.keras.layers.Conv2D)]
    once = len(convolutions) + 3  # and the head
    assert found.count("Conv2D") == 2 * once  # in two signatures


def test_folded_model_says_what_keras_says(model, networks):
    images = np.random.default_rng(2).integers(0, 256, (5, SIZE, SIZE, 3))
    images = images.astype(np.uint8)
    latent = _latent(networks[0], images)
    assert np.ptp(latent, axis=0).max() > 0.01, "or the comparison shows nothing"
    np.testing.assert_allclose(model(images)["latent"], latent, rtol=0, atol=1e-4)


def _described(folder):
    return tf.saved_model.load(str(folder))


def test_whole_frames_and_boxes_give_what_their_crops_give(folder):
    """Shrunk, grown, and over the edge of the picture, two people of one frame."""
    served = _described(folder).signatures
    rng = np.random.default_rng(3)
    small = rng.integers(0, 256, (2, 14, 20, 3)).astype(np.uint8)
    frames = np.stack([cv2.resize(x, (200, 140)) for x in small])
    boxes = np.float32([[60, 20, 110, 120], [90, 50, 100, 70], [-30, 60, 60, 150]])
    which = np.int32([0, 1, 1])
    found = served["frames"](
        frames=tf.constant(frames), boxes=tf.constant(boxes), frame=tf.constant(which)
    )
    crops = np.stack(
        [
            crop.extract(frames[n], *crop_square(box), SIZE)
            for n, box in zip(which, boxes)
        ]
    )
    cut = [serving.cropped(frames[n], box, SIZE) for n, box in zip(which, boxes)]
    assert np.abs(np.stack(cut) * 255 - crops).max() <= 1.01  # a grey level
    cut = np.round(np.stack(cut) * 255).astype(np.uint8)
    expected = served["serving_default"](images=tf.constant(cut))
    np.testing.assert_allclose(found["joints"], expected["joints"], atol=1e-2)


def crop_square(box):
    centres, side = crop.square_box(box[None])
    return centres[0], side


def test_clips_give_poses_and_one_motion_each(networks, tmp_path):
    motion = motion_autoencoder.MotionEncoder(units=4)
    saved_model.export_model(tmp_path / "m", _model(networks), motion=motion)
    served = _described(tmp_path / "m").signatures
    rng = np.random.default_rng(4)
    clips = rng.integers(0, 256, (2, 30, SIZE, SIZE, 3)).astype(np.uint8)
    found = served["clips"](clips=tf.constant(clips))
    assert found["joints"].shape == (2, 30, 17, 3)
    latent = served["serving_default"](images=tf.constant(clips[1]))["latent"]
    np.testing.assert_allclose(found["latent"][1], latent, atol=1e-5)
    np.testing.assert_allclose(found["motion"][1], motion(latent[None])[0], atol=1e-5)
    about = json.loads(served["describe"]()["json"].numpy())
    assert set(about["other_inputs"]) == {"frames", "clips"}


def test_without_a_motion_encoder_there_is_no_signature_of_clips(model, folder):
    assert set(_described(folder).signatures) == {
        *("serving_default", "frames", "describe")
    }
    assert set(model.description["other_inputs"]) == {"frames"}


@pytest.mark.parametrize(
    ("images", "text"),
    [
        (IMAGES[0], r"expected \[N, H, W, 3\], got \(32, 32, 3\)"),
        (IMAGES[..., :1], r"got \(3, 32, 32, 1\)"),
        (IMAGES[:, :0], r"got \(3, 0, 32, 3\)"),
        (IMAGES / 255, "expected uint8 in 0..255, got float64"),
    ],
)
def test_wrong_images_are_input_errors(model, images, text):
    with pytest.raises(errors.InputError, match=text):
        model(images)


def test_copying_leaves_the_encoder_and_the_policy_alone(networks):
    encoder = networks[0]
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    encoder.trainable = False  # which changes the order of Keras' weights
    try:
        copy = serving.copied(encoder)
        assert tf.keras.mixed_precision.global_policy().name == "mixed_bfloat16"
    finally:
        encoder.trainable = True
        tf.keras.mixed_precision.set_global_policy("float32")
    assert encoder.backbone.get_layer("conv1_conv").compute_dtype == "bfloat16"
    assert {layer.compute_dtype for layer in copy._flatten_layers()} == {"float32"}
    for ours, theirs in zip(encoder.get_weights(), copy.get_weights()):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("height", "width", "how"),
    [(64, 64, cv2.INTER_AREA), (50, 40, cv2.INTER_AREA), (16, 20, cv2.INTER_LINEAR)],
)
def test_resizing_is_that_of_the_crop_rule(height, width, how):
    shape = (height, width, 3)
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    found = serving.resized(tf.constant(image[None]), SIZE)[0]
    exact = cv2.resize(image.astype(np.float32) / 255, (SIZE, SIZE), interpolation=how)
    np.testing.assert_allclose(found, exact, atol=2e-3)


def test_images_of_the_right_size_are_untouched():
    found = serving.resized(tf.constant(IMAGES), SIZE)
    np.testing.assert_array_equal(found, IMAGES.astype(np.float32) / 255)


class _Tiny(tf.Module):
    """Stands in for `Serving`: written in no time."""

    description = {"skeleton": "none"}  # noqa: RUF012

    def __init__(self, value):
        self.value = tf.Variable(value)

    @tf.function(input_signature=[])
    def describe(self):
        return {"value": self.value}

    @property
    def signatures(self):
        return {"describe": self.describe}


def _value(folder):
    return tf.saved_model.load(str(folder)).value.numpy()


def test_a_failing_write_leaves_the_old_model(tmp_path, monkeypatch):
    folder = tmp_path / "model"
    saved_model.write(folder, _Tiny(1.0))
    saved_model.write(folder, _Tiny(2.0))
    assert _value(folder) == 2.0

    def fail(module, path, **_):
        (pathlib.Path(path) / "saved_model.pb").write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="no space left"):
        saved_model.write(folder, _Tiny(3.0))
    monkeypatch.undo()
    assert _value(folder) == 2.0
    assert [item.name for item in tmp_path.iterdir()] == ["model"]


def test_writing_prints_nothing(tmp_path, capfd):
    level = logging.getLogger("tensorflow").level
    logging.getLogger("tensorflow").setLevel(logging.INFO)
    try:
        saved_model.write(tmp_path / "model", _Tiny(1.0))
        assert logging.getLogger("tensorflow").level == logging.INFO
    finally:
        logging.getLogger("tensorflow").setLevel(level)
    assert capfd.readouterr() == ("", "")


def test_a_folder_that_holds_no_model_is_refused(tmp_path):
    with pytest.raises(errors.InputError, match=r"has no saved_model.pb; give a"):
        saved_model.load(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"cut")
    with pytest.raises(errors.InputError, match="damaged or of another kind"):
        saved_model.load(tmp_path)
    saved_model.write(tmp_path / "other", _Tiny(1.0))
    with pytest.raises(errors.InputError, match="damaged or of another kind"):
        saved_model.load(tmp_path / "other")


def test_an_output_that_cannot_be_replaced_is_refused_before_the_work(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(errors.InputError, match="holds other things"):
        saved_model.export_model(tmp_path, None)
