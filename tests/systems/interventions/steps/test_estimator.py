"""Losses of f and h, and what each method adds."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.models import integral
from sa3dhp.systems.interventions import generator, vae
from sa3dhp.systems.interventions.steps import estimator

pytestmark = pytest.mark.usefixtures("small_backbone")


@pytest.fixture
def network():
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


def test_a_step_without_noise_in_common_gives_other_interventions(network, batch):
    extra = _extra("counterfactual")
    none = tf.zeros([4, 1024])
    seen = estimator.Seen(network, batch, none, none)
    first, again, other = (
        extra.terms(seen, tf.constant(n, tf.int64), False)[0] for n in (0, 0, 1)
    )
    assert float(first["counterfactual"]) == float(again["counterfactual"])
    assert float(first["counterfactual"]) != float(other["counterfactual"])


def _values(models):
    """The trainable values of networks, by name."""
    return {k: [v.numpy() for v in m.trainable_weights] for k, m in models.items()}
