"""What a finished adaptation says of itself, in numbers and in words."""

import dataclasses
import pathlib

import numpy as np
import pytest

from sa3dhp.evaluation import poses, protocol
from sa3dhp.systems.relation_distillation import (
    adaptation,
    outcome,
    selection,
    verdict,
)
from sa3dhp.systems.relation_distillation import target as targets

LAST = selection.Choice(20, True, "kept the last step, 20", False)
START = selection.Choice(0, False, "kept the source model")
OTHER = selection.Choice(10, True, "kept step 10: its predictions are better")
SEEN = {"spread": 0.3, "prior_distance": 0.1, "acceleration": 9.0, "lcr": 1.0}
HISTORY = [
    {"step": 0, "z3": 2.0, "implausibility": 20.0, **SEEN},
    {"step": 10, "z3": 1.2, "implausibility": 15.0, **SEEN},
    {"step": 20, "z3": 0.9, "implausibility": 22.0, **SEEN},
]


def _joints(off):
    joints = np.random.default_rng(0).normal(size=(4, 17, 3)) * 300
    joints[:, 0] = 0.0
    joints[:, 1:, 0] += off
    return joints


@pytest.fixture
def truth():
    labels = {
        "sequence": np.array(["a", "a", "b", "b"]),
        "action": np.array(["walk", "walk", "sit", "sit"]),
    }
    return targets.Truth(
        np.zeros((4, 8, 8, 3), np.uint8),
        poses.Poses(_joints(0.0), targets.SKELETON.id, labels=labels),
        protocol.load("procedural"),
    )


class _Model:
    """Says the same of every picture."""

    image_size = 8

    @staticmethod
    def predict(images):
        return np.ones([len(images), 17, 3], np.float32)


def _outcome(truth=None, other=OTHER):
    clips = np.zeros((5, 60, 8, 8, 3), np.uint8)
    names = [f"clip {n}" for n in range(5)]
    target = targets.Target("here", clips, np.arange(5), truth=truth, names=names)
    look = outcome.answers(target, _Model())
    before = after = look
    if truth is not None:
        before, after = (outcome.Answers(_joints(off), {}) for off in (20.0, 5.0))
    return outcome.Outcome(
        workdir=pathlib.Path("nowhere"),
        target=target,
        model=_Model(),
        course=adaptation.Course(LAST, other, HISTORY, {"z3": 1.0}),
        before=before,
        after=after,
        block="res3",
        base_hash="0123",
        config={},
        facts={"seed": 7, "command": "tools/adapt.py"},
    )


def test_the_result_holds_both_choices_the_readings_and_the_facts():
    found = _outcome().result()
    assert found["verdict"] == LAST.verdict and found["steps"] == 20
    assert found["label_free_choice"] == OTHER.verdict
    assert found["monitors"] == {"source_only": HISTORY[0], "adapted": HISTORY[2]}
    assert found["floor"] == {"z3": 1.0} and found["adapted_model"]
    assert (found["target"], found["target_information"]) == ("here", "R")
    assert (found["seed"], found["command"]) == (7, "tools/adapt.py")
    assert "source_only" not in found  # no truth, no error


def test_the_result_says_of_what_use_the_poses_are():
    found = _outcome().result()
    assert found["poses"] == verdict.of(SEEN).entry()
    assert f"the poses there: {verdict.of(SEEN)}" in outcome.summary(found)


def test_a_choice_without_labels_is_not_said_twice():
    assert "label_free_choice" not in _outcome(other=None).result()


def test_errors_before_and_after_come_with_their_card(truth):
    found = _outcome(truth).result()
    assert found["source_only"]["mpjpe"] == pytest.approx(20.0)
    assert found["adapted"]["mpjpe"] == pytest.approx(5.0)
    assert found["protocol"] == "procedural" and found["num_samples"] == 4
    assert found["protocol_hash"] == truth.card.hash
    assert set(found["per_action"]) == {"source_only", "adapted"}
    assert set(found["per_action"]["adapted"]) == {"walk", "sit"}


def test_the_summary_says_both_choices(truth):
    for run, words in ((_outcome(truth), "MPJPE (mm)"), (_outcome(), "z3")):
        text = outcome.summary(run.result())
        assert words in text and LAST.verdict in text
        assert text.endswith(f"without a label: {OTHER.verdict}")
    text = outcome.summary(_outcome(other=None).result())
    assert text.endswith(LAST.verdict)


def test_what_is_looked_at_is_the_truth_or_a_few_clips(truth):
    found = _outcome().after
    assert found.truth is None and sorted(found.clips) == [0, 2, 4]
    assert {joints.shape for joints in found.clips.values()} == {(60, 17, 3)}
    target = _outcome(truth).target
    found = outcome.answers(target, _Model())
    assert found.truth.shape == (4, 17, 3) and not found.clips


def test_a_joint_that_is_not_known_is_drawn_where_its_parent_is(truth):
    mask = np.ones((4, 17), bool)
    mask[2, 7] = mask[2, 8] = False
    hidden = np.where(mask[..., None], truth.poses.joints, 0.0)
    masked = dataclasses.replace(
        truth, poses=dataclasses.replace(truth.poses, joints=hidden, mask=mask)
    )
    found, whole = (outcome._drawn(x, np.arange(4)) for x in (masked, truth))
    np.testing.assert_allclose(found[[0, 1, 3]], whole[[0, 1, 3]])
    parent = targets.SKELETON.parents[7]
    np.testing.assert_allclose(found[2, 7], whole[2, parent])
    np.testing.assert_allclose(found[2, 9], whole[2, 9])


def test_strips_are_of_sequences_or_of_clips(truth):
    strips = _outcome(truth).strips()
    captions = ["walk: 20 mm before, 5 after", "sit: 20 mm before, 5 after"]
    assert [strip.caption for strip in strips] == captions
    assert list(strips[0].poses) == ["source-only", "adapted", "truth"]
    np.testing.assert_allclose(strips[1].poses["truth"], _joints(0.0)[2:], atol=1e-3)
    kept = dataclasses.replace(
        _outcome(truth), course=adaptation.Course(START, None, HISTORY, {"z3": 1.0})
    )
    (strip, _) = kept.strips()  # one model alone where nothing changed
    assert strip.caption == "walk: 20 mm" and list(strip.poses) == [
        "source-only",
        "truth",
    ]
    strips = _outcome().strips()
    assert [strip.caption for strip in strips] == ["clip 0", "clip 2", "clip 4"]
    assert list(strips[0].poses) == ["source-only", "adapted"]
    assert isinstance(strips[0].images, np.ndarray)
    assert strips[0].images.shape == (60, 8, 8, 3)
