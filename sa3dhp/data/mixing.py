"""New motions from captured ones: limbs of another body, limbs bent otherwise [D].

A few hundred captured motions hold few combinations of what arms, legs and head do, and
an auto-encoder learns the combinations by heart. Local vectors are relative to the
parent limb, so a limb keeps its joint angles on any trunk: mixing them gives poses that
nobody was captured in and every joint can take. So does a joint that is held a little
otherwise, within its limits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from sa3dhp import errors
from sa3dhp.skeleton import kinematics, limits
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


def vary_limbs(
    motions: Sequence[np.ndarray],
    generator: np.random.Generator,
    skeleton: skeletons.Skeleton,
    *,
    mixed: float = 0.0,
    bent: float = 0.0,
) -> list[np.ndarray]:
    """Gives motions other limbs, and limbs another bend; bone lengths stay.

    Args:
        motions: of `[T, 17, 3]`, mm, camera frame, root-relative; lengths may differ.
        generator: the source of randomness.
        skeleton: of the motions.
        mixed: share of the limbs that come from another motion, in [0, 1], in running
            order; a shorter motion is run there and back.
        bent: standard deviation of what is added to the local vector of a joint, the
            same in all frames of a motion, before it is a unit vector again; a joint
            that would leave its limits in one of them stays. So do torso and hips.

    Returns:
        As many motions of the same lengths, float32.

    Raises:
        InputError: if `mixed` is not in [0, 1] or `bent` below 0.
    """
    if not 0.0 <= mixed <= 1.0:
        raise errors.InputError(f"mixed: got {mixed}, expected a share in [0, 1]")
    if not bent >= 0.0:
        raise errors.InputError(f"bent: got {bent}, expected 0 or more")
    if not (mixed or bent) or not motions:
        return [np.asarray(motion, np.float32) for motion in motions]
    sizes = np.array([len(motion) for motion in motions])
    joints = np.concatenate(motions).astype(np.float32)
    local = _in_chunks(lambda x: kinematics.to_local(x, skeleton), joints)
    if mixed:
        local = _mixed(local, sizes, generator, mixed, skeleton)
    if bent:
        local = _bent(local, sizes, generator, bent, skeleton)
    lengths = _in_chunks(lambda x: kinematics.bone_lengths(x, skeleton), joints)
    joints = _in_chunks(
        lambda x, y: kinematics.from_local(x, skeleton, y), local, lengths
    )
    return np.split(joints, np.cumsum(sizes)[:-1])


def _mixed(
    local: np.ndarray,
    sizes: np.ndarray,
    generator: np.random.Generator,
    share: float,
    skeleton: skeletons.Skeleton,
) -> np.ndarray:
    """A share of the limbs from other motions; local vectors `[N, J, 3]`."""
    firsts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    mixed = local.copy()
    for first, size in zip(firsts, sizes):
        for limb in LIMBS:
            if generator.uniform() >= share:
                continue
            donor = generator.integers(len(sizes))
            start = generator.integers(sizes[donor])
            frames = firsts[donor] + _there_and_back(start, size, sizes[donor])
            columns = list(skeleton.indices(*limb))
            mixed[first : first + size, columns] = local[frames][:, columns]
    return mixed


def _bent(
    local: np.ndarray,
    sizes: np.ndarray,
    generator: np.random.Generator,
    amount: float,
    skeleton: skeletons.Skeleton,
) -> np.ndarray:
    """Limbs held otherwise throughout a motion; local vectors `[N, J, 3]`."""
    columns = list(skeleton.indices(*(name for limb in LIMBS for name in limb)))
    shift = generator.normal(0.0, amount, (len(sizes), len(columns), 3))
    bent = local.copy()
    bent[:, columns] += np.repeat(shift, sizes, axis=0).astype(np.float32)
    bent[:, columns] /= np.linalg.norm(bent[:, columns], axis=-1, keepdims=True)
    leaves = limits.within(local, skeleton) & ~limits.within(bent, skeleton)  # [N, J]
    firsts = np.cumsum(sizes) - sizes
    leaves = np.repeat(np.logical_or.reduceat(leaves, firsts), sizes, axis=0)
    return np.where(leaves[..., None], local, bent)


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
