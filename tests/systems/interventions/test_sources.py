"""Pictures and poses of a run, from the embedded world and prepared folders."""

import dataclasses

import numpy as np
import pytest
import small_nrsfm

from sa3dhp import errors
from sa3dhp.systems.interventions import predictions, sources


def test_poses_lie_on_the_picture_and_behind_the_pelvis_at_its_scale(load):
    side = sources.place(load(), "studio")
    found = sources.poses_of(side, 32)
    np.testing.assert_allclose(found[..., :2] * 16 + 15.5, side.points, atol=1e-3)
    assert np.abs(found[:, sources.SKELETON.root, 2]).max() < 1e-6
    # Limbs are as long in the pose as they are in mm, up to the scale of each picture
    # and what perspective adds.
    ratio = sources.limbs(found) / sources.limbs(side.joints)
    assert (ratio.std(axis=1) / ratio.mean(axis=1)).max() < 0.25
    joints = predictions.in_mm(found, sources.size_of(side)).numpy()
    gap = np.linalg.norm(joints - side.joints + side.joints[:, :1], axis=-1)
    assert gap.mean() < 60  # a weak perspective of the truth is near the truth


def test_nobody_appears_in_two_places_or_is_measured_on(load):
    config = load()
    sets = [
        sources.place(config, "studio").joints,
        sources.place(config, "street").joints,
        sources.place(config, "studio", unseen=True).joints,
    ]
    for n, one in enumerate(sets):
        for other in sets[n + 1 :]:
            apart = np.abs(one[:, None] - other[None]).max(axis=(2, 3))
            assert apart.min() > 1


def test_prepared_pictures_have_what_their_skeleton_has(load, tmp_path):
    train = [small_nrsfm.frame("S1", n) for n in range(5)]
    small_nrsfm.write_pictures(tmp_path, train, train[:3])
    config = load("data.kind=prepared", f"data.source={tmp_path}")
    side = sources.place(config, str(tmp_path))
    found = sources.poses_of(side, 32)
    assert found.shape == (5, 17, 3) and np.isfinite(found).mean() > 0.9
    assert len(sources.place(config, str(tmp_path), unseen=True)) == 3


def test_unlabelled_pictures_cannot_be_the_source(load):
    side = sources.place(load(), "studio")
    for change, word in (({"points": None}, "2D"), ({"joints": None}, "3D")):
        with pytest.raises(errors.InputError, match=f"have no {word} joints, expected"):
            sources.poses_of(dataclasses.replace(side, **change), 32)


def test_unlabelled_batches_come_from_all_places_and_are_those_of_their_step(load):
    config = load("data.pictures=3")
    places = [sources.place(config, name) for name in ("hall", "night", "park")]
    first = sources.unlabelled_batch(places, 0, 1, 30)
    shown = np.concatenate([place.images(np.arange(3)) for place in places])
    same = (first[:, None] == shown[None]).all(axis=(2, 3, 4))
    assert first.shape == (30, 32, 32, 3) and same.sum(axis=1).min() == 1
    assert same[:, :3].any() and same[:, 3:6].any() and same[:, 6:].any()
    np.testing.assert_array_equal(first, sources.unlabelled_batch(places, 0, 1, 30))
    assert (first != sources.unlabelled_batch(places, 0, 2, 30)).any()


def test_a_place_that_is_not_there_is_told(load, tmp_path):
    with pytest.raises(errors.InputError, match="domain: got 'moon'"):
        sources.check(load("data.target=moon"))
    missing = load("data.kind=prepared", f"data.source={tmp_path / 'none'}")
    with pytest.raises(errors.InputError, match="none"):
        sources.check(missing)


def test_what_hours_of_work_would_end_at_is_told_before_them(load, tmp_path):
    train = [small_nrsfm.frame("S1", n) for n in range(5)]
    folders = {
        "whole": train,
        "flat": [dataclasses.replace(one, joints=None) for one in train],
    }
    for name, frames in folders.items():
        (tmp_path / name).mkdir()
        small_nrsfm.write_pictures(tmp_path / name, frames, train[:3])
    whole, flat = (str(tmp_path / name) for name in folders)
    every = [f"data.{key}={whole}" for key in ("source", "target")]
    every += ["data.kind=prepared", f"data.unlabelled=[{flat}]"]
    assert set(sources.check(load(*every))) == {whole, flat}
    for change, words in {
        f"data.source={flat}": "some pictures have no 3D joints, expected both",
        "data.evaluation_card=h36m_p3": "protocol: unknown card 'h36m_p3'",
        "estimator.weights=nowhere.npz": "weights: no file nowhere.npz",
        "data.stored_size=40": "expected data.image_size = 32 and data.stored_size = 4",
    }.items():
        with pytest.raises(errors.InputError, match=words):
            sources.check(load(*every, change))


def test_a_prepared_target_is_measured_whole_and_by_what_its_card_chooses(
    load, tmp_path
):
    test = [small_nrsfm.frame("S9", n) for n in range(8)]
    small_nrsfm.write_pictures(tmp_path, test[:2], test)

    def config_of(unseen):
        return load(
            *("data.kind=prepared", f"data.target={tmp_path}", f"data.unseen={unseen}")
        )

    images, truth = sources.target(config_of(3))
    assert len(truth.joints) == 8 and truth.skeleton == "h36m32"
    assert truth.labels["frame_number"].tolist() == [one.frame_number for one in test]
    every = sources.place(config_of(99), str(tmp_path), unseen=True)
    np.testing.assert_array_equal(
        images(np.arange(2, 4)), every.images(np.arange(2, 4))
    )


def test_limbs_without_a_label_give_no_size(load, tmp_path):
    # Human3.6M's 17 joints have no feet; whatever is read there counts for nothing.
    shapes = np.random.default_rng(0).normal(size=(4, 17, 3)).astype(np.float32) * 99
    train = [
        small_nrsfm.frame(
            *("S1", n),
            **{"skeleton": "h36m17", "joints": one, "keypoints": one[:, :2]},
            mask=np.ones(17, bool),
        )
        for n, one in enumerate(shapes)
    ]
    small_nrsfm.write_pictures(tmp_path, train, train)
    config = load("data.kind=prepared", f"data.source={tmp_path}")
    limbs = sources.size_of(sources.place(config, str(tmp_path)))
    feet, skeleton = ("left_foot", "right_foot"), sources.SKELETON
    assert not set(feet) & set(limbs.ends) and "neck" in limbs.ends
    read = np.random.default_rng(1).normal(size=(3, 17, 3))
    other = read.copy()
    other[:, list(skeleton.indices(*feet))] += 7
    first, second = (predictions.in_mm(x, limbs).numpy() for x in (read, other))
    same = [n for n, name in enumerate(skeleton.joint_names) if name not in feet]
    np.testing.assert_allclose(first[:, same], second[:, same])
    known = [end in skeleton.indices(*limbs.ends) for _, end in skeleton.limbs]
    lengths = sources.limbs(first)[:, known].mean(axis=1)
    np.testing.assert_allclose(lengths, limbs.mm, rtol=1e-6)


def test_a_place_is_itself_however_it_is_written(load, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load("data.kind=prepared")
    assert sources.same(config, "a/b", "./a/b/")
    assert sources.same(config, str(tmp_path / "a"), "a")
    assert not sources.same(config, "a", "b")
    assert sources.same(load(), "street", "street")
    assert not sources.same(load(), "street", "studio")


def test_joints_that_are_not_known_are_masked(load):
    side = sources.place(load(), "studio")
    joints = side.joints.copy()
    joints[2, 5] = np.nan
    truth = sources.truth_of(dataclasses.replace(side, joints=joints))
    assert np.argwhere(~truth.mask).tolist() == [[2, 5]]
    assert np.isfinite(truth.joints).all() and len(truth.labels["subject"]) == 10


def test_configurations_of_a_table_share_what_is_drawn(load):
    first = sources.place(load("estimator.method=dann"), "studio")
    assert sources.place(load("vae.steps=5"), "studio") is first
    assert sources.place(load("training.seed=1"), "studio") is not first
