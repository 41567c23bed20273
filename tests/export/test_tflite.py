"""TFLite files: their numbers, what they say of themselves, and the gate."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.export import serving, tflite
from sa3dhp.models import image_encoder, pose_autoencoder, pose_model, pose_prior
from sa3dhp.skeleton import skeleton as skeletons

SIZE = 32
LENGTHS = np.float32([0, *np.linspace(100, 400, 16)])
PICTURES = np.random.default_rng(5).integers(0, 256, (6, SIZE, SIZE, 3), np.uint8)

# What a stranger writes: an interpreter and the file, nothing of this package.
STRANGER = """
import json, sys, zipfile
import numpy as np
import tensorflow as tf
interpreter = tf.lite.Interpreter(sys.argv[1])
interpreter.allocate_tensors()
(taken,) = interpreter.get_input_details()
interpreter.set_tensor(taken["index"], np.zeros(taken["shape"], taken["dtype"]))
interpreter.invoke()
about = json.loads(zipfile.ZipFile(sys.argv[1]).read("sa3dhp.json"))
shapes = [x["shape"].tolist() for x in interpreter.get_output_details()]
assert not any(name.startswith("sa3dhp") for name in sys.modules)
print(json.dumps([sorted(shapes), about]))
"""


@pytest.fixture(scope="module")
def served():
    """A model whose poses differ from picture to picture."""
    tf.keras.utils.set_random_seed(0)
    encoder = image_encoder.ImageEncoder(SIZE, None, 1, (8, 8, 8), 16)
    rng = np.random.default_rng(0)
    for weight in encoder.weights:
        if weight.shape.rank == 1:
            noise = rng.uniform(0.05, 0.15, weight.shape)
            weight.assign_add(noise.astype(np.float32))
    encoder.layers[-1].kernel.assign(rng.normal(size=(16, 32)))
    networks = pose_autoencoder.PoseEncoder(), pose_autoencoder.PoseDecoder()
    prior = pose_prior.PosePrior(*networks, skeletons.SA3DHP17, LENGTHS)
    model = pose_model.PoseModel(encoder, prior)
    return serving.Serving(model, metadata={"licence": "Apache-2.0"})


@pytest.mark.parametrize("kind", list(tflite.LIMIT_MM))
def test_each_kind_stays_within_its_limit_and_says_what_it_cost(served, kind, tmp_path):
    path = tmp_path / f"{kind}.tflite"
    found = tflite.write(path, served, kind, PICTURES)
    assert found.error_mm <= found.limit_mm == tflite.LIMIT_MM[kind]
    assert found.size == path.stat().st_size and found.milliseconds > 0
    assert "mm from the model" in str(found)
    about = tflite.describe(path)
    for key in ("joint_names", "parents", "units", "axes", "crop_rule", "skeleton"):
        assert about[key] == served.description[key]
    assert about["format"] == f"tflite {kind}"
    assert about["run"]["licence"] == "Apache-2.0"
    run = tflite.runner(path.read_bytes())
    poses = [run(picture[None])["joints"] for picture in PICTURES[:2]]
    assert np.abs(poses[0] - poses[1]).max() > 1, "or the comparison shows nothing"


def test_smaller_kinds_are_smaller_and_run_without_this_package(served, tmp_path):
    sizes = [
        tflite.write(tmp_path / f"{kind}.tflite", served, kind, PICTURES).size
        for kind in ("float32", "float16")
    ]
    assert sizes[1] < 0.6 * sizes[0]
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, str(tmp_path / "float16.tflite")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    shapes, about = json.loads(done.stdout.splitlines()[-1])
    assert shapes == [[1, 17, 3], [1, 32]] and about["units"] == "mm"


def test_a_file_beyond_its_limit_is_not_written(served, tmp_path, monkeypatch):
    monkeypatch.setitem(tflite.LIMIT_MM, "float16", 0.0)
    with pytest.raises(errors.InputError, match="mm from the model's, expected 0"):
        tflite.write(tmp_path / "x.tflite", served, "float16", PICTURES)
    assert not list(tmp_path.iterdir())


def test_bad_requests_are_told_at_once(tmp_path):
    with pytest.raises(errors.InputError, match="got int4, expected some of float32"):
        tflite.check(["int4"], None)
    with pytest.raises(errors.InputError, match="give --calibrate=VIDEOS"):
        tflite.check(["int8"], None)
    (tmp_path / "x.tflite").write_bytes(b"other")
    with pytest.raises(errors.InputError, match=r"holds no sa3dhp\.json"):
        tflite.describe(tmp_path / "x.tflite")
