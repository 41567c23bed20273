"""SMPL: shape and pose of a body -> its mesh and its 24 joints; NumPy, float64.

Loper et al., SMPL, SIGGRAPH Asia 2015. The model itself is licensed and comes from the
user (`smpl_files`). It is in metres, y up, faces +z, its left is at +x.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from sa3dhp import errors
from sa3dhp.geometry import rotation
from sa3dhp.skeleton import skeleton as skeletons

SKELETON = skeletons.get("smpl24")
NUM_SHAPES = 10  # of the betas, those that data sets use
_PARENTS = SKELETON.parents
_POSE_FEATURES = 9 * (SKELETON.num_joints - 1)


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Model:
    """The model of a gender.

    Attributes:
        template: `[V, 3]`, m, the mean body in its rest pose.
        shapes: `[V, 3, 10]`, how it changes with the betas.
        corrections: `[V, 3, 207]`, how it changes with the rotations of joints 1-23.
        regressor: `[24, V]`, from the shaped mesh to the joints at rest.
        weights: `[V, 24]`, how much a vertex moves with each joint; rows sum to 1.
    """

    template: np.ndarray
    shapes: np.ndarray
    corrections: np.ndarray
    regressor: np.ndarray
    weights: np.ndarray

    def __post_init__(self) -> None:
        count, num = len(self.template), SKELETON.num_joints
        expected = dict(
            template=(count, 3),
            shapes=(count, 3, NUM_SHAPES),
            corrections=(count, 3, _POSE_FEATURES),
            regressor=(num, count),
            weights=(count, num),
        )
        for field, shape in expected.items():
            values = np.asarray(getattr(self, field), np.float64)
            if values.shape != shape or not np.isfinite(values).all():
                raise errors.InputError(
                    f"SMPL's {field}: expected {shape} finite numbers, got "
                    f"{values.shape}; give SMPL, not SMPL-H, SMPL-X or another model"
                )
            object.__setattr__(self, field, values)
        for field in ("regressor", "weights"):
            sums = getattr(self, field).sum(1)
            if np.abs(sums - 1.0).max() > 0.01:
                raise errors.InputError(
                    f"SMPL's {field}: expected rows that sum to 1, got {sums.min():.3g}"
                    f" to {sums.max():.3g}; the file is damaged, get it again"
                )


def vertices(
    model: Model, betas: np.ndarray, pose: np.ndarray, trans: np.ndarray
) -> np.ndarray:
    """Returns meshes.

    Args:
        model: of the person's gender.
        betas: `[S]`, of one person; what the model has no shape for must be 0.
        pose: `[N, 72]`, rotation vectors (radians) of the 24 joints, each in its
            parent's frame, the first that of the body in the world.
        trans: `[N, 3]`, m; moves the body after it was posed.

    Returns:
        `[N, V, 3]`, m, in the frame of `pose` and `trans`.

    Raises:
        InputError: if a shape is another.
    """
    shaped, rotations, trans = _checked(model, betas, pose, trans)
    turns = (rotations[:, 1:] - np.eye(3)).reshape(len(rotations), -1)  # [N, 207]
    posed = shaped + np.tensordot(turns, model.corrections, (1, 2))  # [N, V, 3]
    rest = model.regressor @ shaped
    frames, places = _chain(rest, rotations)
    # What takes a vertex of the rest pose along with joint k: R_k v + (p_k - R_k j_k).
    moves = places - np.einsum("nkij,kj->nki", frames, rest)
    num = SKELETON.num_joints
    turned = np.matmul(model.weights, frames.reshape(-1, num, 9))  # [N, V, 9]
    turned = turned.reshape(*posed.shape, 3)
    moved = np.matmul(model.weights, moves) + trans[:, None]
    return np.einsum("nvij,nvj->nvi", turned, posed) + moved


def joints(
    model: Model, betas: np.ndarray, pose: np.ndarray, trans: np.ndarray
) -> np.ndarray:
    """Returns the kinematic joints `[N, 24, 3]`, m; arguments as of `vertices`."""
    shaped, rotations, trans = _checked(model, betas, pose, trans)
    _, places = _chain(model.regressor @ shaped, rotations)
    return places + trans[:, None]


def _checked(
    model: Model, betas: np.ndarray, pose: np.ndarray, trans: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The shaped mesh at rest `[V, 3]`, rotations `[N, 24, 3, 3]` and `trans`."""
    betas, pose = np.asarray(betas, np.float64).ravel(), np.asarray(pose, np.float64)
    trans, count = np.asarray(trans, np.float64), len(pose)
    if pose.shape != (count, 72) or trans.shape != (count, 3):
        raise errors.InputError(
            f"SMPL: pose and trans expected [N, 72] and [N, 3], got {pose.shape} and "
            f"{trans.shape}"
        )
    if betas[NUM_SHAPES:].any():
        raise errors.InputError(
            f"SMPL: betas after the first {NUM_SHAPES} expected 0, got "
            f"{np.abs(betas[NUM_SHAPES:]).max():.3g}; these are not those of SMPL"
        )
    betas = betas[:NUM_SHAPES]
    shaped = model.template + model.shapes[..., : len(betas)] @ betas
    vectors = pose.reshape(count, SKELETON.num_joints, 3)
    return shaped, rotation.from_rotation_vector(vectors), trans


def _chain(rest: np.ndarray, rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Carries rotations and places along the limbs, from the root outwards.

    Args:
        rest: `[24, 3]`, joints of the rest pose.
        rotations: `[N, 24, 3, 3]`, each in its parent's frame.

    Returns:
        The joints' frames `[N, 24, 3, 3]` and places `[N, 24, 3]`.
    """
    frames, places = np.empty_like(rotations), np.empty(rotations.shape[:3])
    frames[:, 0], places[:, 0] = rotations[:, 0], rest[0]
    for joint, parent in enumerate(_PARENTS):
        if joint:
            frames[:, joint] = frames[:, parent] @ rotations[:, joint]
            limb = frames[:, parent] @ (rest[joint] - rest[parent])
            places[:, joint] = places[:, parent] + limb
    return frames, places
