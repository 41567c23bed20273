"""MakeHuman, panoramas and captures in miniature, in the genuine formats.

A person is of boxes around the bones; those of the left side are red, those of the
right side blue, the rest white. Decimetres, x to the person's left, y up.
"""

import gzip
import itertools
import json
import pathlib

import cv2
import numpy as np

# Bone: its parent, where it starts, where it ends; `{}` is a side.
_TRUNK = {
    "Hips": ("", (0, 0.9, 0), (0, 1.8, -0.3)),
    "LowerBack": ("Hips", (0, 1.8, -0.3), (0, 3.1, -0.3)),
    "Spine": ("LowerBack", (0, 3.1, -0.3), (0, 4.5, -0.5)),
    "Spine1": ("Spine", (0, 4.5, -0.5), (0, 6.5, 0.1)),
    "Neck": ("Spine1", (0, 6.5, 0.1), (0, 7.0, 0.2)),
    "Neck1": ("Neck", (0, 7.0, 0.2), (0, 7.5, 0.3)),
    "Head": ("Neck1", (0, 7.5, 0.3), (0, 9.2, 0.3)),
}
_LEFT = {
    "LHipJoint": ("Hips", (0, 0.9, 0), (1.1, 0.8, -0.1)),
    "LeftUpLeg": ("LHipJoint", (1.1, 0.8, -0.1), (1.5, -3.5, 0.2)),
    "LeftLeg": ("LeftUpLeg", (1.5, -3.5, 0.2), (1.9, -7.8, 0.1)),
    "LeftFoot": ("LeftLeg", (1.9, -7.8, 0.1), (2.1, -8.3, 1.5)),
    "LeftToeBase": ("LeftFoot", (2.1, -8.3, 1.5), (2.1, -8.3, 1.8)),
    "LeftShoulder": ("Spine1", (0.2, 5.8, 0.2), (1.9, 5.5, 0.1)),
    "LeftArm": ("LeftShoulder", (1.9, 5.5, 0.1), (3.6, 3.6, 0.1)),
    "LeftForeArm": ("LeftArm", (3.6, 3.6, 0.1), (4.9, 2.3, 2.0)),
    "LeftHand": ("LeftForeArm", (4.9, 2.3, 2.0), (5.0, 2.2, 2.3)),
    "LeftFingerBase": ("LeftHand", (5.0, 2.2, 2.3), (5.2, 2.0, 3.0)),
    "LeftHandFinger1": ("LeftFingerBase", (5.2, 2.0, 3.0), (5.2, 1.8, 3.3)),
    "LThumb": ("LeftHand", (4.9, 2.3, 2.3), (4.7, 2.2, 2.5)),
}


def _right(name: str) -> str:
    """The other side's name."""
    if name.startswith("Left"):
        return f"Right{name[4:]}"
    return f"R{name[1:]}" if name in ("LHipJoint", "LThumb") else name


def bones() -> dict[str, tuple]:
    """All 31 bones: name -> (parent, start, end)."""
    flip = np.array([-1.0, 1.0, 1.0])
    right = {
        _right(name): (_right(parent), flip * start, flip * end)
        for name, (parent, start, end) in _LEFT.items()
    }
    return {**_TRUNK, **_LEFT, **right}


def _box(start, end, half: float) -> np.ndarray:
    """The 8 corners around a bone, parallel to the axes."""
    low, high = np.minimum(start, end) - half, np.maximum(start, end) + half
    return np.array(list(itertools.product(*zip(low, high))))


# Corners of a box's six faces, seen from outside against the clock.
_FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4),
          (1, 5, 7, 3))  # fmt: skip
_COLUMNS = {"Left": 0.17, "Right": 0.83}  # of the texture: red, white, blue


def makehuman(folder: pathlib.Path, clothes: bool = True) -> pathlib.Path:
    """Writes `mpfb2` and, with `clothes`, `assets`; returns the folder."""
    body = folder / "mpfb2"
    for part in ("3dobjs", "mesh_metadata", "rigs/standard"):
        (body / part).mkdir(parents=True)
    vertices, faces, weights, groups = [], [], {}, {}
    for name, (_, start, end) in bones().items():
        first = len(vertices)
        vertices += list(_box(start, end, 0.9 if name == "Head" else 0.4))
        side = next((side for side in _COLUMNS if name.startswith(side)), "")
        column = list(_COLUMNS).index(side) + 1 if side else 3
        faces += [[(first + n + 1, column) for n in face] for face in _FACES]
        weights[name] = [[first + n, 1.0] for n in range(8)]
    groups["body"] = [[0, len(vertices) - 1]]
    lines = [f"g body\n{_lines(faces)}"]
    for side, shift in (("l", 1), ("r", -1)):
        first = len(vertices)
        middle = [0.4 * shift, 8.4, 1.3]  # ahead of the head
        vertices += list(_box(middle, middle, 0.2))
        eye = [[(first + n + 1, 3) for n in face] for face in _FACES]
        lines.append(f"g helper-{side}-eye\n{_lines(eye)}")
        weights["Head"] += [[first + n, 1.0] for n in range(8)]
    rig = {}
    for name, (parent, start, end) in bones().items():
        ends = {}
        for key, place in (("head", start), ("tail", end)):
            groups[f"joint-{name}-{key}"] = [[len(vertices), len(vertices)]]
            ends[key] = dict(cube_name=f"joint-{name}-{key}", strategy="CUBE")
            vertices.append(np.array(place, float))
        rig[name] = dict(parent=parent, roll=0.0, **ends)
    groups["joint-spine-4"] = groups["joint-LowerBack-head"]
    uv = [*_COLUMNS.values(), 0.5]
    text = "".join(f"v {x:.4f} {y:.4f} {z:.4f}\n" for x, y, z in vertices)
    text += "".join(f"vt {u} 0.5\n" for u in uv)
    (body / "3dobjs/base.obj").write_text("# in miniature\n" + text + "".join(lines))
    metadata = body / "mesh_metadata/basemesh_vertex_groups.json"
    metadata.write_text(json.dumps(groups))
    (body / "rigs/standard/rig.cmu_mb.json").write_text(json.dumps(rig))
    given = json.dumps(dict(name="miniature", weights=weights))
    (body / "rigs/standard/weights.cmu_mb.json").write_text(given)
    _targets(body / "targets/macrodetails", np.array(vertices))
    if clothes:
        _assets(folder / "assets")
    return folder


def _lines(faces: list) -> str:
    return "".join(
        f"f {' '.join(f'{v}/{vt}' for v, vt in corners)}\n" for corners in faces
    )


def _targets(folder: pathlib.Path, vertices: np.ndarray) -> None:
    """Targets that make a person taller or wider by a little."""
    (folder / "height").mkdir(parents=True)
    for gender, age in itertools.product(("female", "male"), ("young", "old")):
        names = [f"{race}-{gender}-{age}" for race in ("african", "asian", "caucasian")]
        for muscle, weight in itertools.product(("min", "average", "max"), repeat=2):
            names.append(f"universal-{gender}-{age}-{muscle}muscle-{weight}weight")
        for number, name in enumerate(names):
            moved = 0.003 * number * vertices * [1, 0, 1]
            _target(folder / f"{name}.target.gz", moved)
        for end, sign in (("min", -1), ("max", 1)):
            name = f"{gender}-young-averagemuscle-averageweight-{end}height.target"
            moved = 0.08 * sign * vertices * [0, 1, 0]
            _target(folder / "height" / f"{name}.gz", moved)


def _target(path: pathlib.Path, moved: np.ndarray) -> None:
    rows = [f"{n} {x:.4f} {y:.4f} {z:.4f}\n" for n, (x, y, z) in enumerate(moved)]
    with gzip.open(path, "wt") as file:
        file.write("# a target\n" + "".join(rows))


def _assets(folder: pathlib.Path) -> None:
    """A suit, shoes and hair, a little over the boxes that they cover, and skins."""
    names = list(bones())
    trunk = [n for n in names if n.endswith(("Hips", "Back", "Spine", "Spine1", "Leg"))]
    for kind, name, covered in (
        ("clothes", "male_suit01", trunk),
        ("clothes", "female_suit01", trunk),
        ("clothes", "shoes01", [n for n in names if n.endswith(("Foot", "ToeBase"))]),
        ("hair", "short01", ["Head"]),
    ):
        home = folder / kind / name
        home.mkdir(parents=True)
        rows = [8 * names.index(bone) + n for bone in covered for n in range(8)]
        spread = np.array(list(itertools.product((-1, 1), repeat=3))) * 0.1
        offsets = np.tile(spread, (len(covered), 1))
        fitted = [
            f"{row} {row} {row} 1 0 0 {x} {y} {z}\n"
            for row, (x, y, z) in zip(rows, offsets)
        ]
        (home / f"{name}.mhclo").write_text(
            f"# clothes\nname {name}\nx_scale 0 4 1.0\ny_scale 0 2 1.0\n"
            f"z_scale 0 1 1.0\nverts 0\nmaterial {name}.mhmat\n{''.join(fitted)}\n"
            f"delete_verts\n{rows[0]} - {rows[7]} {' '.join(map(str, rows[8:]))}\n"
        )
        boxes = [_box(*bones()[bone][1:], 0.5) for bone in covered]
        placed = np.concatenate(boxes)
        faces = [
            [(8 * box + n + 1, 1) for n in face]
            for box in range(len(covered))
            for face in _FACES
        ]
        (home / f"{name}.obj").write_text(
            "".join(f"v {x:.4f} {y:.4f} {z:.4f}\n" for x, y, z in placed)
            + "vt 0.5 0.5\n"
            + _lines(faces)
        )
        picture = np.full((4, 4, 4), (120, 160, 200, 255), np.uint8)
        cv2.imwrite(str(home / f"{name}_diffuse.png"), picture)
    (folder / "skins").mkdir()
    for name in ("young_lightskinned_male_diffuse", "old_darkskinned_female_diffuse"):
        cv2.imwrite(str(folder / "skins" / f"{name}.png"), skin()[..., ::-1])


def skin() -> np.ndarray:
    """The texture `[4, 3, 3]` uint8 RGB: red, white and blue columns."""
    return np.tile(np.uint8([[[255, 0, 0], [255, 255, 255], [0, 0, 255]]]), (4, 1, 1))


def panoramas(folder: pathlib.Path, count: int = 1) -> pathlib.Path:
    """Writes `.hdr` panoramas, grey with a sun; returns the folder."""
    folder.mkdir(parents=True)
    for number in range(count):
        picture = np.full((16, 32, 3), 0.3 + 0.1 * number, np.float32)
        picture[3, 5 + number] = 200.0
        cv2.imwrite(str(folder / f"room{number}.hdr"), picture)
    return folder


# The rig of the MotionBuilder conversion: joint, its depth and offset, file units.
_JOINTS = """Hips 0 0 0 0
LHipJoint 1 0 0 0
LeftUpLeg 2 1.66 -1.80 0.62
LeftLeg 3 2.60 -7.14 0
LeftFoot 4 2.49 -6.85 0
LeftToeBase 5 0.20 -0.54 2.15
RHipJoint 1 0 0 0
RightUpLeg 2 -1.66 -1.80 0.62
RightLeg 3 -2.60 -7.14 0
RightFoot 4 -2.49 -6.85 0
RightToeBase 5 -0.20 -0.54 2.15
LowerBack 1 0 0 0
Spine 2 0.02 2.05 -0.14
Spine1 3 0.01 2.06 -0.06
Neck 4 0 0 0
Neck1 5 0 1.57 0.15
Head 6 0 1.56 -0.10
LeftShoulder 4 0 0 0
LeftArm 5 3.54 0.90 -0.17
LeftForeArm 6 4.87 0 0
LeftHand 7 3.36 0 0
RightShoulder 4 0 0 0
RightArm 5 -3.54 0.90 -0.17
RightForeArm 6 -4.87 0 0
RightHand 7 -3.36 0 0"""


def captures(
    folder: pathlib.Path, subjects: tuple[str, ...], clips: int, frames: int
) -> pathlib.Path:
    """Writes `<subject>/<subject>_01.bvh`: people who walk, 120 fps after a T-pose."""
    rows = [line.split() for line in _JOINTS.splitlines()]
    names, depths = [row[0] for row in rows], [int(row[1]) for row in rows]
    lines = ["HIERARCHY"]
    for n, (name, _, *offset) in enumerate(rows):
        root = "Xposition Yposition Zposition " if not n else ""
        lines += [
            f"{'JOINT' if n else 'ROOT'} {name}",
            "{",
            f"OFFSET {' '.join(offset)}",
        ]
        lines.append(f"CHANNELS {6 if root else 3} {root}Zrotation Yrotation Xrotation")
        deeper = n + 1 < len(rows) and depths[n + 1] > depths[n]
        if not deeper:
            lines += ["End Site", "{", "OFFSET 0 1.6 0", "}"]
            last = depths[n + 1] if n + 1 < len(rows) else 0
            lines += ["}"] * (depths[n] - last + 1)
    for subject in subjects:
        (folder / subject).mkdir(parents=True, exist_ok=True)
        for clip in range(1, clips + 1):
            values = _walk(names, frames, int(subject) + 0.1 * clip)
            text = "\n".join(" ".join(f"{v:.4f}" for v in row) for row in values)
            (folder / subject / f"{subject}_{clip:02d}.bvh").write_text(
                "\n".join(lines) + f"\nMOTION\nFrames: {len(values)}\n"
                f"Frame Time: 0.0083333\n{text}\n"
            )
    return folder


def _walk(names: list[str], frames: int, phase: float) -> np.ndarray:
    """The channels `[1 + frames, 3 + 3 J]` of a T-pose and a walk."""
    time = np.arange(frames) / 120.0
    swing = np.sin(6.0 * time + phase)
    angles = {name: np.zeros((3, frames)) for name in names}  # degrees about z, y, x
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        angles[f"{side}UpLeg"][0] = -18.0 * sign  # legs together
        angles[f"{side}UpLeg"][2] = -15.0 + 20.0 * sign * swing
        angles[f"{side}Leg"][2] = 25.0 + 15.0 * np.cos(6.0 * time + phase + sign)
        angles[f"{side}Foot"][2] = -5.0 - 20.0 * sign * swing
        angles[f"{side}Arm"][0] = -65.0 * sign  # arms down
        angles[f"{side}Arm"][2] = 10.0 * swing
        angles[f"{side}ForeArm"][1] = -30.0 * sign
    path = np.stack([0 * time, 17.0 + 0.2 * np.abs(swing), 20.0 * time])
    table = np.concatenate([path, *(angles[name] for name in names)])
    return np.concatenate([np.zeros((1, len(table))), table.T])
