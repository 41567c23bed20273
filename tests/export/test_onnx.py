"""The ONNX file: its numbers, what it says of itself, and the gate; a small ResNet."""

import json
import subprocess
import sys

import numpy as np
import pytest
import small_resnet
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.export import onnx, serving
from sa3dhp.models import image_encoder, pose_autoencoder, pose_model, pose_prior
from sa3dhp.skeleton import skeleton as skeletons

SIZE = 32
LENGTHS = np.float32([0, *np.linspace(100, 400, 16)])
PICTURES = np.random.default_rng(5).integers(0, 256, (6, SIZE, SIZE, 3), np.uint8)

# What a stranger writes: ONNX Runtime and the file, nothing else.
STRANGER = """
import json, sys
import numpy as np
import onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
about = json.loads(session.get_modelmeta().custom_metadata_map["sa3dhp"])
images = np.zeros((3, 32, 32, 3), np.uint8)
shapes = [x.shape for x in session.run(["joints", "latent"], {"images": images})]
assert not any(x.startswith(("sa3dhp", "tensorflow")) for x in sys.modules)
print(json.dumps([shapes, about]))
"""


@pytest.fixture(scope="module")
def served():
    for name in ("tf2onnx", "onnx", "onnxruntime"):
        pytest.importorskip(name, reason="the extra onnx is not installed")
    tf.keras.utils.set_random_seed(0)
    with small_resnet.used():
        encoder = image_encoder.ImageEncoder(SIZE, None, 1, (8, 8, 8), 16, "points")
        networks = pose_autoencoder.PoseEncoder(), pose_autoencoder.PoseDecoder()
        prior = pose_prior.PosePrior(*networks, skeletons.SA3DHP17, LENGTHS)
        return serving.Serving(pose_model.PoseModel(encoder, prior), metadata={})


@pytest.fixture(scope="module")
def written(served, tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "model.onnx"
    return path, onnx.write(path, served, PICTURES)


def test_poses_are_those_of_the_model_whatever_the_batch(served, written):
    path, found = written
    assert found.error_mm <= found.limit_mm == onnx.LIMIT_MM
    assert found.size == path.stat().st_size
    answer = onnx.runner(path.read_bytes())(PICTURES)
    expected = served.serve(tf.constant(PICTURES))
    for name in ("joints", "latent"):
        np.testing.assert_allclose(answer[name], expected[name], atol=0.05)


def test_a_stranger_runs_and_reads_it_without_this_package(served, written, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, str(written[0])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    shapes, about = json.loads(done.stdout.splitlines()[-1])
    assert shapes == [[3, 17, 3], [3, 32]] and about["units"] == "mm"
    for key in ("joint_names", "parents", "axes", "crop_rule", "skeleton"):
        assert about[key] == served.description[key]
    assert onnx.describe(written[0]) == about


def test_a_file_beyond_its_limit_is_not_written(served, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx, "LIMIT_MM", -1.0)
    with pytest.raises(errors.InputError, match="mm from the model's, expected -1"):
        onnx.write(tmp_path / "x.onnx", served, PICTURES)
    assert not list(tmp_path.iterdir())


def test_other_files_and_a_missing_extra_are_told(served, tmp_path, monkeypatch):
    (tmp_path / "x.onnx").write_bytes(b"other")
    with pytest.raises(errors.InputError, match="holds no description of ours"):
        onnx.describe(tmp_path / "x.onnx")
    monkeypatch.setattr(onnx, "_NEEDED", ("no_such_package",))
    with pytest.raises(errors.InputError, match=r"pip install 'sa3dhp\[onnx\]'"):
        onnx.check()
