"""The classical references on data with exact answers."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from sa3dhp import errors
from sa3dhp.systems.nrsfm import classical


def _world(rank, frames=200, num=9, spread=0.5, seed=0):
    """Centred shapes of a linear model as random cameras see them, `[N, P, 3]`."""
    rng = np.random.default_rng(seed)
    basis = rng.normal(size=(1 + rank, num, 3))
    basis[1:] *= spread
    code = np.concatenate([np.ones([frames, 1]), rng.normal(size=(frames, rank))], 1)
    shapes = np.einsum("nk,kpc->npc", code, basis)
    shapes -= shapes.mean(axis=1, keepdims=True)
    return shapes @ Rotation.random(frames, random_state=seed).as_matrix()


def _error(pred, target):
    """Normalised error up to the one reflection of all depths."""
    both = [pred * [1, 1, sign] - target for sign in (1, -1)]
    return min(map(np.linalg.norm, both)) / np.linalg.norm(target)


@pytest.mark.parametrize("scaled", [False, True])
def test_a_rigid_body_is_recovered_exactly(scaled):
    joints = _world(0)
    if scaled:
        sizes = np.random.default_rng(1).uniform(0.5, 2.0, len(joints))
        joints = joints * sizes[:, None, None]
    found = classical.rigid(joints[..., :2], scaled=scaled)
    assert _error(found, joints) < 1e-8


def test_factorisation_gives_orthonormal_cameras_that_reproject():
    joints = _world(0)
    shape, cameras, sizes = classical.factorised(joints[..., :2], scaled=False)
    squares = cameras.transpose(0, 2, 1) @ cameras
    eyes = np.tile(np.eye(2), [len(joints), 1, 1])
    np.testing.assert_allclose(squares, eyes, atol=1e-12)
    np.testing.assert_allclose(shape @ cameras, joints[..., :2], atol=1e-8)
    np.testing.assert_array_equal(sizes, 1.0)


def test_low_rank_recovers_what_the_rigid_method_cannot():
    joints = _world(2, frames=150, num=12, spread=0.3)
    rigid = classical.rigid(joints[..., :2], scaled=False)
    found = classical.low_rank(joints[..., :2], 2, iterations=60, scaled=False)
    assert _error(rigid, joints) > 0.3
    assert _error(found, joints) < 1e-4


def test_low_rank_of_rank_0_is_the_rigid_method():
    joints = _world(0)
    found = classical.low_rank(joints[..., :2], 0, iterations=3)
    assert _error(found, joints) < 1e-6


def test_more_iterations_never_explain_the_points_worse():
    joints = _world(2, frames=60)
    errors_ = [
        np.linalg.norm(
            classical.low_rank(joints[..., :2], 2, iterations=n)[..., :2]
            - joints[..., :2]
        )
        for n in (1, 10, 30)
    ]
    assert errors_ == sorted(errors_, reverse=True)


def test_inputs_stay_as_they_are():
    points = _world(1)[..., :2].copy()
    before = points.copy()
    classical.low_rank(points, 1, iterations=2)
    np.testing.assert_array_equal(points, before)


def test_what_spans_no_body_is_refused():
    flat = _world(0)
    flat[..., 2] = 0.0  # one plane, one view
    same = np.repeat(flat[:1], 10, axis=0)
    with pytest.raises(errors.InputError, match="span no body"):
        classical.rigid(same[..., :2])


def test_fewer_frames_than_unknowns_are_refused():
    with pytest.raises(errors.InputError, match=r"got 8 frames for rank 2, expected"):
        classical.low_rank(_world(0, frames=8)[..., :2], 2)
