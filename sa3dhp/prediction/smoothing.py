"""Poses over time without their tremble: with the whole video at hand, or as it comes.

Both filters know nothing of people (`denoising` does, and is asked for by `MOTION`).
Limbs have their length again afterwards: a mean of
two directions is shorter than either.
"""

from __future__ import annotations

import numpy as np

from sa3dhp import errors
from sa3dhp.skeleton import skeleton as skeletons

METHODS = NONE, ZERO_LAG, MOTION = ("none", "zero_lag", "motion")
CUTOFF_HZ = 6.0  # of the Butterworth filter, as in the analysis of gait (Winter)
_ORDER = 2  # forwards and backwards: 4 in all


def check(method: str) -> None:
    """Raises the `InputError` of a method that there is not."""
    if method not in METHODS:
        raise errors.InputError(
            f"smooth: got {method!r}, expected one of {', '.join(METHODS)}"
        )


def chosen(method: str, fps: float) -> tuple[str, tuple[str, ...]]:
    """Returns what is done at a rate, and what is to be said of it.

    Args:
        method: that was asked for.
        fps: frames per second; 0 for a picture.

    Returns:
        The method, `NONE` where the rate is too low for it, and notes.
    """
    if method == NONE or not fps:
        return NONE, ()
    if fps <= 2 * CUTOFF_HZ:
        note = f"not smoothed: {fps:g} frames per second are too few, it takes over "
        return NONE, (f"{note}{2 * CUTOFF_HZ:g}",)
    return method, ()


def refuse_motion(method: str, why: str) -> None:
    """Raises the `InputError` of `MOTION` where it cannot be done.

    Args:
        method: that was asked for.
        why: it cannot.
    """
    if method == MOTION:
        raise errors.InputError(
            f"smooth: got {MOTION!r}, but {why}; give {ZERO_LAG} or {NONE}"
        )


def zero_lag(
    joints: np.ndarray,
    fps: float,
    skeleton: skeletons.Skeleton,
    cutoff: float = CUTOFF_HZ,
) -> np.ndarray:
    """Returns poses smoothed by a Butterworth filter that runs there and back.

    Nothing is delayed; each frame needs those after it.

    Args:
        joints: `[T, J, 3]`, mm, of one person in neighbouring frames.
        fps: frames per second.
        skeleton: of the joints.
        cutoff: Hz; what moves faster is taken for tremble. Rates below twice of it
            leave nothing to smooth.

    Returns:
        `[T, J, 3]` float32; limbs are as long as their median in `joints`. The same
        array where a video is too short (below 0.2 s) or too slow to tell.

    Raises:
        InputError: if the joints are of another shape or not finite.
    """
    joints = _checked(joints, skeleton)
    if fps <= 2 * cutoff or len(joints) < max(4, 0.2 * fps):
        return joints.astype(np.float32)
    from scipy import signal  # seconds, which a program without a video should not wait

    sections = signal.butter(_ORDER, cutoff, fs=fps, output="sos")
    reach = min(len(joints) - 1, round(fps / cutoff * 3))
    smooth = signal.sosfiltfilt(sections, joints, axis=0, padlen=reach)
    return with_lengths_of(smooth, joints, skeleton)


def with_lengths_of(
    joints: np.ndarray, others: np.ndarray, skeleton: skeletons.Skeleton
) -> np.ndarray:
    """Returns poses `[T, J, 3]` whose limbs are as long as the median of others."""
    lengths = np.median(_lengths(others, skeleton), axis=0)
    return _with_lengths(joints, lengths, skeleton)


class OneEuro:
    """The One-Euro filter (Casiez et al., CHI 2012) of one person's poses, live.

    A low pass whose cutoff rises with the speed: it holds what is still, and lags
    little behind what moves.
    """

    def __init__(
        self,
        skeleton: skeletons.Skeleton,
        *,
        least_hz: float = 2.0,
        per_speed: float = 0.006,
        speed_hz: float = 1.0,
    ) -> None:
        """Starts without a past.

        Args:
            skeleton: of the joints.
            least_hz: cutoff of what is still.
            per_speed: by how many Hz each mm/s raises it.
            speed_hz: cutoff of the speed.
        """
        self._skeleton = skeleton
        self._least, self._per_speed = least_hz, per_speed
        self._speed_hz = speed_hz
        self._past: tuple[float, np.ndarray, np.ndarray] | None = None
        self._lengths, self._seen = np.zeros(skeleton.num_joints), 0

    def __call__(self, joints: np.ndarray, time: float) -> np.ndarray:
        """Returns the smoothed pose `[J, 3]` of one more frame.

        Args:
            joints: `[J, 3]`, mm.
            time: seconds, later than before.

        Raises:
            InputError: if the joints are of another shape or not finite, or the time
                is not later.
        """
        joints = _checked(joints[None], self._skeleton)[0]
        self._seen += 1  # the limbs' length is the mean of all so far
        self._lengths += (_lengths(joints, self._skeleton) - self._lengths) / self._seen
        if self._past is None:
            self._past = time, joints, np.zeros_like(joints)
            return joints.astype(np.float32)
        before, last, speed = self._past
        if not time > before:
            raise errors.InputError(
                f"One-Euro filter: got a frame at {time:g} s after one at "
                f"{before:g} s; expected frames in their order"
            )
        step = time - before
        now = (joints - last) / step
        speed = speed + _share(self._speed_hz, step) * (now - speed)
        size = np.linalg.norm(speed, axis=-1, keepdims=True)  # of a joint, not an axis
        smooth = last + _share(self._least + self._per_speed * size, step) * (
            joints - last
        )
        self._past = time, smooth, speed
        return _with_lengths(smooth, self._lengths, self._skeleton)


def _share(cutoff: float | np.ndarray, step: float) -> float | np.ndarray:
    """How much of what is new a low pass takes over, in (0, 1)."""
    return 1.0 / (1.0 + 1.0 / (2 * np.pi * cutoff * step))


def _lengths(joints: np.ndarray, skeleton: skeletons.Skeleton) -> np.ndarray:
    """Of the limbs of poses `[..., J, 3]`, by the joint they end in, `[..., J]`."""
    return np.linalg.norm(joints - joints[..., list(skeleton.parents), :], axis=-1)


def _with_lengths(
    joints: np.ndarray, lengths: np.ndarray, skeleton: skeletons.Skeleton
) -> np.ndarray:
    """Poses `[..., J, 3]` with limbs of other lengths `[J]`, float32."""
    limbs = joints - joints[..., list(skeleton.parents), :]
    size = np.linalg.norm(limbs, axis=-1, keepdims=True)
    limbs = limbs * (lengths[:, None] / np.maximum(size, 1e-9))
    found = np.array(joints)
    for parent, joint in skeleton.limbs:  # parents come first
        found[..., joint, :] = found[..., parent, :] + limbs[..., joint, :]
    return found.astype(np.float32)


def _checked(joints: np.ndarray, skeleton: skeletons.Skeleton) -> np.ndarray:
    joints = np.asarray(joints, np.float64)
    if joints.ndim != 3 or joints.shape[1:] != (skeleton.num_joints, 3):
        raise errors.InputError(
            f"smoothing: got joints of shape {joints.shape}, expected "
            f"[T, {skeleton.num_joints}, 3]"
        )
    if not np.isfinite(joints).all():
        raise errors.InputError(
            "smoothing: got joints that are not finite; leave out frames in which the "
            "person is not known"
        )
    return joints
