"""DDC, DAN, DANN: slow references, and the gradient that comes back turned."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.systems.interventions import alignment


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    shape = (6, 3)
    return rng.normal(size=shape), rng.normal(1.0, 2.0, size=(4, 3))


def _constants(sets):
    return [tf.constant(x, tf.float32) for x in sets]


def test_linear_discrepancy_is_the_squared_distance_of_the_means(sets):
    want = np.sum((sets[0].mean(0) - sets[1].mean(0)) ** 2)
    found = float(alignment.linear_mmd(*_constants(sets)))
    assert found == pytest.approx(want, rel=1e-5)


def test_gaussian_discrepancy_is_that_of_the_formula(sets):
    both = np.concatenate(sets)
    typical = np.mean([[np.sum((x - y) ** 2) for x in both] for y in both])

    def kernel(x, y):
        far = np.sum((x - y) ** 2)
        return np.mean([np.exp(-far / (w * typical)) for w in alignment.WIDTHS])

    def mean(xs, ys):
        return np.mean([[kernel(x, y) for x in xs] for y in ys])

    a, b = sets
    want = mean(a, a) + mean(b, b) - 2 * mean(a, b)
    found = alignment.gaussian_mmd(*_constants(sets))
    assert float(found) == pytest.approx(want, rel=1e-4) and want > 0.05


def test_equal_sets_have_no_discrepancy(sets):
    same = _constants((sets[0], sets[0][::-1].copy()))
    assert float(alignment.linear_mmd(*same)) == pytest.approx(0, abs=1e-6)
    assert float(alignment.gaussian_mmd(*same)) == pytest.approx(0, abs=1e-6)


def test_gradient_is_finite_where_all_features_coincide():
    x = tf.Variable(tf.ones([3, 2]))
    with tf.GradientTape() as tape:
        loss = alignment.gaussian_mmd(x, tf.ones([3, 2]))
    assert np.isfinite(tape.gradient(loss, x)).all()


def test_features_pass_and_their_gradient_comes_back_turned():
    x = tf.Variable([[1.0, 2.0]])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(alignment.reversed_gradient(x, tf.constant(0.5)) ** 2)
    assert float(loss) == 5
    np.testing.assert_allclose(tape.gradient(loss, x), [[-1.0, -2.0]])


def test_a_classifier_sees_features_of_one_length():
    x = tf.Variable([[3.0, 4.0], [0.3, -0.4]])
    with tf.GradientTape() as tape:
        found = alignment.of_unit_length(x)
        loss = tf.reduce_sum(found * [[1.0, 2.0]])
    np.testing.assert_allclose(found, [[0.6, 0.8], [0.6, -0.8]], atol=1e-6)
    along = tf.reduce_sum(tape.gradient(loss, x) * x, axis=-1)
    np.testing.assert_allclose(along, 0, atol=1e-6)  # none to make them longer


def test_strength_grows_from_nothing_to_one():
    found = [float(alignment.schedule(tf.constant(p))) for p in (0.0, 0.1, 1.0)]
    np.testing.assert_allclose(found, [0, 0.46212, 0.99991], atol=1e-4)
