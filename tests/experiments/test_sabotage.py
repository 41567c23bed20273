"""Sabotage is what it says: no person, no movement, a wrong flip map."""

import dataclasses

import numpy as np
import pytest

from sa3dhp.experiments import sabotage
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import domain, world
from sa3dhp.systems.relation_distillation import rules

SKELETON = skeletons.SA3DHP17


@pytest.fixture(scope="module")
def clips():
    rng = np.random.default_rng(0)
    drawn = [world.clip(domain.STREET, rng, num_frames=4, size=48) for _ in range(2)]
    return np.stack([clip.images for clip in drawn])


@pytest.mark.parametrize("name", sabotage.CLIPS)
def test_clips_keep_their_shape_and_lose_their_sense(name, clips):
    before = clips.copy()
    found = sabotage.CLIPS[name](clips, np.random.default_rng(0))
    assert found.shape == clips.shape and found.dtype == np.uint8
    assert not np.array_equal(found, clips)
    np.testing.assert_array_equal(clips, before)


def test_still_clips_do_not_move(clips):
    found = sabotage.still(clips, np.random.default_rng(0))
    np.testing.assert_array_equal(found[:, 3], clips[:, 0])


def test_empty_places_differ_and_have_nobody(clips, monkeypatch):
    bare = domain.Domain("bare")
    monkeypatch.setattr(sabotage.domain, "STREET", bare)
    found = sabotage.empty(clips, np.random.default_rng(0)).astype(float)
    assert np.abs(found[0] - found[1]).mean() > 1
    rows = found[:, :, :, 4:-4].std(axis=3)  # wall and floor are level
    assert rows.max() < 3


def test_wrong_flip_leaves_the_sides_where_they_were():
    rule = rules.table()["z1"]
    wrong = sabotage.wrong_flips({"z1": rule})["z1"]
    assert dataclasses.replace(wrong, view=rule.view) == rule
    joints = np.random.default_rng(0).normal(size=(5, 17, 3)).astype(np.float32)
    found = wrong.view.joints(joints, SKELETON).numpy()
    np.testing.assert_allclose(found, joints * [-1, 1, 1])
    right = rule.view.joints(joints, SKELETON).numpy()
    assert np.abs(found - right).max() > 0.1
    centre = SKELETON.index("neck")
    np.testing.assert_allclose(found[:, centre], right[:, centre])


def test_wrong_flip_shows_pictures_as_the_right_one(clips):
    rule = rules.table()["z3"]
    wrong = sabotage.wrong_flips({"z3": rule})["z3"]
    images = clips[0].astype(np.float32) / 255
    np.testing.assert_array_equal(wrong.view.images(images), rule.view.images(images))


def test_wrong_flip_is_no_other_rule_where_nothing_mirrors():
    rule = rules.compose("turned", angle_deg=25.0)
    wrong = sabotage.wrong_flips({"turned": rule})["turned"]
    joints = np.random.default_rng(0).normal(size=(5, 17, 3)).astype(np.float32)
    expected = rule.view.joints(joints, SKELETON)
    np.testing.assert_array_equal(wrong.view.joints(joints, SKELETON), expected)
