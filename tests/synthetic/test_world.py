"""Clips are functions of their seed, person-centred; each dial does what it says."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.errors import InputError
from sa3dhp.geometry import pictures as relations_image
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.skeleton import transforms as relations_pose
from sa3dhp.synthetic import domain, world


def _clip(place=domain.STUDIO, seed=0, **kwargs):
    arguments = {"num_frames": 6, "size": 48, **kwargs}
    return world.clip(place, np.random.default_rng(seed), **arguments)


def test_clip_has_the_documented_form():
    clip = _clip(margin=1.5)
    assert clip.images.shape == (6, 48, 48, 3) and clip.images.dtype == np.uint8
    assert clip.joints.shape == (6, 17, 3) and clip.joints.dtype == np.float32
    assert np.abs(clip.joints[:, skeletons.SA3DHP17.root]).max() < 1e-3


def test_the_same_seed_draws_the_same_clip_and_another_seed_another():
    np.testing.assert_array_equal(
        _clip(domain.STREET, 5).images, _clip(domain.STREET, 5).images
    )
    assert (_clip(seed=5).images != _clip(seed=6).images).mean() > 0.5


@pytest.mark.parametrize("dial", domain.DIALS)
def test_each_dial_alone_moves_nothing_else(dial):
    place = domain.only(dial)
    assert place.name == f"studio+{dial}" == domain.get(place.name).name
    for other in domain.DIALS:
        source = domain.STREET if other == dial else domain.STUDIO
        assert getattr(place, other) == getattr(source, other)


def test_a_dial_is_turned_as_far_as_said():
    place = domain.get("studio+noise:0.9")
    assert (place.name, place.noise) == ("studio+noise:0.9", 0.9)
    assert dataclasses.replace(place, name="studio", noise=0.08) == domain.STUDIO


@pytest.mark.parametrize("dial", domain.DIALS)
def test_the_farther_place_is_on_the_way_through_the_street(dial):
    near, street, far = (
        getattr(x, dial) for x in (domain.STUDIO, domain.STREET, domain.get("far"))
    )
    assert near < street < far <= 1.0
    assert far - near == pytest.approx(4 / 3 * (street - near))


@pytest.mark.parametrize("dial", sorted({*domain.DIALS} - {"occluders"}))
def test_each_dial_changes_the_picture(dial):
    bare = domain.Domain("bare")
    turned = dataclasses.replace(bare, **{dial: 1.0})
    pictures = [_clip(place, seed=3).images.astype(float) for place in (bare, turned)]
    assert np.abs(pictures[0] - pictures[1]).max() > 10


def test_noise_blur_and_contrast_go_the_way_they_say():
    def look(**dials):
        place = dataclasses.replace(domain.Domain("bare"), **dials)
        drawn = [domain.sample(place, np.random.default_rng(i)) for i in range(60)]
        return {
            key: np.mean([getattr(x, key) for x in drawn])
            for key in ("noise", "blur", "gain", "clutter", "occluders", "camera_pitch")
        }

    bare = look()
    assert look(noise=1.0)["noise"] > bare["noise"]
    assert look(blur=1.0)["blur"] > bare["blur"]
    assert look(contrast=1.0)["gain"] < bare["gain"]
    assert look(background=1.0)["clutter"] > bare["clutter"]
    assert look(occluders=1.0)["occluders"] > bare["occluders"]
    assert look(camera_pitch=1.0)["camera_pitch"] > bare["camera_pitch"]


def test_unknown_domain_and_dial_are_named():
    with pytest.raises(InputError, match="beach"):
        domain.get("beach")
    for name in (
        *("studio+fog", "street+noise", "studio+", "studio+noise:", "studio+noise:2"),
        *("studio+noise:nan", "studio:0.5"),
    ):
        with pytest.raises(InputError, match="studio\\+DIAL"):
            domain.get(name)


def test_frames_are_of_different_people_and_rolled_as_asked():
    rng = np.random.default_rng(0)
    images, joints = world.frames(domain.STUDIO, rng, count=20, size=32, rolled=0.0)
    assert images.shape == (20, 32, 32, 3) and joints.shape == (20, 17, 3)
    neck = joints[:, skeletons.SA3DHP17.index("neck")]
    upright = -neck[:, 1] / np.linalg.norm(neck, axis=-1)
    _, rolled = world.frames(domain.STUDIO, rng, count=200, size=32, rolled=1.0)
    neck = rolled[:, skeletons.SA3DHP17.index("neck")]
    leaning = -neck[:, 1] / np.linalg.norm(neck, axis=-1)
    assert np.median(upright) > 0.95 > np.median(leaning)


def test_rolled_frames_are_whole_pictures_turned_as_the_rule_turns_them(monkeypatch):
    bare = domain.Domain("bare", background=1.0)  # no noise: the same draw twice

    def draw(roll, size):
        monkeypatch.setattr(world, "draw_roll", lambda rng, rolled: roll)
        rng = np.random.default_rng(3)
        return world.frames(bare, rng, count=4, size=size)

    roll = np.deg2rad(50)
    # A roll too small to move a pixel: the upright picture with its margin's scale.
    upright, joints = draw(1e-9, 64)
    turned, turned_joints = draw(roll, 64)
    np.testing.assert_allclose(
        turned_joints,
        relations_pose.rotate_in_plane(joints, np.float32(roll)),
        atol=1e-2,
    )
    pixels = tf.constant(upright, tf.float32)
    expected = relations_image.rotate_in_plane(pixels, roll).numpy()
    inside = np.hypot(*(np.mgrid[:64, :64] - 31.5)) < 30
    gap = np.abs(expected - turned)[:, inside]
    other = relations_image.rotate_in_plane(pixels, -roll).numpy()
    assert gap.mean() < 3 < np.abs(other - turned)[:, inside].mean() / 3


def test_the_person_is_in_the_middle_of_the_picture():
    clip = _clip(domain.Domain("bare"), seed=2, size=96, margin=1.5)
    # Without clutter the wall and floor change along y only: the person is the rest.
    edge = clip.images[:, :, :4].astype(float).mean(2, keepdims=True)
    person = np.abs(clip.images - edge).max(-1) > 25  # [T, S, S]
    rows, columns = np.nonzero(person.any(0))
    assert 16 <= columns.min() and columns.max() < 80
    assert 16 <= rows.min() and rows.max() < 80


def test_motions_are_continuous_and_differ():
    motions = world.motions(np.random.default_rng(0), count=6, num_frames=30)
    assert motions.shape == (6, 30, 17, 3)
    assert np.abs(np.diff(motions, axis=1)).max() < 350
    assert np.abs(motions[0] - motions[1]).max() > 50


def test_keypoints_are_where_the_same_picture_shows_the_joints(monkeypatch):
    seen = []

    def scene(vertices, pixels, look, side, rng):
        seen.append(pixels[0])
        return np.zeros((1, side, side, 3), np.uint8)

    monkeypatch.setattr(world.render, "scene", scene)
    make = {"count": 6, "size": 40, "rolled": 0.0}
    _, joints = world.frames(domain.STREET, np.random.default_rng(5), **make)
    flat, same = world.keypoints(domain.STREET, np.random.default_rng(5), **make)
    assert flat.shape == (6, 17, 2)
    np.testing.assert_array_equal(joints, same)
    for body, points in zip(seen, flat):
        assert (points >= body.min(axis=0) - 0.5).all()
        assert (points <= body.max(axis=0) + 0.5).all()
        nearest = np.linalg.norm(points[:, None] - body[None], axis=-1).min(axis=1)
        assert nearest.max() < 3.0


def test_keypoints_turn_with_their_pictures():
    make = {"count": 12, "size": 40}
    upright, _ = world.keypoints(
        domain.STUDIO, np.random.default_rng(1), rolled=0.0, **make
    )
    turned, joints = world.keypoints(
        domain.STUDIO, np.random.default_rng(1), rolled=1.0, **make
    )
    # Both start from the same people: a roll is drawn after everything else.
    _, straight = world.frames(
        domain.STUDIO, np.random.default_rng(1), rolled=0.0, **make
    )
    for n in range(12):
        head = joints[n, 8, :2], straight[n, 8, :2]
        turn = complex(*head[0]) / complex(*head[1])
        middle = (make["size"] - 1) / 2
        want = (upright[n] - middle) @ [1, 1j] * turn
        got = (turned[n] - middle) @ [1, 1j]
        np.testing.assert_allclose(got, want, atol=2e-3)
