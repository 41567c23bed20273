"""s and M: what each cell says of the person whose pelvis lies in it ([P] 3.1.2).

s [14, 14, 39] = z (32), sine and cosine of three angles (6), depth (1)
M = T_G T_R FK Psi at the cells of the roots; T_K M is where the joints fall
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import tensorflow as tf

from sa3dhp.systems.multi_person import camera as cameras
from sa3dhp.systems.multi_person import canonical

CELLS = 14
LATENT_SIZE, ANGLES = 32, 6
CHANNELS = LATENT_SIZE + ANGLES + 1


class Person(NamedTuple):
    """What s says at the cells of some people.

    Attributes:
        latent: z, `[..., 32]`.
        angles: c, `[..., 6]`, sine and cosine, of any length.
        depth: d, `[...]`.
    """

    latent: tf.Tensor
    angles: tf.Tensor
    depth: tf.Tensor


def cells_of(roots: tf.Tensor, size: int, cells: int = CELLS) -> tf.Tensor:
    """Returns the cells that roots lie in, int32 `[..., 2]`, row and column.

    Args:
        roots: `[..., 2]`, x and y, pixels, the centre of the first is 0; those outside
            of the picture get the nearest cell.
        size: side of the picture, pixels.
        cells: along a side.
    """
    found = tf.cast(tf.floor((roots + 0.5) * cells / size), tf.int32)
    return tf.clip_by_value(found, 0, cells - 1)[..., ::-1]


def pooled(s: tf.Tensor, roots: tf.Tensor, size: int) -> Person:
    """Returns what s says at the cells of roots.

    Args:
        s: `[B, 14, 14, 39]`.
        roots: `[B, N, 2]`, pixels.
        size: side of the picture, pixels.
    """
    values = tf.gather_nd(s, cells_of(roots, size, s.shape[1]), batch_dims=1)
    latent, angles, depth = tf.split(values, [LATENT_SIZE, ANGLES, 1], axis=-1)
    return Person(latent, angles, depth[..., 0])


def composed(
    person: Person,
    roots: tf.Tensor,
    decode: Callable[[tf.Tensor], tf.Tensor],
    camera: cameras.Camera,
    zoom: tf.Tensor | float = 1.0,
) -> tf.Tensor:
    """Returns M, the people of a scene in the camera ([P] suppl. 2.1).

    Args:
        person: see `pooled`, of N people.
        roots: `[B, N, 2]`, pixels.
        decode: FK Psi, from z `[K, 32]` to canonical poses `[K, J, 3]`, mm.
        camera: the fixed one.
        zoom: `[B, N]`, of a longer lens, see `refinement.Look`.

    Returns:
        `[B, N, J, 3]`, mm, camera frame.
    """
    flat = decode(tf.reshape(person.latent, [-1, LATENT_SIZE]))
    shape = tf.concat([tf.shape(roots)[:2], tf.shape(flat)[1:]], axis=0)
    rotations = canonical.from_angles(person.angles)
    joints = canonical.turned(tf.reshape(flat, shape), rotations)
    return camera.placed(joints, roots, person.depth, zoom)


def written(person: Person, roots: tf.Tensor, size: int) -> tf.Tensor:
    """Returns s `[B, 14, 14, 39]` that says this of people; 0 where nobody is.

    Of two people in one cell the nearer one is written: one pelvis hides the other.

    Args:
        person: of `[B, N]` people.
        roots: `[B, N, 2]`, pixels.
        size: side of the picture, pixels.
    """
    batch = tf.shape(roots)[0]
    # The nearest last: where cells repeat, the last update stays.
    order = tf.argsort(person.depth, direction="DESCENDING", stable=True)
    values = tf.concat([*person[:2], person.depth[..., None]], axis=-1)
    values, roots = (tf.gather(x, order, batch_dims=1) for x in (values, roots))
    cells = cells_of(roots, size)
    s = tf.zeros([batch, CELLS, CELLS, CHANNELS])
    rows = tf.range(batch)[:, None, None]
    for number in range(roots.shape[1]):
        place = tf.concat([rows, cells[:, number, None]], axis=-1)
        s = tf.tensor_scatter_nd_update(s, place[:, 0], values[:, number])
    return s
