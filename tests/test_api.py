"""The library: ten lines that a user would write, and what they get wrong."""

import json
import subprocess
import sys

import numpy as np
import pytest
import small_resnet
import small_video

import sa3dhp
from sa3dhp import api, errors
from sa3dhp.export import saved_model


@pytest.fixture(scope="module")
def shipped():
    return sa3dhp.load()


@pytest.fixture(scope="module")
def crops():
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (3, 80, 80, 3), np.uint8)


def test_the_shipped_model_predicts_and_says_what_it_is(shipped, crops):
    joints = shipped.predict(crops, batch_size=2)
    assert joints.shape == (3, 17, 3) and np.abs(joints[:, 0]).max() == 0
    np.testing.assert_allclose(joints[1:2], shipped.predict(crops[1:2]), atol=0.1)
    assert shipped.skeleton.joint_names[0] == "pelvis"
    for words in ("uint8 [N, H, W, 3]", "mm", "y down", "left_foot", "crop rule"):
        assert words in shipped.describe(), words


def test_three_clips_adapt_a_model_that_loads_again(untrained, tmp_path, capsys):
    rng = np.random.default_rng(0)
    clips = [rng.integers(0, 256, (60, 40, 40, 3), np.uint8) for _ in range(3)]
    with small_resnet.used():
        found = sa3dhp.adapt(clips, workdir=tmp_path / "run", model=untrained)
        again = sa3dhp.load(found.workdir).predict(clips[0][:2])  # base + pack
    assert found.result["steps"] == 2 and "source_only" not in found.result
    assert {p.name for p in found.workdir.iterdir()} >= {
        "report.html",
        "result.json",
        "domain_pack",
    }
    joints = found.model.predict(clips[0][:2])
    np.testing.assert_allclose(joints, again, atol=0.1)
    assert found.result["adapted_model"]
    before = (found.workdir / "result.json").read_bytes()
    others = [255 - clip for clip in clips]  # the state there never saw them
    message = r"state/adapt: began on another set of clips; use another --workdir"
    with small_resnet.used(), pytest.raises(errors.InputError, match=message):
        sa3dhp.adapt(others, workdir=tmp_path / "run", model=untrained)
    assert (found.workdir / "result.json").read_bytes() == before


def test_evaluation_of_a_shift_is_its_length():
    truth = np.random.default_rng(0).normal(size=(4, 17, 3)) * 300
    pred = truth.copy()
    pred[:, 1:] += [30.0, 0.0, 40.0]
    found = sa3dhp.evaluate(pred, truth, "procedural")
    assert found["overall"]["mpjpe"] == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("no_such", "expected the name of a shipped model \\(people, procedural\\)"),
        ("a/b", "expected the name of a shipped model"),
        (".", "holds neither an exported model"),
    ],
)
def test_what_is_no_model_is_named(source, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(errors.InputError, match=message):
        sa3dhp.load(source)


@pytest.mark.parametrize(
    ("clips", "message"),
    [
        (np.zeros((1, 30, 8, 8, 3), np.uint8), r"clip 0: got uint8 \(30, 8, 8, 3\)"),
        (np.zeros((1, 60, 8, 9, 3), np.uint8), "RGB squares"),
        (np.zeros((1, 60, 8, 8, 3)), "got float64"),
        ([], "got no clip"),
    ],
)
def test_clips_of_another_form_claim_no_workdir(clips, message, untrained, tmp_path):
    with pytest.raises(errors.InputError, match=message):
        sa3dhp.adapt(clips, workdir=tmp_path / "run", model=untrained)
    assert not (tmp_path / "run").exists()


def test_video_ids_are_one_for_each_clip():
    clips = np.zeros((2, 60, 8, 8, 3), np.uint8)
    with pytest.raises(errors.InputError, match="one number for each of the 2 clips"):
        api._target(clips, [0])


def test_importing_the_package_is_quick_and_brings_no_tensorflow():
    code = (
        "import sys, time; t = time.perf_counter(); import sa3dhp; "
        "assert 'tensorflow' not in sys.modules and 'numpy' not in sys.modules; "
        "assert {'load', 'predict', 'adapt', 'evaluate'} <= set(dir(sa3dhp)); "
        "print(time.perf_counter() - t)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 0.2


def test_a_video_is_predicted_by_a_loaded_model_or_one_by_name(shipped, tmp_path):
    small_video.write(tmp_path / "v.mp4", 8)
    rows = [[k, 30 + k // 2, 35, 20, 50] for k in range(8)]
    (tmp_path / "boxes.json").write_text(json.dumps({"v.mp4": rows}))
    boxes = tmp_path / "boxes.json"
    found = sa3dhp.predict(tmp_path / "v.mp4", model=shipped, boxes=boxes)
    assert found.joints.shape == (8, 17, 3) and found.model == ""
    named = sa3dhp.predict(str(tmp_path / "v.mp4"), model="people", boxes=boxes)
    assert named.model == "people" and named.model_hash == found.model_hash
    np.testing.assert_allclose(named.joints, found.joints, atol=0.1)
    twice = sa3dhp.predict(
        tmp_path / "v.mp4", model=shipped, boxes=boxes, mirrored=True
    )
    assert "the mean of each picture and its mirror image" in twice.notes
    apart = np.abs(twice.joints - found.joints).max()
    assert 1 < apart < 1000 and not found.notes


def test_the_network_may_compute_in_bfloat16(shipped, tmp_path):
    small_video.write(tmp_path / "v.mp4", 8)
    rows = [[k, 30 + k // 2, 35, 20, 50] for k in range(8)]
    (tmp_path / "boxes.json").write_text(json.dumps({"v.mp4": rows}))
    video, boxes = tmp_path / "v.mp4", tmp_path / "boxes.json"
    exact = sa3dhp.predict(video, model=shipped, boxes=boxes)
    half = sa3dhp.load("people", precision="mixed_bfloat16")
    found = sa3dhp.predict(video, model=half, boxes=boxes)
    assert "the network computed in mixed_bfloat16" in found.notes
    assert found.joints.dtype == exact.joints.dtype and not exact.notes
    apart = np.linalg.norm(found.joints - exact.joints, axis=-1)
    assert 0 < apart.mean() < 10
    with pytest.raises(errors.InputError, match="precision: got 'half', expected one"):
        sa3dhp.load("people", precision="half")


def test_networks_come_with_their_motions_an_exported_model_without(shipped, tmp_path):
    small_video.write(tmp_path / "v.mp4", 40)
    rows = [[k, 30 + k // 2, 35, 20, 50] for k in range(40)]
    (tmp_path / "boxes.json").write_text(json.dumps({"v.mp4": rows}))
    video, boxes = tmp_path / "v.mp4", tmp_path / "boxes.json"
    found = {
        smooth: sa3dhp.predict(video, model=shipped, boxes=boxes, smooth=smooth)
        for smooth in ("zero_lag", "motion")
    }
    moved = [
        np.linalg.norm(np.diff(made.joints, 2, axis=0), axis=-1).mean()
        for made in found.values()
    ]
    assert moved[1] < moved[0]  # calmer than the filter
    limbs = found["motion"].joints - found["motion"].joints[:, shipped.skeleton.parents]
    assert np.linalg.norm(limbs, axis=-1).std(axis=0).max() < 0.1
    saved_model.write(tmp_path / "saved", shipped._loaded)
    exported = sa3dhp.load(tmp_path / "saved")
    saved_model.write(tmp_path / "run" / "saved_model", shipped._loaded)
    (tmp_path / "run" / "config.yaml").write_text("")  # of another system
    assert sa3dhp.load(tmp_path / "run").describe() == exported.describe()
    with pytest.raises(errors.InputError, match=r"expected float32: .* was exported"):
        sa3dhp.load(tmp_path / "saved", precision="mixed_bfloat16")
    assert sa3dhp.load(tmp_path / "saved", precision="auto").skeleton.num_joints == 17
    with pytest.raises(errors.InputError, match="no motion auto-encoder"):
        sa3dhp.predict(video, model=exported, boxes=boxes, smooth="motion")


def test_a_video_that_cannot_be_read_is_bad_input(shipped, tmp_path):
    (tmp_path / "v.mp4").write_text("hello")
    with pytest.raises(errors.InputError, match=r"v.mp4: cannot be decoded .*; give"):
        sa3dhp.predict(tmp_path / "v.mp4", model=shipped, detector="hog")


@pytest.mark.parametrize(
    ("videos", "options", "message"),
    [
        ("typo", {}, "typo: no such file or folder"),
        ("v.mp4", {"detector": "x"}, "detector: got x"),
        (np.zeros((1, 60, 8, 8, 3), np.uint8), {"boxes": "x"}, "for videos alone"),
    ],
)
def test_what_is_wrong_with_videos_claims_no_workdir(
    videos, options, message, untrained, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "v.mp4").write_bytes(b"x")
    with pytest.raises(errors.InputError, match=message):
        sa3dhp.adapt(videos, workdir=tmp_path / "run", model=untrained, **options)
    assert not (tmp_path / "run").exists()
