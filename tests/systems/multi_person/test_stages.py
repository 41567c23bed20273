"""All stages as the tool trains them: kept, exported, measured; only theirs move."""

import dataclasses
import functools
import json

import cv2
import miniature_mupots
import numpy as np
import pytest
import small_multi_person
import tensorflow as tf
import tool_runner

from sa3dhp import errors
from sa3dhp.evaluation import results
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.multi_person import config as configs
from sa3dhp.systems.multi_person import (
    job,
    maps,
    networks,
    predictions,
    sources,
    stages,
    watching,
)
from sa3dhp.training import checkpoint

SKELETON = skeletons.SA3DHP17
OWNED = {
    "poses": set(networks.POSES),
    "teacher": set(networks.TEACHER),
    "alignment": set(networks.ALIGNED),
    "equivariance": {networks.STUDENT},
    "refinement": {networks.REFINER},
}


def _train(config, workdir, *names):
    """Trains stages eagerly; returns what was measured."""
    tf.config.run_functions_eagerly(True)
    configs.begin(config, workdir)
    made = stages.make(config, workdir / "checkpoints")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sources, "seen_by_teacher", small_multi_person.clairvoyant(config)
        )
        rows = [row for name in names for row in made.train(name, workdir)]
    tf.config.run_functions_eagerly(False)
    return {f"{stage}/{name}": value for stage, name, value in rows}


def _hashes(workdir):
    return {
        path.stem: checkpoint.read_meta(path)["weights_hash"]
        for path in sorted((workdir / "checkpoints").glob("*.npz"))
        if path.stem in set.union(*OWNED.values())
    }


@pytest.fixture(scope="module")
def run(load, tmp_path_factory):
    """The workdir of a whole run, and the networks' hashes and numbers by stage."""
    workdir, kept, measured = tmp_path_factory.mktemp("run"), {}, {}
    for name in configs.STAGES:
        measured[name] = _train(load(), workdir, name)
        kept[name] = _hashes(workdir)
    return workdir, kept, measured


def test_each_stage_leaves_its_own_networks_and_those_before_it_alone(run):
    _, kept, measured = run
    before = {}
    for name, own in OWNED.items():
        assert set(kept[name]) - set(before) == own
        assert {k: kept[name][k] for k in before} == before
        before = kept[name]
        values = list(measured[name].values())
        assert values and np.isfinite(values).all()
    assert before[networks.STUDENT] != before[networks.ALIGNED[0]]
    assert before[networks.REFINER] != before[networks.STUDENT]
    last = measured["equivariance"]
    assert {"equivariance/target_pck_rel", "equivariance/source_recall"} <= set(last)


@pytest.mark.parametrize("looks", [1, 2])
def test_the_exported_model_says_what_the_networks_say(run, load, looks):
    workdir = run[0]
    assert cv2.imread(str(workdir / stages.SHEET)).shape[0] > 3 * 3 * 56
    name = stages.MODEL if looks == 1 else stages.REFINED
    model = tf.saved_model.load(str(workdir / name))
    about = json.loads(model.signatures["describe"]()["json"].numpy())
    assert about["units"] == "mm" and about["joint_names"][0] == "pelvis"
    assert about["focal"] == load().data.focal and about["looks"] == looks
    images = sources.crowds(load(), "street", unseen=True).images
    told = model.signatures["serving_default"](tf.constant(images))
    made = networks.Networks(load(), workdir / "checkpoints")
    composer, teacher = made.trained(), made.teacher()
    refiner = made.refiner() if looks == 2 else None
    shown = sources.pixels(images)
    want = predictions.everybody(composer, *teacher, shown, refiner=refiner)
    for name in ("joints", "score", "count"):
        np.testing.assert_allclose(told[name], want[name], rtol=1e-3, atol=0.5)
    assert told["joints"].shape == (4, predictions.MOST, 17, 3)


@pytest.mark.parametrize("shape", [(56, 41), (35, 56)])
def test_whole_pictures_of_any_shape_are_seen_as_a_prediction_sees_them(run, shape):
    watcher = watching.load(run[0])
    pixels = np.random.default_rng(0).integers(0, 256, (8, *shape, 3), np.uint8)
    sides = shape[::-1]
    seen = 0
    for whole, apart in zip(
        watcher.see(pixels), watching.people_of(watcher, list(pixels))
    ):
        np.testing.assert_allclose(whole[0], apart[0], rtol=1e-3, atol=1)
        np.testing.assert_allclose(whole[1] * sides - 0.5, apart[1], atol=0.1)
        np.testing.assert_allclose(whole[2], apart[2], atol=1e-3)
        seen += len(whole[0])
    assert seen  # of noise, by a network that learnt nothing


def test_networks_of_another_camera_or_anchor_are_refused(run, load):
    made = networks.Networks(load("data.far_mm=8000"), run[0] / "checkpoints")
    with pytest.raises(errors.InputError, match=r"student.npz: camera: trained with"):
        made.trained()


def test_a_folder_of_networks_is_a_model_too(run, load):
    small = load()
    images = sources.crowds(small, "street", unseen=True).images
    exported = watching.load(run[0]).see(images)
    for ours, theirs in zip(
        watching.load(run[0] / "checkpoints").see(images), exported
    ):
        for part, same in zip(ours, theirs):
            np.testing.assert_allclose(part, same, rtol=1e-3, atol=0.5)


def test_the_tool_predicts_everybody_with_a_run(run, tmp_path):
    """Of a network that learnt nothing: who is found is chance, what is written not."""
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "hall.png"), pixels)
    flags = ("--system=multi_person", f"--model={run[0]}", "--input=hall.png")
    done = tool_runner.run("predict", *flags, "--output=seen", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    names = {path.name for path in (tmp_path / "seen").iterdir()}
    assert names >= {"poses.npz", "poses.json", "overlay.png", "prediction.json"}
    about = json.loads((tmp_path / "seen" / "prediction.json").read_text())
    assert about["detector"] == "none: the model sees everybody"


def test_the_tool_measures_a_run_on_mupots(run, tmp_path):
    """A network that learnt nothing; a good one: `test_benchmark`."""
    flags = ["--system=multi_person", f"--workdir={run[0]}"]
    home = miniature_mupots.mupots(tmp_path)
    told = ["--target_information=R", "--output=a.json"]
    evaluate = functools.partial(tool_runner.run, "evaluate", cwd=tmp_path)
    done = evaluate(*flags, f"--dataset={home.name}", *told)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    lines = done.stdout.splitlines()
    names = [line.split()[0] for line in lines if line]
    assert names[-5:] == ["TS1", "TS6", "mean", "3DPCK:", "written:"]
    (read,) = results.read(tmp_path / "a.json").values()
    assert read["target_information"] == "R" and set(read["overall"]) == {"pck", "auc"}
    found = json.loads((tmp_path / "a.json").read_text())
    assert found["num_samples"] == 12 and found["focal"] == 1.2
    for wrong, reason in (
        ([*flags, f"--dataset={home}/TS1"], "has no folder of TS1 to TS20"),
        ([*flags, f"--dataset={home}", "--diagnose"], "got --diagnose beside it"),
        ([flags[0], f"--dataset={home}"], "got nothing beside it, expected --workdir"),
        ([flags[0], "--workdir=.", f"--dataset={home}"], "config.yaml is missing"),
    ):
        done = evaluate(*wrong)
        assert (done.returncode, done.stdout) == (2, ""), done.stdout
        assert reason in done.stderr and done.stderr.count("\n") == 1


def test_a_run_in_which_nobody_is_found_says_so(run, monkeypatch):
    monkeypatch.setattr(maps, "OWN", dataclasses.replace(maps.OWN, peak=99.0))
    assert job.card_of(run[0]) == "procedural"
    with pytest.raises(errors.InputError, match=r"none of \d+ people was found"):
        job.predicted(run[0])


def test_who_is_found_is_measured(run, monkeypatch):
    monkeypatch.setattr(maps, "OWN", dataclasses.replace(maps.OWN, peak=-1e9))
    monkeypatch.setattr(job.scoring, "FAR", 9.0)
    pred, truth, information = job.predicted(run[0])
    assert information == "G" and len(pred.joints) > 0
    assert pred.joints.shape == truth.joints.shape
    assert not pred.joints[:, SKELETON.root].any()
    assert f"{len(pred.joints)} of" in pred.source


def test_a_stopped_stage_ends_as_one_that_was_not(run, load, tmp_path):
    often = "training.checkpoint_every=1"
    for name in set.union(*(OWNED[stage] for stage in ("poses", "teacher"))):
        for path in (run[0] / "checkpoints").glob(f"{name}.*"):
            target = tmp_path / "checkpoints" / path.name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(path.read_bytes())
    for path in (run[0] / "checkpoints").glob("meta.json"):
        (tmp_path / "checkpoints" / path.name).write_bytes(path.read_bytes())
    _train(load(often, "student.steps=1"), tmp_path, "alignment")
    _train(load(often), tmp_path, "alignment")
    kept = _hashes(run[0])
    assert {name: _hashes(tmp_path)[name] for name in networks.ALIGNED} == {
        name: kept[name] for name in networks.ALIGNED
    }


def test_a_student_goes_on_from_another_of_the_same_teacher_and_auto_encoder(
    run, load, tmp_path
):
    there = run[0] / "checkpoints"
    config = load(f"student.start={there}")
    known = checkpoint.read_meta(there / "student_aligned.npz")["weights_hash"]
    assert sources.check(config, "pictures") == {str(there): known}
    assert sources.check(config, "teacher") == {}
    made = networks.Networks(config, tmp_path)
    for stage in ("poses", "teacher"):
        made.store.start_from(there, stage)
    for ours, theirs in zip(made.begun(), networks.Networks(config, there).aligned()):
        assert ours.trainable and ours.trainable_variables
        for mine, its in zip(ours.get_weights(), theirs.get_weights()):
            np.testing.assert_array_equal(mine, its)
    other = networks.Networks(load("training.seed=1"), tmp_path)
    other.store.save(dict(zip(networks.TEACHER, other.new_teacher(bare=True))))
    with pytest.raises(errors.InputError, match="has another teacher_trunk"):
        made.begun()
    with pytest.raises(errors.InputError, match="nowhere/student_aligned"):
        sources.check(load("student.start=nowhere"), "pictures")


def test_l_distl_is_alone_at_first():
    rate = stages._After(3, 0.5)
    assert [float(rate(step)) for step in (0, 2, 3, 9)] == [0.0, 0.0, 0.5, 0.5]
    falls = stages._After(3, stages._cosine(0.5, 10))
    found = [float(falls(step)) for step in (0, 2, 5, 10)]
    np.testing.assert_allclose(found, [0.0, 0.0, 0.2525, 0.005], rtol=1e-5)


@pytest.mark.parametrize("distils", [False, True])
def test_phase_two_minimises_the_papers_two_losses_or_l_distl_too(
    load, run, distils, monkeypatch
):
    """[P] 3.3; what it costs without L_distl, the README says."""
    workdir, _, _ = run
    config = load("student.labels=none", f"student.distils={str(distils).lower()}")
    seen = small_multi_person.clairvoyant(config)
    monkeypatch.setattr(sources, "seen_by_teacher", seen)
    made = stages.make(config, workdir / "checkpoints")
    terms = made._equivariance().step.terms(next(made._equivariance().batches(0)))
    assert set(terms) == {"ss", "recon", *(["distl"] if distils else [])}
    assert not configs.Student().distils


@pytest.mark.parametrize("decays", [False, True])
def test_rates_are_the_papers_unless_they_decay(load, tmp_path, decays):
    config = load(f"student.decays={str(decays).lower()}")
    rate = stages.make(config, tmp_path)._rate(0.5, 10, 4)
    found = [float(rate(step)) for step in (0, 4, 5, 10)]
    want = [0.5, 0.328982, 0.2525, 0.005] if decays else [0.5, 0.5, 0.05, 0.05]
    np.testing.assert_allclose(found, want, rtol=1e-4)
    papers = configs.Student()  # [P] 4 and suppl. 2.2, two iterations to a step
    assert 2 * papers.steps == 450_000 and 2 * papers.drop_steps == 100_000
    assert 2 * (papers.steps + papers.equivariance_steps) == 600_000
