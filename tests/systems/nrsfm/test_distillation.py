"""The distilling loss against its definition: solvers, convexity, ill-posed cases."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import optimize

from sa3dhp.systems.nrsfm import distillation, stiefel

P, K, B = 3, 8, 5
WEIGHT = 0.3


@pytest.fixture
def problem():
    rng = np.random.default_rng(0)
    camera = stiefel.nearest(rng.normal(size=(B, 3, 2)))
    seen = distillation.basis(tf.constant(rng.normal(size=(P, 3, K))), camera)
    code = tf.constant(np.abs(rng.normal(size=(B, K))))
    points = tf.constant(rng.normal(size=(B, P, 2)))
    return seen, code, points, rng


def test_basis_turns_every_atom_as_the_camera_sees_it():
    rng = np.random.default_rng(1)
    dictionary, code = rng.normal(size=(P, 3, K)), rng.normal(size=(B, K))
    camera = stiefel.nearest(rng.normal(size=(B, 3, 2)))
    seen = distillation.basis(tf.constant(dictionary), camera)
    turn = stiefel.rotation(camera).numpy()
    for n in range(B):
        joints = (dictionary @ code[n]) @ turn[n]  # [P, 3], [N] eq. 5 and 6
        np.testing.assert_allclose(seen.xy[n].numpy() @ code[n], joints[:, :2].ravel())
        np.testing.assert_allclose(seen.z[n].numpy() @ code[n], joints[:, 2])


def _constrained(price, start, rows, depth, slope=None):
    """The least `price(x)` with `rows @ x = depth`, by SciPy."""
    return optimize.minimize(
        price,
        start,
        jac=slope,
        constraints={
            "type": "eq",
            "fun": lambda x: rows @ x - depth,
            "jac": lambda x: rows,
        },
        options={"ftol": 1e-14},
    )


@pytest.mark.parametrize("n", range(B))
def test_nearest_code_is_what_a_constrained_solver_finds(problem, n):
    seen, code, _, rng = problem
    depth = rng.normal(size=(B, P))
    got = distillation.nearest_code(tf.constant(depth), code, seen, damping=0.0)
    start = code[n].numpy()
    found = _constrained(  # [N] eq. 12
        lambda x: 0.5 * np.sum((x - start) ** 2),
        start,
        seen.z[n].numpy(),
        depth[n],
        lambda x: x - start,
    )
    assert found.success
    np.testing.assert_allclose(got[n], found.x, atol=1e-6)


def test_damping_leaves_the_stated_part_of_the_residual(problem):
    seen, code, _, rng = problem
    depth = tf.constant(rng.normal(size=(B, P)))
    moved = distillation.nearest_code(depth, code, seen)
    left = tf.linalg.matvec(seen.z, moved) - depth
    asked = tf.linalg.matvec(seen.z, code) - depth
    gram = seen.z.numpy() @ seen.z.numpy().transpose(0, 2, 1)
    least = np.linalg.eigvalsh(gram)[:, 0]
    damped = distillation.DAMPING * np.trace(gram, axis1=1, axis2=2) / P
    bound = damped / (least + damped)
    sizes = np.linalg.norm(left, axis=1) / np.linalg.norm(asked, axis=1)
    assert (sizes <= bound * (1 + 1e-6)).all() and (bound < 0.05).all()


@pytest.mark.parametrize("n", range(B))
def test_bound_is_above_the_least_cost_in_the_subspace(problem, n):
    seen, code, points, rng = problem
    depth = rng.normal(size=(B, P))
    bound = distillation.upper_bound(tf.constant(depth), code, points, seen, WEIGHT)
    xy, flat = seen.xy[n].numpy(), points[n].numpy().ravel()
    rows = seen.z[n].numpy()

    def price(x):  # [N] eq. 9
        return np.linalg.norm(xy @ x - flat) + WEIGHT * np.abs(x).sum()

    start = np.linalg.lstsq(rows, depth[n], rcond=None)[0]
    found = _constrained(price, start, rows, depth[n])  # [N] eq. 10
    assert bound[n] >= found.fun - 1e-3


def test_bound_is_convex_in_the_hypothesis(problem):
    seen, code, points, rng = problem
    first, second = (tf.constant(rng.normal(size=(B, P)) * 3) for _ in range(2))

    def value(depth):
        return distillation.upper_bound(depth, code, points, seen, WEIGHT).numpy()

    for share in (0.1, 0.5, 0.8):
        chord = share * value(first) + (1 - share) * value(second)
        assert (value(share * first + (1 - share) * second) <= chord + 1e-9).all()


def test_bound_is_least_at_the_teachers_depth_where_the_teacher_is_exact(problem):
    """Where phi minimises the cost (eq. 9), no hypothesis is cheaper than its own."""
    seen, _, points, rng = problem
    xy, flat = seen.xy[:1].numpy()[0], points[:1].numpy().ravel()

    def price(x):
        return np.linalg.norm(xy @ x - flat) + WEIGHT * np.abs(x).sum()

    # The positive and the negative part of x: no kink inside the region.
    split = optimize.minimize(
        lambda u: np.linalg.norm(xy @ (u[:K] - u[K:]) - flat) + WEIGHT * u.sum(),
        np.full(2 * K, 0.1),
        bounds=[(0, None)] * (2 * K),
        options={"ftol": 1e-15, "gtol": 1e-12, "maxiter": 5000},
    )
    best = split.x[:K] - split.x[K:]
    one = distillation.Basis(seen.xy[:1], seen.z[:1])
    own = tf.linalg.matvec(one.z, best[None])

    def value(depth):
        code = tf.constant(best[None])
        return distillation.upper_bound(depth, code, points[:1], one, WEIGHT)[0].numpy()

    np.testing.assert_allclose(value(own), price(best), atol=1e-6)
    for size in (1e-3, 0.1, 1.0):
        for _ in range(20):
            assert value(own + size * rng.normal(size=(1, P))) >= value(own) - 1e-7


@pytest.mark.parametrize("case", ["dependent rows", "zero", "badly scaled"])
def test_value_and_gradient_are_finite_for_an_ill_conditioned_basis(problem, case):
    seen, code, points, rng = problem
    z = np.array(seen.z)
    if case == "dependent rows":
        z[:, 2] = z[:, 0]
    elif case == "zero":
        z[:] = 0.0
    else:
        z[:, 2] *= 1e-12
    cast = [tf.cast(x, tf.float32) for x in (code, points, seen.xy, z)]
    code, points, xy, z = cast
    depth = tf.constant(rng.normal(size=(B, P)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([depth, z])
        basis = distillation.Basis(xy, z)
        total = tf.reduce_sum(
            distillation.upper_bound(depth, code, points, basis, WEIGHT)
        )
    slopes = tape.gradient(total, [depth, z])
    assert np.isfinite(total) and all(np.isfinite(slope).all() for slope in slopes)
    # No direction is amplified by more than 1 / (2 sqrt(d)).
    assert np.abs(slopes[0]).max() < 1e4


def test_gradient_is_finite_where_the_reprojection_is_exact(problem):
    seen, code, _, _ = problem
    points = tf.reshape(tf.linalg.matvec(seen.xy, code), [B, P, 2])
    depth = tf.linalg.matvec(seen.z, code)
    with tf.GradientTape() as tape:
        tape.watch(depth)
        value = distillation.upper_bound(depth, code, points, seen, 0.0)
    assert np.isfinite(tape.gradient(value, depth)).all()


def test_ambiguous_projections_resist_a_correction_less(problem):
    """What only depth can see costs nothing but its code ([N] Fig. 2 b)."""
    seen, code, _, _ = problem
    blind = distillation.Basis(tf.zeros_like(seen.xy), seen.z)
    points = tf.reshape(tf.linalg.matvec(seen.xy, code), [B, P, 2])
    moved = tf.linalg.matvec(seen.z, code) + 1.0
    sure = distillation.upper_bound(moved, code, points, seen, 0.0)
    unsure = distillation.upper_bound(moved, code, tf.zeros_like(points), blind, 0.0)
    assert (unsure.numpy() < 1e-5).all() and (sure.numpy() > 0.1).all()
