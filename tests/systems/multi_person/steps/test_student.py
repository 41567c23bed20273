"""Each loss is its formula, moves what it may, and passes over what is not known."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.models import pose_autoencoder, pose_prior
from sa3dhp.synthetic import world
from sa3dhp.systems.multi_person import camera as cameras
from sa3dhp.systems.multi_person import composer as composers
from sa3dhp.systems.multi_person import poses, scenes, student, teacher
from sa3dhp.systems.multi_person.steps import student as student_step

pytestmark = pytest.mark.usefixtures("eagerly")
SIZE, B, N = 56, 2, 2
SKELETON = poses.SKELETON


@pytest.fixture(scope="module")
def parts():
    tf.keras.utils.set_random_seed(0)
    prior = pose_prior.PosePrior(
        pose_autoencoder.PoseEncoder(),
        pose_autoencoder.PoseDecoder(),
        SKELETON,
        world.mean_bone_lengths(),
    )
    network = student.Student(8, 28, 4)
    camera = cameras.Camera(SIZE, 1.2, 2500.0, 9000.0)
    return (
        composers.Composer(network, prior, camera),
        student.MapEncoder(43, 8, 4),
        teacher.Trunk(SIZE, 8),
        teacher.MapReader(8, 8),
    )


def _step(parts, *names, map_rate=1e-2, rate=1e-2, sized=False):
    rates = dict.fromkeys(names, rate)
    return student_step.StudentStep(*parts, rates=rates, map_rate=map_rate, sized=sized)


@pytest.fixture
def batch(parts):
    rng = np.random.default_rng(0)
    known = poses.artificial(rng, 8, world.mean_bone_lengths())
    drawn = scenes.draw(
        known, rng, count=B, people=N, camera=parts[0].camera, upright=poses.UPRIGHT
    )
    points = parts[0].camera.projected(drawn.joints).numpy()
    points[0, 1] = np.nan  # the teacher sees one person in the first picture
    points[1, 0, 5] = np.nan
    images = rng.uniform(size=(B, SIZE, SIZE, 3)).astype(np.float32)
    turns = np.tile(np.eye(2, 3, dtype=np.float32), (B, 1, 1))
    values = student_step.Batch(
        images,
        np.nan_to_num(points[:, :, SKELETON.root]),
        points,
        images,
        turns,
        np.zeros(B, bool),
        np.where(np.isnan(points[..., :1]), np.nan, drawn.joints),
        points,
        drawn.maps,
        drawn.joints,
        drawn.roots,
        drawn.there,
        *np.ones((2, B, N), np.float32),
    )
    return student_step.Batch(*(tf.constant(x) for x in values))


def _apart(people, truth):
    """Mean differences of pelvises and of poses around them, in 3D."""
    roots = [x[..., SKELETON.root, None, :] for x in (people, truth)]
    gaps = (roots[0] - roots[1], (people - roots[0]) - (truth - roots[1]))
    return sum(np.nanmean(np.abs(gap)) for gap in gaps)


def test_the_losses_of_pictures_are_mean_differences_of_what_is_known(parts, batch):
    terms = _step(parts, "distl", "labels_2d", "labels_3d").terms(batch)
    composer, _, trunk, _ = parts
    people = composer.people(trunk(batch.images), batch.roots)
    points = composer.camera.projected(people)
    off = np.nanmean(np.abs(points - batch.points))
    np.testing.assert_allclose(terms["distl"], 100 * off / SIZE, rtol=1e-4)
    np.testing.assert_allclose(terms["labels_2d"], terms["distl"], rtol=1e-4)
    apart = _apart(people.numpy(), batch.joints.numpy())
    np.testing.assert_allclose(terms["labels_3d"], apart / 250.0, rtol=1e-4)


def test_the_losses_of_scenes_leave_out_rows_without_anybody(parts, batch):
    terms = _step(parts, "recon", "adapt").terms(batch)
    composer, map_encoder, _, reader = parts
    features = map_encoder(batch.maps)
    people = composer.people(features, batch.scene_roots).numpy()
    there = batch.scene_there.numpy()
    apart = _apart(people[there], batch.scene_joints.numpy()[there])
    np.testing.assert_allclose(terms["recon"], apart / 250.0, rtol=1e-4)
    off = np.abs(reader(features) - batch.maps).mean()
    np.testing.assert_allclose(terms["adapt"], 100 * off, rtol=1e-4)


def test_distances_weigh_as_shares_where_sizes_do(parts, batch):
    composer, map_encoder, trunk, _ = parts
    seen = composer.people(map_encoder(batch.maps), batch.scene_roots).numpy()
    there = batch.scene_there.numpy()
    known = composer.people(trunk(batch.images), batch.roots).numpy()
    step = _step(parts, "recon", "labels_3d", sized=True)
    terms = step.terms(batch)
    for name, people, truth in (
        ("recon", seen[there], batch.scene_joints.numpy()[there]),
        ("labels_3d", known, batch.joints.numpy()),
    ):
        root = [x[..., SKELETON.root : SKELETON.root + 1, :] for x in (people, truth)]
        share = (root[0] - root[1]) / root[1][..., 2:] / step.DISTANCE
        pose = ((people - root[0]) - (truth - root[1])) / step.UNIT_MM
        want = np.nanmean(np.abs(share)) + np.nanmean(np.abs(pose))
        np.testing.assert_allclose(terms[name], want, rtol=1e-4)


def test_people_are_the_same_in_a_graph_that_is_optimised(parts, batch):
    """As on a GPU. A slice of stacked joints was rewritten to another one."""
    composer, _, trunk, _ = parts
    features = trunk(batch.images)
    tf.config.run_functions_eagerly(False)
    before = tf.config.optimizer.get_experimental_options()
    tf.config.optimizer.set_experimental_options({"arithmetic_optimization": True})
    try:
        graph = tf.function(lambda x, y: composer.people(x, y), autograph=False)
        found = graph(features, batch.roots)
    finally:
        tf.config.optimizer.set_experimental_options(
            {"arithmetic_optimization": before.get("arithmetic_optimization", True)}
        )
    np.testing.assert_allclose(found, composer.people(features, batch.roots), atol=0.1)


def test_a_picture_that_is_not_turned_is_seen_as_it_is(parts, batch):
    found = _step(parts, "ss").terms(batch)["ss"]
    np.testing.assert_allclose(found, 0.0, atol=1e-4)


def test_in_peoples_own_sizes_nobody_gains_by_being_small():
    rng = np.random.default_rng(0)
    one = tf.constant(rng.uniform(0, 99, (1, 2, 17, 2)), tf.float32)
    two = one + tf.constant(rng.normal(0, 5, (1, 2, 17, 2)), tf.float32)
    first, second = student_step.own_size(one, two)
    off = np.abs(first - second).mean((2, 3))
    factor = tf.constant([[[[0.3]], [[1.0]]]])  # the first is three times as far away
    first, second = student_step.own_size(factor * one + 20.0, factor * two + 20.0)
    np.testing.assert_allclose(np.abs(first - second).mean((2, 3)), off, rtol=1e-4)
    scale = tf.Variable(1.0)
    with tf.GradientTape() as tape:
        first, second = student_step.own_size(scale * one, scale * two)
        loss = tf.reduce_mean(tf.abs(first - second))
    np.testing.assert_allclose(tape.gradient(loss, scale), 0.0, atol=1e-5)


@pytest.mark.parametrize("sized", [False, True])
def test_who_is_seen_differently_when_turned_is_told_so(parts, batch, sized):
    turns = np.tile([[0.9, 0.1, 2.0], [-0.1, 0.9, 2.0]], (B, 1, 1))
    batch = batch._replace(turns=tf.constant(turns, tf.float32))
    step = _step(parts, "ss", sized=sized)
    composer, _, trunk, _ = parts
    points = composer.camera.projected(
        composer.people(trunk(batch.images), batch.roots)
    )
    wanted, roots, seen = step._moved_points(points, batch)
    again = composer.camera.projected(composer.people(trunk(batch.turned), roots))
    off = np.abs(again - wanted) / SIZE
    if sized:
        first, second = student_step.own_size(again, wanted)
        off = np.abs(first - second)
    expected = 100 * off[seen.numpy()].mean()
    np.testing.assert_allclose(step.terms(batch)["ss"], expected, rtol=1e-4)


def test_points_are_turned_mirrored_and_dropped_as_the_picture_is(parts, batch):
    step = _step(parts, "ss")
    turns = np.array([[[-1, 0, SIZE - 1], [0, 1, 0]], [[1, 0, 900], [0, 1, 0]]])
    moved = batch._replace(
        turns=tf.constant(turns, tf.float32), flipped=tf.constant([True, False])
    )
    points = tf.where(tf.math.is_nan(batch.points), 7.0, batch.points)
    found, roots, seen = step._moved_points(points, moved)
    mirrored = points.numpy()[0][:, list(SKELETON.flip_indices)]
    mirrored[..., 0] = SIZE - 1 - mirrored[..., 0]
    np.testing.assert_allclose(found[0], mirrored, atol=1e-4)
    np.testing.assert_allclose(roots[0, 0, 0], SIZE - 1 - batch.roots[0, 0, 0])
    assert seen.numpy().tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize(
    ("names", "map_rate", "moves"),
    [
        (["distl"], 1e-2, (True, False)),
        (["recon"], 1e-2, (True, True)),
        (["adapt"], 1e-2, (False, True)),
        (["recon", "ss"], None, (True, False)),
    ],
)
def test_each_loss_moves_what_it_may_and_the_teacher_stays(
    parts, batch, names, map_rate, moves, snapshot, unchanged
):
    composer, map_encoder, trunk, reader = parts
    turns = np.tile([[0.9, 0.1, 2.0], [-0.1, 0.9, 2.0]], (B, 1, 1))
    batch = batch._replace(turns=tf.constant(turns, tf.float32))
    frozen = [trunk, reader, composer.prior.encoder, composer.prior.decoder]
    before = [snapshot(x) for x in (composer.network, map_encoder, *frozen)]
    terms = _step(parts, *names, map_rate=map_rate)(batch)
    assert set(terms) == set(names) and np.isfinite(list(terms.values())).all()
    own, maps, *others = (
        not all(unchanged(x, was))
        for x, was in zip((composer.network, map_encoder, *frozen), before)
    )
    assert (own, maps) == moves and not any(others)
    for variable in composer.network.trainable_variables:
        assert np.isfinite(variable.numpy()).all(), "a NaN that was left out"


def test_maps_have_a_rate_of_their_own(parts, batch):
    """Of what L_recon moves: Adam's first step is as long as its rate."""
    network, map_encoder = parts[0].network, parts[1]
    for model, other in ((network, 1e-3), (map_encoder, 1e-5)):
        before = model.trainable_variables[0].numpy()
        _step(parts, "recon", rate=1e-3, map_rate=1e-5)(batch)
        moved = np.abs(model.trainable_variables[0].numpy() - before).max()
        assert moved == pytest.approx(other, rel=0.1)


def test_scenes_are_learnt(parts, batch):
    step = _step(parts, "recon", rate=3e-3)
    before = step.terms(batch)["recon"]
    for _ in range(15):
        step(batch)
    assert step.terms(batch, training=True)["recon"] < 0.8 * before
