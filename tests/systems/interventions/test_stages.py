"""All stages as the tool trains them: kept, exported, measured; only theirs move."""

import dataclasses
import json

import cv2
import numpy as np
import pytest
import small_nrsfm
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.evaluation import evaluator, prediction, protocol
from sa3dhp.systems.interventions import config as configs
from sa3dhp.systems.interventions import job, networks, sources, stages
from sa3dhp.training import checkpoint

pytestmark = pytest.mark.usefixtures("eagerly", "small_backbone")


def _train(config, workdir, *names):
    configs.begin(config, workdir)
    made = stages.make(config, workdir / "checkpoints")
    return {
        f"{row[0]}/{row[1]}": row[2]
        for name in names
        for row in made.train(name, workdir)
    }


def _hashes(workdir):
    return {
        path.stem: checkpoint.read_meta(path)["weights_hash"]
        for path in sorted((workdir / "checkpoints").glob("*.npz"))
    }


def test_all_stages_run_one_after_the_other(load, tmp_path):
    # At this rate volumes are no longer even: of points that lie in one place the
    # limbs' length would be next to nothing, and millimetres all rounding.
    config = load("estimator.learning_rate=0.01")
    measured = _train(config, tmp_path, *configs.STAGES)
    assert np.isfinite(list(measured.values())).all()
    want = {f"estimator/{p}_{m}" for p in ("source", "target") for m in ("mpjpe",)}
    assert want <= set(measured) and "generator/pose" in measured
    assert "reader/pose" in measured
    for sheet, rows in ((stages.DECODED, 4), (stages.COUNTERFACTUAL, 6)):
        height = cv2.imread(str(tmp_path / sheet)).shape[0]
        assert height == rows * 32 + (rows + 1) * 2
    made = networks.Networks(config, tmp_path / "checkpoints")
    trained_on = made.store.meta("estimator")["trained_on"]
    assert set(trained_on) == {networks.SOURCE, "vae_decoder", "generator"}
    assert "code_reader" in made.store.meta("generator")["trained_on"]
    # The exported model says what the run is measured by.
    side = sources.place(config, "street", unseen=True)
    images = side.images(np.arange(len(side)))
    exported = prediction.predict(tmp_path / stages.MODEL, images)
    pred, truth, information = job.predicted(tmp_path)
    np.testing.assert_allclose(exported.joints, pred.joints, atol=0.01)
    assert information == "R" and truth.joints.shape == (6, 17, 3)
    limbs = sources.limbs(pred.joints).mean(axis=1)
    np.testing.assert_allclose(limbs, made.limbs().mm, rtol=1e-4)
    model = tf.saved_model.load(str(tmp_path / stages.MODEL))
    about = json.loads(model.signatures["describe"]()["json"].numpy())
    assert about["units"].startswith("mm") and about["joint_names"][0] == "pelvis"


def test_each_stage_moves_its_own_networks_alone(load, tmp_path):
    config, kept = load(), {}
    owned = {
        "vae": {"vae_encoder", "vae_decoder"},
        "source": {networks.SOURCE},
        "reader": {"code_reader"},
        "generator": {"generator", "discriminator"},
        "estimator": {"estimator"},
    }
    for name, own in owned.items():
        _train(config, tmp_path, name)
        found = _hashes(tmp_path)
        assert set(found) - set(kept) == own
        assert {k: found[k] for k in kept} == kept
        kept = found
    assert kept["estimator"] != kept[networks.SOURCE]


@pytest.mark.parametrize("method", configs.METHODS[:-1])
def test_classical_methods_need_the_source_stage_alone(load, tmp_path, method):
    config = load(f"estimator.method={method}")
    measured = _train(config, tmp_path, "source", "estimator")
    assert np.isfinite(list(measured.values())).all()
    _, _, information = job.predicted(tmp_path)
    assert information == ("N" if method == "source" else "R")


def test_generalisation_knows_nothing_of_the_target(load, tmp_path):
    config = load("data.unlabelled=[hall, night]", "estimator.method=dann")
    assert job.target_information(config) == "N"


def test_who_has_the_labels_of_the_target_knows_them(load, tmp_path, monkeypatch):
    config = load("data.source=street", "data.unlabelled=[hall]")
    assert job.target_information(config) == "L"
    monkeypatch.chdir(tmp_path)
    config = load(
        *("data.kind=prepared", "data.target=there", "data.unlabelled=[./there/]")
    )
    assert job.target_information(config) == "R"


def test_a_card_of_the_targets_frames_is_asked_of_the_target_alone(load, tmp_path):
    folders = [tmp_path / name for name in ("source", "target")]
    for folder, subject in zip(folders, ("surreal", "S9")):
        folder.mkdir()
        train = [small_nrsfm.frame("S1", n) for n in range(6)]
        test = [small_nrsfm.frame(subject, n) for n in range(8)]
        between = dataclasses.replace(test[0], frame_number=7)  # that no card takes
        small_nrsfm.write_pictures(folder, train, [*test, between])
    config = load(
        *("data.kind=prepared", "data.evaluation_card=h36m_p1", "data.unseen=3"),
        *(f"data.source={folders[0]}", f"data.target={folders[1]}"),
        *(f"data.unlabelled=[{folders[1]}]", "estimator.method=ddc"),
    )
    measured = _train(config, tmp_path / "run", "source", "estimator")
    assert np.isfinite(list(measured.values())).all() and len(measured) == 8
    pred, truth, information = job.predicted(tmp_path / "run")
    result = evaluator.evaluate(pred, truth, protocol.load("h36m_p1"), information)
    assert result["num_samples"] == 8 and len(truth.joints) == 9


def test_a_stopped_stage_ends_as_one_that_was_not(load, tmp_path):
    for name, steps in (("whole", (3,)), ("parts", (2, 3))):
        for count in steps:
            config = load(f"vae.steps={count}", "vae.learning_rate=0")
            _train(config, tmp_path / name, "vae")
    whole, parts = (_hashes(tmp_path / name) for name in ("whole", "parts"))
    assert whole == parts  # the rate is none: batch norm's statistics alone move


def test_a_stage_without_the_one_before_names_its_command(load, tmp_path):
    with pytest.raises(errors.InputError, match=r"tools/pretrain.py --system=interv"):
        _train(load(), tmp_path, "generator")
    with pytest.raises(errors.InputError, match=r"config.yaml is missing: give the"):
        job.predicted(tmp_path / "nowhere")
