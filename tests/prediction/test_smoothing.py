"""Smoothing over time: less tremble, no lag, limbs as long as before."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.prediction import smoothing
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import world

SKELETON = skeletons.SA3DHP17
FPS = 30.0


@pytest.fixture(scope="module")
def motion():
    rng = np.random.default_rng(5)
    (joints,) = world.motions(rng, count=1, num_frames=90, rolled=0.0)
    return joints - joints[:, :1]


@pytest.fixture(scope="module")
def trembling(motion):
    noise = np.random.default_rng(0).normal(0, 15, motion.shape)
    return motion + noise - noise[:, :1]


def _error(found, motion):
    return np.linalg.norm(found - motion, axis=-1).mean()


def _jitter(joints):
    return np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1).mean()


def _live(joints):
    smooth = smoothing.OneEuro(SKELETON)
    return np.stack([smooth(pose, k / FPS) for k, pose in enumerate(joints)])


def _offline(joints):
    return smoothing.zero_lag(joints, FPS, SKELETON)


@pytest.mark.parametrize(
    ("smooth", "share", "tremble"), [(_offline, 0.75, 0.4), (_live, 1.0, 0.6)]
)
def test_tremble_goes_and_the_error_does_not_rise(
    motion, trembling, smooth, share, tremble
) -> None:
    found = smooth(trembling)
    assert found.dtype == np.float32 and found.shape == motion.shape
    assert _jitter(found) < tremble * _jitter(trembling)
    assert _error(found, motion) < share * _error(trembling, motion)


def test_offline_nothing_is_late(motion) -> None:
    found = _offline(motion)
    errors_mm = [
        _error(np.roll(found, shift, axis=0)[15:-15], motion[15:-15])
        for shift in range(-3, 4)
    ]
    assert int(np.argmin(errors_mm)) == 3 and min(errors_mm) < 10


@pytest.mark.parametrize("smooth", [_offline, _live])
def test_limbs_keep_their_length(motion, smooth) -> None:
    parents = list(SKELETON.parents)
    before = np.linalg.norm(motion - motion[:, parents], axis=-1)
    found = smooth(motion)
    after = np.linalg.norm(found - found[:, parents], axis=-1)
    np.testing.assert_allclose(after, before, rtol=1e-3, atol=0.1)


@pytest.mark.parametrize("smooth", [_offline, _live])
def test_what_is_still_stays(motion, smooth) -> None:
    still = np.repeat(motion[:1], 40, axis=0)
    np.testing.assert_allclose(smooth(still), still, atol=0.01)


@pytest.mark.parametrize(("frames", "fps"), [(3, 30.0), (1, 30.0), (60, 10.0)])
def test_what_is_too_short_or_too_slow_stays(motion, frames, fps) -> None:
    found = smoothing.zero_lag(motion[:frames], fps, SKELETON)
    np.testing.assert_array_equal(found, motion[:frames].astype(np.float32))


def test_bad_input_is_refused(motion) -> None:
    with pytest.raises(errors.InputError, match="expected one of none, zero_lag"):
        smoothing.check("kalman")
    with pytest.raises(errors.InputError, match=r"expected \[T, 17, 3\]"):
        smoothing.zero_lag(np.zeros((9, 5, 3)), FPS, SKELETON)
    broken = np.array(motion)
    broken[4, 3] = np.nan
    with pytest.raises(errors.InputError, match="not finite"):
        smoothing.zero_lag(broken, FPS, SKELETON)
    live = smoothing.OneEuro(SKELETON)
    live(motion[0], 1.0)
    with pytest.raises(errors.InputError, match="expected frames in their order"):
        live(motion[1], 1.0)
