"""The rotations of CMU's captures, to move other bodies with them.

`cmu` reads where the joints of the captured person were; a rendered person has limbs of
its own and needs the turns of the bones. They are those of the rig of the MotionBuilder
conversion, by its names, whatever format a clip is in.
"""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from sa3dhp import errors
from sa3dhp.data.datasets import cmu
from sa3dhp.data.formats import asf_amc, bvh
from sa3dhp.geometry import rotation
from sa3dhp.synthetic.people import motion

ASF_UNIT = asf_amc.INCH / 0.45 / 1000.0  # metres, also of the conversions


def _sided(pairs: dict[str, str]) -> dict[str, str]:
    """`{side}`, `{s}` and `{S}` become left and right."""
    words = (("Left", "l", "L"), ("Right", "r", "R"))
    return {
        key.format(side=side, s=s, S=S): value.format(side=side, s=s, S=S)
        for key, value in pairs.items()
        for side, s, S in words
    }


# Bone of the rig -> bone of the Acclaim files, joint of the 3dsMax conversion.
_LIMBS = (
    ("{S}HipJoint", "{s}hipjoint", "{S}HipJoint"),
    ("{side}UpLeg", "{s}femur", "{side}Hip"),
    ("{side}Leg", "{s}tibia", "{side}Knee"),
    ("{side}Foot", "{s}foot", "{side}Ankle"),
    ("{side}ToeBase", "{s}toes", "{side}Toe"),
    ("{side}Shoulder", "{s}clavicle", "{side}Collar"),
    ("{side}Arm", "{s}humerus", "{side}Shoulder"),
    ("{side}ForeArm", "{s}radius", "{side}Elbow"),
    ("{side}Hand", "{s}wrist", "{side}Wrist"),
    ("{side}FingerBase", "{s}hand", "{s}hand"),
)
_TRUNK = (
    ("Hips", "root", "Hips"),
    ("LowerBack", "lowerback", "lowerback"),
    ("Spine", "upperback", "Chest"),
    ("Spine1", "thorax", "Chest2"),
    ("Neck", "lowerneck", "lowerneck"),
    ("Neck1", "upperneck", "Neck"),
    ("Head", "head", "Head"),
)
_BACK = ("LowerBack", "Spine", "Spine1")
_ASF, _MAX = (
    {row[0]: row[n] for row in _TRUNK} | _sided({row[0]: row[n] for row in _LIMBS})
    for n in (1, 2)
)
_MB = {name: name for name in _ASF}
_RIGS = {"cmu_motionbuilder": _MB, "cmu_3dsmax": _MAX}


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Recording:
    """A clip, parsed.

    Attributes:
        name: `subject_trial`.
        subject: of it.
        fps: as captured.
        length: frames.
        names: bone of the rig -> the file's.
        source: what was read.
    """

    name: str
    subject: str
    fps: float
    length: int
    names: dict[str, str]
    source: tuple[asf_amc.Skeleton, dict[str, np.ndarray]] | bvh.Motion

    def capture(self, rows: np.ndarray) -> motion.Capture:
        """Returns the frames `rows [T]` of it."""
        if isinstance(self.source, bvh.Motion):
            return _from_bvh(self.source, self.names, rows)
        skeleton, frames = self.source
        return _from_amc(skeleton, frames, self.names, rows)


def read(path: pathlib.Path) -> Recording:
    """Reads an AMC file with its skeleton beside it, or a BVH conversion.

    Raises:
        InputError: if it cannot be read or is of another rig.
    """
    subject, trial = cmu.clip_id(path)
    fields = f"{subject}_{trial}", subject, cmu.frame_rate(subject)
    if path.suffix.lower() == ".amc":
        skeleton = asf_amc.read_asf(cmu.skeleton_file(path))
        frames = asf_amc.read_amc(path, skeleton)
        frames = {name: values.astype(np.float32) for name, values in frames.items()}
        return Recording(*fields, len(frames["root"]), _ASF, (skeleton, frames))
    found = bvh.read(path)
    rig = cmu.find_rig(found)
    if rig.id not in _RIGS:
        raise errors.InputError(
            f"{path}: rig {rig.id}, expected one of {', '.join(_RIGS)} or Acclaim"
        )
    values = found.values[rig.skip_frames :].astype(np.float32)
    found = dataclasses.replace(found, values=values)
    return Recording(*fields, len(values), _RIGS[rig.id], found)


def _from_amc(
    skeleton: asf_amc.Skeleton,
    frames: dict[str, np.ndarray],
    names: dict[str, str],
    rows: np.ndarray,
) -> motion.Capture:
    """`L = C M C^-1`, `G = G_parent L`, see `asf_amc.forward_kinematics`."""
    turns: list[np.ndarray] = []
    for bone in skeleton.bones:
        turn = np.broadcast_to(np.eye(3), (len(rows), 3, 3))
        if bone.parent >= 0:
            turn = turns[bone.parent]
        columns = [n for n, dof in enumerate(bone.dof) if dof[0] == "r"]
        if bone.name in frames and columns:
            axes = "".join(bone.dof[n][1] for n in columns)
            angles = np.radians(frames[bone.name][rows][:, columns])
            turn = turn @ (bone.axis @ rotation.from_euler(angles, axes) @ bone.axis.T)
        turns.append(turn)
    index = {bone.name: n for n, bone in enumerate(skeleton.bones)}
    root = skeleton.bones[0]
    moves = [root.dof.index(f"t{axis}") for axis in "xyz"]
    rest = {
        name: skeleton.bones[index[theirs]].offset
        for name, theirs in names.items()
        if index.get(theirs)
    }
    rest["LowerBack"] = np.sum([rest[name] for name in _BACK], axis=0)
    leg = sum(np.linalg.norm(rest[name]) for name in ("LeftUpLeg", "LeftLeg"))
    return motion.Capture(
        {n: turns[index[theirs]] for n, theirs in names.items() if theirs in index},
        _units(rest),
        frames["root"][rows][:, moves] * skeleton.unit / 1000.0,
        float(leg) / 1000.0,
    )


def _from_bvh(
    source: bvh.Motion, names: dict[str, str], rows: np.ndarray
) -> motion.Capture:
    """A joint turns the bones that start in it."""
    turns: list[np.ndarray] = []
    ends: dict[int, np.ndarray] = {}
    values = source.values[rows]
    path = np.zeros((len(rows), 3))
    for joint in source.joints:
        turn = np.broadcast_to(np.eye(3), (len(rows), 3, 3))
        if joint.parent >= 0:
            turn = turns[joint.parent]
            ends.setdefault(joint.parent, joint.offset)
        columns = values[:, joint.first_channel :][:, : len(joint.channels)]
        kinds = [channel.lower() for channel in joint.channels]
        angles = [n for n, kind in enumerate(kinds) if kind.endswith("rotation")]
        if joint.parent < 0:
            path = columns[:, [kinds.index(f"{axis}position") for axis in "xyz"]]
        if angles:  # written first means applied last
            axes = "".join(kinds[n][0] for n in angles[::-1])
            turn = turn @ rotation.from_euler(
                np.radians(columns[:, angles[::-1]]), axes
            )
        turns.append(turn)
    index = {joint.name: n for n, joint in enumerate(source.joints)}
    known = {n: index[theirs] for n, theirs in names.items() if theirs in index}
    rest = {
        name: ends[n]
        for name, n in known.items()
        if n in ends and np.linalg.norm(ends[n])
    }
    rest["LowerBack"] = np.sum([rest[n] for n in _BACK if n in rest], axis=0)
    leg = sum(np.linalg.norm(rest[name]) for name in ("LeftUpLeg", "LeftLeg"))
    return motion.Capture(
        {name: turns[n] for name, n in known.items()},
        _units(rest),
        path * ASF_UNIT,
        float(leg) * ASF_UNIT,
    )


def _units(rest: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: offset / np.linalg.norm(offset) for name, offset in rest.items()}
