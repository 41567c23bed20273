"""The embedded world: labelled pictures of people who never were.

Everything is a function of the seed. `clip` draws a person moving through one scene,
`frames` single pictures of many people, `poses` and `motions` what motion capture would
give: joints that belong to no picture.
"""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np

from sa3dhp.geometry import crop
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import body, domain, mesh, motion, render

SKELETON = skeletons.SA3DHP17
FPS = 30.0
_FLESH_MM = 60.0  # how far the body reaches beyond its joints
_TURN_MARGIN = 1.5  # of a square that is turned by any angle, and a little
_TO_CAMERA = np.diag([1.0, -1.0, -1.0]).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Clip:
    """A person in a place.

    Attributes:
        images: uint8 RGB `[T, S, S, 3]`.
        joints: `[T, 17, 3]`, mm, camera frame, root-relative.
        activity: what the person does.
    """

    images: np.ndarray
    joints: np.ndarray
    activity: str


def view(pitch: float, roll: float = 0.0) -> np.ndarray:
    """World to camera: looks down by `pitch`, then `_turn` by `roll`, radians."""
    c, s = np.cos(pitch), np.sin(pitch)
    down = np.array([[1, 0, 0], [0, c, -s], [0, s, c]], np.float32)
    return _turn(roll) @ down @ _TO_CAMERA


def _turn(roll: float) -> np.ndarray:
    """About the camera axis, x towards y, as the in-plane rule turns poses."""
    c, s = np.cos(roll), np.sin(roll)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]], np.float32)


def draw_roll(rng: np.random.Generator, rolled: float) -> float:
    """A camera's roll in radians: none, or up to 75 degrees in a share of the cases.

    The non-local rules turn pictures by 50 degrees: the prior must have seen such
    people, and the source model such pictures, room and light turned along.
    """
    return np.deg2rad(rng.uniform(-75, 75)) if rng.uniform() < rolled else 0.0


def _movement(
    rng: np.random.Generator,
    look: domain.Look,
    person: body.Body,
    num: int,
    rolled: float,
) -> tuple:
    t = rng.uniform(0, 5) + look.speed * np.arange(num) / FPS
    angles, activity = motion.sample(rng, t)
    seen = view(look.camera_pitch, draw_roll(rng, rolled))
    return body.joints(angles, person.lengths) @ seen.T, activity


def _pixels(
    joints: np.ndarray,
    vertices: np.ndarray,
    look: domain.Look,
    size: int,
    margin: float,
) -> np.ndarray:
    """Where the vertices are in a person-centred crop, `[T, V, 2]` pixels."""
    flat = render.project(joints, look.distance, 1.0)
    boxes = np.concatenate([flat.min(1) - _FLESH_MM, flat.max(1) + _FLESH_MM], axis=1)
    centres, side = crop.square_box(boxes)
    side = side * look.zoom
    centres = centres + look.shift * side
    flat = render.project(vertices, look.distance, 1.0)
    pixels_per_mm = size / (side * margin)
    return (flat - centres[:, None]) * pixels_per_mm + (size - 1) / 2


def clip(
    place: domain.Domain,
    rng: np.random.Generator,
    *,
    num_frames: int,
    size: int,
    margin: float = 1.0,
) -> Clip:
    """Renders one person moving in one scene.

    Args:
        place: the domain.
        rng: the source of randomness.
        num_frames: at 30 frames per second.
        size: side of the pictures, pixels.
        margin: the pictures' side relative to the person's square crop: 1.5 leaves room
            to turn a picture by any angle.
    """
    look = domain.sample(place, rng)
    person = body.sample(rng, 0.06 * place.proportions)
    joints, activity = _movement(rng, look, person, num_frames, 0.0)
    vertices = mesh.vertices(joints, np.full(num_frames, person.girth))
    pixels = _pixels(joints, vertices, look, size, margin)
    return Clip(render.scene(vertices, pixels, look, size, rng), joints, activity)


def frames(
    place: domain.Domain,
    rng: np.random.Generator,
    *,
    count: int,
    size: int,
    rolled: float = 0.5,
) -> tuple:
    """Renders single pictures, each of another person in another scene.

    Args:
        place: the domain.
        rng: the source of randomness.
        count: of pictures.
        size: side of the pictures, pixels.
        rolled: share of pictures that are turned as a whole, up to 75 degrees, as the
            rules turn them: drawn upright with a margin, turned, the middle kept.

    Returns:
        uint8 RGB `[count, size, size, 3]` and joints `[count, 17, 3]` (mm, camera
        frame, root-relative).
    """
    cast = _cast(place, rng, count, rolled)
    vertices = mesh.vertices(cast.joints, cast.girths)
    images = np.empty((count, size, size, 3), np.uint8)
    for n, (look, roll) in enumerate(zip(cast.looks, cast.rolls)):
        surface = vertices[n : n + 1]
        side = math.ceil(size * _TURN_MARGIN) if roll else size
        pixels = _pixels(cast.joints[n : n + 1], surface, look, side, side / size)
        image = render.scene(surface, pixels, look, side, rng)[0]
        images[n] = _turned(image, roll, size) if roll else image
    return images, cast.rolled_joints


def keypoints(
    place: domain.Domain,
    rng: np.random.Generator,
    *,
    count: int,
    size: int,
    rolled: float = 0.5,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns where the joints are in the pictures that `frames` makes of the same.

    Args:
        place: the domain, as are all others what `frames` is given.
        rng: in the state in which `frames` gets it; nothing is drawn here.

    Returns:
        `[count, 17, 2]`, pixels, x right and y down, the centre of the first is 0; and
        the joints `[count, 17, 3]` of `frames`.
    """
    cast = _cast(place, rng, count, rolled)
    flat = np.empty((count, SKELETON.num_joints, 2), np.float32)
    for n, (look, roll) in enumerate(zip(cast.looks, cast.rolls)):
        joints = cast.joints[n : n + 1]
        side = math.ceil(size * _TURN_MARGIN) if roll else size
        pixels = _pixels(joints, joints, look, side, side / size)[0]
        flat[n] = pixels @ _turn(roll)[:2, :2].T + _shift(roll, side, size)
    return flat, cast.rolled_joints


@dataclasses.dataclass(frozen=True)
class _Cast:
    """Who is to be seen, and how: upright joints `[N, 17, 3]`, and what turns them."""

    looks: list[domain.Look]
    girths: np.ndarray
    joints: np.ndarray
    rolls: list[float]

    @property
    def rolled_joints(self) -> np.ndarray:
        turns = np.stack([_turn(roll) for roll in self.rolls])
        return np.einsum("nij,nkj->nki", turns, self.joints)


def _cast(
    place: domain.Domain, rng: np.random.Generator, count: int, rolled: float
) -> _Cast:
    """The people of single pictures, each another person in another scene."""
    looks = [domain.sample(place, rng) for _ in range(count)]
    people = [body.sample(rng, 0.06 * place.proportions) for _ in range(count)]
    angles = [motion.sample(rng, rng.uniform(0, 5, 1))[0] for _ in range(count)]
    rolls = [draw_roll(rng, rolled) for _ in range(count)]
    lengths = np.stack([person.lengths for person in people])
    joints = body.joints(np.concatenate(angles), lengths)
    views = np.stack([view(look.camera_pitch) for look in looks])
    joints = np.einsum("nij,nkj->nki", views, joints)
    girths = np.array([person.girth for person in people])
    return _Cast(looks, girths, joints, rolls)


def _turned(image: np.ndarray, roll: float, size: int) -> np.ndarray:
    """The middle `[size, size, 3]` of a picture turned about its centre by `roll`."""
    warp = np.column_stack([_turn(roll)[:2, :2], _shift(roll, image.shape[0], size)])
    return cv2.warpAffine(image, warp, (size, size))


def _shift(roll: float, side: int, size: int) -> np.ndarray:
    """What a turn of a square's pixels adds, so that its middle stays the middle."""
    turn = _turn(roll)[:2, :2]
    return np.full(2, (size - 1) / 2) - turn @ np.full(2, (side - 1) / 2)


def motions(
    rng: np.random.Generator,
    *,
    count: int,
    num_frames: int,
    rolled: float = 0.5,
    place: domain.Domain = domain.STREET,
) -> np.ndarray:
    """Returns unpaired motions, `[count, num_frames, 17, 3]`, as motion capture would.

    The views are those of a camera at any height a domain may have; time may run
    backwards and at half to one and a half times its speed, as the rules make it.
    """
    out = np.empty((count, num_frames, SKELETON.num_joints, 3), np.float32)
    for i in range(count):
        look = domain.sample(place, rng)
        person = body.sample(rng, 0.06 * place.proportions)
        joints, _ = _movement(rng, look, person, num_frames, rolled)
        out[i] = joints[::-1] if rng.uniform() < 0.5 else joints
    return out


def mean_bone_lengths() -> np.ndarray:
    """Returns the mean bone lengths of the world's people, `[17]`, mm."""
    return body.mean_lengths()
