"""Scenes: everybody in a cell of his own, where the maps and s say."""

import numpy as np
import pytest

from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import world
from sa3dhp.systems.multi_person import camera, canonical, maps, scenes
from sa3dhp.systems.multi_person import representation as rep

CAMERA = camera.Camera(224)
ROOT = skeletons.SA3DHP17.root


@pytest.fixture(scope="module")
def made():
    moving = world.motions(np.random.default_rng(0), count=2, num_frames=10, rolled=0)
    joints = np.concatenate(list(moving)).astype(np.float32)
    joints -= joints[:, ROOT, None]
    poses, turns = canonical.split(joints, skeletons.SA3DHP17)
    return scenes.draw(
        poses.numpy(),
        np.random.default_rng(1),
        count=6,
        people=4,
        camera=CAMERA,
        upright=turns[0].numpy(),
    )


def test_scenes_have_one_to_four_people(made):
    assert made.there[:, 0].all() and set(made.there.sum(axis=1)) <= {1, 2, 3, 4}
    assert len(set(made.there.sum(axis=1))) > 1
    gone = ~made.there
    repeated = np.broadcast_to(made.joints[:, :1], made.joints.shape)
    np.testing.assert_array_equal(made.joints[gone], repeated[gone])
    assert made.maps.shape == (6, 28, 28, 43)


def test_everybody_has_a_cell_of_his_own(made):
    for roots, there in zip(made.roots, made.there):
        cells = rep.cells_of(roots[there], CAMERA.size).numpy()
        assert len({tuple(cell) for cell in cells}) == there.sum()


def test_the_pelvis_map_peaks_at_the_roots(made):
    for roots, there, drawn in zip(made.roots, made.there, made.maps):
        peaks = drawn[..., maps.OWN.joints.index("pelvis")]
        column, row = np.round((roots[there] + 0.5) / 8 - 0.5).astype(int).T
        assert (peaks[row, column] > 0.75).all()


def test_what_is_outside_of_the_picture_is_on_no_map(made):
    points = CAMERA.projected(made.joints).numpy()
    names = skeletons.SA3DHP17.joint_names
    hidden = 0
    for people, there, drawn in zip(points, made.there, made.maps):
        inside = ((people > -0.5) & (people < CAMERA.size - 0.5)).all(-1)[there]
        for channel, name in enumerate(maps.OWN.joints):
            shown = inside[:, names.index(name)].any()
            assert (drawn[..., channel].max() > 0.5) == shown
            hidden += not shown
    assert hidden


def test_joints_are_where_root_and_depth_put_them(made):
    pelvis = made.joints[:, :, ROOT]
    np.testing.assert_allclose(CAMERA.projected(pelvis), made.roots, atol=0.01)
    np.testing.assert_allclose(CAMERA.depth(pelvis[..., 2]), made.depth, atol=1e-4)


def test_people_stand_upright_and_look_any_way(made):
    down = made.rotations[..., :, 1].reshape(-1, 3)  # from the neck to the hips
    assert np.median(down[:, 1]) > 0.7
    ahead = made.rotations[..., :, 0].reshape(-1, 3)[:, 2]
    assert ahead.min() < -0.5 and ahead.max() > 0.5


def test_the_same_seed_draws_the_same(made):
    poses = np.zeros((1, 17, 3), np.float32)
    first, again = (
        scenes.draw(
            poses,
            np.random.default_rng(3),
            count=2,
            people=2,
            camera=CAMERA,
            upright=np.eye(3),
        )
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.roots, again.roots)
    np.testing.assert_array_equal(first.maps, again.maps)
