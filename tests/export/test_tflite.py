"""TFLite files: their numbers, what they say of themselves, and the gate."""

import json
import subprocess
import sys
import zipfile

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
    return _served("flat")


@pytest.fixture(scope="module")
def written(served, tmp_path_factory):
    """Files of both kinds and what they cost."""
    folder = tmp_path_factory.mktemp("files")
    paths = {kind: folder / f"{kind}.tflite" for kind in ("float32", "float16")}
    return {k: (p, tflite.write(p, served, k, PICTURES)) for k, p in paths.items()}


def _served(head):
    """A model whose poses differ from picture to picture."""
    tf.keras.utils.set_random_seed(0)
    encoder = image_encoder.ImageEncoder(SIZE, None, 1, (8, 8, 8), 16, head)
    rng = np.random.default_rng(0)
    for weight in encoder.weights:
        if weight.shape.rank == 1:
            noise = rng.uniform(0.05, 0.15, weight.shape)
            weight.assign_add(noise.astype(np.float32))
    if head == "points":
        encoder._volumes.kernel.assign(300.0 * encoder._volumes.kernel)
    encoder.layers[-1].kernel.assign(0.3 * rng.normal(size=(16, 32)))
    networks = pose_autoencoder.PoseEncoder(), pose_autoencoder.PoseDecoder()
    prior = pose_prior.PosePrior(*networks, skeletons.SA3DHP17, LENGTHS)
    model = pose_model.PoseModel(encoder, prior)
    return serving.Serving(model, metadata={"licence": "Apache-2.0"})


@pytest.mark.parametrize("kind", ["float32", "float16"])
def test_each_kind_stays_within_its_limit_and_says_what_it_cost(served, written, kind):
    path, found = written[kind]
    assert found.error_mm <= found.limit_mm == tflite.LIMIT_MM[kind]
    assert found.error_mm <= found.worst_mm
    assert found.size == path.stat().st_size and found.milliseconds > 0
    assert "mm from the model" in str(found)
    about = tflite.describe(path)
    for key in ("joint_names", "parents", "units", "axes", "crop_rule", "skeleton"):
        assert about[key] == served.description[key]
    assert about["format"] == f"tflite {kind}"
    assert about["run"]["licence"] == "Apache-2.0"


@pytest.mark.parametrize("head", ["flat", "points"])
def test_only_the_convolutions_are_integers_in_int8(head, tmp_path, monkeypatch):
    """A random net of two stages is no measure of the limit: poses keep apart."""
    served = _served(head)
    monkeypatch.setitem(tflite.LIMIT_MM, "int8", 1e3)
    path = tmp_path / "int8.tflite"
    found = tflite.write(path, served, "int8", PICTURES)
    run = tflite.runner(path.read_bytes())
    poses = np.stack([run(picture[None])["joints"][0] for picture in PICTURES])
    apart = np.linalg.norm(poses - poses.mean(0), axis=-1).mean()
    assert apart > 1, "or the comparison shows nothing"
    assert found.error_mm < 0.5 * apart
    interpreter = tf.lite.Interpreter(str(path))
    kinds = {x["index"]: x["dtype"] for x in interpreter.get_tensor_details()}
    integers = {
        x["op_name"]
        for x in interpreter._get_ops_details()
        if kinds[x["outputs"][0]] == np.int8
    }
    convolutions = {"CONV_2D", "MAX_POOL_2D", "PAD", "QUANTIZE", "TRANSPOSE_CONV"}
    assert "CONV_2D" in integers <= convolutions


def test_smaller_kinds_are_smaller_and_run_without_this_package(written, tmp_path):
    assert written["float16"][1].size < 0.6 * written["float32"][1].size
    done = subprocess.run(
        [sys.executable, "-c", STRANGER, str(written["float16"][0])],
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


@pytest.mark.parametrize("said", [None, b"{", b"[1]", b"[" * 5000, b" " * (1 << 21)])
def test_a_file_that_says_nothing_of_itself_is_named(tmp_path, said):
    path = tmp_path / "x.tflite"
    path.write_bytes(b"other")
    if said is not None:
        with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(tflite.DESCRIPTION, said)
    with pytest.raises(errors.InputError, match=r"x\.tflite.*sa3dhp\.json"):
        tflite.describe(path)
