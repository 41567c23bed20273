"""A body: joint angles and bone lengths to joints, by forward kinematics.

Body axes: x to the person's left, y up, z forward. World: the same, y up. Camera: x
right, y down, z away, so that a person with yaw 0 faces the camera.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from sa3dhp.skeleton import skeleton as skeletons

SKELETON = skeletons.SA3DHP17

# The joint angles of a pose, in radians; `l_` and `r_` angles are mirror images: the
# same value on both sides is a symmetric pose.
_SIDE_ANGLES = (
    "shoulder_flexion",  # arm forward and up
    "shoulder_abduction",  # arm sideways and up
    "shoulder_twist",  # turns the elbow's axis; positive turns the hand inwards
    "elbow_flexion",
    "hip_flexion",
    "hip_abduction",
    "hip_twist",  # positive turns the foot outwards
    "knee_flexion",
    "ankle_flexion",  # toes up
    "shrug",
)
ANGLES = (
    "yaw",  # the heading, turning to the left
    "pitch",  # the pelvis leaning forward
    "roll",  # the pelvis leaning to the left
    "spine_flexion",
    "spine_bend",
    "spine_twist",
    "neck_flexion",
    "neck_bend",
    *(f"l_{name}" for name in _SIDE_ANGLES),
    *(f"r_{name}" for name in _SIDE_ANGLES),
)
INDEX = {name: i for i, name in enumerate(ANGLES)}
# The anatomical range of each angle in degrees; motions are clipped to it ([P] suppl. 3
# gives such limits per joint as polar and azimuthal ranges).
_LIMITS_DEG = {
    "spine_flexion": (-25, 60),
    "spine_bend": (-30, 30),
    "spine_twist": (-40, 40),
    "neck_flexion": (-40, 50),
    "neck_bend": (-30, 30),
    "shoulder_flexion": (-50, 175),
    "shoulder_abduction": (-20, 170),
    "shoulder_twist": (-70, 80),
    "elbow_flexion": (0, 145),
    "hip_flexion": (-25, 125),
    "hip_abduction": (-20, 55),
    "hip_twist": (-30, 40),
    "knee_flexion": (0, 150),
    "ankle_flexion": (-40, 25),
    "shrug": (-8, 25),
}


def _limits() -> np.ndarray:
    """`[A, 2]`, radians; headings and the pelvis are free."""
    rows = []
    for name in ANGLES:
        plain = name[2:] if name[:2] in ("l_", "r_") else name
        rows.append(_LIMITS_DEG.get(plain, (-1e6, 1e6)))
    return np.deg2rad(np.array(rows, np.float32))


LIMITS = _limits()

# Bone lengths of an average adult, mm; the root's is zero.
MEAN_LENGTHS_MM = {
    "pelvis": 0.0,
    "neck": 500.0,
    "right_shoulder": 175.0,
    "right_elbow": 290.0,
    "right_wrist": 250.0,
    "left_shoulder": 175.0,
    "left_elbow": 290.0,
    "left_wrist": 250.0,
    "head_top": 260.0,
    "right_hip": 115.0,
    "right_knee": 430.0,
    "right_ankle": 420.0,
    "right_foot": 150.0,
    "left_hip": 115.0,
    "left_knee": 430.0,
    "left_ankle": 420.0,
    "left_foot": 150.0,
}


@dataclasses.dataclass(frozen=True)
class Body:
    """Bone lengths and girth of one person.

    Attributes:
        lengths: `[17]`, mm, in the order of `sa3dhp17`; the root's is zero.
        girth: thickness relative to the average.
    """

    lengths: np.ndarray
    girth: float = 1.0


def mean_lengths() -> np.ndarray:
    """Returns the bone lengths of the average adult, `[17]`, mm."""
    names = SKELETON.joint_names
    return np.array([MEAN_LENGTHS_MM[name] for name in names], np.float32)


def sample(rng: np.random.Generator, spread: float) -> Body:
    """Draws a person whose left and right sides are alike.

    Args:
        rng: the source of randomness.
        spread: relative standard deviation of the single bones; stature and girth vary
            with it. 0 gives the average adult.
    """
    factor = np.exp(0.6 * spread * rng.standard_normal())
    lengths = mean_lengths() * factor
    scales = {}
    for i, name in enumerate(SKELETON.joint_names):
        plain = name.replace("left_", "").replace("right_", "")
        if plain not in scales:
            scales[plain] = np.exp(spread * rng.standard_normal())
        lengths[i] *= scales[plain]
    girth = float(np.exp(2.0 * spread * rng.standard_normal()))
    return Body(lengths.astype(np.float32), girth)


def _rotation(axis: int, angle: np.ndarray) -> np.ndarray:
    """`[N]` radians -> `[N, 3, 3]`, right-handed about a coordinate axis."""
    c, s = np.cos(angle), np.sin(angle)
    matrix = np.zeros((*angle.shape, 3, 3), np.float32)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[..., axis, axis] = 1.0
    matrix[..., i, i] = c
    matrix[..., j, j] = c
    matrix[..., i, j] = -s
    matrix[..., j, i] = s
    return matrix


def _x(angle: np.ndarray) -> np.ndarray:
    return _rotation(0, angle)


def _y(angle: np.ndarray) -> np.ndarray:
    return _rotation(1, angle)


def _z(angle: np.ndarray) -> np.ndarray:
    return _rotation(2, angle)


_DOWN = np.array([0, -1, 0], np.float32)
_UP = np.array([0, 1, 0], np.float32)
_AHEAD = np.array([0, 0, 1], np.float32)


def joints(angles: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Returns the joints of poses, in the world with the pelvis at the origin.

    Args:
        angles: `[N, A]`, radians, columns as `ANGLES`.
        lengths: `[17]` or `[N, 17]`, mm.

    Returns:
        `[N, 17, 3]`, mm, x to the left of a person of heading 0, y up, z forward.
    """
    lengths = np.broadcast_to(lengths, (len(angles), SKELETON.num_joints))
    a = {name: angles[:, i] for name, i in INDEX.items()}
    out = np.zeros((len(angles), SKELETON.num_joints, 3), np.float32)

    def put(name: str, direction: np.ndarray) -> None:
        i = SKELETON.index(name)
        start = out[:, SKELETON.parents[i]]
        out[:, i] = start + lengths[:, i, None] * direction

    pelvis = _y(a["yaw"]) @ _x(a["pitch"]) @ _z(-a["roll"])
    spine = _x(a["spine_flexion"]) @ _z(-a["spine_bend"]) @ _y(a["spine_twist"])
    chest = pelvis @ spine
    put("neck", chest @ _UP)
    neck = chest @ _x(a["neck_flexion"]) @ _z(-a["neck_bend"])
    put("head_top", neck @ _UP)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        s = {name: a[f"{side[0]}_{name}"] for name in _SIDE_ANGLES}
        collar = chest @ _z(sign * (s["shrug"] - 0.12))
        put(f"{side}_shoulder", collar @ np.array([sign, 0, 0], np.float32))
        arm = chest @ _x(-s["shoulder_flexion"]) @ _z(sign * s["shoulder_abduction"])
        arm = arm @ _y(-sign * s["shoulder_twist"])
        put(f"{side}_elbow", arm @ _DOWN)
        put(f"{side}_wrist", arm @ _x(-s["elbow_flexion"]) @ _DOWN)
        put(f"{side}_hip", pelvis @ np.array([sign, -0.15, 0], np.float32) / 1.0112)
        leg = pelvis @ _x(-s["hip_flexion"]) @ _z(sign * s["hip_abduction"])
        leg = leg @ _y(sign * s["hip_twist"])
        put(f"{side}_knee", leg @ _DOWN)
        shin = leg @ _x(s["knee_flexion"])
        put(f"{side}_ankle", shin @ _DOWN)
        foot = shin @ _x(0.35 - s["ankle_flexion"])
        put(f"{side}_foot", foot @ _AHEAD)
    return out
