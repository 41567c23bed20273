"""The schema checks what it is given, resamples and turns it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sa3dhp import errors
from sa3dhp.data import schema


def _sequence(frames=13, fps=120.0, **fields):
    joints = np.random.default_rng(0).normal(size=(frames, 17, 3)) * 300
    return schema.Sequence("clip", "sa3dhp17", joints, "world", fps, **fields)


def test_joints_become_float32_and_stay_unchanged():
    joints = np.zeros((2, 17, 3))
    sequence = schema.Sequence("clip", "sa3dhp17", joints, "world", 30)
    assert sequence.joints.dtype == np.float32
    assert joints.dtype == np.float64
    assert len(sequence) == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(joints=np.zeros((2, 16, 3))), "expected [N, 17, 3]"),
        (dict(joints=np.full((2, 17, 3), np.nan)), "not a finite number at frame 0"),
        (dict(frame="room"), "frame expected one of"),
        (dict(fps=0), "fps expected > 0"),
        (dict(mask=np.ones((2, 16))), "mask expected (2, 17)"),
        (dict(skeleton="sa3dhp18"), "sa3dhp18"),
    ],
)
def test_a_bad_field_is_named(change, message):
    fields = dict(
        name="clip",
        skeleton="sa3dhp17",
        joints=np.zeros((2, 17, 3)),
        frame="world",
        fps=30,
    )
    with pytest.raises(errors.InputError) as error:
        schema.Sequence(**{**fields, **change})
    assert message in str(error.value)


def test_a_masked_joint_may_be_anything():
    joints = np.zeros((2, 17, 3))
    joints[:, 8] = np.nan
    mask = np.ones((2, 17), bool)
    mask[:, 8] = False
    sequence = schema.Sequence("clip", "sa3dhp17", joints, "world", 30, mask=mask)
    np.testing.assert_array_equal(np.isnan(sequence.joints).any(-1), ~mask)


def test_dividing_rates_pick_frames():
    sequence = _sequence()
    np.testing.assert_array_equal(
        schema.resample(sequence).joints, sequence.joints[::4]
    )
    assert schema.resample(_sequence(fps=120.00048)).fps == 30.0


def test_straight_motion_survives_any_rate():
    time = np.arange(51) / 50
    joints = np.ones((51, 17, 3)) * 1000 * time[:, None, None]
    sequence = schema.Sequence("clip", "sa3dhp17", joints, "world", 50)
    for fps in (24, 25, 30, 60):
        resampled = schema.resample(sequence, fps)
        expected = 1000 * np.arange(len(resampled)) / fps
        assert len(resampled) == fps + 1  # one second and its last frame
        np.testing.assert_allclose(resampled.joints[:, 3, 2], expected, atol=1e-3)


def test_interpolation_needs_both_neighbours():
    mask = np.ones((5, 17), bool)
    mask[2, 0] = False
    resampled = schema.resample(_sequence(5, fps=20.0, mask=mask))
    # Frames at 0, 2/3, 4/3, 2, 8/3, 10/3, 4.
    np.testing.assert_array_equal(resampled.mask[:, 0], [1, 1, 0, 0, 0, 1, 1])


@given(
    st.floats(-4, 4),
    st.floats(-1, 1),
    st.floats(-1, 1),
)
def test_a_view_is_a_rotation_and_keeps_limbs(yaw, pitch, roll):
    matrix = schema.view_matrix(yaw, pitch, roll)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) > 0


def test_a_camera_that_looks_down_sees_the_head_nearer():
    sequence = _sequence(1)
    head = sequence.joints[0].copy()
    head[:] = (0, 0, 0)
    head[8] = (0, -500, 0)
    standing = schema.Sequence("clip", "sa3dhp17", head[None], "world", 30)
    level = schema.to_camera(standing)[0, 8]
    np.testing.assert_allclose(level, (0, -500, 0), atol=1e-4)
    assert schema.to_camera(standing, pitch=0.3)[0, 8, 2] < -100
    assert schema.to_camera(standing, roll=0.3)[0, 8, 0] > 100


def test_a_view_is_relative_to_the_root():
    joints = schema.to_camera(_sequence(), 1.0, 0.2)
    np.testing.assert_array_equal(joints[:, 0], 0)
    assert joints.dtype == np.float32


def test_what_a_camera_saw_is_not_turned_again():
    joints = np.zeros((1, 17, 3))
    sequence = schema.Sequence("clip", "sa3dhp17", joints, "camera", 30)
    with pytest.raises(errors.InputError, match="expected 'world'"):
        schema.to_camera(sequence)


def test_random_views_are_level_on_average():
    rng = np.random.default_rng(0)
    views = np.array([schema.random_view(rng) for _ in range(2000)])
    assert np.abs(views[:, 1:]).max() <= np.radians(20)
    assert np.abs(views.mean(0)).max() < 0.15
