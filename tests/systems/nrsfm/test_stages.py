"""Both stages as the tool trains them: resumable, kept, exported, measured."""

import json

import cv2
import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.evaluation import poses, prediction
from sa3dhp.systems.nrsfm import config as configs
from sa3dhp.systems.nrsfm import job, lifting, networks, points, sources, stages


def _train(config, workdir, *names):
    configs.begin(config, workdir)
    made = stages.make(config, workdir / "checkpoints")
    return {row[1]: row[2] for name in names for row in made.train(name, workdir)}


def test_a_teacher_of_motions_is_kept_exported_and_measured(load, motions, tmp_path):
    config = load(
        *("data.source=motions", f"data.path={motions}"),
        *("data.held_out_subjects=['02']", "data.scale=one"),
    )
    measured = _train(config, tmp_path, "teacher")
    names = ("mpjpe", "pa_mpjpe", "depth_error", "normalised_error")
    assert set(measured) == {f"{side}_{x}" for side in ("own", "unseen") for x in names}
    made = networks.Networks(config, tmp_path / "checkpoints")
    lifter = made.lifter()
    assert lifter.reflection in (1, -1)
    assert made.store.meta("teacher")["num_points"] == 17
    own = sources.training(config)
    assert lifter.unit == pytest.approx(points.typical_size(own.points))
    lifted = lifter.lift(own.points)
    np.testing.assert_allclose(lifted.size, lifter.unit)
    # The file is what `tools/evaluate.py --predictions` reads.
    written = poses.read(tmp_path / stages.LIFTED, "predictions")
    np.testing.assert_allclose(written.joints, lifted.joints, atol=1e-2)
    assert written.skeleton == "sa3dhp17" and written.target_information == "G"
    picture = cv2.imread(str(tmp_path / stages.PICTURE))
    assert picture.shape[1] > picture.shape[0] and picture.std() > 5
    # The exported model says the same, in the unit of the points.
    model = tf.saved_model.load(str(tmp_path / "teacher_model"))
    moved = tf.constant(own.points[:4] + 1000, tf.float32)
    joints = model.signatures["serving_default"](points=moved)["joints"]
    np.testing.assert_allclose(joints, lifted.joints[:4], atol=0.5)
    about = json.loads(model.signatures["describe"]()["json"].numpy())
    assert (
        about["joint_names"][0] == "pelvis" and "away from the camera" in about["axes"]
    )
    assert about["run"]["measured"] == measured
    # And the finished run is scored on whom nobody saw.
    pred, truth, information = job.predicted(tmp_path)
    assert information == "G" and set(truth.labels["subject"]) == {"02"}
    assert len(pred.joints) == len(truth.joints) == 6


def test_a_stopped_teacher_ends_as_one_that_was_not(load, npz, tmp_path, eagerly):
    source = ("data.source=npz", f"data.path={npz()}", "teacher.turned=true")
    whole = load(*source)
    _train(whole, tmp_path / "whole", "teacher")
    sources.training.cache_clear()
    _train(load(*source, "teacher.steps=2"), tmp_path / "parts", "teacher")
    again = load(*source)
    _train(again, tmp_path / "parts", "teacher")
    a, b = (
        networks.Networks(whole, tmp_path / name / "checkpoints").lifter().network
        for name in ("whole", "parts")
    )
    different = load(*source, "training.seed=1")
    c = networks.Networks(different, tmp_path).new_teacher(5)
    for x, y in zip(a.weights, b.weights):
        np.testing.assert_allclose(x, y, atol=2e-3)  # the cosine of other lengths
    assert np.abs(a.weights[0] - c.weights[0]).max() > 0.05


def test_a_teacher_of_bare_points_needs_no_truth(load, npz, tmp_path, eagerly):
    config = load("data.source=npz", f"data.path={npz(truth=None)}")
    assert _train(config, tmp_path, "teacher") == {}
    with np.load(tmp_path / stages.LIFTED) as file:
        assert file["joints"].shape == (15, 5, 3) and "skeleton" not in file
        lifted = file["joints"]
    assert not (tmp_path / stages.PICTURE).exists()
    # Each frame has a size of its own: twice as large is the same shape.
    model = tf.saved_model.load(str(tmp_path / "teacher_model"))
    flat = tf.constant(2 * sources.training(config).points, tf.float32)
    joints = model.signatures["serving_default"](points=flat)["joints"]
    np.testing.assert_allclose(joints, 2 * lifted, atol=1e-2)
    with pytest.raises(errors.InputError, match="has nothing to measure on; name subj"):
        job.predicted(tmp_path)


@pytest.mark.parametrize("depth", ["distilled", "teacher", "truth"])
def test_a_student_learns_from_pictures(load, tmp_path, depth, eagerly, small_backbone):
    config = load("data.source=world", f"student.depth={depth}")
    measured = _train(config, tmp_path, "teacher", "student")
    assert np.isfinite(list(measured.values())).all() and "own_depth_error" in measured
    if depth != "distilled":
        return
    made = networks.Networks(config, tmp_path / "checkpoints")
    assert "teacher" in made.store.meta("student")["trained_on"]
    side = sources.unseen(config)
    images = side.images(np.arange(len(side)))
    # The exported student is one that `tools/evaluate.py --model` reads.
    exported = prediction.predict(tmp_path / "saved_model", images)
    pred, truth, information = job.predicted(tmp_path)
    assert information == "N" and "student" in pred.source
    np.testing.assert_allclose(exported.joints, pred.joints, atol=1e-3)
    assert truth.joints.shape == (6, 17, 3)


def test_a_frozen_backbone_stays_as_it_came(load, tmp_path, eagerly, small_backbone):
    kept = ("student.frozen=true", "student.augmentation=0")
    config = load("data.source=world", *kept)
    measured = _train(config, tmp_path, "teacher", "student")
    assert np.isfinite(list(measured.values())).all()
    made = networks.Networks(config, tmp_path / "checkpoints")
    before, after = made.new_student(17), made.student()
    after.trainable = True  # it is loaded frozen
    for old, new in zip(before.backbone.weights, after.backbone.weights):
        np.testing.assert_allclose(new, old, atol=1e-3)  # kept in float16
    moved = zip(before.reading_variables, after.reading_variables)
    assert max(np.abs(new - old).max() for old, new in moved) > 1e-3
    with pytest.raises(errors.InputError, match="expected 0 with student"):
        load("student.frozen=true")


def test_a_student_of_prepared_pictures_speaks_their_skeleton(
    load, pictures, tmp_path, eagerly, small_backbone
):
    """The paper's configuration on a small prepared data set."""
    path = "configs/nrsfm_h36m.yaml"
    small = ("student.weights=none", "student.channels=4", "student.depth_cells=4")
    from small_nrsfm import SMALL

    config = configs.load(path, (*SMALL, *small, f"data.path={pictures}"))
    measured = _train(config, tmp_path, "teacher", "student")
    assert np.isfinite(list(measured.values())).all()
    side = sources.unseen(config)
    images = side.images(np.arange(len(side)))
    found = prediction.predict(tmp_path / "saved_model", images)
    assert found.skeleton == "h36m17" and found.joints.shape == (6, 17, 3)
    assert job.card_of(tmp_path) == "nrsfm_h36m"


def test_a_student_without_pictures_or_teacher_is_refused(load, motions, tmp_path):
    config = load("data.source=motions", f"data.path={motions}")
    with pytest.raises(
        errors.InputError, match="has no pictures, expected some for th"
    ):
        stages.make(config, tmp_path).train("student", tmp_path)
    world = load("data.source=world")
    with pytest.raises(
        errors.InputError,
        match=r"teacher.npz: no such checkpoint; run python tools/pretrain.py "
        r"--system=nrsfm --stage=teacher",
    ):
        stages.make(world, tmp_path).train("student", tmp_path)


def test_the_bound_needs_truth(load, npz, tmp_path):
    images = np.zeros((15, 32, 32, 3), np.uint8)
    path = npz(truth=None, images=images)
    config = load("data.source=npz", f"data.path={path}", "student.depth=truth")
    own = sources.training(config)
    lifted = lifting.Lifted(*[np.zeros((15, 1, 1))] * 4)
    with pytest.raises(errors.InputError, match="has no 3D, expected it for"):
        stages.targets(config, own, lifted)


def test_targets_are_in_half_sides_of_the_picture(load):
    config = load("data.source=world", "student.depth=truth")
    own = sources.training(config)
    lifted = lifting.Lifted(
        own.truth, np.zeros((14, 3, 2)), np.zeros((14, 12)), np.full((14, 1, 1), 8.0)
    )
    found = stages.targets(config, own, lifted)
    np.testing.assert_allclose(found["points"], (own.points - 15.5) / 16, atol=1e-5)
    np.testing.assert_allclose(found["size"], 0.5)
    assert np.abs(found["depth"]).max() < 3 and found["depth"].dtype == np.float32
