"""D_syn: scenes of people without pictures ([P] Fig. 3B), and their maps."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.spatial import transform

from sa3dhp.systems.multi_person import camera as cameras
from sa3dhp.systems.multi_person import maps, representation

# Radians, half a range or a deviation [D]: people stand upright and turn any way.
_PITCH, _ROLL = 0.35, 0.25
_MARGIN = 0.1  # of the picture, along its border, that is free of roots [D]


@dataclasses.dataclass(frozen=True, eq=False)
class Scenes:
    """Scenes with as many rows as the fullest has people.

    Attributes:
        joints: `[B, N, J, 3]`, mm, camera frame.
        rotations: `[B, N, 3, 3]`, see `canonical.turned`.
        roots: `[B, N, 2]`, pixels, of the layout's anchor.
        depth: `[B, N]`, d of the pelvis.
        there: `[B, N]`, whether a row is a person; the others repeat the first.
        maps: `[B, cells, cells, channels]`, by the layout.
    """

    joints: np.ndarray
    rotations: np.ndarray
    roots: np.ndarray
    depth: np.ndarray
    there: np.ndarray
    maps: np.ndarray


def draw(
    poses: np.ndarray,
    rng: np.random.Generator,
    *,
    count: int,
    people: int,
    camera: cameras.Camera,
    upright: np.ndarray,
    layout: maps.Layout = maps.OWN,
) -> Scenes:
    """Returns random scenes of 1 to `people` people in cells of their own.

    Args:
        poses: canonical, `[K, J, 3]`, mm.
        rng: the source of randomness.
        count: B.
        people: N, at most one for each cell of s.
        camera: that sees them.
        upright: `[3, 3]`, turns a canonical pose to stand and look into the camera.
        layout: of the maps.
    """
    shape = (count, people)
    there = np.arange(people) < rng.integers(1, people + 1, count)[:, None]
    first = np.where(there, np.arange(people), 0)
    angles = np.stack(
        [
            rng.uniform(-np.pi, np.pi, shape),
            rng.normal(0, _PITCH, shape),
            rng.normal(0, _ROLL, shape),
        ],
        axis=-1,
    )
    turns = transform.Rotation.from_euler("YXZ", angles.reshape(-1, 3)).as_matrix()
    rotations = turns.reshape(*shape, 3, 3) @ upright
    roots = _roots(rng, count, people, camera.size)
    depth = rng.uniform(-1, 1, shape)
    chosen = poses[rng.integers(len(poses), size=shape)]
    parts = [chosen, rotations, roots, depth]
    chosen, rotations, roots, depth = (
        np.take_along_axis(x, first.reshape(*shape, *[1] * (x.ndim - 2)), axis=1)
        for x in parts
    )
    flat = np.einsum("bnij,bnkj->bnki", rotations, chosen)
    joints = camera.placed(*(np.float32(x) for x in (flat, roots, depth))).numpy()
    points = camera.projected(joints).numpy()
    # A teacher learns nothing of what is outside of the picture.
    outside = ((points < -0.5) | (points > camera.size - 0.5)).any(-1, keepdims=True)
    shown = np.where(outside, np.nan, points)
    in_cells = (shown + 0.5) * layout.cells / camera.size - 0.5
    drawn = [maps.draw(one[row], layout) for one, row in zip(in_cells, there)]
    return Scenes(
        joints,
        rotations.astype(np.float32),
        points[:, :, layout.root].astype(np.float32),
        depth.astype(np.float32),
        there,
        np.stack(drawn),
    )


def _roots(rng: np.random.Generator, count: int, people: int, size: int) -> np.ndarray:
    """`[B, N, 2]`, pixels, no two of a scene in one cell of s."""
    side = representation.CELLS
    border = round(_MARGIN * side)
    free = np.arange(border, side - border)
    every = np.stack(np.meshgrid(free, free), axis=-1).reshape(-1, 2)
    chosen = np.stack(
        [every[rng.permutation(len(every))[:people]] for _ in range(count)]
    )
    within = rng.uniform(0.05, 0.95, chosen.shape)
    return (chosen + within) * size / side - 0.5
