"""The bodies: a mesh that targets shape, and the joints of `sa3dhp17` in it.

The joints are those that the project reads from CMU's captures: the pelvis is their
root, which lies above and behind the middle of the hips, and the neck the end of the
thorax, a little below the line of the shoulders. Both are kept at their measured place
relative to hips and shoulders. The head's top is the skull's highest vertex along the
head's axis, which captures do not have.
"""

from __future__ import annotations

import dataclasses
import functools
import pathlib

import numpy as np

from sa3dhp import errors
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic.people import makehuman

SKELETON = skeletons.SA3DHP17
# Bone that starts in each joint; pelvis, neck and head top are made below.
STARTS = {
    f"{side}_{joint}": f"{side.capitalize()}{bone}"
    for side in ("left", "right")
    for joint, bone in dict(
        shoulder="Arm",
        elbow="ForeArm",
        wrist="Hand",
        hip="UpLeg",
        knee="Leg",
        ankle="Foot",
        foot="ToeBase",
    ).items()
}
# From the middle of the hips to CMU's root and from the middle of the shoulders to its
# neck, in units of the length of a leg (0.84 m); mean of 15 subjects at rest.
ROOT_OVER_HIPS = np.array([0.0, 0.120, -0.046])
NECK_OVER_SHOULDERS = np.array([0.0, -0.072, 0.010])
_CELL = 0.15  # dm; details of the skin that are smaller are left out
_MACRO = "targets/macrodetails"
_AGES, _MUSCLES, _WEIGHTS = (
    ("young", "old"),
    ("minmuscle", "averagemuscle", "maxmuscle"),
    ("minweight", "averageweight", "maxweight"),
)
RACES = ("african", "asian", "caucasian")


@dataclasses.dataclass(frozen=True)
class Shape:
    """What a body is like; all from 0 to 1.

    Attributes:
        male: 0 is a woman, 1 a man.
        old: 0 is 25 years old, 1 is 90.
        muscle: 0.5 is average.
        weight: 0.5 is average.
        height: 0.5 is average.
        races: how much of each of `RACES`; sums to 1.
    """

    male: float
    old: float
    muscle: float
    weight: float
    height: float
    races: tuple[float, ...]


class Body:
    """The base mesh with its targets and its rig.

    Attributes:
        skin: the mesh of a person's surface, corners of `uv` included.
        eyes: that of both eyes.
        rig: the bones.
        groups: of the base mesh's vertices.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        """Reads MakeHuman's `mpfb2` folder.

        Raises:
            InputError: if a file of it is not there.
        """
        self._folder = folder
        rigs = folder / "rigs/standard"
        needed = [
            folder / "3dobjs/base.obj",
            folder / "mesh_metadata/basemesh_vertex_groups.json",
            rigs / "rig.cmu_mb.json",
            rigs / "weights.cmu_mb.json",
        ]
        for path in needed:
            if not path.is_file():
                raise errors.InputError(f"{path}: missing; it is part of MakeHuman")
        obj, groups, bones, weights = needed
        self.skin = makehuman.read_obj(obj, ("body",)).coarser(_CELL)
        self.eyes = makehuman.read_obj(obj, ("helper-l-eye", "helper-r-eye"))
        self.groups = makehuman.read_groups(groups)
        count = len(self.skin.vertices)
        self.rig = makehuman.read_rig(bones, weights, self.groups, count)

    def shaped(self, shape: Shape) -> np.ndarray:
        """Returns the base mesh's vertices for a shape, `[V, 3]`, float32, dm."""
        out = self.skin.vertices.copy()
        for name, weight in mixture(shape).items():
            if weight > 1e-3:
                out += np.float32(weight) * self._target(name)
        return out

    @functools.lru_cache(maxsize=128)  # noqa: B019  (a body lives as long as its process)
    def _target(self, name: str) -> np.ndarray:
        path = self._folder / _MACRO / f"{name}.target"
        if not path.is_file():
            path = path.with_name(f"{path.name}.gz")
        if not path.is_file():
            raise errors.InputError(f"{path}: missing; it is part of MakeHuman")
        return makehuman.read_target(path, len(self.skin.vertices))


def mixture(shape: Shape) -> dict[str, float]:
    """Returns how much of each of MakeHuman's macro targets makes a shape."""
    out: dict[str, float] = {}
    ages = dict(zip(_AGES, (1 - shape.old, shape.old)))
    muscles, weights = (
        dict(zip(names, _three(value)))
        for names, value in ((_MUSCLES, shape.muscle), (_WEIGHTS, shape.weight))
    )
    for gender, g in (("female", 1 - shape.male), ("male", shape.male)):
        for age, a in ages.items():
            for race, r in zip(RACES, shape.races):
                out[f"{race}-{gender}-{age}"] = g * a * r
            for muscle, m in muscles.items():
                for weight, w in weights.items():
                    out[f"universal-{gender}-{age}-{muscle}-{weight}"] = g * a * m * w
        end = "maxheight" if shape.height > 0.5 else "minheight"
        name = f"height/{gender}-young-averagemuscle-averageweight-{end}"
        out[name] = g * abs(2 * shape.height - 1)
    return out


def _three(value: float) -> tuple[float, float, float]:
    """Weights of least, average and most."""
    return max(1 - 2 * value, 0.0), 1 - abs(2 * value - 1), max(2 * value - 1, 0.0)


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Skeleton:
    """A body's bones and joints at rest, metres, axes as the mesh has them.

    Attributes:
        heads: `[B, 3]`, where bones start.
        tails: `[B, 3]`, where they end.
        joints: `[17, 3]`, `sa3dhp17`.
        owners: `[17]` int, the bone that carries each joint.
        leg: length of thigh and shin.
        sole: y of the soles.
    """

    heads: np.ndarray
    tails: np.ndarray
    joints: np.ndarray
    owners: np.ndarray
    leg: float
    sole: float


def skeleton(body: Body, vertices: np.ndarray) -> Skeleton:
    """Finds bones and joints in a shaped body; vertices `[V, 3]`, metres."""
    rig = body.rig
    heads, tails = (
        np.stack([vertices[rows].mean(axis=0) for rows in places]).astype(np.float64)
        for places in (rig.heads, rig.tails)
    )
    at = {name: heads[rig.index(bone)] for name, bone in STARTS.items()}
    owner = {name: rig.index(bone) for name, bone in STARTS.items()}
    leg = np.mean(
        [
            np.linalg.norm(at[f"{side}_hip"] - at[f"{side}_knee"])
            + np.linalg.norm(at[f"{side}_knee"] - at[f"{side}_ankle"])
            for side in ("left", "right")
        ]
    )
    for name, bone, sides, offset in (
        ("pelvis", "Hips", "hip", ROOT_OVER_HIPS),
        ("neck", "Spine1", "shoulder", NECK_OVER_SHOULDERS),
    ):
        middle = (at[f"left_{sides}"] + at[f"right_{sides}"]) / 2
        at[name], owner[name] = middle + leg * offset, rig.index(bone)
    owner["head_top"] = rig.index("Head")
    at["head_top"] = _head_top(body, vertices, heads, tails)
    names = SKELETON.joint_names
    surface = vertices[: body.groups["body"].max() + 1]
    return Skeleton(
        heads,
        tails,
        np.stack([at[name] for name in names]),
        np.array([owner[name] for name in names]),
        float(leg),
        float(surface[:, 1].min()),
    )


def _head_top(
    body: Body, vertices: np.ndarray, heads: np.ndarray, tails: np.ndarray
) -> np.ndarray:
    """The skull's highest vertex along the axis of the bone of the head."""
    bone = body.rig.index("Head")
    skull = body.groups["body"]
    skull = skull[body.rig.weights[skull, bone] > 0.99]
    axis = tails[bone] - heads[bone]
    return vertices[skull[np.argmax(vertices[skull] @ axis)]].astype(np.float64)
