"""What the motion auto-encoder gives back, window by window, at any rate."""

import numpy as np
import pytest
import small_motion

from sa3dhp.prediction import denoising, smoothing

SKELETON = small_motion.SKELETON


def _walk(frames, fps):
    """A body that turns about its pelvis, all limbs of one length."""
    rng = np.random.default_rng(0)
    body = rng.normal(0, 300, (17, 3))
    body -= body[0]
    angle = 0.8 * np.sin(2 * np.arange(frames) / fps)
    turn = np.zeros((frames, 3, 3))
    turn[:, 0, 0] = turn[:, 2, 2] = np.cos(angle)
    turn[:, 0, 2], turn[:, 2, 0] = np.sin(angle), -np.sin(angle)
    turn[:, 1, 1] = 1
    return np.einsum("tij,kj->tki", turn, body)


def _lengths(joints):
    return np.linalg.norm(joints - joints[:, list(SKELETON.parents)], axis=-1)


@pytest.mark.parametrize("frames", [30, 31, 60, 67])
@pytest.mark.parametrize("hop", [5, 30])
def test_an_auto_encoder_that_loses_nothing_changes_nothing(frames, hop):
    """Whatever the windows' places and weights: each frame is a mean of itself."""
    rng = np.random.default_rng(0)
    clips = rng.normal(0, 300, (2, frames, 17, 3)).astype(np.float32)
    found = denoising.denoise(clips, small_motion.prior(), hop)
    np.testing.assert_allclose(found, clips, atol=1e-3)


def test_batches_of_windows_change_nothing(monkeypatch):
    clips = np.stack([_walk(70, 30), _walk(70, 20)])
    whole = denoising.denoise(clips, small_motion.prior(still=True))
    monkeypatch.setattr(denoising, "_BATCH", 3)
    parts = denoising.denoise(clips, small_motion.prior(still=True))
    np.testing.assert_allclose(parts, whole, atol=1e-3)
    assert np.abs(whole[0] - whole[1]).max() > 20


@pytest.mark.parametrize("fps", [24.0, 25.0, 30.0, 50.0, 59.94])
def test_other_rates_are_brought_to_that_of_the_motions_and_back(fps):
    joints = _walk(150, fps)
    found = denoising.track(joints, fps, small_motion.prior())
    assert found.shape == joints.shape and found.dtype == np.float32
    np.testing.assert_allclose(found, joints, atol=3)  # a chord is no arc
    np.testing.assert_allclose(_lengths(found), _lengths(joints), atol=0.01)


def test_tremble_goes_with_what_the_auto_encoder_does_not_know():
    rng = np.random.default_rng(1)
    joints = _walk(1, 30) + rng.normal(0, 20, (90, 17, 3))
    found = denoising.track(joints, 30.0, small_motion.prior(still=True))
    moved = [
        np.linalg.norm(np.diff(x, axis=0), axis=-1).mean() for x in (joints, found)
    ]
    assert moved[1] < 0.1 * moved[0]
    lengths = _lengths(found)
    np.testing.assert_allclose(lengths, lengths[:1].repeat(90, 0), atol=0.01)


@pytest.mark.parametrize(("frames", "fps"), [(29, 30.0), (1, 30.0), (55, 60.0)])
def test_below_a_second_the_filter_takes_its_place(frames, fps):
    rng = np.random.default_rng(2)
    joints = _walk(frames, fps) + rng.normal(0, 9, (frames, 17, 3))
    found = denoising.track(joints, fps, small_motion.prior(still=True))
    np.testing.assert_array_equal(found, smoothing.zero_lag(joints, fps, SKELETON))
