"""Pose as unit vectors in the frames of the parent limbs, and back ([P] suppl. 1b).

Frames have their axes as rows, in camera coordinates. The frame of the torso is made by
Gram-Schmidt from the unit vector pelvis -> neck and the normal of the plane of the
torso; its axes are (left, down, back) of the person, so it is the identity for an
upright person who faces the camera, and mirroring a pose negates the first coordinate
of every local vector, whichever its frame.

Departure from the paper: a Gram-Schmidt of (parent limb, normal) at every joint breaks
down where the limb is near the normal, which is what the thighs of a sitting person do.
Here a frame is carried down the tree instead: the frame of a joint is its parent's,
turned by the smallest rotation that takes a fixed rest direction to the limb. Hips and
shoulders follow the line from side to side instead of their own limb: data sets differ
by up to 60 degrees in where they place pelvis and neck on the spine, and thighs and
upper arms must not inherit that. Elsewhere a limb always has the same coordinates in
its own frame, and what is left, the antipode of the rest direction, lies where no joint
can go (a knee bent forwards by 120 degrees). The smallest rotation a -> b is two half
turns, about a and about a + b: no angle, no square root, orthogonal to rounding error,
and finite but at the antipode, where the first turn is taken about another axis
(`_carry`).

Sums of products are written out: a matmul may run in TF32 on a GPU, which would cost
half a millimetre.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.skeleton import skeleton as skeletons

# Limbs shorter than this (mm) have no direction: their local vector is the rest
# direction and they pass no gradient.
_MIN_LENGTH = 1e-3
# The torso has no plane if the sine between hip line and trunk is below this.
_MIN_SINE = 1e-3
# Cosine to the rest direction below which the antipode's rotation takes over (177 deg).
_ANTIPODE = -0.999

# Rest directions (left, down, back) of the left side and the midline, in the frame of
# the parent; the right side mirrors them. Neck and hips: in camera coordinates.
_REST = {
    "neck": (0.0, -1.0, 0.0),
    "head_top": (0.0, -1.0, 0.0),
    "hip": (1.0, 0.0, 0.0),
    "shoulder": (1.0, 0.0, 0.0),
    # Arms reach everywhere but behind the back: the antipode is (right, up, back).
    "elbow": (0.7, 0.3, -0.7),
    "wrist": (0.7, 0.3, -0.7),
    # Thighs lift forwards and sideways: the antipode is up and back.
    "knee": (0.3, 0.8, -0.7),
}
# Their children's frame follows the line from left to right.
_ACROSS = ("left_shoulder", "right_shoulder")
_TORSO = ("pelvis", "neck", "left_hip", "right_hip")


def _unit(vector: npt.ArrayLike) -> np.ndarray:
    """A NumPy vector at length 1."""
    array = np.asarray(vector, np.float64)
    return array / np.linalg.norm(array)


def _rest_of_leg() -> dict[str, np.ndarray]:
    """Rest directions of shin and foot, built on the thigh's.

    The shin's is bent backwards by 60 degrees from straight, so that the knee's range
    (-10 to 155 degrees) stays within 95 of it. The foot points forwards from the shin.
    """
    knee = _unit(_REST["knee"])
    back = np.array([0.0, 0.0, 1.0])
    back = _unit(back - knee * (back @ knee))
    ankle = np.cos(np.pi / 3) * knee + np.sin(np.pi / 3) * back
    # In the shin's frame "forwards" is what the shin's rest direction left of it.
    front = -(np.cos(np.pi / 3) * back - np.sin(np.pi / 3) * knee)
    return {"ankle": ankle, "foot": _unit(front + 0.4 * ankle)}


def rest_directions(skeleton: skeletons.Skeleton) -> np.ndarray:
    """Returns the rest direction of each limb in its parent's frame, `[J, 3]`, unit.

    The root's row is zero. It is the direction a limb of length zero is given, and the
    one from which the smallest rotation carries the frame.
    """
    table: dict[str, npt.ArrayLike] = {**_REST, **_rest_of_leg()}
    rows = np.zeros((skeleton.num_joints, 3))
    for joint, name in enumerate(skeleton.joint_names):
        side, _, part = name.rpartition("_") if name != "head_top" else ("", "", name)
        if joint == skeleton.root:
            continue
        mirror = (-1.0, 1.0, 1.0) if side == "right" else (1.0, 1.0, 1.0)
        rows[joint] = _unit(table[part]) * mirror
    return rows.astype(np.float32)


@dataclasses.dataclass(frozen=True)
class _Level:
    """Joints of one depth whose local vectors are found together."""

    joints: list[int]
    parents: list[int]  # positions among the frames of the level above
    rest: np.ndarray  # [k, 3]
    carried: list[int]  # positions within `joints` that have children
    other: list[int]  # for each carried one the position of its counterpart there
    across: np.ndarray  # [carried, 1], True for those that follow the line between


@functools.cache
def _plan(skeleton: skeletons.Skeleton) -> tuple[_Level, ...]:
    """Groups the joints below the torso by depth; needs joints named as in SA3DHP17."""
    if set(skeleton.joint_names) != set(skeletons.SA3DHP17.joint_names):
        raise errors.InputError(
            f"skeleton: kinematics needs the joints of {skeletons.SA3DHP17.id}, got "
            f"{skeleton.id}; convert the joints first (skeleton/conversion.py)"
        )
    rest = rest_directions(skeleton)
    levels = []
    # The frames before the first level: see `_root_frames`.
    above = list(skeleton.indices("neck", "left_hip", "right_hip"))
    while above:
        joints = [j for p, j in skeleton.limbs if p in above]
        if not joints:
            break
        carried = [i for i, j in enumerate(joints) if j in skeleton.parents]
        parents = [above.index(skeleton.parents[j]) for j in joints]
        above = [joints[i] for i in carried]
        other = [above.index(skeleton.flip_indices[j]) for j in above]
        across = np.array([[skeleton.joint_names[j] in _ACROSS] for j in above], bool)
        levels.append(_Level(joints, parents, rest[joints], carried, other, across))
    return tuple(levels)


def to_local(joints: tf.Tensor, skeleton: skeletons.Skeleton) -> tf.Tensor:
    """Returns each joint as a unit vector in its parent's frame ([P] suppl. 1b).

    Neck and hips keep their direction in camera coordinates: that is where the view
    lives. Every other vector does not change when the camera turns.

    Args:
        joints: `[..., 17, 3]`, mm, camera frame, root-relative or not; computed in
            float32.
        skeleton: gives the joint order; its joints are those of `SA3DHP17`.

    Returns:
        `[..., 17, 3]` float32, unit length; the root's row is zero. A limb shorter than
        0.001 mm gets its rest direction.

    Raises:
        InputError: if the last axes are not `[17, 3]` or the skeleton is another.
    """
    joints = _checked("joints", joints, skeleton)
    levels = _plan(skeleton)
    rest = rest_directions(skeleton)
    offsets = joints - tf.gather(joints, skeleton.parents, axis=-2)
    squared = tf.reduce_sum(offsets**2, -1, keepdims=True)
    # `<=` so that NaN is not taken for a limb without length.
    missing = squared <= _MIN_LENGTH**2
    directions = offsets / tf.sqrt(tf.where(missing, 1.0, squared))
    filled = tf.where(missing, rest, directions)

    torso = [filled[..., skeleton.index(name), :] for name in _TORSO[1:]]
    frames = _root_frames(*torso)
    found = dict(zip(skeleton.indices(*_TORSO[1:]), torso))
    found[skeleton.root] = tf.zeros_like(torso[0])
    for level in levels:
        frames = tf.gather(frames, level.parents, axis=-3)
        local = tf.reduce_sum(
            frames * tf.gather(directions, level.joints, axis=-2)[..., None, :], -1
        )
        gone = tf.gather(missing, level.joints, axis=-2)
        local = tf.where(gone, level.rest, local)
        found.update(zip(level.joints, tf.unstack(local, axis=-2)))
        frames = _carry_level(frames, local, level)
    return tf.stack([found[j] for j in range(skeleton.num_joints)], axis=-2)


def from_local(
    local: tf.Tensor, skeleton: skeletons.Skeleton, bone_lengths: tf.Tensor
) -> tf.Tensor:
    """Returns joints from local vectors and bone lengths (FK), undoing `to_local`.

    Args:
        local: `[..., 17, 3]`; normalised here, so that a limb has its length whatever
            the input's norm. A zero vector stands for the rest direction.
        skeleton: gives the joint order.
        bone_lengths: `[17]` or `[..., 17]`, mm; the root's is not used.

    Returns:
        `[..., 17, 3]` float32, mm, camera frame, root-relative.

    Raises:
        InputError: if the last axes of `local` are not `[17, 3]`, or the last axis of
            `bone_lengths` not 17.
    """
    local = _checked("local", local, skeleton)
    lengths = tf.cast(tf.convert_to_tensor(bone_lengths), tf.float32)
    if lengths.shape.rank == 0 or lengths.shape[-1] != skeleton.num_joints:
        raise errors.InputError(
            f"bone_lengths: expected [..., {skeleton.num_joints}], "
            f"got {tuple(lengths.shape)}"
        )
    rest = rest_directions(skeleton)
    squared = tf.reduce_sum(local**2, -1, keepdims=True)
    missing = squared <= 1e-12
    unit = tf.where(missing, rest, local / tf.sqrt(tf.where(missing, 1.0, squared)))

    torso = [unit[..., skeleton.index(name), :] for name in _TORSO[1:]]
    frames = _root_frames(*torso)
    # A joint is its parent plus the limb; the root is the origin.
    found = {skeleton.root: tf.zeros_like(torso[0])}
    for joint, direction in zip(skeleton.indices(*_TORSO[1:]), torso):
        found[joint] = direction * lengths[..., joint, None]
    for level in _plan(skeleton):
        frames = tf.gather(frames, level.parents, axis=-3)
        part = tf.gather(unit, level.joints, axis=-2)
        directions = tf.reduce_sum(frames * part[..., None], -2)
        limbs = directions * tf.gather(lengths, level.joints, axis=-1)[..., None]
        for joint, limb in zip(level.joints, tf.unstack(limbs, axis=-2)):
            found[joint] = found[skeleton.parents[joint]] + limb
        frames = _carry_level(frames, part, level)
    return tf.stack([found[j] for j in range(skeleton.num_joints)], axis=-2)


def bone_lengths(joints: tf.Tensor, skeleton: skeletons.Skeleton) -> tf.Tensor:
    """Returns the length of the limb that ends in each joint, mm.

    Args:
        joints: `[..., J, 3]`, mm, any frame.
        skeleton: gives `J` and the parents.

    Returns:
        `[..., J]` float32, 0 for the root; a limb of length zero passes no gradient.

    Raises:
        InputError: if the last axes are not `[J, 3]`.
    """
    joints = _checked("joints", joints, skeleton)
    offsets = joints - tf.gather(joints, skeleton.parents, axis=-2)
    squared = tf.reduce_sum(offsets**2, -1)
    zero = squared <= 0.0
    return tf.where(zero, 0.0, tf.sqrt(tf.where(zero, 1.0, squared)))


def _checked(name: str, values: tf.Tensor, skeleton: skeletons.Skeleton) -> tf.Tensor:
    """Returns `values` as float32 after checking that they end in `[J, 3]`."""
    values = tf.cast(tf.convert_to_tensor(values), tf.float32)
    if values.shape.rank is None or values.shape[-2:] != (skeleton.num_joints, 3):
        raise errors.InputError(
            f"{name}: expected [..., {skeleton.num_joints}, 3], "
            f"got {tuple(values.shape)}"
        )
    return values


def _root_frames(
    neck: tf.Tensor, left_hip: tf.Tensor, right_hip: tf.Tensor
) -> tf.Tensor:
    """Returns the frames of torso and pelvis, `[..., 3, 3, 3]`, rows = axes.

    The three vectors are taken at unit length, so that the frames do not depend on bone
    lengths. Torso and pelvis share the normal of the plane along trunk and hip line;
    the torso keeps the direction of the trunk, the pelvis that of the hip line.

    Args:
        neck: `[..., 3]` unit vector in camera coordinates.
        left_hip: the same.
        right_hip: the same.

    Returns:
        Frames that neck, left hip and right hip give to their children: the torso's,
        and twice the pelvis'.
    """
    hips = left_hip - right_hip
    normal = _cross(hips, neck)
    squared = tf.reduce_sum(normal**2, -1, keepdims=True)
    flat = squared <= _MIN_SINE**2
    # Without a plane (hips on the line of the trunk) the person faces the camera, or
    # the top of the image if the trunk points along the view. Both commute with the
    # mirror, as all else here.
    toward = tf.where(
        tf.abs(neck[..., 2:]) < 0.8,
        tf.constant([0.0, 0.0, -1.0]),
        tf.constant([0.0, -1.0, 0.0]),
    )
    toward -= tf.reduce_sum(toward * neck, -1, keepdims=True) * neck
    normal = tf.where(flat, toward, normal)
    forward = normal / tf.norm(normal, axis=-1, keepdims=True)
    across = _cross(neck, forward)
    left = tf.where(flat, across, hips)
    left /= tf.norm(left, axis=-1, keepdims=True)
    torso = tf.stack([across, -neck, -forward], axis=-2)
    pelvis = tf.stack([left, _cross(left, forward), -forward], axis=-2)
    return tf.stack([torso, pelvis, pelvis], axis=-3)


def _cross(one: tf.Tensor, other: tf.Tensor) -> tf.Tensor:
    """The cross product of `[..., 3]`: TFLite has no operation for it."""
    x, y, z = tf.unstack(one, axis=-1)
    u, v, w = tf.unstack(other, axis=-1)
    return tf.stack([y * w - z * v, z * u - x * w, x * v - y * u], axis=-1)


def _carry_level(frames: tf.Tensor, local: tf.Tensor, level: _Level) -> tf.Tensor:
    """Carries the frames of a level on to those of its joints that have children."""
    if not level.carried:
        return frames
    rest = level.rest[level.carried]
    part = tf.gather(local, level.carried, axis=-2)
    if level.across.any():
        line = part - tf.gather(part, level.other, axis=-2)
        squared = tf.reduce_sum(line**2, -1, keepdims=True)
        none = squared <= _MIN_SINE**2
        line = tf.where(none, rest, line / tf.sqrt(tf.where(none, 1.0, squared)))
        part = tf.where(level.across, line, part)
    return _carry(tf.gather(frames, level.carried, axis=-3), part, rest)


def _carry(frames: tf.Tensor, local: tf.Tensor, rest: np.ndarray) -> tf.Tensor:
    """Turns frames by the smallest rotation that takes `rest` to `local`.

    The rotation is two half turns: about `first`, then about `first + local`. With
    first = rest that is the smallest one. Near the antipode of `rest` their sum
    vanishes; there the first half turn, about the bisector of `rest` and a fixed
    perpendicular `spare`, takes `rest` to `spare`, and the second goes on from there.

    Args:
        frames: `[..., k or 1, 3, 3]`, frames of the parents, rows = axes.
        local: `[..., k, 3]`, unit, in those frames.
        rest: `[k, 3]`, unit.

    Returns:
        `[..., k, 3, 3]`; in each the limb has the coordinates `rest`.
    """
    # Perpendicular to rest and mirrored with it, so that flipped poses give flipped
    # frames: for the left side rest x back, for the right side back x rest.
    spare = np.cross(rest, [0.0, 0.0, 1.0]) * np.where(rest[:, :1] < 0, -1.0, 1.0)
    spare = (spare / np.linalg.norm(spare, axis=-1, keepdims=True)).astype(np.float32)
    bisector = ((rest + spare) / np.sqrt(2.0)).astype(np.float32)

    near = tf.reduce_sum(local * rest, -1, keepdims=True) < _ANTIPODE
    second = local + tf.where(near, spare, rest)
    turned = _half_turn(frames, second)
    return _half_turn(turned, tf.where(near, bisector, rest))


def _half_turn(frames: tf.Tensor, axis: tf.Tensor) -> tf.Tensor:
    """Multiplies (2 a a' / |a|^2 - 1) with `frames`; `[..., 3, 3]` and `[..., 3]`."""
    along = tf.reduce_sum(axis[..., None] * frames, -2)  # [..., 3], camera coordinates
    scale = 2.0 / tf.reduce_sum(axis**2, -1, keepdims=True)
    return (axis * scale)[..., None] * along[..., None, :] - frames
