"""Jumps are found, fast movement is not one, and what is dropped is counted."""

import numpy as np
import pytest

from sa3dhp.data import glitches, schema


def _walk(frames=480, fps=120.0):
    joints = np.zeros((frames, 17, 3))
    joints[..., 0] = np.arange(frames)[:, None] * 1500 / fps
    joints[:, 4, 1] = 400 * np.sin(np.arange(frames) * 0.2)  # a wild hand, 9.6 m/s
    return schema.Sequence("clip", "sa3dhp17", joints, "world", fps)


def _with(sequence, joints):
    return schema.Sequence("clip", "sa3dhp17", joints, "world", sequence.fps)


def test_fast_movement_is_no_glitch():
    assert not glitches.find(_walk().joints, glitches.MAX_SNAP).any()


def test_a_throw_at_30_fps_is_no_glitch():
    """A hand at 20 m/s for a fifth of a second: 670 mm per frame, six frames long."""
    joints = np.zeros((30, 17, 3))
    speed = np.zeros(30)
    speed[10:16] = 670
    joints[:, 4, 0] = np.cumsum(speed)
    assert not glitches.find(joints).any()


def test_a_step_is_found_where_it_is():
    joints = _walk().joints.copy()
    joints[300:, 4] += (0, 700, 0)
    np.testing.assert_array_equal(np.flatnonzero(glitches.find(joints)), [299])


def test_a_spike_is_two_jumps():
    joints = _walk().joints.copy()
    joints[300, 11] += (0, 0, 900)
    np.testing.assert_array_equal(np.flatnonzero(glitches.find(joints)), [299, 300])


@pytest.mark.parametrize("at", [1, 2, 478, 479])
def test_a_jump_near_an_end_is_found(at):
    joints = _walk().joints.copy()
    joints[at:] += (0, 2600, 0)
    np.testing.assert_array_equal(np.flatnonzero(glitches.find(joints)), [at - 1])


def test_short_sequences_are_fine():
    for frames in (0, 1, 2, 3):
        assert len(glitches.find(np.zeros((frames, 17, 3)))) == max(frames - 1, 0)


def test_a_clean_sequence_is_kept_as_it_is():
    sequence = _walk(10)
    pieces, dropped = glitches.split(sequence)
    assert pieces == [sequence] and dropped == 0


def test_a_spike_costs_one_frame():
    sequence = _walk()
    joints = sequence.joints.copy()
    joints[300, 11] += (0, 0, 900)
    pieces, dropped = glitches.split(_with(sequence, joints))
    assert [piece.name for piece in pieces] == ["clip+0", "clip+301"]
    assert [len(piece) for piece in pieces] == [300, 179]
    assert dropped == 1


def test_short_pieces_are_dropped_and_counted():
    sequence = _walk()
    joints = sequence.joints.copy()
    joints[:50] += (0, 800, 0)
    pieces, dropped = glitches.split(_with(sequence, joints), min_seconds=0.5)
    assert [len(piece) for piece in pieces] == [430]
    assert dropped == 50
