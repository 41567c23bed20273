"""Several people of the embedded world in one picture, seen by a pinhole camera.

They stand on one floor; the nearer ones hide the others. Everything is a function of
the generator.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import body, domain, mesh, motion, render, world

SKELETON = skeletons.SA3DHP17
_EYE_MM, _PELVIS_MM = 1500.0, 900.0  # height of the camera and of a pelvis
_MARGIN = 0.08  # of the picture, along its border, that is free of pelvises
_APART = 0.06  # of the picture: two pelvises are no nearer to each other
_TRIES = 50


@dataclasses.dataclass(frozen=True, eq=False)
class Crowds:
    """Pictures of several people.

    Attributes:
        images: uint8 RGB `[B, S, S, 3]`.
        joints: `[B, N, 17, 3]`, mm, camera frame; zeros where nobody is.
        points: `[B, N, 17, 2]`, pixels, the centre of the first is 0; NaN where nobody
            is, and of joints outside of the picture.
        there: `[B, N]`, whether a row is a person; the nearest come first.
    """

    images: np.ndarray
    joints: np.ndarray
    points: np.ndarray
    there: np.ndarray


def pictures(
    place: domain.Domain,
    rng: np.random.Generator,
    *,
    count: int,
    size: int,
    people: int,
    focal: float,
    near: float,
    far: float,
) -> Crowds:
    """Renders pictures of 1 to `people` people.

    Args:
        place: the domain.
        rng: the source of randomness.
        count: B.
        size: S, pixels.
        people: N.
        focal: focal length, sides of the picture.
        near: mm, the distance of the nearest pelvis.
        far: mm, of the farthest.
    """
    images = np.empty((count, size, size, 3), np.uint8)
    joints = np.zeros((count, people, SKELETON.num_joints, 3), np.float32)
    points = np.full((count, people, SKELETON.num_joints, 2), np.nan, np.float32)
    there = np.zeros((count, people), bool)
    middle = (size - 1) / 2

    def seen(places: np.ndarray) -> np.ndarray:
        return middle + focal * size * places[..., :2] / places[..., 2:]

    for n in range(count):
        look = domain.sample(place, rng)
        wanted = int(rng.integers(1, people + 1))
        roots = _roots(rng, look.camera_pitch, wanted, focal, near, far)
        turn = world.view(look.camera_pitch)
        canvas = render.place(look, size, rng)
        for row, root in reversed(list(enumerate(roots))):  # the farthest first
            person = body.sample(rng, 0.06 * place.proportions)
            angles, _ = motion.sample(rng, rng.uniform(0, 5, 1))
            own = domain.sample(place, rng)
            dressed = dataclasses.replace(
                look, colors=own.colors, stripes=own.stripes, checks=own.checks
            )
            relative = body.joints(angles, person.lengths) @ turn.T
            surface = mesh.vertices(relative, np.array([person.girth])) + root
            surface[..., 2] = np.maximum(surface[..., 2], 100.0)
            render.paint(canvas, surface, dressed, seen(surface))
            joints[n, row] = relative[0] + root
        images[n] = render.developed(canvas, look, size, rng)
        there[n, : len(roots)] = True
        flat = seen(joints[n, : len(roots)])
        outside = np.any((flat < -0.5) | (flat > size - 0.5), axis=-1)
        points[n, : len(roots)] = np.where(outside[..., None], np.nan, flat)
    return Crowds(images, joints, points, there)


def _roots(
    rng: np.random.Generator,
    pitch: float,
    wanted: int,
    focal: float,
    near: float,
    far: float,
) -> np.ndarray:
    """Pelvises `[n, 3]`, mm, camera frame, on one floor, the nearest first."""
    found: list[np.ndarray] = []
    flat: list[np.ndarray] = []
    down, cos, sin = _EYE_MM - _PELVIS_MM, np.cos(pitch), np.sin(pitch)
    for _ in range(_TRIES * wanted):
        along = np.exp(rng.uniform(np.log(near), np.log(far)))
        ahead = (along - down * sin) / cos  # on the floor, from below the camera
        place = np.array([0.0, down * cos - ahead * sin, along])
        across = rng.uniform(_MARGIN - 0.5, 0.5 - _MARGIN)
        place[0] = across * along / focal
        at = np.array([across, focal * place[1] / along])
        close = any(np.abs(at - other).max() < _APART for other in flat)
        if abs(at[1]) > 0.5 - _MARGIN or close:
            continue
        found.append(place)
        flat.append(at)
        if len(found) == wanted:
            break
    if not found:  # a camera that looks down steeply sees the floor before it alone
        found.append(np.array([0.0, 0.0, np.sqrt(near * far)]))
    order = np.argsort([place[2] for place in found])
    return np.stack(found)[order].astype(np.float32)
