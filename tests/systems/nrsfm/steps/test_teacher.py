"""The teacher's training step."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.systems.nrsfm import teacher
from sa3dhp.systems.nrsfm.steps import teacher as teacher_step


def _points(count=32):
    rng = np.random.default_rng(0)
    given = rng.normal(size=(count, 5, 2))
    return tf.constant(given - given.mean(axis=1, keepdims=True), tf.float32)


def _step(**changes):
    tf.keras.utils.set_random_seed(0)
    settings = {"learning_rate": 1e-2, "sparsity": 0.01, **changes}
    return teacher_step.TeacherStep(teacher.Teacher(5, (12, 6, 4)), **settings)


def test_terms_are_those_of_equation_4(eagerly):
    step, points = _step(), _points()
    found = step.models["teacher"](points)
    shape, camera = found["shape"].numpy(), found["camera"].numpy()
    want = np.mean(
        [np.linalg.norm(s @ m - w) for s, m, w in zip(shape, camera, points)]
    )
    terms = step.terms(points)
    np.testing.assert_allclose(terms["reprojection"], want, rtol=1e-5)
    size = np.abs(found["code"]).sum(axis=-1).mean()
    np.testing.assert_allclose(terms["sparsity"], size, rtol=1e-5)


def test_a_few_steps_reproject_better_and_keep_everything_finite(eagerly):
    step, points = _step(), _points()
    first = float(step.terms(points)["reprojection"])
    for _ in range(40):
        terms = step(points)
    assert float(terms["reprojection"]) < 0.8 * first
    assert all(np.isfinite(v).all() for v in step.models["teacher"].weights)


def test_sparsity_makes_codes_smaller(eagerly):
    points, sizes = _points(), []
    for weight in (0.0, 0.5):
        step = _step(sparsity=weight)
        for _ in range(20):
            step(points)
        sizes.append(float(step.terms(points)["sparsity"]))
    assert sizes[1] < 0.8 * sizes[0]


def test_turned_points_are_turned_and_a_function_of_the_iteration(eagerly):
    step, points = _step(turned=True, seed=3), _points(4)
    seen = step._seen(points).numpy()
    np.testing.assert_array_equal(seen, step._seen(points))
    np.testing.assert_allclose(
        np.linalg.norm(seen, axis=-1), np.linalg.norm(points, axis=-1), rtol=1e-5
    )
    turns = [np.linalg.lstsq(p, s, rcond=None)[0] for p, s in zip(points, seen)]
    np.testing.assert_allclose(np.linalg.det(turns), 1.0, rtol=1e-4)
    step.iteration.assign_add(1)
    assert np.abs(step._seen(points) - seen).max() > 0.1


@pytest.mark.parametrize("name", ["teacher", "optimizer", "iteration"])
def test_a_checkpoint_holds_all_that_changes(name):
    assert name in _step().trackables
