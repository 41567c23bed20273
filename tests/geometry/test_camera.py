"""Cameras: which way is up, near and right; pixels by hand."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.geometry import camera

HEAD, LEFT, FRONT = np.eye(3)[[1, 0, 2]]  # of a person in the world who faces +z


def test_level_camera_in_front_sees_the_person_upright() -> None:
    matrix = camera.world_to_camera(0.0)
    np.testing.assert_allclose(matrix @ HEAD, (0, -1, 0))  # up in the image
    np.testing.assert_allclose(matrix @ LEFT, (1, 0, 0))  # right in the image
    np.testing.assert_allclose(matrix @ FRONT, (0, 0, -1))  # towards the camera


def test_yaw_walks_around_the_person() -> None:
    side = camera.world_to_camera(np.pi / 2)  # the camera stands at +x
    np.testing.assert_allclose(side @ LEFT, (0, 0, -1), atol=1e-15)
    np.testing.assert_allclose(side @ HEAD, (0, -1, 0), atol=1e-15)
    behind = camera.world_to_camera(np.pi)
    np.testing.assert_allclose(behind @ FRONT, (0, 0, 1), atol=1e-15)
    np.testing.assert_allclose(behind @ LEFT, (-1, 0, 0), atol=1e-15)


def test_pitch_looks_down_from_above() -> None:
    matrix = camera.world_to_camera(0.0, pitch=0.4)
    assert (matrix @ HEAD)[2] == pytest.approx(-np.sin(0.4))  # the head is nearer
    assert (matrix @ HEAD)[1] < 0
    above = camera.world_to_camera(0.0, pitch=np.pi / 2)
    np.testing.assert_allclose(above @ HEAD, (0, 0, -1), atol=1e-15)


def test_roll_turns_the_picture_clockwise() -> None:
    matrix = camera.world_to_camera(0.0, roll=np.pi / 2)
    np.testing.assert_allclose(matrix @ HEAD, (1, 0, 0), atol=1e-15)


def test_matrices_are_rotations_for_arrays_of_angles() -> None:
    rng = np.random.default_rng(0)
    matrix = camera.world_to_camera(*rng.uniform(-4, 4, (3, 20)))
    assert matrix.shape == (20, 3, 3)
    unit = matrix @ np.swapaxes(matrix, -1, -2)
    np.testing.assert_allclose(unit, np.stack([np.eye(3)] * 20), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(matrix), 1.0)


def test_look_at_agrees_with_yaw_and_pitch() -> None:
    yaw, pitch, far = 0.7, 0.3, 4000.0
    place = np.array([np.sin(yaw), 0, np.cos(yaw)]) * np.cos(pitch)
    position = far * (place + np.array([0, np.sin(pitch), 0]))
    matrix, translation = camera.look_at(position, np.zeros(3))
    want = camera.world_to_camera(yaw, pitch)
    np.testing.assert_allclose(matrix, want, atol=1e-12)
    np.testing.assert_allclose(translation, (0, 0, far), atol=1e-9)


def test_look_at_the_target_falls_on_the_axis() -> None:
    rng = np.random.default_rng(0)
    position, target = rng.normal(size=(2, 10, 3)) * 1000
    matrix, translation = camera.look_at(position, target)
    seen = np.einsum("nij,nj->ni", matrix, target) + translation
    np.testing.assert_allclose(seen[:, :2], 0, atol=1e-9)
    np.testing.assert_allclose(seen[:, 2], np.linalg.norm(position - target, axis=-1))


def test_projections_by_hand() -> None:
    points = np.array([[0.0, 0, 0], [100, -50, 0], [100, -50, 900]])
    flat = camera.project_orthographic(points, 0.1, (65, 33))
    np.testing.assert_allclose(flat, [[32, 16], [42, 11], [42, 11]])
    matrix = camera.intrinsics(500.0, (65, 33))
    near = camera.project_perspective(points + np.array([0, 0, 1000]), matrix)
    np.testing.assert_allclose(
        near, [[32, 16], [82, -9], [32 + 50 / 1.9, 16 - 25 / 1.9]]
    )


def test_perspective_tends_to_orthographic_from_afar() -> None:
    points = np.random.default_rng(0).normal(size=(50, 3)) * 500
    scale, far = 0.1, 1e8
    matrix = camera.intrinsics(scale * far, (64, 64))
    near = camera.project_perspective(points + np.array([0, 0, far]), matrix)
    flat = camera.project_orthographic(points, scale, (64, 64))
    np.testing.assert_allclose(near, flat, atol=1e-2)


def test_bad_views_are_named() -> None:
    with pytest.raises(errors.InputError, match="in front of the camera"):
        camera.project_perspective(np.zeros((2, 3)), np.eye(3))
    with pytest.raises(errors.InputError, match="neither zero nor along"):
        camera.look_at(np.array([0.0, 5, 0]), np.zeros(3))
    with pytest.raises(errors.InputError, match="neither zero nor along"):
        camera.look_at(np.zeros(3), np.zeros(3))


def test_scale_of_a_weak_perspective_camera_is_found_wherever_the_points_lie():
    joints = np.random.default_rng(0).normal(size=(3, 6, 3)) * 200
    scale = np.array([0.1, 0.2, 0.5])
    points = joints[..., :2] * scale[:, None, None] + [60, -20]
    far = joints + np.array([100, 0, 4000])
    np.testing.assert_allclose(camera.weak_perspective_scale(points, far), scale)
    points[1, 2], far[2, 0] = np.nan, np.nan
    np.testing.assert_allclose(camera.weak_perspective_scale(points, far), scale)
