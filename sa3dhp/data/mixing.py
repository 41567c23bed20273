"""New motions from captured ones: limbs of one body on the trunk of another [D].

A few hundred captured motions hold few combinations of what arms, legs and head do, and
an auto-encoder learns the combinations by heart. Local vectors are relative to the
parent limb, so a limb keeps its joint angles on any trunk: mixing them gives poses that
nobody was captured in and every joint can take.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sa3dhp import errors
from sa3dhp.skeleton import kinematics
from sa3dhp.skeleton import skeleton as skeletons

# What moves together; the trunk (neck and hips, which hold the view) stays.
LIMBS = (
    ("head_top",),
    ("left_shoulder", "left_elbow", "left_wrist"),
    ("right_shoulder", "right_elbow", "right_wrist"),
    ("left_knee", "left_ankle", "left_foot"),
    ("right_knee", "right_ankle", "right_foot"),
)
_CHUNK = 50_000  # frames that are converted at once


def mix_limbs(
    motions: Sequence[np.ndarray],
    generator: np.random.Generator,
    share: float,
    skeleton: skeletons.Skeleton,
) -> list[np.ndarray]:
    """Replaces limbs of some motions by those of others; each keeps its bone lengths.

    Args:
        motions: of `[T, 17, 3]`, mm, camera frame, root-relative; lengths may differ.
        generator: the source of randomness.
        share: of the limbs that come from another motion, in [0, 1], in running
            order; a shorter motion is run there and back.
        skeleton: of the motions.

    Returns:
        As many motions of the same lengths, float32.

    Raises:
        InputError: if the share is not in [0, 1].
    """
    if not 0.0 <= share <= 1.0:
        raise errors.InputError(f"share: got {share}, expected one in [0, 1]")
    if share == 0.0 or not motions:
        return [np.asarray(motion, np.float32) for motion in motions]
    sizes = np.array([len(motion) for motion in motions])
    firsts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    joints = np.concatenate(motions).astype(np.float32)
    local = _in_chunks(lambda x: kinematics.to_local(x, skeleton), joints)
    mixed = local.copy()
    for first, size in zip(firsts, sizes):
        for limb in LIMBS:
            if generator.uniform() >= share:
                continue
            donor = generator.integers(len(motions))
            start = generator.integers(sizes[donor])
            frames = firsts[donor] + _there_and_back(start, size, sizes[donor])
            columns = list(skeleton.indices(*limb))
            mixed[first : first + size, columns] = local[frames][:, columns]
    lengths = _in_chunks(lambda x: kinematics.bone_lengths(x, skeleton), joints)
    joints = _in_chunks(
        lambda x, y: kinematics.from_local(x, skeleton, y), mixed, lengths
    )
    return np.split(joints, firsts[1:])


def _there_and_back(start: int, count: int, size: int) -> np.ndarray:
    """`count` neighbouring frames of a motion of `size`, turning at its ends."""
    period = max(1, 2 * (size - 1))
    phase = (start + np.arange(count)) % period
    return np.minimum(phase, period - phase)


def _in_chunks(function: Callable, *arrays: np.ndarray) -> np.ndarray:
    """The function over the first axis, so that its intermediates stay small."""
    starts = range(0, len(arrays[0]), _CHUNK)
    return np.concatenate(
        [function(*(a[i : i + _CHUNK] for a in arrays)).numpy() for i in starts]
    )
