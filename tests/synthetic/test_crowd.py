"""Crowds: labels that fit the pictures, people on one floor, the nearer in front."""

import numpy as np
import pytest

from sa3dhp.skeleton import kinematics
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import crowd, domain

SIZE, FOCAL, NEAR, FAR = 96, 1.2, 2500.0, 9000.0
MAKE = dict(size=SIZE, people=3, focal=FOCAL, near=NEAR, far=FAR)
ROOT = skeletons.SA3DHP17.root


@pytest.fixture(scope="module")
def found():
    return crowd.pictures(domain.STUDIO, np.random.default_rng(0), count=12, **MAKE)


def test_points_are_joints_seen_by_the_camera(found):
    joints = found.joints[found.there]
    flat = (SIZE - 1) / 2 + FOCAL * SIZE * joints[..., :2] / joints[..., 2:]
    points = found.points[found.there]
    inside = np.all((flat >= -0.5) & (flat <= SIZE - 0.5), axis=-1)
    assert np.array_equal(np.isfinite(points[..., 0]), inside)
    np.testing.assert_allclose(points[inside], flat[inside], atol=1e-3)
    assert np.isnan(found.points[~found.there]).all()
    assert not found.joints[~found.there].any()


def test_there_are_one_to_all_people_the_nearest_first_at_their_distances(found):
    count = found.there.sum(axis=1)
    assert set(count) >= {1, 3} and count.min() == 1
    roots = found.joints[:, :, ROOT]
    depth = np.where(found.there, roots[..., 2], np.inf)
    assert np.all(depth[:, :-1] <= depth[:, 1:])
    seen = depth[found.there]
    assert seen.min() >= NEAR - 1 and seen.max() <= FAR + 1
    lengths = kinematics.bone_lengths(found.joints[found.there], skeletons.SA3DHP17)
    assert 150 < lengths.numpy()[:, 1:].mean() < 300, "people, in mm"


def test_pelvises_keep_apart_and_away_from_the_border(found):
    for points, there in zip(found.points, found.there):
        roots = points[there, ROOT]
        assert np.all((roots > 0.05 * SIZE) & (roots < 0.95 * SIZE))
        for n, one in enumerate(roots):
            others = np.delete(roots, n, axis=0)
            assert not len(others) or np.abs(others - one).max(1).min() > 0.05 * SIZE


def test_pictures_are_a_function_of_the_generator_and_people_change_them(found):
    again = crowd.pictures(domain.STUDIO, np.random.default_rng(0), count=2, **MAKE)
    np.testing.assert_array_equal(again.images, found.images[:2])
    np.testing.assert_array_equal(again.points, found.points[:2])
    assert found.images.dtype == np.uint8
    assert len(np.unique(found.images[0].reshape(-1, 3), axis=0)) > 50


@pytest.mark.parametrize("pitch", [-0.4, 0.0, 0.9, 1.5])
def test_whatever_the_camera_looks_at_somebody_is_there(pitch):
    rng = np.random.default_rng(1)
    roots = crowd._roots(rng, pitch, 3, FOCAL, NEAR, FAR)
    assert 1 <= len(roots) <= 3 and np.isfinite(roots).all()
    assert np.all(roots[:, 2] > 0)
