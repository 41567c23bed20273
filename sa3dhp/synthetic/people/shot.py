"""Where the camera stands, and what stands around: a shot of a person at random.

World: metres, y up, the floor at zero. A shot is of one or more frames of a person; its
camera stands still.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from sa3dhp.geometry import camera
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic.people import rasteriser, scene

SKELETON = skeletons.SA3DHP17
FIELD_DEG = (25.0, 75.0)  # of view, along the picture's longer side
PITCH_DEG = (-15.0, 40.0)  # downwards
_LONG = 1000.0  # longer side of a picture, pixels; crops are rendered at their own size
_ASPECTS = (16 / 9, 4 / 3, 1.0, 3 / 4, 9 / 16)
_LOWEST = 0.2  # metres, of the camera over the floor
_NEAREST = 0.7  # metres, from the camera to the nearest joint
_FLESH = 1.15  # of a body over its joints
_FAR_OFF = 0.12  # share of shots whose person is far off the middle
_OCCLUDED = 0.3  # share of shots with one or two things before the person
_HIDDEN = 5  # of 17 joints, that one of these may hide
_EXPOSED = 0.28  # what a typical radiance is exposed to
# Spheres that keep the room's light from the floor: joint and radius, metres.
_SPHERES = dict(
    pelvis=0.17, neck=0.16, head_top=0.1, left_knee=0.08, right_knee=0.08,
    left_ankle=0.07, right_ankle=0.07, left_foot=0.07, right_foot=0.07,
    left_elbow=0.05, left_wrist=0.06, right_wrist=0.06,
)  # fmt: skip


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Camera:
    """A camera that stands still.

    Attributes:
        intrinsics: `[3, 3]`, pixels of its whole picture.
        size: (width, height) of that.
        rotation: `[3, 3]`, world to camera.
        eye: `[3]`, its place.
    """

    intrinsics: np.ndarray
    size: tuple[int, int]
    rotation: np.ndarray
    eye: np.ndarray

    def seen(self, points: np.ndarray) -> np.ndarray:
        """World points `[..., 3]` in the camera's frame, metres."""
        return (points - self.eye) @ self.rotation.T


def draw_camera(rng: np.random.Generator, joints: np.ndarray) -> Camera:
    """Draws a camera for `joints [T, 17, 3]` of a person, who is in its picture."""
    flat = joints.reshape(-1, 3)
    middle = (flat.min(axis=0) + flat.max(axis=0)) / 2
    extent = max(float(np.ptp(flat, axis=0).max()), 1.2)
    aspect = _ASPECTS[rng.integers(len(_ASPECTS))]
    size = np.round(_LONG * np.array([min(aspect, 1.0), min(1 / aspect, 1.0)]))
    field = np.radians(rng.uniform(*FIELD_DEG))
    focal = _LONG / 2 / np.tan(field / 2)
    share = rng.uniform(0.2, 0.6)  # of the shorter side that the person takes
    spread = np.linalg.norm(flat - middle, axis=1).max()
    distance = max(extent * focal / (share * size.min()), spread + _NEAREST)
    inside = _FLESH * extent * focal / distance  # pixels of the person
    offset = rng.uniform(-0.5, 0.5, size=2) * np.maximum(size - inside, 0.0)
    if rng.uniform() < _FAR_OFF:
        axis, edge = rng.integers(2), rng.choice([-0.5, 0.5]) * rng.uniform(0.8, 1.0)
        offset[axis] = edge * max(size[axis] - inside, 0.0)
    ahead = np.array([*offset / focal, 1.0])
    ahead = ahead / np.linalg.norm(ahead)
    yaw, roll = rng.uniform(-np.pi, np.pi), np.radians(np.clip(rng.normal(0, 3), -8, 8))
    for _ in range(50):
        wide = rng.uniform() < 0.3
        pitch = rng.uniform(*PITCH_DEG) if wide else rng.normal(6.0, 9.0)
        pitch = np.radians(np.clip(pitch, *PITCH_DEG))
        rotation = camera.world_to_camera(yaw, pitch, roll)
        eye = middle - distance * (ahead @ rotation)
        if eye[1] > _LOWEST:
            break
    eye[1] = max(eye[1], _LOWEST)
    matrix = camera.intrinsics(focal, (int(size[0]), int(size[1])))
    return Camera(matrix, (int(size[0]), int(size[1])), rotation, eye)


def draw_room(
    rng: np.random.Generator,
    panorama: scene.Panorama,
    place: np.ndarray,
    eye: np.ndarray,
) -> rasteriser.Room:
    """Draws how a panorama stands around a person at `place [3]`, seen from `eye`."""
    middle = place + np.array([*rng.uniform(-0.8, 0.8, size=2), 0.0])[[0, 2, 1]]
    middle[1] = rng.uniform(1.2, 2.2)
    reach = max(np.linalg.norm((eye - middle)[[0, 2]]), abs(eye[1] - middle[1]), 1.5)
    return rasteriser.Room(
        panorama,
        float(rng.uniform(-np.pi, np.pi)),
        middle,
        float(reach * rng.uniform(1.2, 2.5) + 1.0),
        float(rng.uniform(0.0, 0.5)),
        float(rng.uniform(0.7, 4.0)),
    )


def draw_gain(rng: np.random.Generator, panorama: scene.Panorama) -> np.ndarray:
    """Draws exposure and white balance, `[3]`: between the room's and the person's."""
    level = scene.basis(np.array([0.0, 0.3, 0.95])) @ panorama.harmonics
    person = 0.3 * float((level + 0.5 * panorama.light).mean())
    room = max(panorama.typical, 1e-2) ** 0.35 * max(person, 1e-2) ** 0.65
    balance = (panorama.colour / panorama.colour.mean()) ** -rng.uniform(0.2, 1.0)
    tint = np.exp(rng.normal(0.0, 0.05, size=3))
    return _EXPOSED / room * 2.0 ** rng.normal(0.0, 0.45) * balance * tint


def draw_things(
    rng: np.random.Generator, joints: np.ndarray, view: Camera
) -> list[rasteriser.Thing]:
    """Draws boxes behind and sometimes before a person, `joints [17, 3]`."""
    out = []
    place = joints[SKELETON.root] * [1.0, 0.0, 1.0]
    away = (place - view.eye) * [1.0, 0.0, 1.0]
    away = away / max(np.linalg.norm(away), 1e-6)
    for _ in range(rng.integers(0, 3)):
        turn = rng.uniform(-1.2, 1.2)
        cos, sin = np.cos(turn), np.sin(turn)
        to = np.array([cos * away[0] + sin * away[2], 0, cos * away[2] - sin * away[0]])
        half = np.array(
            [rng.uniform(0.1, 0.7), rng.uniform(0.2, 1.1), rng.uniform(0.1, 0.6)]
        )
        at = place + to * (rng.uniform(0.3, 3.5) + 0.7 + half.max())
        at[1] = half[1]
        out.append(_thing(rng, at, half))
    if rng.uniform() < _OCCLUDED:
        for _ in range(rng.integers(1, 3)):
            thing = _before(rng, joints, view)
            if _hidden(joints, view.eye, thing.model).sum() <= _HIDDEN:
                out.append(thing)
    return out


def _hidden(points: np.ndarray, eye: np.ndarray, model: np.ndarray) -> np.ndarray:
    """Which `points [N, 3]` a box hides from an eye, `[N]`; the slabs of its cube."""
    inverse = np.linalg.inv(model)
    start = inverse[:3, :3] @ eye + inverse[:3, 3]
    way = (points - eye) @ inverse[:3, :3].T
    way = np.where(np.abs(way) < 1e-9, 1e-9, way)
    ends = np.stack([(-1 - start) / way, (1 - start) / way])
    enter, leave = ends.min(axis=0).max(axis=1), ends.max(axis=0).min(axis=1)
    return (enter < leave) & (enter < 1) & (leave > 0)


def _before(
    rng: np.random.Generator, joints: np.ndarray, view: Camera
) -> rasteriser.Thing:
    """A thing between camera and person that covers the surroundings of a joint."""
    joint = joints[rng.integers(len(joints))]
    share = rng.uniform(0.4, 0.75)
    at = view.eye + share * (joint - view.eye)
    unit = share * max(float(np.ptp(joints, axis=0).max()), 1.2)
    kind = rng.integers(3)
    if kind == 0:  # a post
        half = np.array(
            [rng.uniform(0.02, 0.06) * unit, 3.0, rng.uniform(0.02, 0.06) * unit]
        )
    elif kind == 1:  # something that stands on the floor
        half = np.array([rng.uniform(0.1, 0.3), 0.0, rng.uniform(0.05, 0.2)]) * unit
        half[1] = max(at[1] / 2, 0.1)
        at = at * [1.0, 0.5, 1.0]
    else:  # something carried or hung
        half = rng.uniform(0.04, 0.13, size=3) * unit
    at = at + rng.normal(0.0, 0.04, size=3) * unit
    return _thing(rng, at, half)


def _thing(
    rng: np.random.Generator, at: np.ndarray, half: np.ndarray
) -> rasteriser.Thing:
    """A box of half sizes `half [3]` around `at [3]`, turned about the vertical."""
    angle = rng.uniform(-np.pi, np.pi)
    model = np.eye(4)
    model[:3, :3] = (
        np.array(
            [
                [np.cos(angle), 0, np.sin(angle)],
                [0, 1, 0],
                [-np.sin(angle), 0, np.cos(angle)],
            ]
        )
        * half
    )
    model[:3, 3] = at
    colours = rng.dirichlet(np.full(3, rng.choice([4.0, 20.0, 60.0])), size=2)
    colours *= rng.uniform(0.03, 0.8, size=(2, 1)) / colours.max(axis=1, keepdims=True)
    pattern = np.zeros(3)
    if rng.uniform() < 0.5:
        pattern = rng.uniform(-6.0, 6.0, size=3) * rng.integers(0, 2, size=3)
    return rasteriser.Thing(model, colours, pattern)


def spheres(joints: np.ndarray) -> np.ndarray:
    """What darkens the floor under `joints [17, 3]`, `[12, 4]`: places and radii."""
    rows = list(SKELETON.indices(*_SPHERES))
    return np.column_stack([joints[rows], list(_SPHERES.values())])
