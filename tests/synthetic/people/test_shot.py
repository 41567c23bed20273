"""Cameras see the person; things do not hide too much of one."""

import numpy as np
import pytest

from sa3dhp.synthetic.people import scene, shot


@pytest.fixture(scope="module")
def joints(skeleton):
    """A person on the floor, `[1, 17, 3]`."""
    return (skeleton.joints - [0.0, skeleton.sole, 0.0])[None]


@pytest.mark.parametrize("seed", range(30))
def test_the_person_is_in_the_picture(joints, seed) -> None:
    camera = shot.draw_camera(np.random.default_rng(seed), joints)
    seen = camera.seen(joints)
    assert seen[..., 2].min() > 0.5
    points = seen @ camera.intrinsics.T
    points = points[..., :2] / points[..., 2:]
    inside = (points > 0) & (points < np.array(camera.size))
    assert inside.all(-1).mean() > 0.75
    assert camera.eye[1] >= shot._LOWEST
    np.testing.assert_allclose(
        camera.rotation @ camera.rotation.T, np.eye(3), atol=1e-9
    )
    field = 2 * np.degrees(np.arctan(500 / camera.intrinsics[0, 0]))
    assert shot.FIELD_DEG[0] <= field <= shot.FIELD_DEG[1]
    pitch = np.degrees(np.arcsin(-camera.rotation[2, 1]))
    assert shot.PITCH_DEG[0] - 1 <= pitch <= shot.PITCH_DEG[1] + 1
    # Upright: the world's up is the picture's, but for a few degrees.
    assert camera.rotation[1, 1] < -0.7


def test_what_a_box_hides_is_behind_it() -> None:
    model = np.diag([1.0, 2.0, 0.5, 1.0])
    eye = np.array([0.0, 0.0, 10.0])
    points = np.array(
        [[0, 0, -5], [0, 0, 5], [3, 0, -5], [0, 2.5, -5], [0, 4.5, -5], [0, 0, 20]],
        float,
    )
    found = shot._hidden(points, eye, model)
    np.testing.assert_array_equal(found, [True, False, False, True, False, False])


@pytest.mark.parametrize("seed", range(20))
def test_things_before_a_person_leave_most_of_it(joints, seed) -> None:
    rng = np.random.default_rng(seed)
    camera = shot.draw_camera(rng, joints)
    things = shot.draw_things(rng, joints[0], camera)
    assert len(things) <= 4
    for thing in things:
        hidden = shot._hidden(joints[0], camera.eye, thing.model)
        assert hidden.sum() <= shot._HIDDEN


def test_a_darker_room_is_exposed_longer() -> None:
    bright, dark = (np.full((16, 32, 3), 1.0, np.float32) for _ in range(2))
    dark[:6] = 12.0  # the light comes from above alone
    gains = [
        shot.draw_gain(np.random.default_rng(0), scene.lit("", picture)).mean()
        for picture in (bright, dark)
    ]
    assert gains[1] > gains[0] > 0


def test_the_room_is_around_camera_and_person(joints) -> None:
    panorama = scene.lit("", np.ones((16, 32, 3), np.float32))
    for seed in range(20):
        rng = np.random.default_rng(seed)
        camera = shot.draw_camera(rng, joints)
        room = shot.draw_room(rng, panorama, np.zeros(3), camera.eye)
        middle = room.middle * [1.0, 0.0, 1.0]
        assert np.linalg.norm(camera.eye - middle) < 1.5 * room.radius
        assert np.linalg.norm((camera.eye - middle)[[0, 2]]) < room.radius
        assert 1.0 < room.middle[1] < 2.5


def test_spheres_reach_from_head_to_feet(joints) -> None:
    found = shot.spheres(joints[0])
    assert found.shape == (12, 4) and (found[:, 3] > 0).all()
    assert np.ptp(found[:, 1]) > 1.5
