"""A second look at somebody: exact crops, there and back, and what H' trains on."""

import types

import numpy as np
import pytest
import small_multi_person
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.synthetic import world
from sa3dhp.systems.multi_person import camera as cameras
from sa3dhp.systems.multi_person import (
    canonical,
    maps,
    poses,
    predictions,
    refinement,
    representation,
    scenes,
    sources,
    teacher,
)

CAMERA = cameras.Camera(112, 1.2, 2500.0, 9000.0)
SKELETON = poses.SKELETON


@pytest.fixture(scope="module")
def people():
    """People all over the picture `[8, 17, 3]`, mm, and where they are in it."""
    rng = np.random.default_rng(0)
    known = poses.artificial(rng, 20, world.mean_bone_lengths())
    drawn = scenes.draw(
        known, rng, count=8, people=1, camera=CAMERA, upright=poses.UPRIGHT
    )
    joints = tf.constant(drawn.joints[:, 0])
    return joints, CAMERA.projected(joints)


def test_a_turned_camera_sees_what_its_crop_shows(people):
    joints, points = people
    look = refinement.towards(points, CAMERA)
    found = CAMERA.projected(refinement.into(joints, look), look.zoom)
    np.testing.assert_allclose(found, refinement.moved(points, look, CAMERA), atol=0.02)
    again = refinement.back(refinement.into(joints, look), look)
    np.testing.assert_allclose(again, joints, atol=0.01)
    np.testing.assert_allclose(np.linalg.det(look.turn), 1.0, atol=1e-5)


def test_a_person_fills_the_crop(people):
    _, points = people
    moved = refinement.moved(points, refinement.towards(points, CAMERA), CAMERA).numpy()
    low, high = moved.min(axis=1), moved.max(axis=1)
    side = np.max(high - low, axis=-1) / CAMERA.size
    # A turned camera's picture is not quite the whole one's, enlarged.
    assert (side > 0.65).all() and (side < 0.95).all()
    np.testing.assert_allclose((low + high) / 2, CAMERA.middle, atol=6.0)


def test_joints_that_are_not_known_are_left_out(people):
    points = people[1].numpy()
    points[:, 5:9] = np.nan
    known = points[:, [n for n in range(17) if not 5 <= n < 9]]
    for a, b in zip(*(refinement.towards(x, CAMERA) for x in (points, known))):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_nobody_is_so_small_that_the_crop_is_a_few_pixels():
    points = np.full((1, 17, 2), 50.0, np.float32)
    assert float(refinement.towards(points, CAMERA).zoom[0]) == pytest.approx(10.0)


def test_what_is_seen_is_where_points_say(people):
    _, points = people
    look = refinement.towards(points, CAMERA)
    rng = np.random.default_rng(1)
    spots = np.rint(points[:, SKELETON.root].numpy() + rng.uniform(-3, 3, (8, 2)))
    images = np.zeros((8, 112, 112, 3), np.float32)
    for image, (x, y) in zip(images, spots.astype(int)):
        image[y, x] = 1.0
    shown = refinement.crops(tf.constant(images), look, CAMERA).numpy()[..., 0]
    grid = np.stack(np.meshgrid(np.arange(112), np.arange(112)), axis=-1)
    found = np.einsum("khw,hwc->kc", shown, grid) / shown.sum(axis=(1, 2))[:, None]
    want = refinement.moved(np.float32(spots)[:, None], look, CAMERA)[:, 0]
    np.testing.assert_allclose(found, want, atol=0.5)


def test_what_is_outside_of_the_picture_is_black():
    points = np.array([[[-20.0, -20.0], [20.0, 20.0]]], np.float32)
    look = refinement.towards(points, CAMERA)
    shown = refinement.crops(tf.ones([1, 112, 112, 3]), look, CAMERA).numpy()[0]
    assert not shown[0, 0].any() and shown[-1, -1].all()


def test_a_person_is_composed_in_the_turned_camera(people):
    """Written as s in the camera of H' and read again: the same person to 1 mm."""
    joints, points = people
    look, camera = refinement.towards(points, CAMERA), refinement.camera_of(CAMERA)
    turned = refinement.into(joints, look)
    root = turned[:, SKELETON.root]
    depth = camera.depth(root[:, 2] / look.zoom)
    assert (abs(depth.numpy()) < 1).all()
    poses_, turns = canonical.split(turned - root[:, None], SKELETON)
    person = representation.Person(
        tf.zeros([8, 1, representation.LATENT_SIZE]),
        canonical.to_angles(turns)[:, None],
        depth[:, None],
    )
    roots = refinement.moved(points, look, CAMERA)[:, None, SKELETON.root]
    zoom = look.zoom[:, None]
    found = representation.composed(person, roots, lambda _: poses_, camera, zoom)
    np.testing.assert_allclose(found[:, 0], turned, atol=1.0)


class _Taught:
    """E and F that see pelvises, of heights given, at the middle of every picture."""

    def __init__(self, heights):
        self._heights = heights
        self.features = []

    def trunk(self, images, training=False):
        self.features.append(images)
        return images

    def reader(self, features, training=False):
        heat = np.zeros((len(features), 28, 28, maps.OWN.channels), np.float32)
        for one, height in zip(heat, self._heights[: len(heat)]):
            one[13, 13, maps.OWN.root_map] = height
        return tf.constant(heat)


@pytest.mark.parametrize("heights", [(0.9, 0.0, 0.8), (0.0, 0.0, 0.0)])
def test_only_who_is_there_is_looked_at_again(people, heights, eagerly):
    """A first look that errs and a second one that knows: the truth is told."""
    joints, _ = people
    taught, most = _Taught(heights), 2
    near = tf.reduce_mean(joints[:3], axis=1, keepdims=True)
    centred = joints[:3] - near + [0.0, 0.0, 4000.0]
    wrong = tf.tile((centred + 50.0)[:, None], [1, most, 1, 1])
    there = np.flatnonzero(np.array(heights) > 0)
    asked = []

    def second(features, roots, training, zoom):
        points = CAMERA.projected(tf.gather(wrong[:, 0], there))
        look = refinement.towards(points, CAMERA)
        np.testing.assert_allclose(zoom[:, 0], look.zoom, rtol=1e-5)
        asked.append(roots)
        return refinement.into(tf.gather(centred, there), look)[:, None]

    first = types.SimpleNamespace(
        layout=maps.OWN, camera=CAMERA, people=lambda *_, **__: wrong
    )
    again = types.SimpleNamespace(layout=maps.OWN, camera=CAMERA, people=second)
    images = tf.random.uniform([3, 112, 112, 3], seed=0)
    found = predictions.everybody(
        first, taught.trunk, taught.reader, images, most, again
    )
    assert len(taught.features[1]) == len(there) == len(asked[0])
    for n in range(3):
        want = centred[n] if n in there else wrong[n, 0]
        np.testing.assert_allclose(found["joints"][n, 0], want, atol=0.05)
        np.testing.assert_allclose(found["joints"][n, 1], wrong[n, 1])
    np.testing.assert_allclose(
        found["points"], CAMERA.projected(found["joints"]), atol=1e-3
    )


def test_a_pelvis_is_looked_for_where_it_was_seen():
    heat = np.zeros((3, 28, 28), np.float32)
    heat[0, 14, 15], heat[0, 3, 3] = 0.5, 0.9  # another person's is higher
    heat[1, 3, 3] = 0.9
    expected = tf.constant([[58.0, 56.0]] * 3)
    found = predictions._root_near(tf.constant(heat), expected, 112, 0.3).numpy()
    want = sources.in_pixels(np.array([15.0, 14.0]), 112)
    np.testing.assert_allclose(found[0], want, atol=1e-3)
    np.testing.assert_allclose(found[1:], expected[1:])


@pytest.fixture
def batches(load, monkeypatch):
    config = load()
    data = config.data
    camera = cameras.Camera(data.image_size, data.focal, data.near_mm, data.far_mm)
    monkeypatch.setattr(
        sources, "seen_by_teacher", small_multi_person.clairvoyant(config)
    )
    nobody = (teacher.Trunk(56, 8), teacher.MapReader(8, 8))
    return sources.RefinementBatches(config, camera, *nobody), camera


def test_labels_and_scenes_are_seen_by_the_turned_camera(batches, eagerly):
    made, camera = batches
    batch = made.make(3)
    size = camera.size
    assert batch.images.shape == (2, size, size, 3)
    for joints, points, zoom in (
        (batch.joints, batch.true_points, batch.zoom),
        (batch.scene_joints[:, :, : SKELETON.root + 1], None, batch.scene_zoom),
    ):
        seen = camera.projected(joints, zoom).numpy()
        want = batch.scene_roots[:, :, None] if points is None else points.numpy()
        known = np.isfinite(want)
        assert known.any()
        np.testing.assert_allclose(seen[known], want[known], atol=0.1)
    pelvis = batch.maps.numpy()[..., maps.OWN.root_map]
    for heat, root in zip(pelvis, sources.in_cells(batch.scene_roots.numpy(), size)):
        column, row = np.clip(np.rint(root[0]).astype(int), 0, 27)
        assert heat[row, column] > 0.6
    again = made.make(3)
    for one, same in zip(batch, again):
        np.testing.assert_array_equal(one, same)
    assert np.abs(made.make(4).images - batch.images).max() > 0.1


def test_whom_the_teacher_does_not_see_again_is_not_learnt_of(batches, monkeypatch):
    made, _ = batches
    nobody = np.full((2, 2, 17, 2), np.nan, np.float32)
    monkeypatch.setattr(sources, "seen_by_teacher", lambda *_: nobody)
    points = made.make(0).points.numpy()
    root = points[:, :, SKELETON.root]
    assert np.isfinite(root).all() and np.isfinite(points).sum() == root.size


def test_a_teacher_who_sees_nobody_is_named(load, batches, monkeypatch):
    nobody = np.full((8, 2, 17, 2), np.nan, np.float32)
    monkeypatch.setattr(sources, "seen_by_teacher", lambda *_: nobody)
    with pytest.raises(errors.InputError, match="street: the teacher sees nobody in 8"):
        sources.RefinementBatches(load(), batches[1], None, teacher.MapReader(8, 8))
