"""Captured rotations -> where the bones of a body are.

A body at rest does not stand as the capture's figure does at rest (CMU's arms point
sideways, its thighs 20 degrees outwards). Each bone of arms and legs is therefore first
turned, along its chain, until it points as the capture's bone does; feet turn about
the vertical alone, since both figures stand on flat soles; neck and head are upright in
both and stay. The trunk of CMU's figure leans back by 10 degrees against a body's, more
than people do: half of that is taken over. Then a bone is turned as the capture's.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from sa3dhp.geometry import rotation
from sa3dhp.synthetic.people import body as bodies
from sa3dhp.synthetic.people import makehuman

# Bone -> the bone whose start is its end, for bones that are aligned by direction.
_CHAINS = {
    f"{side}{bone}": f"{side}{end}"
    for side in ("Left", "Right")
    for bone, end in dict(
        UpLeg="Leg", Leg="Foot", Arm="ForeArm", ForeArm="Hand", Hand="FingerBase"
    ).items()
}
_TRUNK = "LowerBack"  # leans half as far back as the capture's trunk
_UPRIGHT = "Neck"  # from here on nothing leans
_FLAT = ("LeftFoot", "RightFoot")  # turned about the vertical alone
_FINGERS = {  # bone -> share of the curl
    f"{side}{bone}": share
    for side in ("Left", "Right")
    for bone, share in (("FingerBase", 0.5), ("HandFinger1", 1.0))
}


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Capture:
    """Frames of a motion as the rotations of bones.

    Attributes:
        turns: bone of the rig -> `[T, 3, 3]`, from the figure at rest into the world
            (y up, x to the left and z ahead of a figure at rest).
        rest: bone -> `[3]`, unit, where it points at rest; `LowerBack` stands for the
            whole trunk, from the root to the neck.
        path: `[T, 3]`, metres, the root.
        leg: metres, thigh and shin of the figure.
    """

    turns: dict[str, np.ndarray]
    rest: dict[str, np.ndarray]
    path: np.ndarray
    leg: float

    def __len__(self) -> int:
        return len(self.path)


@dataclasses.dataclass(frozen=True, eq=False)
class Posed:
    """Bones in the world, metres, y up, the floor at zero.

    Attributes:
        turns: `[T, B, 3, 3]`, from rest.
        places: `[T, B, 3]`: a point `x` at rest is at `turns @ x + places`.
        joints: `[T, 17, 3]`, `sa3dhp17`.
    """

    turns: np.ndarray
    places: np.ndarray
    joints: np.ndarray

    def __len__(self) -> int:
        return len(self.joints)

    def select(self, rows: slice) -> Posed:
        """Some of the frames."""
        return Posed(self.turns[rows], self.places[rows], self.joints[rows])

    def moved(self, shift: np.ndarray) -> Posed:
        """The same, moved by `shift [3]` or `[T, 3]`."""
        shift = np.asarray(shift).reshape(-1, 1, 3)
        return Posed(self.turns, self.places + shift, self.joints + shift)


def alignment(
    rig: makehuman.Rig, skeleton: bodies.Skeleton, rest: dict[str, np.ndarray]
) -> np.ndarray:
    """Returns the rotations `[B, 3, 3]` from the body's rest to the capture's."""
    out = np.tile(np.eye(3), (len(rig.names), 1, 1))
    for bone, name in enumerate(rig.names):
        parent = rig.parents[bone]
        if parent < 0:
            continue
        out[bone] = out[parent]
        if name == _UPRIGHT:
            out[bone] = np.eye(3)
        elif name == _TRUNK:
            root, neck = bodies.SKELETON.indices("pelvis", "neck")
            ahead = skeleton.joints[neck] - skeleton.joints[root]
            ahead = ahead / np.linalg.norm(ahead)
            out[bone] = rotation.smallest(ahead, ahead + rest[name])
        elif name in _FLAT:
            toe = rig.index(name.replace("Foot", "ToeBase"))
            ahead = skeleton.heads[toe] - skeleton.heads[bone]
            out[bone] = rotation.smallest(
                ahead * [1.0, 0.0, 1.0], rest[name] * [1.0, 0.0, 1.0]
            )
        elif name in _CHAINS and name in rest:
            end = rig.index(_CHAINS[name])
            ahead = out[parent] @ (skeleton.heads[end] - skeleton.heads[bone])
            out[bone] = rotation.smallest(ahead, rest[name]) @ out[parent]
    return out


def pose(
    rig: makehuman.Rig,
    skeleton: bodies.Skeleton,
    capture: Capture,
    curl: tuple[float, float] = (0.4, 0.4),
) -> Posed:
    """Moves a body as a capture was moved, its path scaled by the length of the legs.

    Args:
        rig: gives the bones' order.
        skeleton: of the body.
        capture: the motion; bones that it lacks follow their parents.
        curl: radians, of the fingers of the left and the right hand.

    Returns:
        The bones, the lowest sole of all frames on the floor, the first root above the
        origin.
    """
    aligned = alignment(rig, skeleton, capture.rest)
    count = len(rig.names)
    turns = np.zeros((len(capture), count, 3, 3))
    starts = np.zeros((len(capture), count, 3))
    scale = skeleton.leg / capture.leg
    pelvis = skeleton.joints[bodies.SKELETON.index("pelvis")]
    captured: dict[int, np.ndarray] = {}
    for bone, name in enumerate(rig.names):
        parent = int(rig.parents[bone])
        if name in capture.turns:
            captured[bone] = capture.turns[name]
        else:
            captured[bone] = captured[parent]
        if name in _FINGERS:
            left = name.startswith("Left")
            angle = _FINGERS[name] * (-curl[0] if left else curl[1])
            captured[bone] = captured[_hand(rig, name)] @ rotation.from_axis_angle(
                np.array([0.0, 0.0, 1.0]), np.array(angle)
            )
        turns[:, bone] = captured[bone] @ aligned[bone]
        if parent < 0:
            arm = skeleton.heads[bone] - pelvis
            starts[:, bone] = scale * capture.path + turns[:, bone] @ arm
        else:
            arm = skeleton.heads[bone] - skeleton.heads[parent]
            starts[:, bone] = starts[:, parent] + turns[:, parent] @ arm
    _halve_twists(rig, skeleton, turns)
    places = starts - np.einsum("tbij,bj->tbi", turns, skeleton.heads)
    owners = skeleton.owners
    joints = np.einsum("tjik,jk->tji", turns[:, owners], skeleton.joints)
    posed = Posed(turns, places, joints + places[:, owners])
    root = posed.joints[0, bodies.SKELETON.root]
    return posed.moved(-np.array([root[0], _lowest(rig, skeleton, posed), root[2]]))


def _hand(rig: makehuman.Rig, name: str) -> int:
    return rig.index(f"{'Left' if name.startswith('Left') else 'Right'}Hand")


def _halve_twists(
    rig: makehuman.Rig, skeleton: bodies.Skeleton, turns: np.ndarray
) -> None:
    """Lets a forearm take half of its hand's twist, in place: skin twists evenly.

    A turn about the forearm's own axis moves no joint.
    """
    for side in ("Left", "Right"):
        fore, hand = rig.index(f"{side}ForeArm"), rig.index(f"{side}Hand")
        axis = skeleton.heads[hand] - skeleton.heads[fore]
        axis = axis / np.linalg.norm(axis)
        relative = np.swapaxes(turns[:, fore], -1, -2) @ turns[:, hand]  # [T, 3, 3]
        # The part of the turn about the axis: of its quaternion (w, v), (w, v . axis).
        w = 1.0 + np.trace(relative, axis1=1, axis2=2)
        v = np.stack(
            [
                relative[:, 2, 1] - relative[:, 1, 2],
                relative[:, 0, 2] - relative[:, 2, 0],
                relative[:, 1, 0] - relative[:, 0, 1],
            ],
            axis=-1,
        )
        twist = 2.0 * np.arctan2(v @ axis, np.maximum(w, 1e-6))
        turns[:, fore] = turns[:, fore] @ rotation.from_axis_angle(axis, twist / 2)


def _lowest(rig: makehuman.Rig, skeleton: bodies.Skeleton, posed: Posed) -> float:
    """Height of the lowest sole of all frames, metres."""
    lows = []
    for side in ("Left", "Right"):
        for bone, spot in ((f"{side}Foot", 0.0), (f"{side}ToeBase", 0.02)):
            index = rig.index(bone)
            under = skeleton.heads[index] * [1.0, 0.0, 1.0]
            under = under + np.array([0.0, skeleton.sole, spot])
            moved = posed.turns[:, index] @ under + posed.places[:, index]
            lows.append(moved[:, 1])
    return float(np.min(lows))
