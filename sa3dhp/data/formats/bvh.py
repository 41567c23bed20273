"""BVH motion capture of any rig, by a joint map.

The order of channels is the file's: `Zrotation Yrotation Xrotation` means
`Rz Ry Rx`, and rigs differ. Position channels *replace* a joint's OFFSET, on the root
and, where a rig has them, on every other joint. A joint's position is where its bone
starts; the tip of a chain is its end site, called `<joint>/End Site` here.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from collections.abc import Mapping, Sequence

import numpy as np

from sa3dhp import documents, errors
from sa3dhp.data import schema
from sa3dhp.data.formats import plain_text
from sa3dhp.geometry import rotation
from sa3dhp.skeleton import skeleton as skeletons

END_SITE = "/End Site"
# mm per unit of files seen in the wild: mm, cm, inch, CMU's own (1 / 0.45 inch), m.
UNITS_MM = (1.0, 10.0, 25.4, 25.4 / 0.45, 1000.0)
_LEGS = tuple(
    tuple(f"{side}_{joint}" for joint in ("hip", "knee", "ankle"))
    for side in ("left", "right")
)
LEG_MM = (600.0, 1050.0)  # thigh + shin of a grown person, with room


@dataclasses.dataclass(frozen=True)
class Joint:
    """A joint or end site: `channels` like `("Zrotation", ...)`, parent -1 = root."""

    name: str
    parent: int
    offset: np.ndarray
    channels: tuple[str, ...]
    first_channel: int


@dataclasses.dataclass(frozen=True)
class Motion:
    """A BVH file: `values` is `[T, channels]`, degrees and file units."""

    joints: tuple[Joint, ...]
    values: np.ndarray
    fps: float
    path: str

    def names(self) -> list[str]:
        """Names of all joints and end sites, in file order."""
        return [joint.name for joint in self.joints]


def read(path: str | pathlib.Path) -> Motion:
    """Reads a file, as loosely as programs write them.

    Names may hold blanks, keywords be in any case, braces stand anywhere; and there may
    be one row more than the file says.

    Raises:
        InputError: for a file that is no BVH, is cut short, or has decimal commas; for
            a joint without its offset, or with a channel twice.
    """
    path = pathlib.Path(path)
    with errors.reading(path, "a BVH file"):
        header, motion = _halves(plain_text.read(path), path)
        match = _RATE.match(motion)
        if not match:
            raise errors.InputError(
                f"{path}: no MOTION section with Frames and Frame Time; is it a BVH "
                "file?"
            )
        joints = _hierarchy(header, str(path))
        plain_text.refuse_commas(motion, path)
        frames, step = int(match[1]), float(match[2])
        width = sum(len(joint.channels) for joint in joints)
        words = motion[match.end() :].split()
        rows = frames + (width > 0 and len(words) == (frames + 1) * width)
        if not rows or not width or len(words) != rows * width:
            raise errors.InputError(
                f"{path}: {frames} frames of {width} numbers expected, got "
                f"{len(words)} numbers: cut short?"
            )
        values = plain_text.numbers(words, path).reshape(rows, width)
        if not 1 / _FASTEST <= step <= 1 / _SLOWEST:
            raise errors.InputError(
                f"{path}: Frame Time: got {step:g}, expected seconds, such as 0.033333"
            )
    # 0.0083333 s is 120 frames per second, not 120.0005.
    fps = 1.0 / step
    fps = float(round(fps)) if abs(fps - round(fps)) < 1e-3 * fps else fps
    return Motion(tuple(joints), values, fps, str(path))


def _halves(text: str, path: pathlib.Path) -> tuple[str, str]:
    """What is before and after the line MOTION."""
    parts = re.split(r"(?im)^[ \t]*MOTION\b", text, maxsplit=1)
    if len(parts) < 2:
        raise errors.InputError(
            f"{path}: no MOTION section with Frames and Frame Time; is it a BVH file?"
        )
    return parts[0], parts[1]


_SLOWEST, _FASTEST = 1.0, 1e5  # frames per second
_RATE = re.compile(r"(?i)\s*Frames\s*:\s*(\d{1,9})\s*Frame\s*Time\s*:\s*(\S+)")
_NUMBER = r"[-+]?[\d.]+(?:e[-+]?\d+)?"
# A name goes on to its brace or the end of the line: some have blanks.
_HEADER = re.compile(
    rf"""(?ix) \s* (?:
    (?P<joint>(?:ROOT|JOINT)[ \t]+(?P<name>[^{{}}\n]*[^{{}}\s]))
    | (?P<end>End\b[^{{}}\n]*)
    | (?P<open>{{) | (?P<close>}})
    | OFFSET (?P<offset>(?:\s+{_NUMBER}){{3}}) (?!\S*\d)
    | CHANNELS \s+ (?P<count>\d\d?) (?P<channels>(?:\s+[XYZ](?:position|rotation))*)
    | (?P<hierarchy>HIERARCHY) )"""
)


def _hierarchy(text: str, path: str) -> list[Joint]:
    """Reads the HIERARCHY section."""
    joints: list[Joint] = []
    stack: list[int] = []
    name, at, text = "", 0, text.rstrip()
    so_far = 0  # channels
    while at < len(text):
        found = _HEADER.match(text, at)
        if not found:
            word = text[at:].split(maxsplit=1)[0]
            plain_text.refuse_commas(text[at:].strip().splitlines()[0], path)
            raise errors.InputError(f"{path}: unexpected {word!r:.80} in the hierarchy")
        at = found.end()
        if found["joint"]:
            name = found["name"].strip()
        elif found["end"]:
            name = joints[stack[-1]].name + END_SITE
        elif found["open"]:
            if not name:
                raise errors.InputError(f"{path}: a brace without a joint before it")
            parent = stack[-1] if stack else -1
            stack.append(len(joints))
            joints.append(Joint(name, parent, np.full(3, np.nan), (), so_far))
            name = ""
        elif found["close"]:
            stack.pop()
        elif found["offset"]:
            offset = plain_text.numbers(found["offset"].split(), path)
            joints[stack[-1]] = dataclasses.replace(joints[stack[-1]], offset=offset)
        elif found["count"]:
            channels = tuple(found["channels"].split())
            once = {channel.lower() for channel in channels}
            good = len(once) == len(channels) == int(found["count"])
            if not good or joints[stack[-1]].channels:
                raise errors.InputError(
                    f"{path}: {joints[stack[-1]].name}: {found['count']} channels "
                    f"expected, got {' '.join(channels)}"
                )
            joints[stack[-1]] = dataclasses.replace(
                joints[stack[-1]], channels=channels, first_channel=so_far
            )
            so_far += len(channels)
    if stack or not joints:
        what = (
            f"{len(stack)} braces of it are not closed" if stack else "no joint in it"
        )
        raise errors.InputError(f"{path}: {what}")
    for joint in joints:
        if np.isnan(joint.offset).any():
            raise errors.InputError(f"{path}: {joint.name}: no OFFSET")
    return joints


def forward_kinematics(
    motion: Motion,
    names: Sequence[str],
    segments: Mapping[str, np.ndarray | Sequence[float]] | None = None,
) -> np.ndarray:
    """Returns where joints are, `[T, len(names), 3]`, float64, file units and axes.

    Args:
        motion: from `read`.
        names: joints or end sites; only these and their ancestors are computed.
        segments: joint -> vector added to its OFFSET, for files that lost a bone.

    Raises:
        InputError: if the file has no joint of that name.
    """
    known = motion.names()
    missing = [name for name in names if name not in known]
    if missing:
        raise errors.InputError(
            f"{motion.path}: no joints {missing}; it has {', '.join(known)}"
        )
    if twice := [name for name in names if known.count(name) > 1]:
        raise errors.InputError(
            f"{motion.path}: has several joints {twice[0]}; give each a name of its own"
        )
    needed: set[int] = set()
    for name in names:
        index = known.index(name)
        while index >= 0:
            needed.add(index)
            index = motion.joints[index].parent
    turns: dict[int, np.ndarray] = {}
    places: dict[int, np.ndarray] = {}
    for index in sorted(needed):
        joint = motion.joints[index]
        offset, turn = _local(joint, motion.values)
        if segments and joint.name in segments:
            offset = offset + np.asarray(segments[joint.name])
        if joint.parent < 0:
            places[index] = offset
            turns[index] = np.eye(3) if turn is None else turn
        else:
            parent = turns[joint.parent]
            moved = (parent @ offset[..., None])[..., 0]
            places[index] = places[joint.parent] + moved
            turns[index] = parent if turn is None else parent @ turn
    return np.stack([places[known.index(name)] for name in names], axis=1)


def _local(joint: Joint, values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Offset `[T, 3]` and rotation `[T, 3, 3]` (None: it has no angles) of a joint."""
    columns = values[:, joint.first_channel :][:, : len(joint.channels)]
    offset = np.tile(joint.offset, (len(values), 1))
    axes, angles = "", []
    for n, channel in enumerate(joint.channels):
        axis = channel[0].lower()
        if channel.lower().endswith("position"):
            offset[:, "xyz".index(axis)] = columns[:, n]
        else:
            axes += axis
            angles.append(columns[:, n])
    if not axes:
        return offset, None
    # Written first means applied last.
    angles_deg = np.stack(angles[::-1], axis=-1)
    return offset, rotation.from_euler(np.radians(angles_deg), axes[::-1])


@dataclasses.dataclass(frozen=True)
class Rig:
    """How a rig's joints become `sa3dhp17`.

    Attributes:
        id: a name for it.
        joints: joint of `sa3dhp17` -> joint of the rig; or `[a, b, f]` for the point
            `a + f (b - a)` (f = 0.5 the middle, f > 1 beyond b); or None where the rig
            has nothing alike, which masks the joint.
        unit_mm: mm per file unit; None finds it by the length of the legs.
        up: the axis that points up, `y` or `z`.
        skip_frames: frames at the start that are no capture (an added T-pose).
        segments: joint -> `[3]`, mm, added to its OFFSET: for a rig that lost a bone,
            or whose end site is no longer than nothing.
        root_scale: times the root's path, for files that scaled the limbs alone.
    """

    id: str
    joints: Mapping[str, str | Sequence | None]
    unit_mm: float | None = None
    up: str = "y"
    skip_frames: int = 0
    segments: Mapping[str, Sequence[float]] = dataclasses.field(default_factory=dict)
    root_scale: float = 1.0

    def __post_init__(self) -> None:
        if not isinstance(self.joints, Mapping):
            raise errors.InputError(
                f"rig {self.id!r:.80}: joints expected a mapping of joints of sa3dhp17 "
                f"to those of the rig, got {self.joints!r:.80}"
            )
        expected, given = set(skeletons.SA3DHP17.joint_names), set(self.joints)
        if given != expected:
            raise errors.InputError(
                f"rig {self.id!s:.80}: joints missing {sorted(expected - given)}, "
                f"unknown {sorted(map(str, given - expected))}; name every joint of "
                "sa3dhp17 once (null where the rig has none)"
            )
        if self.up not in ("y", "z"):
            raise errors.InputError(
                f"rig {self.id!s:.80}: up expected y or z: {self.up!r:.80}"
            )
        for key, (expected_value, good) in self._checked().items():
            if not good:
                raise errors.InputError(
                    f"rig {self.id!s:.80}: {key} expected {expected_value}"
                )

    def _checked(self) -> dict[str, tuple[str, bool]]:
        """Attribute -> what it should be, and whether it is."""
        unit, skipped = self.unit_mm, self.skip_frames
        segments = self.segments if isinstance(self.segments, Mapping) else {"": None}
        return {
            "id": ("a text", isinstance(self.id, str)),
            "joints": (
                "names of the rig's joints, [joint, joint, number] or null",
                all(map(_is_source, self.joints.values())),
            ),
            "unit_mm": (
                "a number above 0",
                unit is None or (_number(unit) and unit > 0),
            ),
            "skip_frames": (
                "a whole number, 0 or above",
                type(skipped) is int and skipped >= 0,
            ),
            "segments": (
                "joints with three numbers, mm",
                all(
                    isinstance(v, (list, tuple, np.ndarray))
                    and len(v) == 3
                    and all(map(_number, v))
                    for v in segments.values()
                ),
            ),
            "root_scale": ("a number", _number(self.root_scale)),
        }

    def sources(self) -> list[str]:
        """The rig's joints it needs, each once."""
        names: dict[str, None] = {}
        for source in self.joints.values():
            if isinstance(source, str):
                names[source] = None
            elif source is not None:
                names.update({source[0]: None, source[1]: None})
        return list(names)


def _number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        return False
    return bool(abs(float(value)) < 1e9)


def _is_source(value: object) -> bool:
    if isinstance(value, (list, tuple)):
        ends = len(value) == 3 and all(isinstance(end, str) for end in value[:2])
        return ends and _number(value[2])
    return value is None or isinstance(value, str)


def rig_from_yaml(text: str) -> Rig:
    """Reads a rig, a mapping with the attributes of `Rig`, from YAML.

    Raises:
        InputError: if it is no YAML, or an attribute is missing or wrong.
    """
    fields = documents.parse_yaml(text, "rig")
    allowed = {field.name for field in dataclasses.fields(Rig)}
    if not isinstance(fields, dict) or not {"id", "joints"} <= set(fields) <= allowed:
        raise errors.InputError(
            f"rig: expected a mapping with id, joints and optionally "
            f"{sorted(allowed - {'id', 'joints'})}, got {fields!r:.200}"
        )
    return Rig(**fields)


def to_sequence(motion: Motion, rig: Rig, name: str, **fields) -> schema.Sequence:
    """Returns a file's motion as `sa3dhp17`, mm, world frame (y down).

    Args:
        motion: from `read`.
        rig: how to read it.
        name: of the sequence.
        **fields: other fields of `schema.Sequence`; `fps` overrides the file's.
    """
    sources = rig.sources()
    unit = rig.unit_mm or find_unit(motion, rig)
    segments = {k: np.array(v, np.float64) / unit for k, v in rig.segments.items()}
    places = forward_kinematics(motion, sources, segments)[rig.skip_frames :]
    path = forward_kinematics(motion, [motion.joints[0].name])[rig.skip_frames :]
    places = places + (rig.root_scale - 1.0) * path
    target = skeletons.SA3DHP17
    joints = np.zeros((len(places), target.num_joints, 3))
    mask = np.ones(joints.shape[:2], bool)
    for index, joint in enumerate(target.joint_names):
        source = rig.joints[joint]
        if source is None:
            mask[:, index] = False
        elif isinstance(source, str):
            joints[:, index] = places[:, sources.index(source)]
        else:
            a, b = (places[:, sources.index(end)] for end in source[:2])
            joints[:, index] = a + float(source[2]) * (b - a)
    joints = schema.y_down(joints * unit, rig.up)
    fields = {"fps": motion.fps, "note": f"bvh, rig {rig.id}", **fields}
    return schema.Sequence(
        name, target.id, joints, "world", mask=None if mask.all() else mask, **fields
    )


def find_unit(motion: Motion, rig: Rig) -> float:
    """Returns the mm per file unit that give a person's legs.

    Raises:
        InputError: if none of `UNITS_MM` does, or the rig has no leg joints by name.
    """
    chains = [
        [name for name in map(rig.joints.get, leg) if isinstance(name, str)]
        for leg in _LEGS
    ]
    if any(len(chain) < len(leg) for chain, leg in zip(chains, _LEGS)):
        raise errors.InputError(f"rig {rig.id}: unit_mm is needed: legs are not joints")
    half = len(motion.values) // 2
    middle = dataclasses.replace(motion, values=motion.values[half : half + 1])
    limbs = [np.diff(forward_kinematics(middle, chain)[0], axis=0) for chain in chains]
    leg = np.linalg.norm(limbs, axis=-1).sum(axis=-1).mean()
    fitting = [unit for unit in UNITS_MM if LEG_MM[0] <= leg * unit <= LEG_MM[1]]
    if len(fitting) != 1:
        raise errors.InputError(
            f"{motion.path}: a leg of {leg:.4g} file units fits none of {UNITS_MM} mm "
            "per unit; give the rig's unit_mm"
        )
    return fitting[0]
