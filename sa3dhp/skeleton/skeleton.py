"""Joint names, parents and left/right pairs: the one owner of joint order.

Arrays never travel without a skeleton id; joints are addressed by name. The project's
own skeleton is `SA3DHP17`; the others are those of the data sets we read, in the order
in which their files hold the joints.
"""

from __future__ import annotations

import dataclasses
import functools

from sa3dhp import errors


@dataclasses.dataclass(frozen=True)
class Skeleton:
    """A named list of joints with their parents (the root is its own parent).

    Attributes:
        id: the name under which `get` finds it, e.g. `sa3dhp17`.
        joint_names: `J` names; a side is the prefix `left_` or `right_`.
        parents: `J` indices into `joint_names`.
    """

    id: str
    joint_names: tuple[str, ...]
    parents: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.joint_names) != len(self.parents):
            raise errors.InputError(
                f"skeleton {self.id}: expected {len(self.joint_names)} parents, "
                f"got {len(self.parents)}"
            )
        if len(set(self.joint_names)) != len(self.joint_names):
            raise errors.InputError(f"skeleton {self.id}: joint names must be unique")
        for joint in range(len(self.parents)):
            _ = self._depth(joint)

    def _depth(self, joint: int) -> int:
        """Limbs between a joint and its root; raises on a cycle."""
        depth = 0
        while self.parents[joint] != joint:
            joint, depth = self.parents[joint], depth + 1
            if depth > len(self.parents):
                raise errors.InputError(f"skeleton {self.id}: parents form a cycle")
        return depth

    @property
    def num_joints(self) -> int:
        """`J`."""
        return len(self.joint_names)

    def index(self, name: str) -> int:
        """Returns the index of a joint by name.

        Raises:
            InputError: if the skeleton has no joint of that name.
        """
        try:
            return self.joint_names.index(name)
        except ValueError:
            raise errors.InputError(
                f"joint: {name!r} is not in {self.id}, which has "
                f"{', '.join(self.joint_names)}"
            ) from None

    def indices(self, *names: str) -> tuple[int, ...]:
        """Returns the indices of several joints by name."""
        return tuple(self.index(name) for name in names)

    @property
    def root(self) -> int:
        """Index of the first joint that is its own parent."""
        return next(j for j, p in enumerate(self.parents) if j == p)

    @functools.cached_property
    def depths(self) -> tuple[int, ...]:
        """Limbs between each joint and the root."""
        return tuple(self._depth(joint) for joint in range(self.num_joints))

    @functools.cached_property
    def flip_indices(self) -> tuple[int, ...]:
        """For each joint the index of its counterpart on the other side (or itself)."""
        return tuple(self.index(_other_side(name)) for name in self.joint_names)

    @property
    def limbs(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) pairs, one per joint that is not a root."""
        return tuple((p, j) for j, p in enumerate(self.parents) if j != p)


def _other_side(name: str) -> str:
    """`left_knee` -> `right_knee` and back; other names stay."""
    if name.startswith("left_"):
        return "right_" + name[len("left_") :]
    if name.startswith("right_"):
        return "left_" + name[len("right_") :]
    return name


def _skeleton(skeleton_id: str, joints: str) -> Skeleton:
    """Builds a skeleton from `name<parent` words; a word without parent is a root."""
    pairs = [word.partition("<")[::2] for word in joints.split()]
    names = tuple(name for name, _ in pairs)
    parents = tuple(names.index(parent or name) for name, parent in pairs)
    return Skeleton(skeleton_id, names, parents)


SA3DHP17 = _skeleton(
    "sa3dhp17",
    """pelvis neck<pelvis
    right_shoulder<neck right_elbow<right_shoulder right_wrist<right_elbow
    left_shoulder<neck left_elbow<left_shoulder left_wrist<left_elbow
    head_top<neck
    right_hip<pelvis right_knee<right_hip right_ankle<right_knee right_foot<right_ankle
    left_hip<pelvis left_knee<left_hip left_ankle<left_knee left_foot<left_ankle""",
)

_OTHERS = (
    # The kinematic joints of SMPL; `head` is the base of the skull.
    _skeleton(
        "smpl24",
        """pelvis left_hip<pelvis right_hip<pelvis spine1<pelvis
        left_knee<left_hip right_knee<right_hip spine2<spine1
        left_ankle<left_knee right_ankle<right_knee spine3<spine2
        left_foot<left_ankle right_foot<right_ankle neck<spine3
        left_collar<spine3 right_collar<spine3 head<neck
        left_shoulder<left_collar right_shoulder<right_collar
        left_elbow<left_shoulder right_elbow<right_shoulder
        left_wrist<left_elbow right_wrist<right_elbow
        left_hand<left_wrist right_hand<right_wrist""",
    ),
    # Human3.6M as captured, with its duplicates and end sites.
    _skeleton(
        "h36m32",
        """pelvis right_hip<pelvis right_knee<right_hip right_ankle<right_knee
        right_toe<right_ankle right_toe_site<right_toe
        left_hip<pelvis left_knee<left_hip left_ankle<left_knee
        left_toe<left_ankle left_toe_site<left_toe
        spine<pelvis spine1<spine neck<spine1 head<neck head_top<head
        left_clavicle<neck left_shoulder<left_clavicle left_elbow<left_shoulder
        left_wrist<left_elbow left_thumb<left_wrist left_thumb_site<left_thumb
        left_wrist_end<left_wrist left_wrist_site<left_wrist_end
        right_clavicle<neck right_shoulder<right_clavicle right_elbow<right_shoulder
        right_wrist<right_elbow right_thumb<right_wrist right_thumb_site<right_thumb
        right_wrist_end<right_wrist right_wrist_site<right_wrist_end""",
    ),
    # The subset of the lifting literature; `head` is the nose.
    _skeleton(
        "h36m17",
        """pelvis right_hip<pelvis right_knee<right_hip right_ankle<right_knee
        left_hip<pelvis left_knee<left_hip left_ankle<left_knee
        spine<pelvis neck<spine head<neck head_top<head
        left_shoulder<neck left_elbow<left_shoulder left_wrist<left_elbow
        right_shoulder<neck right_elbow<right_shoulder right_wrist<right_elbow""",
    ),
    _skeleton(
        "mpi_inf_3dhp28",
        """spine3<spine spine4<spine3 spine2<spine4 spine<pelvis pelvis
        neck<spine2 head<neck head_top<head
        left_clavicle<neck left_shoulder<left_clavicle left_elbow<left_shoulder
        left_wrist<left_elbow left_hand<left_wrist
        right_clavicle<neck right_shoulder<right_clavicle right_elbow<right_shoulder
        right_wrist<right_elbow right_hand<right_wrist
        left_hip<pelvis left_knee<left_hip left_ankle<left_knee left_foot<left_ankle
        left_toe<left_foot
        right_hip<pelvis right_knee<right_hip right_ankle<right_knee
        right_foot<right_ankle right_toe<right_foot""",
    ),
    # The test set's "relevant" joints, also those of MuPoTS-3D.
    _skeleton(
        "mpi_inf_3dhp17",
        """head_top<head neck<spine
        right_shoulder<neck right_elbow<right_shoulder right_wrist<right_elbow
        left_shoulder<neck left_elbow<left_shoulder left_wrist<left_elbow
        right_hip<pelvis right_knee<right_hip right_ankle<right_knee
        left_hip<pelvis left_knee<left_hip left_ankle<left_knee
        pelvis spine<pelvis head<neck""",
    ),
    # 2D; no pelvis, so the neck is the root.
    _skeleton(
        "lsp14",
        """right_ankle<right_knee right_knee<right_hip right_hip<neck
        left_hip<neck left_knee<left_hip left_ankle<left_knee
        right_wrist<right_elbow right_elbow<right_shoulder right_shoulder<neck
        left_shoulder<neck left_elbow<left_shoulder left_wrist<left_elbow
        neck head_top<neck""",
    ),
    # 2D; no trunk joints, so the nose is the root.
    _skeleton(
        "coco17",
        """nose left_eye<nose right_eye<nose left_ear<left_eye right_ear<right_eye
        left_shoulder<nose right_shoulder<nose
        left_elbow<left_shoulder right_elbow<right_shoulder
        left_wrist<left_elbow right_wrist<right_elbow
        left_hip<left_shoulder right_hip<right_shoulder
        left_knee<left_hip right_knee<right_hip
        left_ankle<left_knee right_ankle<right_knee""",
    ),
    # 2D, OpenPose's COCO order, as in the 2D poses of 3DPW.
    _skeleton(
        "openpose18",
        """nose<neck neck
        right_shoulder<neck right_elbow<right_shoulder right_wrist<right_elbow
        left_shoulder<neck left_elbow<left_shoulder left_wrist<left_elbow
        right_hip<neck right_knee<right_hip right_ankle<right_knee
        left_hip<neck left_knee<left_hip left_ankle<left_knee
        right_eye<nose left_eye<nose right_ear<right_eye left_ear<left_eye""",
    ),
    # BlazePose's landmarks 11-16 and 23-28; no pelvis, so the left hip is the root.
    _skeleton(
        "blazepose12",
        """left_shoulder<left_hip right_shoulder<right_hip
        left_elbow<left_shoulder right_elbow<right_shoulder
        left_wrist<left_elbow right_wrist<right_elbow
        left_hip right_hip<left_hip left_knee<left_hip right_knee<right_hip
        left_ankle<left_knee right_ankle<right_knee""",
    ),
    # CMU ASF/AMC; a joint is the end of its bone (`lfemur` = left_femur).
    _skeleton(
        "cmu31",
        """root
        left_hipjoint<root left_femur<left_hipjoint left_tibia<left_femur
        left_foot<left_tibia left_toes<left_foot
        right_hipjoint<root right_femur<right_hipjoint right_tibia<right_femur
        right_foot<right_tibia right_toes<right_foot
        lowerback<root upperback<lowerback thorax<upperback
        lowerneck<thorax upperneck<lowerneck head<upperneck
        left_clavicle<thorax left_humerus<left_clavicle left_radius<left_humerus
        left_wrist<left_radius left_hand<left_wrist left_fingers<left_hand
        left_thumb<left_wrist
        right_clavicle<thorax right_humerus<right_clavicle right_radius<right_humerus
        right_wrist<right_radius right_hand<right_wrist right_fingers<right_hand
        right_thumb<right_wrist""",
    ),
)

ALL = {skeleton.id: skeleton for skeleton in (SA3DHP17, *_OTHERS)}


def get(skeleton_id: str) -> Skeleton:
    """Returns a skeleton by id.

    Raises:
        InputError: if there is none of that id.
    """
    if skeleton_id not in ALL:
        raise errors.InputError(
            f"skeleton: unknown id {skeleton_id!r}; expected one of {', '.join(ALL)}"
        )
    return ALL[skeleton_id]
