"""Miniature motion capture in the genuine formats: see `miniature`."""

import pathlib

import miniature_people as people
import numpy as np
from scipy.spatial import transform

from sa3dhp.data.datasets import bandai_namco as bandai_source
from sa3dhp.data.datasets import cmu as cmu_source

# Bone -> (parent, joint it starts at, joint it ends at, share of the way at its end).
_CMU_BONES = {
    **{
        f"{s}{bone}": (f"{s}{parent}" if parent != "root" else parent, start, end, 1.0)
        for s, side in (("l", "left"), ("r", "right"))
        for bone, parent, start, end in (
            ("hipjoint", "root", "pelvis", f"{side}_hip"),
            ("femur", "hipjoint", f"{side}_hip", f"{side}_knee"),
            ("tibia", "femur", f"{side}_knee", f"{side}_ankle"),
            ("foot", "tibia", f"{side}_ankle", f"{side}_foot"),
        )
    },
    "lowerback": ("root", "pelvis", "neck", 1 / 3),
    "upperback": ("lowerback", "pelvis", "neck", 1 / 3),
    "thorax": ("upperback", "pelvis", "neck", 1 / 3),
    "lowerneck": ("thorax", "neck", "head_top", 0.3),
    "upperneck": ("lowerneck", "neck", "head_top", 0.3),
    "head": ("upperneck", "neck", "head_top", 0.4),
    **{
        f"{s}{bone}": (
            parent if parent == "thorax" else f"{s}{parent}",
            start,
            end,
            1.0,
        )
        for s, side in (("l", "left"), ("r", "right"))
        for bone, parent, start, end in (
            ("clavicle", "thorax", "neck", f"{side}_shoulder"),
            ("humerus", "clavicle", f"{side}_shoulder", f"{side}_elbow"),
            ("radius", "humerus", f"{side}_elbow", f"{side}_wrist"),
        )
    },
}
_CMU_UNIT = 25.4 / 0.45  # mm


def _directions(joints: np.ndarray) -> dict[str, np.ndarray]:
    """Bone -> `[T, 3]`, mm, from its start to its end."""
    at = {n: joints[:, i] for i, n in enumerate(people.SKELETON.joint_names)}
    return {
        bone: share * (at[end] - at[start])
        for bone, (_, start, end, share) in _CMU_BONES.items()
    }


def _asf(rest: dict[str, np.ndarray]) -> str:
    lines = [
        ":version 1.10\n:name VICON\n:units\n  mass 1.0\n  length 0.45\n  angle deg",
        ":root\n   order TX TY TZ RX RY RZ\n   axis XYZ\n   position 0 0 0",
        "   orientation 0 0 0\n:bonedata",
    ]
    for number, (name, limb) in enumerate(rest.items(), 1):
        length = np.linalg.norm(limb)
        direction = " ".join(f"{v:.8f}" for v in limb / length)
        lines.append(
            f"  begin\n     id {number}\n     name {name}\n     direction {direction}\n"
            f"     length {length / _CMU_UNIT:.6f}\n     axis 0 0 0  XYZ\n"
            "    dof rx ry rz\n    limits (-180.0 180.0)\n           (-180.0 180.0)\n"
            "           (-180.0 180.0)\n  end"
        )
    lines.append(":hierarchy\n  begin")
    for parent in ("root", *rest):
        children = [b for b, (p, *_) in _CMU_BONES.items() if p == parent]
        lines += [f"    {parent} {' '.join(children)}"] if children else []
    return "\n".join([*lines, "  end\n"])


def _rotation_to(first: np.ndarray, second: np.ndarray) -> transform.Rotation:
    """The smallest rotations `[T]` that turn `[3]` into the directions `[T, 3]`."""
    first = first / np.linalg.norm(first)
    second = second / np.linalg.norm(second, axis=-1, keepdims=True)
    axis = np.cross(first, second)
    sine = np.linalg.norm(axis, axis=-1)
    angle = np.arctan2(sine, second @ first)
    return transform.Rotation.from_rotvec(
        axis / np.maximum(sine, 1e-9)[:, None] * angle[:, None]
    )


def _amc(joints: np.ndarray, rest: dict[str, np.ndarray]) -> str:
    frames = len(joints)
    turns = {"root": transform.Rotation.from_rotvec(np.zeros((frames, 3)))}
    columns = {"root": np.concatenate([joints[:, 0] / _CMU_UNIT, joints[:, 0] * 0], 1)}
    for bone, limb in _directions(joints).items():
        turns[bone] = _rotation_to(rest[bone], limb)
        local = turns[_CMU_BONES[bone][0]].inv() * turns[bone]
        columns[bone] = local.as_euler("xyz", degrees=True)
    lines = ["#!OML:ASF miniature", ":FULLY-SPECIFIED", ":DEGREES"]
    for frame in range(frames):
        lines.append(str(frame + 1))
        for bone, values in columns.items():
            lines.append(f"{bone} {' '.join(f'{v:.6g}' for v in values[frame])}")
    return "\n".join(lines) + "\n"


def cmu(
    folder, subjects=("01", "02", "03"), clips: int = 2, frames: int = 600, jump=False
):
    """Writes `<subject>/<subject>.asf` and `.amc`; `jump` puts one into the first.

    Returns:
        Clip name -> joints `[T, 17, 3]`, mm, y up, as written (120 fps).
    """
    written = {}
    for number, subject in enumerate(subjects):
        home = pathlib.Path(folder) / subject
        home.mkdir(parents=True)
        rest = None
        for clip in range(1, clips + 1):
            joints = people.person(100 * number + clip, frames, 120.0, who=number)
            if rest is None:
                rest = {b: limb[0] for b, limb in _directions(joints).items()}
                (home / f"{subject}.asf").write_text(_asf(rest))
            if jump and not written:
                joints[frames // 2 :] += [900.0, 0.0, 0.0]
            name = f"{subject}_{clip:02d}"
            (home / f"{name}.amc").write_text(_amc(joints, rest))
            written[name] = joints
    assert set(cmu_source.BONES.values()) <= {"root", *_CMU_BONES}
    return written


def bandai_namco(folder, clips: int = 2, frames: int = 90):
    """Writes `dataset-1_<content>_<take>.bvh` with position channels, cm, 30 fps."""
    names = [bandai_source.RIG.joints[n] for n in people.SKELETON.joint_names]
    names = [name.removesuffix("/End Site") for name in names]
    channels = "Xposition Yposition Zposition Zrotation Xrotation Yrotation"
    lines = ["HIERARCHY", "ROOT Hips", "{", "OFFSET 0 0 0", f"CHANNELS 6 {channels}"]
    for name in names[1:]:
        lines += [f"JOINT {name}", "{", "OFFSET 0 0 0", f"CHANNELS 6 {channels}"]
        lines += ["End Site", "{", "OFFSET 0 0 0", "}", "}"]
    lines += ["}", "MOTION", f"Frames: {frames}", "Frame Time: 0.0333333"]
    head = people.SKELETON.index("head_top")
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    for clip in range(clips):
        joints = people.person(clip, frames)
        moved = joints - joints[:, :1]
        moved[:, 0] = joints[:, 0]
        moved[:, head, 1] -= 180.0  # the rig's head ends 180 mm along its bone
        values = np.zeros((frames, len(names), 6))
        values[..., :3] = moved / 10.0
        values[:, head, 3] = 90.0  # which lies along x
        rows = [" ".join(f"{v:.6f}" for v in row.ravel()) for row in values]
        path = pathlib.Path(folder) / f"dataset-1_walk_active_{clip + 1:03d}.bvh"
        path.write_text("\n".join([*lines, *rows]) + "\n")
