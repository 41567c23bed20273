"""`tools/export.py` as a user runs it."""

import importlib.util
import json

import numpy as np
import pytest
import small_resnet
import tensorflow as tf
import tool_runner

from sa3dhp.export import domain_pack, onnx, saved_model, tflite
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.relation_distillation import config as configs
from sa3dhp.systems.relation_distillation import networks as networks_
from sa3dhp.training import store

NAMED = ("checkpoints=procedural", "output=out")
LENGTHS = np.float32([0, *np.linspace(100, 400, 16)])


@pytest.fixture
def run(tmp_path):
    def run(*flags):
        named = (f"--{flag}" for flag in flags)
        return tool_runner.run("export", *named, cwd=tmp_path, small=True)

    return run


def _adapted(repo_root, tmp_path):
    """Makes checkpoints and a finished adaptation; returns the adapted G."""
    config = configs.load(repo_root / "configs" / "smoke.yaml")
    known = store.Store(tmp_path / "base")
    networks = networks_.Networks(config, known)
    names = ("image_encoder", *networks_.POSE)
    with small_resnet.used():
        known.save({name: networks.new(name) for name in names})
    known.save_bones(skeletons.SA3DHP17, LENGTHS)

    workdir = tmp_path / "run"
    configs.begin(config, workdir)
    (workdir / "run.json").write_text(json.dumps({"checkpoints": "base"}))
    with small_resnet.used():
        encoder = networks.load("image_encoder")
    encoder.trainable = True
    for weight in encoder.res_variables("res3"):
        weight.assign_add(1e-2 * tf.random.stateless_normal(weight.shape, [0, 1]))
    domain_pack.write(
        workdir / "domain_pack",
        encoder,
        "res3",
        known.hash("image_encoder"),
        target="street",
        monitors={},
        verdict="kept",
        licence="none",
        config={},
    )
    return encoder


def test_a_run_of_another_system_is_exported_already(run, tmp_path):
    (tmp_path / "run" / "saved_model").mkdir(parents=True)
    (tmp_path / "run" / "saved_model" / saved_model.MARKER).write_text("")
    done = run("workdir=run", "output=out")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "this run is exported already, as run/saved_model" in done.stderr


def test_an_adaptation_is_exported_quietly_and_says_what_next(
    run, repo_root, tmp_path, monkeypatch
):
    encoder = _adapted(repo_root, tmp_path)
    known = all(importlib.util.find_spec(name) for name in onnx._NEEDED)
    more = ["onnx"] if known else []
    done = run("workdir=run", "output=out", "tflite=float16", *more)
    assert (done.returncode, done.stderr) == (0, "")
    first, *middle, second, third = done.stdout.splitlines()[: 3 + len(more)]
    assert first == "written: out (adapted)" and third.startswith("next: ")
    assert len(middle) == len(more)
    for line in middle:
        assert line.startswith("written: out.onnx: ") and "(limit 0.1; " in line
    assert second.startswith("written: out-float16.tflite: ")
    assert " mm from the model (limit 1; " in second
    assert "tf.saved_model.load('out')" in done.stdout
    code = done.stdout.partition("alone:\n")[2]
    monkeypatch.chdir(tmp_path)
    pasted: dict = {}
    exec(code, pasted)
    assert pasted["out"]["joints"].shape == (1, 17, 3)

    model = saved_model.load(tmp_path / "out")
    assert model.description["run"]["domain_pack"]["verdict"] == "kept"
    np.testing.assert_allclose(model.description["bone_lengths_mm"], LENGTHS, atol=1e-3)
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.uint8)
    expected = encoder(images.astype(np.float32) / 255, training=False)
    np.testing.assert_allclose(model(images)["latent"], expected, atol=1e-4)
    about = tflite.describe("out-float16.tflite")
    assert about["image_encoder_hash"] == model.description["image_encoder_hash"]
    assert set(model.description["other_inputs"]) == {"frames"}


def test_a_file_that_fails_keeps_none_of_the_others_from_being_written(
    run, repo_root, tmp_path
):
    _adapted(repo_root, tmp_path)
    (tmp_path / "out-float16.tflite").mkdir()
    done = run("workdir=run", "output=out", "tflite=float16,float32")
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert "error: not written: out-float16.tflite: " in done.stderr
    assert "written: out-float32.tflite: " in done.stdout
    assert "next: " in done.stdout and (tmp_path / "out-float32.tflite").is_file()


def test_an_adaptation_that_kept_its_source_model_is_not_called_adapted():
    about = {"adapted_hash": "a", "base_hash": "a"}
    found = domain_pack.metadata(about)
    assert found["model"] == "source-only, which the adaptation kept"
    assert domain_pack.metadata({**about, "base_hash": "b"})["model"] == "adapted"
    assert domain_pack.metadata(None) == {"model": "source-only"}


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["workdir=run"], "--output is missing"),
        (["output=out"], "nothing to export: give --workdir"),
        (["checkpoints=typo", "output=out"], "got typo, expected the name of a ship"),
        ([*NAMED, "tflite=int4"], "got int4, expected some of float32, float16, int8"),
        ([*NAMED, "tflite=int8"], "give --calibrate=VIDEOS"),
    ],
)
def test_what_is_missing_is_told_in_one_line(run, tmp_path, flags, text):
    done = run(*flags)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("error: ") and text in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
