"""A person's predicted motion as BVH, for Blender and other animation programs.

The rig has the joints of `sa3dhp17` by their names, and between them joints without
length (`spine`, `right_collar`, ..) where several limbs start in one point and each
turns by itself. Its rest pose is a T, facing +z, y up, the person's left towards +x;
the unit is the centimetre. Limbs keep one length throughout. What 17 points do not
tell, how a limb is turned about itself, is the smallest turn from the limb before it.

The pelvis stays in place: the poses are relative to it.
"""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Iterator

import numpy as np

from sa3dhp import errors, files
from sa3dhp.skeleton import skeleton as skeletons

MM_PER_UNIT = 10.0
# Directions of the limbs at rest, by the joint they end in; +x is the person's left.
_UP, _DOWN, _AHEAD, _LEFT = (0, 1, 0), (0, -1, 0), (0, 0, 1), (1, 0, 0)
_REST = {
    "neck": _UP, "head_top": _UP, "shoulder": _LEFT, "elbow": _LEFT, "wrist": _LEFT,
    "hip": _LEFT, "knee": _DOWN, "ankle": _DOWN, "foot": _AHEAD,
}  # fmt: skip
# What turns a limb that does not start alone, by the joint it ends in.
_BETWEEN = {
    "neck": "spine", "head_top": "head",
    "right_shoulder": "right_collar", "left_shoulder": "left_collar",
    "right_hip": "right_pelvis", "left_hip": "left_pelvis",
}  # fmt: skip
_TURNS = "Zrotation Xrotation Yrotation"
_ORDER = "ZXY"  # intrinsic: the first is applied last
_Y_UP = np.array([1.0, -1.0, -1.0])  # from the camera's frame: half a turn about x


@dataclasses.dataclass(frozen=True)
class _Node:
    """A joint of the file.

    Attributes:
        name: in the file.
        depth: 0 for the root.
        offset: `[3]`, mm, from the joint above it, at rest.
        turns: the limb that it turns, by the joint which that ends in; the root joint
            for the whole body; None for nothing.
    """

    name: str
    depth: int
    offset: np.ndarray
    turns: int | None


def write(
    path: str | os.PathLike,
    joints: np.ndarray,
    fps: float,
    skeleton: skeletons.Skeleton = skeletons.SA3DHP17,
) -> None:
    """Writes one person's motion, whole or not at all.

    Args:
        path: of the file.
        joints: `[T, 17, 3]`, mm, camera frame (y down), one frame after the other;
            limbs get their median length.
        fps: frames per second.
        skeleton: of the joints; its joints are those of `SA3DHP17`.

    Raises:
        InputError: if the joints are of another shape, not finite, or there are none.
    """
    joints = np.asarray(joints, np.float64)
    if not is_possible(skeleton):
        raise errors.InputError(
            f"BVH: got joints of {skeleton.id}, expected those of "
            f"{skeletons.SA3DHP17.id}; convert them first (skeleton/conversion.py)"
        )
    if joints.ndim != 3 or joints.shape[1:] != (17, 3) or not len(joints):
        raise errors.InputError(
            f"BVH: got joints of shape {joints.shape}, expected [T, 17, 3] with T > 0"
        )
    if not np.isfinite(joints).all() or not fps > 0:
        raise errors.InputError(
            "BVH: expected finite joints and a rate above 0; leave out frames in which "
            "the person is not known"
        )
    offsets = joints - joints[:, list(skeleton.parents)]  # [T, 17, 3]
    lengths = np.median(np.linalg.norm(offsets, axis=-1), axis=0)
    rig = list(_nodes(skeleton, lengths, skeleton.root, 0))
    turns = _turns(offsets * _Y_UP, skeleton)
    values = np.concatenate(
        [np.zeros((len(joints), 3)), *(_angles(turns, node) for node in rig)], axis=1
    )
    lines = ["HIERARCHY", *_hierarchy(rig), "MOTION"]
    lines += [f"Frames: {len(joints)}", f"Frame Time: {1 / fps:.8f}"]
    lines += [" ".join(f"{value:.5f}" for value in row) for row in values]
    files.write_text(path, "\n".join(lines) + "\n")


def is_possible(skeleton: skeletons.Skeleton) -> bool:
    """Whether a skeleton has the joints of the rig."""
    return set(skeleton.joint_names) == set(skeletons.SA3DHP17.joint_names)


def _rest(name: str) -> np.ndarray:
    side, _, part = name.rpartition("_") if name != "head_top" else ("", "", name)
    mirror = (-1.0, 1.0, 1.0) if side == "right" else (1.0, 1.0, 1.0)
    return np.array(_REST[part], np.float64) * mirror


def _nodes(
    skeleton: skeletons.Skeleton, lengths: np.ndarray, joint: int, depth: int
) -> Iterator[_Node]:
    """The joint and all below it, in the order of the file."""
    name = skeleton.joint_names[joint]
    offset = np.zeros(3) if joint == skeleton.root else lengths[joint] * _rest(name)
    below = [child for parent, child in skeleton.limbs if parent == joint]
    alone = [child for child in below if skeleton.joint_names[child] not in _BETWEEN]
    turned = joint if joint == skeleton.root else next(iter(alone), None)
    yield _Node(name, depth, offset, turned)
    for child in below:
        between = _BETWEEN.get(skeleton.joint_names[child])
        if between:
            yield _Node(between, depth + 1, np.zeros(3), child)
        yield from _nodes(skeleton, lengths, child, depth + 1 + bool(between))


def _turns(limbs: np.ndarray, skeleton: skeletons.Skeleton) -> np.ndarray:
    """How each limb is turned against the one above it, `[T, 17, 3, 3]`.

    Args:
        limbs: `[T, 17, 3]`, from each joint's parent to it, y up.
        skeleton: of the joints.
    """
    turns = np.zeros((*limbs.shape, 3))
    frames = np.zeros_like(turns)
    root = skeleton.root
    turns[:, root] = frames[:, root] = _body(limbs, skeleton)
    for parent, joint in skeleton.limbs:  # parents come first
        seen = np.einsum("tij,ti->tj", frames[:, parent], limbs[:, joint])
        turns[:, joint] = _smallest(_rest(skeleton.joint_names[joint]), seen)
        frames[:, joint] = frames[:, parent] @ turns[:, joint]
    return turns


def _body(limbs: np.ndarray, skeleton: skeletons.Skeleton) -> np.ndarray:
    """The turn of the whole body: x from hip to hip, y as near to the spine as may be.

    Returns:
        `[T, 3, 3]`, the axes in columns.
    """
    left, right = skeleton.indices("left_hip", "right_hip")
    across = limbs[:, left] - limbs[:, right]
    x = _unit(across, np.array(_LEFT, np.float64))
    spine = _unit(limbs[:, skeleton.index("neck")], np.array(_UP, np.float64))
    z = _unit(np.cross(x, spine), np.array(_AHEAD, np.float64))
    x = _unit(x - (x * z).sum(-1, keepdims=True) * z, np.array(_LEFT, np.float64))
    return np.stack([x, np.cross(z, x), z], axis=-1)


def _smallest(rest: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """The smallest turn of a direction `[3]` into others `[T, 3]`, `[T, 3, 3]`."""
    from scipy.spatial import transform  # a second, for those who want this file alone

    seen = _unit(seen, rest)
    axis = np.cross(rest, seen)
    sine = np.linalg.norm(axis, axis=-1)
    angle = np.arctan2(sine, seen @ rest)
    # Straight back: about any axis across.
    axis = _unit(axis, np.roll(rest, 1))
    return transform.Rotation.from_rotvec(axis * angle[:, None]).as_matrix()


def _unit(vectors: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Vectors of length 1; for those of length 0 another."""
    size = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(size > 1e-9, vectors / np.maximum(size, 1e-9), otherwise)


def _angles(turns: np.ndarray, node: _Node) -> np.ndarray:
    """The three angles of a joint of the file, degrees, without jumps, `[T, 3]`."""
    if node.turns is None:
        return np.zeros((len(turns), 3))
    from scipy.spatial import transform

    turned = transform.Rotation.from_matrix(turns[:, node.turns])
    with warnings.catch_warnings():  # where two angles turn about one axis, any will do
        warnings.simplefilter("ignore", UserWarning)
        angles = turned.as_euler(_ORDER, degrees=True)
    return np.unwrap(angles, period=360.0, axis=0)


def _hierarchy(rig: list[_Node]) -> Iterator[str]:
    """The lines of the first section."""
    for node, after in zip(rig, [*rig[1:], None]):
        indent = "  " * node.depth
        yield f"{indent}{'JOINT' if node.depth else 'ROOT'} {node.name}"
        yield indent + "{"
        yield f"{indent}  OFFSET {_numbers(node.offset)}"
        place = "" if node.depth else "Xposition Yposition Zposition "
        count = 3 + 3 * (not node.depth)
        yield f"{indent}  CHANNELS {count} {place}{_TURNS}"
        depth = after.depth if after else 0
        if depth <= node.depth:  # nothing hangs from it
            yield f"{indent}  End Site"
            yield indent + "  {"
            yield f"{indent}    OFFSET {_numbers(np.zeros(3))}"
            yield indent + "  }"
        for level in range(node.depth, depth - 1, -1):
            yield "  " * level + "}"


def _numbers(offset: np.ndarray) -> str:
    return " ".join(f"{value / MM_PER_UNIT:.6f}" for value in offset + 0.0)
