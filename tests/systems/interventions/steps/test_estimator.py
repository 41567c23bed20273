"""Losses of f and h, and what each method adds."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.models import folded, integral
from sa3dhp.systems.interventions import generator, vae
from sa3dhp.systems.interventions.steps import estimator


@pytest.fixture
def network(small_backbone):
    return integral.IntegralRegressor(
        17, 32, strides=(1,), channels=4, depth_cells=4, name="estimator"
    )


@pytest.fixture
def batch():
    rng = np.random.default_rng(0)
    images = rng.uniform(size=(2, 4, 32, 32, 3)).astype(np.float32)
    poses = rng.uniform(-0.5, 0.5, size=(4, 17, 3)).astype(np.float32)
    return estimator.Batch(*map(tf.constant, (images[0], poses, images[1])))


def _extra(name):
    if name == "dann":
        return estimator.Dann(generator.Discriminator(1024), weight=1.0, num_steps=10)
    if name == "counterfactual":
        return estimator.Counterfactual(
            generator.Generator(17, 3, 8),
            vae.Decoder(32, 8),
            weight=1.0,
            agreement_weight=0.1,
            seed=0,
        )
    return {
        "source": estimator.Nothing(),
        "ddc": estimator.Mmd(1.0, kernels=False),
        "dan": estimator.Mmd(1.0, kernels=True),
    }[name]


def test_what_is_not_known_does_not_count():
    target = np.zeros((2, 3, 3), np.float32)
    pred = np.ones((2, 3, 3), np.float32)
    pred[0, 1], target[0, 1] = 100, np.nan
    assert float(integral.error(tf.constant(pred), tf.constant(target))) == 1
    nothing = tf.fill([2, 3, 3], np.nan)
    assert float(integral.error(tf.constant(pred), nothing)) == 0


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("source", {"pose"}),
        ("ddc", {"pose", "discrepancy"}),
        ("dan", {"pose", "discrepancy"}),
        ("dann", {"pose", "domain"}),
        ("counterfactual", {"pose", "counterfactual", "agreement"}),
    ],
)
def test_a_method_adds_its_terms_and_moves_what_it_trains(network, batch, name, terms):
    extra = _extra(name)
    step = estimator.EstimatorStep(network, extra, learning_rate=1e-2)
    frozen = [v for m in vars(extra).values() if isinstance(m, tf.keras.Model)
              for v in m.weights if m not in extra.models.values()]  # fmt: skip
    before = [v.numpy() for v in frozen]
    moving = {
        k: [v.numpy() for v in m.trainable_weights] for k, m in step.models.items()
    }
    found = [{k: float(v) for k, v in step(batch).items()} for _ in range(8)]
    assert set(found[0]) == terms and np.isfinite(list(found[-1].values())).all()
    assert found[-1]["pose"] < found[0]["pose"]
    for name_, model in step.models.items():
        for old, new in zip(moving[name_], model.trainable_weights):
            if "bias" not in new.name:
                assert (old != new.numpy()).any(), new.name
    for old, new in zip(before, frozen):
        np.testing.assert_array_equal(old, new)


def test_volumes_are_led_to_where_the_points_are(network, batch):
    plain, led = (
        estimator.EstimatorStep(
            network, estimator.Nothing(), learning_rate=0.0, heat_weight=weight
        )
        for weight in (0.0, 0.5)
    )
    assert set(plain.terms(batch)) == {"pose"}
    found = led.terms(batch)
    assert float(found["pose"]) == float(plain.terms(batch)["pose"])
    volumes = network.volumes(network.features(batch.images))
    want = integral.heat_error(volumes, batch.poses)
    np.testing.assert_allclose(found["heat"], want, rtol=1e-5)
    _, loss = led._losses(batch, training=False)
    np.testing.assert_allclose(loss, found["pose"] + 0.5 * found["heat"], rtol=1e-5)


def test_the_gradient_is_limited(network, batch):
    limit = 1e-12  # far below Adam's epsilon: nothing moves
    step = estimator.EstimatorStep(
        network, estimator.Nothing(), learning_rate=1e-2, clip_norm=limit
    )
    before = [v.numpy() for v in network.trainable_weights]
    step(batch)
    for old, new in zip(before, network.trainable_weights):
        np.testing.assert_allclose(new, old, atol=1e-6)


def test_what_is_frozen_keeps_its_weights_and_statistics():
    network = integral.IntegralRegressor(
        17, 32, strides=(1,), channels=4, depth_cells=4, name="estimator"
    )
    rng = np.random.default_rng(0)
    images, others = rng.uniform(size=(2, 4, 32, 32, 3)).astype(np.float32)
    poses = rng.uniform(-0.5, 0.5, size=(4, 17, 3)).astype(np.float32)
    above = network.variables_above("res3")
    known = {id(v) for v in network.backbone.trainable_variables}
    features = folded.fold_backbone(
        network.backbone, 32, [v for v in above if id(v) in known]
    )
    frozen = {id(v) for v in network.backbone.weights} - {id(v) for v in above}
    step = estimator.EstimatorStep(
        network,
        estimator.Mmd(1.0, kernels=True),
        learning_rate=1e-2,
        features=features,
        variables=above,
    )
    before = {v.ref(): v.numpy() for v in network.weights}
    seen = features(tf.constant(images)).numpy()
    np.testing.assert_allclose(
        seen, network.features(tf.constant(images), training=False), atol=1e-4
    )
    found = [step(estimator.Batch(images, poses, others)) for _ in range(4)]
    assert float(found[-1]["pose"]) < float(found[0]["pose"])
    for variable, old in before.items():
        same = (variable.deref().numpy() == old).all()
        if id(variable.deref()) in frozen:
            assert same, variable.deref().name
    moved = [v.name for v in above if (v.numpy() != before[v.ref()]).any()]
    assert any("conv4_block1" in name for name in moved)
    assert any("deconvolution" in name for name in moved)


def test_each_step_makes_other_interventions(batch):
    extra = _extra("counterfactual")
    first, again, other = (
        extra.shown(batch, tf.constant(n, tf.int64)).numpy() for n in (0, 0, 1)
    )
    assert first.shape == (8, 32, 32, 3)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0 and np.abs(first[:4] - first[4:]).max() > 0


def test_what_is_read_in_training_is_read_afterwards(network, batch):
    """The norms' moving means are of the pictures that trained together."""
    for layer in network.submodules:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            layer.momentum = 0.5
    extra = _extra("counterfactual")
    step = estimator.EstimatorStep(network, extra, learning_rate=0.0)
    for _ in range(30):
        step.iteration.assign(0)  # the same pictures
        step(batch)
    step.iteration.assign(0)
    trained = float(step.terms(batch, training=True)["pose"])
    afterwards = float(step.terms(batch)["pose"])
    alone = estimator.EstimatorStep(network, estimator.Nothing(), learning_rate=0.0)
    apart = float(alone.terms(batch, training=True)["pose"])
    assert abs(trained - afterwards) < 0.1 * abs(apart - trained)


def _values(models):
    """The trainable values of networks, by name."""
    return {k: [v.numpy() for v in m.trainable_weights] for k, m in models.items()}
