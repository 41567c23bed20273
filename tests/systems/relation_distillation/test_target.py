"""What is adapted to: its split, and what its truth measures."""

import dataclasses

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data import pipeline
from sa3dhp.evaluation import poses, protocol
from sa3dhp.systems.relation_distillation import target as targets


def _target(videos, spans=None, **more):
    videos = np.asarray(videos)
    clips = np.zeros((len(videos), 60, 2, 2, 3), np.uint8)
    return targets.Target("here", clips, videos, spans=spans, **more)


def test_a_fingerprint_is_that_of_the_clips():
    target = _target([0, 0, 1])
    assert target.fingerprint == _target([0, 0, 1]).fingerprint
    others = [_target([0, 1, 1]), _target([0, 0, 1], names=list("abc"))]
    clips = target.clips.copy()
    clips[1, 30] = 1
    others.append(dataclasses.replace(target, clips=clips))
    assert len({x.fingerprint for x in (target, *others)}) == 4


@pytest.mark.parametrize("count", [2, 3, 10, 80])
@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
@pytest.mark.parametrize("seed", [0, 1])
def test_of_one_clip_for_each_video_the_seeds_permutation_is_split(count, share, seed):
    """Results of the embedded world stand on this draw."""
    train, held_out = _target(np.arange(count)).split(share, seed)
    drawn = pipeline.rng(seed, "target", 1 << 30).permutation(count)
    number = min(max(1, round(share * count)), count - 1)
    np.testing.assert_array_equal(held_out, np.sort(drawn[:number]))
    np.testing.assert_array_equal(train, np.sort(drawn[number:]))


@pytest.mark.parametrize("seed", range(5))
def test_whole_videos_are_held_out_where_there_are_several(seed):
    videos = np.repeat(np.arange(6), [8, 5, 12, 3, 9, 6])
    videos = np.random.default_rng(0).permutation(videos)
    train, held_out = _target(videos).split(0.2, seed)
    assert not set(videos[train]) & set(videos[held_out])
    assert sorted([*train, *held_out]) == list(range(len(videos)))
    assert 3 <= len(held_out) <= 1.5 * round(0.2 * len(videos))
    again = _target(videos).split(0.2, seed)
    np.testing.assert_array_equal(again[1], held_out)


def test_another_seed_holds_out_other_videos():
    target = _target(np.repeat(np.arange(10), 3))
    found = {tuple(target.split(0.2, seed)[1]) for seed in range(6)}
    assert len(found) > 1


def test_the_smallest_video_is_held_out_where_all_are_too_large():
    videos = np.repeat([3, 8, 5], [20, 12, 18])
    train, held_out = _target(videos).split(0.1, seed=0)
    assert set(videos[held_out]) == {8} and set(videos[train]) == {3, 5}


def _windows(count, length=60, stride=30):
    """First and last frames of clips that overlap by half."""
    first = stride * np.arange(count, dtype=float)
    return np.stack([first, first + length - 1], axis=1)


def test_of_a_single_video_the_end_is_held_out_after_a_gap():
    spans = _windows(20)
    order = np.random.default_rng(0).permutation(20)
    train, held_out = _target(np.zeros(20, int), spans[order]).split(0.2, seed=0)
    assert sorted(order[held_out]) == [16, 17, 18, 19]
    gap = spans[order[held_out], 0].min() - spans[order[train], 1].max()
    assert gap > 29.5  # half a clip
    assert len(train) >= 14


def test_a_split_by_time_is_the_same_for_every_seed():
    target = _target(np.zeros(20, int), _windows(20))
    first, second = (target.split(0.2, seed)[1] for seed in (0, 1))
    np.testing.assert_array_equal(first, second)


def test_clips_that_follow_one_another_need_no_gap():
    train, held_out = _target(np.zeros(10, int)).split(0.2, seed=0)
    assert train.tolist() == list(range(8)) and held_out.tolist() == [8, 9]


def test_of_one_long_and_one_short_video_no_frame_is_on_both_sides():
    videos = np.array([0] * 20 + [1])
    spans = np.concatenate([_windows(20), _windows(1)])
    train, held_out = _target(videos, spans).split(0.2, seed=0)
    assert len(train) and len(held_out)
    for t in train:
        for h in held_out:
            apart = spans[t, 1] < spans[h, 0] or spans[h, 1] < spans[t, 0]
            assert videos[t] != videos[h] or apart


@pytest.mark.parametrize(
    ("videos", "spans"),
    [([0], None), ([0], _windows(1)), ([0, 0], _windows(2)), ([0] * 3, _windows(3))],
)
def test_too_little_video_is_refused_with_what_is_enough(videos, spans):
    with pytest.raises(errors.InputError, match=r"here: got .* ten seconds at least"):
        _target(videos, spans).split(0.2, seed=0)


@pytest.mark.parametrize(
    ("videos", "words"),
    [
        ([0], ["1 clip of 2 s is few", "give 40 or more", "one video only"]),
        ([0, 1], ["2 clips of 2 s are few"]),
        (list(range(40)), []),
    ],
)
def test_how_much_video_is_enough_is_said(videos, words):
    clips = np.zeros((len(videos), 1), np.uint8)
    advice = targets.Target("x", clips, np.array(videos)).advice
    assert bool(advice) == bool(words)
    for word in words:
        assert word in advice


def test_labels_are_told():
    assert _target([0, 1]).information == "R"
    assert _target([0, 1], labelled=lambda rows: None).information == "L"


class _Model:
    """Says a pose that is off by what the first pixel says, mm."""

    def __init__(self, truth):
        self.truth, self.batches = truth, []

    def predict(self, images):
        self.batches.append(len(images))
        numbers = images[:, 0, 0, 0].astype(int)
        pred = self.truth[numbers].copy()
        pred[:, 1:, 0] += numbers[:, None]
        return pred.astype(np.float32)


@pytest.fixture
def measured(monkeypatch):
    """Six pictures with a truth; a model is off by their number in all but the root."""
    joints = np.random.default_rng(0).normal(size=(6, 17, 3)) * 300
    joints[:, 0] = 0.0
    images = np.zeros((6, 4, 4, 3), np.uint8)
    images[..., 0] = np.arange(6)[:, None, None]
    labels = {
        "sequence": np.array(["a", "a", "a", "b", "b", "b"]),
        "action": np.array(["walk"] * 6),
        "frame": np.arange(6),
    }
    monkeypatch.setattr(targets, "_BATCH", 4)
    return targets.Truth(
        images,
        poses.Poses(joints, targets.SKELETON.id, labels=labels),
        protocol.load("procedural"),
    ), _Model(joints)


def test_a_truth_is_predicted_in_batches_of_all_or_some(measured):
    truth, model = measured
    found = truth.predict(model)
    assert found.shape == (6, 17, 3) and model.batches == [4, 2]
    some = truth.predict(model, np.array([5, 0]))
    np.testing.assert_array_equal(some, found[[5, 0]])


def test_a_truth_scores_what_was_predicted(measured):
    truth, model = measured
    joints = truth.predict(model)
    rows = np.array([2, 4])
    result = truth.score(joints[rows], "N", rows=rows)
    assert result["target_information"] == "N" and result["num_samples"] == 2
    assert result["overall"]["mpjpe"] == pytest.approx(3.0, rel=1e-3)
    every = truth.score(joints)["overall"]["mpjpe"]
    assert truth.error(model) == pytest.approx(every)


def test_the_error_while_it_runs_is_of_pictures_evenly_taken(measured, monkeypatch):
    truth, model = measured
    monkeypatch.setattr(targets, "_MEASURED", 2)
    rows = np.array([0, 3])
    expected = truth.score(truth.predict(model, rows), rows=rows)["overall"]["mpjpe"]
    assert truth.error(model) == pytest.approx(expected)
