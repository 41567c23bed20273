"""Small data and small networks, which the tests of the system share."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.data import records, schema
from sa3dhp.models import integral
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import world
from sa3dhp.systems.nrsfm import config as configs
from sa3dhp.systems.nrsfm import sources

SMALL = (
    *("teacher.atoms=[12, 6, 4]", "teacher.steps=4", "teacher.batch_size=8"),
    *("student.weights=none", "student.channels=4", "student.depth_cells=4"),
    *("student.steps=2", "student.batch_size=2", "student.strides=[1, 1, 1]"),
    *("data.image_size=32", "data.stored_size=32", "data.unseen=6"),
    *("data.pictures=14", "training.precision=float32", "training.log_every=2"),
    *("training.checkpoint_every=2",),
)


@pytest.fixture(autouse=True)
def _fresh():
    tf.keras.utils.set_random_seed(0)
    sources.training.cache_clear()
    sources.unseen.cache_clear()


@pytest.fixture
def eagerly():
    """Tracing takes longer than a few steps."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def small_backbone(monkeypatch):
    """The first convolution of ResNet-50 and its pooling, of as many channels as all.

    The whole takes seconds to build and trace. Names are Keras', so that it folds.
    """

    def make(image_size, weights):
        assert weights is None
        layers = tf.keras.layers
        pixels = tf.keras.initializers.VarianceScaling(255.0**-2)  # up to 255
        return tf.keras.Sequential(
            [
                layers.Input((image_size, image_size, 3)),
                layers.ZeroPadding2D(0, name="conv1_pad"),
                layers.Conv2D(1024, 8, 8, kernel_initializer=pixels, name="conv1_conv"),
                layers.BatchNormalization(name="conv1_bn"),
                layers.ReLU(),
                layers.ZeroPadding2D(1, name="pool1_pad"),
                layers.MaxPooling2D(3, 2),
            ]
        )

    monkeypatch.setattr(integral.backbones, "resnet50", make)


@pytest.fixture
def load():
    """From overrides to a small configuration."""
    return lambda *overrides: configs.load(None, (*SMALL, *overrides))


def _manifest(folder, kind, splits, skeleton, size, stored):
    entries = {}
    for name, payloads in splits.items():
        file = f"{name}-00000-of-00001.tfrecord"
        records.write_shard(folder / file, payloads)
        entries[name] = {
            "shards": [file],
            "checksums": [records.checksum(folder / file)],
            "records": len(payloads),
            "clips": len(payloads),
            "subjects": [],
            "sequences": len(payloads),
            "skeleton": skeleton,
        }
    manifest = records.Manifest(
        *("cmu" if kind == "motions" else "human36m", kind, skeleton, 30.0),
        *(size, stored, "world" if kind == "motions" else "camera", entries, {}),
        licence="none",
        data_hash="hash",
    )
    records.write_manifest(folder, manifest)


@pytest.fixture(scope="session")
def motions(tmp_path_factory):
    """A prepared folder of motions: subjects 01, 02 and 03, 20 frames each."""
    folder = tmp_path_factory.mktemp("motions")
    moving = world.motions(np.random.default_rng(0), count=3, num_frames=20, rolled=0)
    made = [
        schema.Sequence(f"0{n}_01", "sa3dhp17", joints, "world", 30.0, subject=f"0{n}")
        for n, joints in enumerate(moving, start=1)
    ]
    payloads = [records.encode_motion(sequence) for sequence in made]
    _manifest(folder, "motions", {"train": payloads}, "sa3dhp17", 0, 0)
    return folder


def frame(subject, number, **changes):
    """A picture of a made-up person in Human3.6M's skeleton, 32 px."""
    rng = np.random.default_rng([number, len(subject)])
    count = skeletons.get("h36m32").num_joints
    joints = rng.normal(size=(count, 3)).astype(np.float32) * 300
    flat = joints[:, :2] / 40 + 16
    made = records.Frame(
        image=rng.integers(0, 255, (32, 32, 3), np.uint8),
        skeleton="h36m32",
        joints=joints + np.float32([0, 0, 5000]),
        keypoints=flat,
        mask=np.ones(count, bool),
        frame_number=1 + 64 * number,
        sequence=f"{subject}/walk",
        subject=subject,
        action="walk",
        split="train",
        label=-1,
        clip=f"{subject}/{number}",
        position=0,
        fps=0.0,
        projection=None,
    )
    return dataclasses.replace(made, **changes)


def write_pictures(folder, train, test):
    """Writes a prepared folder of pictures, for an image_size of 32."""
    splits = {
        "train": [records.encode_frame(one) for one in train],
        "test": [records.encode_frame(one) for one in test],
    }
    stored = len(train[0].image)
    _manifest(folder, "frames", splits, train[0].skeleton, 32, stored)
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory):
    """A prepared folder of pictures: S1 trains, S9 is unseen."""
    folder = tmp_path_factory.mktemp("pictures")
    train = [frame("S1", n) for n in range(14)]
    return write_pictures(folder, train, [frame("S9", n) for n in range(8)])


@pytest.fixture
def npz(tmp_path):
    """Writes an .npz of 15 frames of 5 points, less or more than that."""

    def write(**changes):
        rng = np.random.default_rng(0)
        truth = rng.normal(size=(15, 5, 3)) * 100
        arrays = {"points": truth[..., :2] + 200, "truth": truth, **changes}
        arrays = {key: value for key, value in arrays.items() if value is not None}
        np.savez(tmp_path / "points.npz", **arrays)
        return tmp_path / "points.npz"

    return write
