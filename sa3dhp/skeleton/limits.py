"""Where limbs can go: joint limits on local unit vectors ([P] suppl. 3); NumPy.

[P] bounds azimuth and elevation of each joint by a box. Here each joint has a centre
direction in its parent's frame and, for each azimuth around it, a largest polar angle:
a box bent to the shape of the joint's range, without the seam at 180 degrees. As in
[P], joints are independent of each other, so a pose inside all limits can still be
implausible.

The angles come from 180 pieces of CMU clips (27 subjects at 30 fps, mirrored as well;
jumps of capture cut out): per 30 degrees of azimuth the angle that leaves out 0.4 % of
the vectors, plus 6 degrees, within what anatomy allows. Shoulders are wider than CMU
needs (its neck lies lower on the spine than that of SURREAL or Human3.6M), and so are
upper arms, which may point straight up.

Measured on those clips: 99.93 % of the vectors are inside (least: feet, 99.8 %), and
99.2 % of the poses in all joints. Fitted on two thirds of the subjects and tested on
the others, thrice: 99.5 % of vectors (least: head, 98.6 %). Of all directions the
regions hold: shoulders 21 %, head 22 %, shins 34 %, thighs 49 %, feet 49 %, forearms
55 %, upper arms 63 %; of poses with random directions not one in 10,000 is inside.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from sa3dhp import errors
from sa3dhp.skeleton import kinematics
from sa3dhp.skeleton import skeleton as skeletons


@dataclasses.dataclass(frozen=True)
class Limit:
    """The range of a joint of the left side or the midline.

    Attributes:
        centre: direction (left, down, back) in the parent's frame, any length.
        polar_deg: largest angle from the centre, degrees, at azimuths 0, 30, ... 330
            degrees, straight lines between. Azimuth 0 is towards the back, and it grows
            from there towards centre x back.
    """

    centre: tuple[float, float, float]
    polar_deg: tuple[int, ...]


LIMITS = {
    "head_top": Limit(
        (0.0, -0.95, 0.25), (56, 57, 47, 48, 60, 63, 64, 63, 60, 48, 47, 57)
    ),
    "left_shoulder": Limit(
        (0.97, -0.1, 0.05), (61, 54, 49, 53, 58, 65, 56, 49, 50, 52, 50, 51)
    ),
    "left_elbow": Limit(
        (0.55, 0.5, -0.67), (107, 99, 104, 122, 124, 114, 98, 90, 90, 94, 102, 115)
    ),
    "left_wrist": Limit(
        (-0.12, -0.45, -0.88), (102, 99, 93, 94, 102, 102, 93, 90, 90, 87, 91, 102)
    ),
    "left_knee": Limit(
        (0.35, 0.68, -0.65), (99, 87, 70, 80, 115, 115, 114, 80, 62, 67, 82, 90)
    ),
    "left_ankle": Limit(
        (0.0, 0.88, 0.47), (74, 55, 47, 57, 74, 82, 82, 65, 62, 75, 91, 92)
    ),
    "left_foot": Limit(
        (0.4, 0.5, -0.77), (105, 88, 72, 68, 78, 91, 105, 89, 78, 84, 105, 105)
    ),
}


def within(local: np.ndarray, skeleton: skeletons.Skeleton) -> np.ndarray:
    """Returns which local vectors a human joint can reach.

    Args:
        local: `[..., J, 3]`, unit vectors of `kinematics.to_local`.
        skeleton: gives the joint order.

    Returns:
        `[..., J]` bool. Pelvis, neck and hips carry the view and are always True; a
        vector with NaN is False.

    Raises:
        InputError: if the joint axis is not `skeleton.num_joints`.
    """
    local = np.asarray(local, np.float64)
    if local.ndim < 2 or local.shape[-2:] != (skeleton.num_joints, 3):
        raise errors.InputError(
            f"local: expected [..., {skeleton.num_joints}, 3], got {local.shape}"
        )
    inside = np.isfinite(local).all(-1)
    for joint, axes, largest in _table(skeleton):
        along = local[..., joint, :] @ axes.T  # centre, azimuth 0, azimuth 90
        polar = np.arctan2(np.hypot(along[..., 1], along[..., 2]), along[..., 0])
        azimuth = np.arctan2(along[..., 2], along[..., 1])
        inside[..., joint] &= polar <= _largest_polar(azimuth, largest)
    return inside


def sample(
    rng: np.random.Generator, count: int, skeleton: skeletons.Skeleton
) -> np.ndarray:
    """Returns random local vectors, each joint anywhere it can go ([P] 3.1.1).

    Joints are independent of each other, even over the solid angle that their limits
    enclose. Pelvis, neck and hips, which carry the view, rest.

    Args:
        rng: the source of randomness.
        count: N.
        skeleton: gives the joint order.

    Returns:
        `[N, J, 3]`, float32, unit vectors of `kinematics.to_local`.
    """
    rest = kinematics.rest_directions(skeleton)
    local = np.repeat(np.asarray(rest, np.float64)[None], count, axis=0)
    for joint, axes, largest in _table(skeleton):
        # An azimuth whose edge lies further out holds more directions, and comes as
        # much more often.
        tried = rng.uniform(0, 2 * np.pi, 64 * count)
        weight = 1.0 - np.cos(_largest_polar(tried, largest))
        azimuth = rng.choice(tried, count, p=weight / weight.sum())
        edge = _largest_polar(azimuth, largest)
        height = rng.uniform(np.cos(edge), 1.0)
        around = np.sqrt(1.0 - height**2)
        parts = [height, around * np.cos(azimuth), around * np.sin(azimuth)]
        local[:, joint] = np.stack(parts, axis=1) @ axes
    return local.astype(np.float32)


def _largest_polar(azimuth: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Interpolates the table `[n + 1]`, whose ends are equal; radians."""
    steps = len(largest) - 1
    place = np.nan_to_num(azimuth) % (2 * np.pi) * (steps / (2 * np.pi))
    return np.interp(place, np.arange(steps + 1), largest)


@functools.cache
def _table(
    skeleton: skeletons.Skeleton,
) -> tuple[tuple[int, np.ndarray, np.ndarray], ...]:
    """Joint index, axes `[3, 3]` (rows) and largest polar angles of both sides."""
    rows = []
    for name, limit in LIMITS.items():
        centre = np.array(limit.centre) / np.linalg.norm(limit.centre)
        back = np.array([0.0, 0.0, 1.0])
        back -= (back @ centre) * centre
        back /= np.linalg.norm(back)
        axes = np.stack([centre, back, np.cross(centre, back)])
        largest = np.radians([*limit.polar_deg, limit.polar_deg[0]])
        rows.append((skeleton.index(name), axes, largest))
        if name.startswith("left_"):
            other = skeleton.flip_indices[skeleton.index(name)]
            rows.append((other, axes * np.array([-1.0, 1.0, 1.0]), largest))
    return tuple(rows)
