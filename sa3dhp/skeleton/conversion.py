"""Joints of one named skeleton as those of another, by name; NumPy.

Equal names are the same point of the body where the table below does not say otherwise:
some data sets use one word (`head`, `spine`, `hand`) for different points, and those
convert only between skeletons that share the point. What a source does not have:

* `pelvis` of 2D sources: midpoint of the hips (valid);
* `neck` of COCO: midpoint of the shoulders (valid);
* `head_top` of SMPL, whose `head` is the base of the skull: extrapolated along
  chest -> head, an estimate that may be centimetres off and is therefore *not* valid;
* all else: the place of its parent (not valid), so that poses stay finite and the limb
  has length zero.
"""

from __future__ import annotations

import numpy as np

from sa3dhp import errors
from sa3dhp.skeleton import skeleton as skeletons

_SIDES = ("left", "right")

# Points that carry their own name in every skeleton that has them.
_COMMON = {
    *skeletons.SA3DHP17.joint_names,
    "nose",
    *(f"{side}_{part}" for side in _SIDES for part in ("eye", "ear")),
}

# Own name -> the point it is, for names that are not `_COMMON` or mean another point
# there. A name found in neither table is a point of its own skeleton alone.
_POINTS = {
    "smpl24": {"head": "skull_base"},
    "h36m32": {
        "head": "h36m_head",
        "spine1": "h36m_spine",
        "left_toe": "left_foot",
        "right_toe": "right_foot",
    },
    "h36m17": {"head": "h36m_head", "spine": "h36m_spine"},
    "mpi_inf_3dhp28": {"head": "mpi_head", "spine": "mpi_spine"},
    "mpi_inf_3dhp17": {"head": "mpi_head", "spine": "mpi_spine"},
    "cmu31": {
        "root": "pelvis",
        "thorax": "neck",
        "head": "head_top",
        **{
            f"{side}_{bone}": f"{side}_{joint}"
            for side in _SIDES
            for bone, joint in {
                "clavicle": "shoulder",
                "humerus": "elbow",
                "radius": "wrist",
                "wrist": "cmu_wrist_end",
                "hipjoint": "hip",
                "femur": "knee",
                "tibia": "ankle",
            }.items()
        },
    },
}

# Points made of others where a source lacks them: weights by point, and whether the
# result counts as measured.
_RECIPES = {
    "pelvis": ({"left_hip": 0.5, "right_hip": 0.5}, True),
    "neck": ({"left_shoulder": 0.5, "right_shoulder": 0.5}, True),
    # The top is about 175 mm above the base of the skull. The line from the chest is
    # the straighter guide (neck -> head leans forwards by 44 degrees in a walk, chest
    # -> head by 17) and is 330 mm long.
    "head_top": ({"smpl24:spine3": -0.53, "skull_base": 1.53}, False),
}


def convert(
    joints: np.ndarray,
    source: skeletons.Skeleton | str,
    target: skeletons.Skeleton | str,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns joints in the order and with the points of another skeleton.

    Args:
        joints: `[..., J, 2 or 3]` in the source's order; any unit and frame, which are
            kept. Sides are the person's; mirrored images (SURREAL) are the reader's.
        source: skeleton or its id.
        target: skeleton or its id.

    Returns:
        `joints [..., J', 2 or 3]` in the target's order, float32 for half and integer
        inputs, else of the input's dtype; and `valid [J']`, bool, False where the
        source has no such point.

    Raises:
        InputError: if the joint axis is not the source's or an id is unknown.
    """
    source, target = _as_skeleton(source), _as_skeleton(target)
    joints = np.asarray(joints)
    if joints.ndim < 2 or joints.shape[-2:] not in (
        (source.num_joints, 2),
        (source.num_joints, 3),
    ):
        raise errors.InputError(
            f"joints: expected [..., {source.num_joints}, 3] for {source.id}, "
            f"got {joints.shape}"
        )
    weights, valid = matrix(source, target)
    dtype = joints.dtype if joints.dtype in (np.float32, np.float64) else np.float32
    return _mix(weights, joints.astype(dtype)), valid


def matrix(
    source: skeletons.Skeleton | str, target: skeletons.Skeleton | str
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the conversion as weights `[J', J]` (rows sum to 1) and `valid [J']`."""
    source, target = _as_skeleton(source), _as_skeleton(target)
    rows: list = [None] * target.num_joints
    valid = np.zeros(target.num_joints, bool)
    known = {
        _point(source, name): joint for joint, name in enumerate(source.joint_names)
    }
    for joint, name in enumerate(target.joint_names):
        rows[joint], valid[joint] = _row(_point(target, name), known, source.num_joints)
    present = [row for row in rows if row is not None]
    if not present:
        raise errors.InputError(f"{source.id} and {target.id} have no joint in common")
    for joint in sorted(range(target.num_joints), key=lambda j: target.depths[j]):
        if rows[joint] is None:
            parent = rows[target.parents[joint]]
            rows[joint] = np.mean(present, axis=0) if parent is None else parent
    return np.stack(rows), valid


def _row(
    point: str, known: dict[str, int], num_joints: int
) -> tuple[np.ndarray | None, bool]:
    """Weights of one point over the source's joints; None if it cannot be had."""
    recipe, measured = {point: 1.0}, True
    if point not in known:
        recipe, measured = _RECIPES.get(point, ({}, False))
    if not recipe or any(part not in known for part in recipe):
        return None, False
    row = np.zeros(num_joints)
    for part, weight in recipe.items():
        row[known[part]] = weight
    return row, measured


def _mix(weights: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Applies the weights row by row, so that an unused NaN joint spoils nothing."""
    rows = []
    for row in weights:
        used = np.flatnonzero(row)
        if len(used) == 1:
            rows.append(joints[..., used[0], :])
        else:
            rows.append(
                sum(row[j].astype(joints.dtype) * joints[..., j, :] for j in used)
            )
    return np.stack(rows, axis=-2)


def _point(skeleton: skeletons.Skeleton, name: str) -> str:
    """The point of the body that a skeleton's joint is."""
    point = _POINTS.get(skeleton.id, {}).get(name)
    if point is not None:
        return point
    return name if name in _COMMON else f"{skeleton.id}:{name}"


def _as_skeleton(skeleton: skeletons.Skeleton | str) -> skeletons.Skeleton:
    """Looks up an id; a skeleton is returned as it is."""
    return skeletons.get(skeleton) if isinstance(skeleton, str) else skeleton
