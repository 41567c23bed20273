"""The source stage: learns, in every precision, and averages its weights."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.models import backbone, folded, image_encoder, integral
from sa3dhp.skeleton import kinematics
from sa3dhp.training import optimisation
from sa3dhp.training.steps import source

POLICIES = ["float32", "mixed_bfloat16", "mixed_float16"]


@pytest.fixture
def policy(request):
    tf.keras.mixed_precision.set_global_policy(getattr(request, "param", "float32"))
    yield
    tf.keras.mixed_precision.set_global_policy("float32")


@pytest.fixture
def loss(pose_prior):
    return source.SourceLoss(pose_prior, joints_weight=1.0, latent_weight=1.0)


def _step(encoder, loss, **options):
    options = {"learning_rate": 1e-4, "clip_norm": None, "ema": 0.0, **options}
    return source.SourceStep(encoder, loss, **options)


@pytest.fixture
def batch(poses):
    joints = poses(16)
    # Images that hold the pose: joint coordinates as grey values.
    values = tf.reshape(joints, [16, -1])[:, :48] / 2000.0 + 0.5
    images = tf.image.resize(tf.reshape(values, [16, 4, 4, 3]), [12, 12], "nearest")
    return images, joints


@pytest.mark.parametrize("policy", POLICIES, indirect=True)
def test_learns_and_leaves_the_prior_alone(
    policy, small_encoder, loss, batch, pose_networks, snapshot, unchanged
):
    step = _step(small_encoder, loss, learning_rate=3e-3, clip_norm=1.0)
    frozen = [snapshot(model) for model in pose_networks]
    moving = snapshot(small_encoder)
    before = step.terms(batch, training=True)
    for _ in range(30):
        terms = step(batch)
        assert all(np.isfinite(value) for value in terms.values())
    assert terms["joints"] < 0.9 * before["joints"]
    assert terms["latent"] < before["latent"]
    assert all(all(unchanged(m, b)) for m, b in zip(pose_networks, frozen))
    assert not any(unchanged(small_encoder, moving))  # batch statistics too
    assert step.__call__.experimental_get_tracing_count() == 1


@pytest.mark.parametrize("policy", ["mixed_float16"], indirect=True)
def test_float16_scales_the_loss_and_skips_a_step_that_overflows(
    policy, small_encoder, loss, batch, unchanged, snapshot
):
    step = _step(small_encoder, loss, learning_rate=1e-3)
    optimizer = step.trackables["optimizer"]
    assert isinstance(optimizer, optimisation.LossScaleOptimizer)
    weights = [v.numpy() for v in small_encoder.trainable_variables]
    scale = float(optimizer.loss_scale)
    images, joints = batch
    step((images, joints + float("inf")))
    assert float(optimizer.loss_scale) == scale / 2
    for variable, value in zip(small_encoder.trainable_variables, weights):
        np.testing.assert_array_equal(variable, value)


def test_terms_are_those_of_the_formula(small_encoder, loss, batch, pose_prior):
    images, joints = batch
    terms = _step(small_encoder, loss).terms(batch)
    latent = small_encoder(images, training=False)
    skeleton = pose_prior.skeleton
    local = pose_prior.decoder(latent)
    bones = kinematics.bone_lengths(joints, skeleton)[0]
    pred = kinematics.from_local(local, skeleton, bones).numpy()
    off = np.linalg.norm(pred - joints, axis=-1)
    expected = np.delete(off, skeleton.root, axis=1).mean()
    np.testing.assert_allclose(terms["joints"], expected, rtol=1e-4)
    target = pose_prior.encoder(kinematics.to_local(joints, skeleton))
    np.testing.assert_allclose(
        terms["latent"], np.abs(latent - target).mean(), rtol=1e-4
    )
    np.testing.assert_allclose(
        loss.total(terms), expected / 100.0 + terms["latent"], rtol=1e-4
    )


def test_each_weight_weighs_its_term(pose_prior):
    loss = source.SourceLoss(pose_prior, joints_weight=2.0, latent_weight=3.0)
    terms = {"joints": tf.constant(50.0), "latent": tf.constant(0.5)}
    assert loss.total(terms) == 2.0 * 0.5 + 3.0 * 0.5


def test_the_papers_loss_has_no_latent_term(pose_prior, batch, small_encoder):
    loss = source.SourceLoss(pose_prior, joints_weight=1.0, latent_weight=0.0)
    terms = _step(small_encoder, loss).terms(batch)
    np.testing.assert_allclose(loss.total(terms), terms["joints"] / 100.0, rtol=1e-6)


@pytest.fixture(scope="module")
def resnet():
    tf.keras.utils.set_random_seed(3)
    encoder = image_encoder.ImageEncoder(32, head_channels=(8, 8, 8), head_units=8)
    for layer in encoder.backbone.layers:  # statistics of some data
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            shape = layer.moving_mean.shape
            layer.moving_mean.assign(tf.random.uniform(shape, -0.2, 0.2))
            layer.moving_variance.assign(tf.random.uniform(shape, 0.5, 1.5))
    return encoder


def _keras_terms(encoder, loss, images, joints, training):
    """The terms with the backbone on its statistics, the head as it is asked."""
    features = encoder.backbone(backbone.prepared(images), training=False)
    return loss.terms(encoder.head(features, training), joints)


def _statistics(encoder):
    """Of the backbone and of the head."""
    old = encoder.backbone.non_trainable_variables
    known = {id(variable) for variable in old}
    return old, [v for v in encoder.non_trainable_variables if id(v) not in known]


def test_the_backbones_statistics_stay_and_the_heads_follow_the_batches(
    eagerly, resnet, loss, poses
):
    fold = folded.fold(resnet, resnet.backbone.trainable_variables)
    step = _step(resnet, loss, learning_rate=1e-3, features=fold.features)
    images = tf.random.stateless_uniform([2, 32, 32, 3], [0, 0])
    batch = images, poses(2)
    old, new = _statistics(resnet)
    kept, left = ([v.numpy() for v in part] for part in (old, new))
    before = [v.numpy() for v in resnet.trainable_variables]
    with tf.GradientTape() as tape:
        total = loss.total(_keras_terms(resnet, loss, *batch, True))
    gradients = tape.gradient(total, resnet.trainable_variables)
    felt = [bool(tf.reduce_any(gradient != 0)) for gradient in gradients]
    for training in (False, True):
        expected = _keras_terms(resnet, loss, *batch, training)
        found = step.terms(batch, training)
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-4, err_msg=name)
    step(batch)
    for variable, value in zip(old, kept):
        np.testing.assert_array_equal(variable, value)
    assert all((variable.numpy() != value).any() for variable, value in zip(new, left))
    # Those move whose gradient by Keras is not zero, as it is behind silent branches.
    pairs = list(zip(resnet.trainable_variables, before))
    moved = [not np.array_equal(v.numpy(), value) for v, value in pairs]
    assert moved == felt
    # The next terms are those of the weights that moved.
    after = loss.terms(resnet(images, training=False), batch[1])
    for name, value in step.terms(batch).items():
        np.testing.assert_allclose(value, after[name], rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("still", ["learning_rate", "backbone_rate"])
def test_backbone_and_head_have_rates_of_their_own(eagerly, resnet, loss, poses, still):
    rates = {"learning_rate": 1e-3, "backbone_rate": 1e-3, still: 0.0}
    step = _step(resnet, loss, **rates)
    assert {"optimizer", "backbone_optimizer"} < step.trackables.keys()
    old = [v.numpy() for v in resnet.backbone.trainable_variables]
    whole = [v.numpy() for v in resnet.trainable_variables]
    step((tf.random.stateless_uniform([2, 32, 32, 3], [0, 0]), poses(2)))
    moved = [
        any((v.numpy() != was).any() for v, was in zip(variables, before))
        for variables, before in (
            (resnet.backbone.trainable_variables, old),
            (resnet.trainable_variables[len(old) :], whole[len(old) :]),
        )
    ]
    assert moved == [still == "learning_rate", still == "backbone_rate"]


@pytest.mark.parametrize("rate", [None, 1e-3])
def test_frozen_blocks_stay_and_what_lies_above_moves(
    eagerly, resnet, loss, poses, rate
):
    above = resnet.variables_above("res3")
    fold = folded.fold(resnet, above)
    step = _step(
        resnet,
        loss,
        learning_rate=1e-3,
        backbone_rate=rate,
        features=fold.features,
        variables=above,
    )
    chosen = {id(v) for v in above}
    below = [v for v in resnet.trainable_variables if id(v) not in chosen]
    before = [[v.numpy() for v in part] for part in (below, above)]
    step((tf.random.stateless_uniform([2, 32, 32, 3], [0, 0]), poses(2)))
    for variable, value in zip(below, before[0]):
        np.testing.assert_array_equal(variable, value)
    moved = [v.name for v, old in zip(above, before[1]) if (v.numpy() != old).any()]
    for part in ("conv4_block1", "head_conv_0", "fc_0", "latent"):
        assert any(part in name for name in moved), part


def test_finalise_puts_the_moving_average_in(small_encoder, loss, batch):
    step = _step(small_encoder, loss, learning_rate=1e-2, ema=0.5)
    average = [v.numpy() for v in small_encoder.trainable_variables]
    for _ in range(4):
        step(batch)
        now = [v.numpy() for v in small_encoder.trainable_variables]
        average = [0.5 * a + 0.5 * n for a, n in zip(average, now)]
    statistics = [v.numpy() for v in small_encoder.non_trainable_variables]
    step.finalise([])
    for variable, expected in zip(small_encoder.trainable_variables, average):
        np.testing.assert_allclose(variable, expected, rtol=1e-4, atol=1e-6)
    for variable, expected in zip(small_encoder.non_trainable_variables, statistics):
        np.testing.assert_array_equal(variable, expected)


def test_finalise_without_an_average_changes_nothing(
    small_encoder, loss, batch, snapshot, unchanged
):
    step = _step(small_encoder, loss)
    step(batch)
    before = snapshot(small_encoder)
    step.finalise([batch])
    assert all(unchanged(small_encoder, before))


def test_an_averaged_heads_batch_norm_is_estimated_anew_the_backbones_stays(
    eagerly, resnet, loss, poses
):
    fold = folded.fold(resnet, resnet.backbone.trainable_variables)
    step = _step(resnet, loss, ema=0.9, features=fold.features)
    images = tf.random.stateless_uniform([4, 32, 32, 3], [0, 0])
    batches = [(images[:2], poses(2)), (images[2:], poses(2))]
    step(batches[0])
    old, new = _statistics(resnet)
    kept = [v.numpy() for v in old]
    step.finalise(batches)
    found = [v.numpy() for v in new]
    for variable in new:  # nothing of what was there before is in them
        variable.assign(variable + 5.0)
    step.finalise(batches)
    for variable, value in zip(new, found):
        np.testing.assert_allclose(variable, value, rtol=1e-3, atol=1e-5)
    for variable, value in zip(old, kept):
        np.testing.assert_array_equal(variable, value)


def test_a_schedule_is_a_learning_rate(small_encoder, loss, batch, snapshot, unchanged):
    schedule = tf.keras.optimizers.schedules.PiecewiseConstantDecay([0], [1e-2, 0.0])
    step = _step(small_encoder, loss, learning_rate=schedule)
    before = [v.numpy() for v in small_encoder.trainable_variables]
    step(batch)
    first = [v.numpy() for v in small_encoder.trainable_variables]
    step(batch)
    assert any((a != b).any() for a, b in zip(before, first))
    for variable, value in zip(small_encoder.trainable_variables, first):
        np.testing.assert_array_equal(variable, value)


def test_joints_that_a_data_set_does_not_have_teach_nothing(loss, batch):
    """The rest of the pose teaches as before; a gap takes its whole `latent` away."""
    _, joints = batch
    latent = tf.random.stateless_uniform([16, 32], [1, 2], -0.9, 0.9)
    whole = loss.terms(latent, joints)
    gaps = joints.numpy()
    gaps[:8, 4] = np.nan
    gaps[8] = np.nan
    with tf.GradientTape() as tape:
        tape.watch(latent)
        terms = loss.terms(latent, tf.constant(gaps))
        total = loss.total(terms)
    gradient = tape.gradient(total, latent).numpy()
    assert np.isfinite(gradient).all()
    assert not gradient[8].any() and gradient[7].any() and gradient[9].any()
    again = loss.terms(latent[9:], joints[9:])
    np.testing.assert_allclose(terms["latent"] * 16, again["latent"] * 7, rtol=1e-4)
    assert 0 < terms["latent"] < whole["latent"]


def test_an_encoder_that_reads_points_learns_where_they_are(
    eagerly, pose_prior, poses, unchanged, snapshot
):
    tf.keras.utils.set_random_seed(0)
    encoder = image_encoder.ImageEncoder(32, None, 1, (8, 8), 16, head="points")
    loss = source.SourceLoss(
        pose_prior, joints_weight=0.0, latent_weight=0.0, points_weight=2.0
    )
    step = _step(encoder, loss, learning_rate=2e-2)
    joints = poses(4)
    points = (joints / 1200.0).numpy()
    points[0, 3] = np.nan
    batch = tf.random.stateless_uniform([4, 32, 32, 3], [0, 0]), joints, points
    before, moving = step.terms(batch, training=True), snapshot(encoder)
    volumes = encoder.volumes(encoder.features(batch[0], True), True)
    off = np.abs(integral.expectation(volumes) - points)
    np.testing.assert_allclose(before["points"], np.nanmean(off), rtol=1e-4)
    np.testing.assert_allclose(
        before["heat"], integral.heat_error(volumes, points), rtol=1e-4
    )
    expected = 2.0 * (before["points"] / 0.1 + before["heat"])
    np.testing.assert_allclose(loss.total(before), expected, rtol=1e-5)
    for _ in range(8):
        step(batch)
    after = step.terms(batch, training=True)
    assert after["heat"] < 0.8 * before["heat"]
    changed = dict(zip((v.name for v in encoder.variables), unchanged(encoder, moving)))
    assert not any(same for name, same in changed.items() if "head_volumes" in name)
