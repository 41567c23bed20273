"""The surface of a body: closed tubes of quads around the limbs of a skeleton.

The surface is a function of the joints alone, and mirrors and turns as they do, so that
the image of a rule applied to a pose is the rule applied to the pose's image. Front and
back differ (face, chest mark, feet); left and right do not.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from sa3dhp.skeleton import skeleton as skeletons

SKELETON = skeletons.SA3DHP17

# What a quad is made of; `domain.Look` gives each material its colour.
MATERIALS = ("skin", "hair", "shirt", "mark", "trousers", "shoes", "eyes", "mouth")
M = {name: i for i, name in enumerate(MATERIALS)}

# Rings of a tube: position along the limb (0 start joint, 1 end joint), half width to
# the side and half depth to the front, mm.
_UPPER_ARM = (
    (-0.17, 12, 12),
    (-0.09, 42, 42),
    (0.06, 54, 54),
    (0.35, 49, 49),
    (0.65, 43, 43),
    (0.92, 38, 38),
    (1.06, 36, 36),
    (1.13, 12, 12),
)
_FOREARM = (
    (-0.11, 10, 10),
    (-0.03, 36, 36),
    (0.18, 43, 43),
    (0.45, 39, 39),
    (0.75, 31, 31),
    (0.98, 26, 26),
    (1.12, 34, 34),
    (1.30, 36, 36),
    (1.46, 26, 26),
    (1.52, 6, 6),
)
_THIGH = (
    (-0.16, 20, 20),
    (-0.08, 76, 80),
    (0.08, 88, 90),
    (0.32, 82, 84),
    (0.62, 67, 69),
    (0.88, 56, 57),
    (1.02, 52, 54),
    (1.09, 16, 16),
)
_SHIN = (
    (-0.07, 16, 16),
    (0.00, 50, 52),
    (0.16, 54, 56),
    (0.32, 56, 58),
    (0.58, 46, 47),
    (0.82, 37, 38),
    (0.98, 36, 38),
    (1.05, 14, 14),
)
_FOOT = (
    (-0.52, 10, 8),
    (-0.42, 32, 34),
    (0.00, 40, 42),
    (0.45, 42, 36),
    (1.00, 46, 26),
    (1.40, 38, 20),
    (1.58, 10, 8),
)
_TORSO = (
    (-0.21, 30, 30),
    (-0.15, 118, 84),
    (-0.05, 158, 106),
    (0.08, 163, 110),
    (0.22, 150, 104),
    (0.36, 138, 98),
    (0.52, 146, 106),
    (0.68, 162, 116),
    (0.80, 170, 112),
    (0.90, 166, 92),
    (0.97, 128, 72),
    (1.03, 70, 58),
    (1.08, 20, 20),
)
_NECK = ((-0.08, 58, 56), (0.08, 54, 54), (0.30, 50, 52), (0.42, 30, 30))
_HEAD = tuple(
    (0.62 + 0.40 * np.sin(a), 76 * np.cos(a) + 3, 96 * np.cos(a) + 3)
    for a in np.deg2rad([-86, -62, -42, -22, -4, 14, 32, 52, 70, 86])
)


def _covered(low: float, high: float, inside: str, outside: str):
    """Material by the position along the limb."""

    def material(s: float, angle: float) -> int:
        return M[inside] if low <= s <= high else M[outside]

    return material


def _torso_material(s: float, angle: float) -> int:
    if s < 0.10:
        return M["trousers"]
    return M["mark"] if abs(angle) < 0.55 and 0.45 < s < 0.80 else M["shirt"]


def _head_material(s: float, angle: float) -> int:
    side = abs(angle)
    if side > 1.35 or s > 0.84:
        return M["hair"]
    if 0.62 < s < 0.74 and 0.15 < side < 0.75:
        return M["eyes"]
    return M["mouth"] if 0.33 < s < 0.47 and side < 0.42 else M["skin"]


@dataclasses.dataclass(frozen=True)
class _Tube:
    start: str
    end: str
    rings: tuple
    segments: int
    front: str  # which way the zero angle looks
    material: object


def _tubes() -> tuple:
    tubes = [
        _Tube("pelvis", "neck", _TORSO, 20, "torso", _torso_material),
        _Tube("neck", "head_top", _NECK, 10, "forward", lambda s, a: M["skin"]),
        _Tube("neck", "head_top", _HEAD, 16, "forward", _head_material),
    ]
    sleeve = _covered(-1, 0.80, "shirt", "skin")
    for side in ("right_", "left_"):
        limbs = (
            ("shoulder", "elbow", _UPPER_ARM, "limb", sleeve),
            ("elbow", "wrist", _FOREARM, "limb", _covered(9, 9, "shirt", "skin")),
            ("hip", "knee", _THIGH, "limb", _covered(-1, 2, "trousers", "skin")),
            ("knee", "ankle", _SHIN, "limb", _covered(-1, 0.90, "trousers", "skin")),
            ("ankle", "foot", _FOOT, "shin", _covered(-1, 2, "shoes", "skin")),
        )
        for start, end, rings, front, material in limbs:
            tube = _Tube(side + start, side + end, rings, 10, front, material)
            tubes.append(tube)
    return tuple(tubes)


TUBES = _tubes()


def _topology() -> tuple:
    """Quads, and for each its material, tube, place along the tube and angle."""
    quads, rows, first = [], [], 0
    for number, tube in enumerate(TUBES):
        n, s = tube.segments, [ring[0] for ring in tube.rings]
        for i in range(len(s) - 1):
            for j in range(n):
                k = (j + 1) % n
                a, b = first + i * n, first + (i + 1) * n
                quads.append((a + j, a + k, b + k, b + j))
                angle = 2 * np.pi * (j + 0.5) / n
                angle = angle - 2 * np.pi if angle > np.pi else angle
                middle = (s[i] + s[i + 1]) / 2
                rows.append((tube.material(middle, angle), number, middle, angle))
        first += len(s) * n
    columns = list(zip(*rows))
    return (
        np.array(quads, np.int32),
        np.array(columns[0], np.int32),
        np.array(columns[1], np.int32),
        np.array(columns[2:], np.float32).T,
    )


QUADS, QUAD_MATERIAL, QUAD_TUBE, QUAD_PLACE = _topology()


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-6)


def _across(front: np.ndarray, along: np.ndarray) -> np.ndarray:
    """`front` made perpendicular to `along`, unit length."""
    return _unit(front - (front * along).sum(-1, keepdims=True) * along)


def _axes(joints: dict) -> dict:
    """Up, left and forward of the trunk, `[N, 3]` each, in the camera frame."""
    up = _unit(joints["neck"] - joints["pelvis"])
    hips = _unit(joints["left_hip"] - joints["right_hip"])
    shoulders = _unit(joints["left_shoulder"] - joints["right_shoulder"])
    left = _unit(hips + shoulders)
    # The camera frame is right-handed, as the body's (left, up, forward) is.
    forward = _unit(np.cross(left, up))
    return {"up": up, "hips": hips, "shoulders": shoulders, "forward": forward}


def vertices(joints: np.ndarray, girth: np.ndarray) -> np.ndarray:
    """Returns the surface of bodies.

    Args:
        joints: `[N, 17, 3]`, mm, camera frame.
        girth: `[N]`, thickness relative to the average.

    Returns:
        `[N, V, 3]`, mm, camera frame; `QUADS` indexes axis 1.
    """
    named = {name: joints[:, i] for i, name in enumerate(SKELETON.joint_names)}
    axes = _axes(named)
    scale = np.asarray(girth, np.float32)[:, None, None, None]
    parts = []
    for tube in TUBES:
        start, end = named[tube.start], named[tube.end]
        along = _unit(end - start)
        s, wide, deep = np.array(tube.rings, np.float32).T
        e1, e2 = _frame(tube, named, axes, along, s)
        angle = 2 * np.pi * np.arange(tube.segments) / tube.segments
        c, n = np.cos(angle)[:, None], np.sin(angle)[:, None]
        centre = start[:, None] + s[None, :, None] * (end - start)[:, None]
        front = deep[None, :, None, None] * c * e1[:, :, None]
        side = wide[None, :, None, None] * n * e2[:, :, None]
        ring = centre[:, :, None] + scale * (front + side)  # [N, S, M, 3]
        parts.append(ring.reshape(len(joints), -1, 3))
    return np.concatenate(parts, axis=1).astype(np.float32)


def _frame(
    tube: _Tube, named: dict, axes: dict, along: np.ndarray, s: np.ndarray
) -> tuple:
    """The front and side axes of each ring of a tube, `[N, S, 3]` each."""
    if tube.front == "torso":  # twists from the hips to the shoulders
        w = np.clip(s, 0, 1)[None, :, None]
        left = axes["hips"][:, None] * (1 - w) + axes["shoulders"][:, None] * w
        left = _across(left, along[:, None])
        return np.cross(left, along[:, None]), left
    if tube.front == "shin":
        side = tube.start.split("_")[0]
        front = _unit(named[f"{side}_knee"] - named[f"{side}_ankle"])
    elif tube.front == "forward":
        front = axes["forward"]
    else:  # any fixed direction of the sagittal plane; never along a resting limb
        front = 0.9 * axes["forward"] + 0.45 * axes["up"]
    front = _across(front, along)
    side = np.cross(along, front)
    shape = (len(along), len(s), 3)
    return np.broadcast_to(front[:, None], shape), np.broadcast_to(side[:, None], shape)
