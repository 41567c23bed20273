"""Acclaim skeletons (ASF) and motions (AMC), as Vicon wrote them for CMU.

Checked on 131 genuine clips. Angles are degrees, the product of a bone's rotations is
`Rz Ry Rx` (x acts first), and a bone's `direction` is given in the frame of the whole
body's rest pose, not of its parent.
"""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from sa3dhp import errors
from sa3dhp.geometry import rotation

INCH = 25.4  # mm


@dataclasses.dataclass(frozen=True)
class Bone:
    """One bone of an ASF file; the root is a bone of length zero.

    Attributes:
        name: e.g. `lfemur`, which ends in the left knee.
        parent: index of the parent bone, -1 for the root.
        offset: `[3]`, mm, from the parent's end to its own, rest pose.
        axis: `[3, 3]`, the frame in which its angles are meant.
        dof: the angles an AMC line gives, e.g. `rxryrz` -> `("rx", "ry", "rz")`.
    """

    name: str
    parent: int
    offset: np.ndarray
    axis: np.ndarray
    dof: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Skeleton:
    """Bones with parents before children; `unit` is mm per file unit."""

    bones: tuple[Bone, ...]
    unit: float

    def index(self, name: str) -> int:
        """The position of the bone called `name`."""
        return [bone.name for bone in self.bones].index(name)


def _sections(text: str) -> dict[str, list[list[str]]]:
    """Splits an ASF file into its `:sections`, each a list of lines of words."""
    sections: dict[str, list[list[str]]] = {}
    lines: list[list[str]] = []
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if words and words[0].startswith(":"):
            lines = sections.setdefault(words[0][1:].lower(), [])
            words = words[1:]
        if words:
            lines.append(words)
    return sections


def _bone_blocks(lines: list[list[str]]) -> list[dict[str, list[str]]]:
    """Reads `begin ... end` blocks; lines of `limits` that run on are left out."""
    blocks: list[dict[str, list[str]]] = []
    for words in lines:
        if words[0] == "begin":
            blocks.append({})
        elif words[0] != "end" and not words[0].startswith("("):
            blocks[-1][words[0]] = words[1:]
    return blocks


def _root(lines: list[list[str]], path: str) -> Bone:
    fields = {words[0]: words[1:] for words in lines}
    placed = [*fields.get("position", []), *fields.get("orientation", [])]
    if any(float(value) for value in placed):
        raise errors.InputError(
            f"{path}: the root's rest position and orientation are expected to be 0, "
            f"got {' '.join(placed)}; such files are not supported"
        )
    dof = tuple(word.lower() for word in fields["order"])
    if sorted(dof) != ["rx", "ry", "rz", "tx", "ty", "tz"]:
        raise errors.InputError(f"{path}: root order {dof} expected six channels")
    return Bone("root", -1, np.zeros(3), np.eye(3), dof)


def read_asf(path: str | pathlib.Path) -> Skeleton:
    """Reads a skeleton.

    Raises:
        InputError: if a section is missing or a unit is not what CMU uses.
    """
    text = pathlib.Path(path).read_text(encoding="latin-1")
    sections = _sections(text)
    missing = {"units", "root", "bonedata", "hierarchy"} - set(sections)
    if missing:
        raise errors.InputError(f"{path}: not an ASF file: no {sorted(missing)}")
    units = {words[0]: words[1] for words in sections["units"]}
    if units.get("angle", "deg") != "deg":
        raise errors.InputError(f"{path}: angle {units['angle']}, expected deg")
    unit = INCH / float(units.get("length", 1.0))
    blocks = {b["name"][0]: b for b in _bone_blocks(sections["bonedata"])}
    bones = [_root(sections["root"], str(path))]
    order = {"root": 0}
    for parent, *children in sections["hierarchy"][1:-1]:
        for name in children:
            if parent not in order or name not in blocks:
                raise errors.InputError(
                    f"{path}: the hierarchy has {parent} -> {name}, which comes before "
                    "its parent or has no bone data"
                )
            block = blocks[name]
            *words, axes = block["axis"]
            angles = np.radians(np.array(words, np.float64))
            if axes.upper() != "XYZ":
                raise errors.InputError(f"{path}: {name}: axis {axes}, expected XYZ")
            direction = np.array(block["direction"], np.float64)
            order[name] = len(bones)
            bones.append(
                Bone(
                    name,
                    order[parent],
                    direction * float(block["length"][0]) * unit,
                    rotation.from_euler(angles, "xyz"),
                    tuple(word.lower() for word in block.get("dof", [])),
                )
            )
    return Skeleton(tuple(bones), unit)


def read_amc(path: str | pathlib.Path, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """Reads a motion: bone name -> `[T, dofs]`, as in the file (degrees, file units).

    The numbers are parsed in one go; that every frame lists the same bones in the same
    order, and that frames are numbered without a gap, is checked.

    Raises:
        InputError: for a file that is cut short, or another skeleton's.
    """
    text = pathlib.Path(path).read_bytes()
    marker = text.find(b":DEGREES")
    if marker < 0:
        raise errors.InputError(f"{path}: no :DEGREES line; is it an AMC file?")
    body = text[marker + len(b":DEGREES") :]
    names, columns = _first_frame(body[: 1 << 16].splitlines())
    dofs = {bone.name: len(bone.dof) for bone in skeleton.bones}
    wrong = [n for n, width in zip(names, columns) if dofs.get(n) != width]
    if wrong or "root" not in names:
        raise errors.InputError(
            f"{path}: bones {wrong or ['root']} are not as its skeleton has them; "
            "give the ASF file of the same subject"
        )
    words = body.split()
    width = 1 + sum(columns) + len(names)  # frame number, values, names
    starts = 1 + np.cumsum([0, *columns[:-1]]) + np.arange(len(names))
    if len(words) % width or any(
        word != name.encode()
        for start, name in zip(starts, names)
        for word in set(words[start::width])
    ):
        raise errors.InputError(
            f"{path}: frames of {width} words expected, got {len(words)} words: cut "
            "short, or its frames list different bones"
        )
    for n, start in enumerate(starts):
        del words[start - n :: width - n]  # names go, numbers stay
    table = np.array(words, np.float64).reshape(-1, 1 + sum(columns))
    if not (np.diff(table[:, 0]) == 1).all():
        raise errors.InputError(f"{path}: its frame numbers have a gap")
    ends = np.cumsum([1, *columns])
    return {name: table[:, a:b] for name, a, b in zip(names, ends, ends[1:])}


def _first_frame(lines: list[bytes]) -> tuple[list[str], list[int]]:
    """The bones of an AMC file's first frame and how many numbers each has."""
    names: list[str] = []
    columns: list[int] = []
    for words in filter(None, (line.split() for line in lines)):
        if len(words) > 1:
            names.append(words[0].decode("latin-1"))
            columns.append(len(words) - 1)
        elif names:
            break  # the number of the second frame
    return names, columns


def forward_kinematics(
    skeleton: Skeleton, motion: dict[str, np.ndarray], ends_of: list[str]
) -> np.ndarray:
    """Returns where bones end: `L = C M C^-1`, `G = G_parent L`.

    Args:
        skeleton: from `read_asf`.
        motion: from `read_amc`; a bone without a line stays in its rest pose.
        ends_of: names of bones; only these and their ancestors are computed.

    Returns:
        `[T, len(ends_of), 3]`, float64, mm, the file's world (y up, right-handed).
    """
    needed: set[int] = set()
    for name in ends_of:
        index = skeleton.index(name)
        while index >= 0:
            needed.add(index)
            index = skeleton.bones[index].parent
    turns: dict[int, np.ndarray] = {}
    ends: dict[int, np.ndarray] = {}
    for index in sorted(needed):
        bone = skeleton.bones[index]
        local = _local_rotation(bone, motion)
        if bone.parent < 0:
            columns = [bone.dof.index(f"t{axis}") for axis in "xyz"]
            # `read_amc` makes sure that the root is there, `_root` that it turns.
            turns[index] = np.eye(3) if local is None else local
            ends[index] = motion[bone.name][:, columns] * skeleton.unit
        else:
            parent = turns[bone.parent]
            turns[index] = parent if local is None else parent @ local
            ends[index] = ends[bone.parent] + turns[index] @ bone.offset
    return np.stack([ends[skeleton.index(name)] for name in ends_of], axis=1)


def _local_rotation(bone: Bone, motion: dict[str, np.ndarray]) -> np.ndarray | None:
    """`C M C^-1` of a bone, `[T, 3, 3]`; None where it does not turn."""
    turning = [n for n, dof in enumerate(bone.dof) if dof[0] == "r"]
    if bone.name not in motion or not turning:
        return None
    axes = "".join(bone.dof[n][1] for n in turning)
    angles = np.radians(motion[bone.name][:, turning])
    return bone.axis @ rotation.from_euler(angles, axes) @ bone.axis.T
