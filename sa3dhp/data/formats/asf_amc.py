"""Acclaim skeletons (ASF) and motions (AMC), as Vicon wrote them for CMU.

Checked on 131 genuine clips. Angles are degrees, the product of a bone's rotations is
`Rz Ry Rx` (x acts first), and a bone's `direction` is given in the frame of the whole
body's rest pose, not of its parent.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re

import numpy as np

from sa3dhp import errors
from sa3dhp.data.formats import plain_text
from sa3dhp.geometry import rotation

INCH = 25.4  # mm
_MOST, _UNIT = 1e6, 0.02  # of lengths, and what rounding does to a direction
_WORDS = 4  # of a bone's name, at most
_DOF = {"tx", "ty", "tz", "rx", "ry", "rz", "l"}


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
        words = re.sub(r"(^|\s)#.*", "", line).split()
        if words and words[0].startswith(":"):
            lines = sections.setdefault(words[0][1:].lower(), [])
            words = words[1:]
        if words:
            lines.append(words)
    return sections


def _bone_blocks(lines: list[list[str]]) -> list[dict[str, list[str]]]:
    """Reads `begin ... end` blocks; lines of `limits` that run on are left out."""
    blocks: list[dict[str, list[str]]] = []
    for key, *words in lines:
        if key.lower() == "begin":
            blocks.append({})
        elif key.lower() != "end" and not key.startswith("("):
            blocks[-1][key.lower()] = words
    return blocks


def _root(lines: list[list[str]], path: str) -> Bone:
    fields = {words[0].lower(): words[1:] for words in lines}
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
    """Reads a skeleton; keywords may be in any case, names hold blanks.

    Raises:
        InputError: if a section is missing or damaged, or a unit is not what CMU uses.
    """
    with errors.reading(path, "an ASF file"):
        text = plain_text.read(path)
        sections = _sections(text)
        missing = {"units", "root", "bonedata", "hierarchy"} - set(sections)
        if missing:
            raise errors.InputError(f"{path}: not an ASF file: no {sorted(missing)}")
        plain_text.refuse_commas(text, path)
        units = {words[0].lower(): words[1] for words in sections["units"]}
        if units.get("angle", "deg").lower() != "deg":
            raise errors.InputError(f"{path}: angle {units['angle']}, expected deg")
        length = float(units.get("length", 1.0))
        if not 0 < length < _MOST:
            raise errors.InputError(
                f"{path}: units: length {length:g}, expected above 0"
            )
        unit = INCH / length
        return Skeleton(_bones(sections, unit, str(path)), unit)


def _bones(
    sections: dict[str, list[list[str]]], unit: float, path: str
) -> tuple[Bone, ...]:
    """The bones in the order of the hierarchy."""
    found = _bone_blocks(sections["bonedata"])
    blocks = {" ".join(block["name"]): block for block in found}
    if len(blocks) < len(found):
        raise errors.InputError(f"{path}: a bone of bonedata comes twice")
    bones = [_root(sections["root"], path)]
    order = {"root": 0}
    for words in sections["hierarchy"]:
        if words[0].lower() in ("begin", "end"):
            continue
        parent, *children = _names(words, {*blocks, "root"})
        for name in children:
            if parent not in order or name not in blocks or name in order:
                raise errors.InputError(
                    f"{path}: the hierarchy has {parent} -> {name}, which comes before "
                    "its parent, comes twice or has no bone data"
                )
            order[name] = len(bones)
            bones.append(_bone(name, order[parent], blocks[name], unit, path=path))
    return tuple(bones)


def _names(words: list[str], known: set[str]) -> list[str]:
    """Words as names, each the longest that is known; the root's in any case."""
    found, at = [], 0
    while at < len(words):
        ends = range(min(len(words), at + _WORDS), at, -1)
        texts = [" ".join(words[at:end]) for end in ends]
        name = next((text for text in texts if text in known), words[at])
        found.append("root" if name.lower() == "root" else name)
        at += len(name.split())
    return found


def _bone(
    name: str, parent: int, block: dict[str, list[str]], unit: float, *, path: str
) -> Bone:
    """A bone from the lines of its block."""
    *words, axes = block["axis"]
    angles = np.radians(np.array(words, np.float64))
    if axes.upper() != "XYZ":
        raise errors.InputError(f"{path}: {name}: axis {axes}, expected XYZ")
    direction = np.array(block["direction"], np.float64)
    length = float(block["length"][0])
    offset = direction * length * unit
    dof = tuple(word.lower() for word in block.get("dof", []))
    if angles.shape != (3,) or offset.shape != (3,) or not set(dof) <= _DOF:
        raise errors.InputError(
            f"{path}: {name}: expected three numbers each of axis and direction, and "
            f"dof of {' '.join(sorted(_DOF))}, got {block}"
        )
    if length < 0 or (length > 0 and abs(np.linalg.norm(direction) - 1) > _UNIT):
        raise errors.InputError(
            f"{path}: {name}: length {length:g} along {' '.join(block['direction'])}, "
            "expected a direction of length 1, and no length below 0"
        )
    if not np.isfinite([angles, offset]).all() or len(set(dof)) < len(dof):
        raise errors.InputError(
            f"{path}: {name}: a number is not finite, or a dof comes twice"
        )
    return Bone(name, parent, offset, rotation.from_euler(angles, "xyz"), dof)


def read_amc(path: str | pathlib.Path, skeleton: Skeleton) -> dict[str, np.ndarray]:
    """Reads a motion: bone name -> `[T, dofs]`, as in the file (degrees, file units).

    The numbers are parsed in one go; that every frame lists the same bones in the same
    order, and that frames are numbered without a gap, is checked.

    Raises:
        InputError: for a file that is cut short, or another skeleton's.
    """
    with errors.reading(path, "an AMC file"):
        text = plain_text.read(path)
        found = re.search(r"(?im)^\s*:DEGREES\b", text)
        if not found:
            raise errors.InputError(f"{path}: no :DEGREES line; is it an AMC file?")
        body = re.sub(r"(?im)^[ \t]*root\b", "root", text[found.end() :])
        for bone in skeleton.bones:
            if " " in bone.name:
                body = body.replace(bone.name, _joined(bone.name))
        return _table(body, path, skeleton)


def _joined(name: str) -> str:
    """A name as one word."""
    return name.replace(" ", "_")


def _table(
    body: str, path: str | pathlib.Path, skeleton: Skeleton
) -> dict[str, np.ndarray]:
    """The frames of a motion, whose bones are named by one word each."""
    names, columns = _first_frame(body[: 1 << 16].splitlines())
    dofs = {_joined(bone.name): len(bone.dof) for bone in skeleton.bones}
    wrong = [n for n, width in zip(names, columns) if dofs.get(n) != width]
    if wrong or "root" not in names or len(set(names)) < len(names):
        plain_text.refuse_commas(body, path)
        raise errors.InputError(
            f"{path}: bones {wrong or ['root']} are not as its skeleton has them; "
            "give the ASF file of the same subject"
        )
    words = body.split()
    width = 1 + sum(columns) + len(names)  # frame number, values, names
    starts = 1 + np.cumsum([0, *columns[:-1]]) + np.arange(len(names))
    if len(words) % width or any(
        word != name
        for start, name in zip(starts, names)
        for word in set(words[start::width])
    ):
        raise errors.InputError(
            f"{path}: frames of {width} words expected, got {len(words)} words: cut "
            "short, or its frames list different bones"
        )
    for n, start in enumerate(starts):
        del words[start - n :: width - n]  # names go, numbers stay
    plain_text.refuse_commas(body, path)
    table = plain_text.numbers(words, path).reshape(-1, 1 + sum(columns))
    if not len(table) or not (np.diff(table[:, 0]) == 1).all():
        raise errors.InputError(f"{path}: its frame numbers have a gap")
    ends = np.cumsum([1, *columns])
    owners = {_joined(bone.name): bone.name for bone in skeleton.bones}
    return {owners[n]: table[:, a:b] for n, a, b in zip(names, ends, ends[1:])}


def _first_frame(lines: list[str]) -> tuple[list[str], list[int]]:
    """The bones of an AMC file's first frame and how many numbers each has."""
    names: list[str] = []
    columns: list[int] = []
    for words in filter(None, (line.split() for line in lines)):
        if len(words) > 1:
            names.append(words[0])
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
