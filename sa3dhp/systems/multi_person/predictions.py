"""Everybody in pictures: roots by F's map of the anchor, people by M H ([P] 3.4)."""

from __future__ import annotations

import os
import pathlib

import cv2
import numpy as np
import tensorflow as tf

from sa3dhp.systems.multi_person import composer as composers
from sa3dhp.systems.multi_person import refinement, sources, teacher
from sa3dhp.visualisation import grids

SKELETON = sources.SKELETON
MOST = 16  # people in a picture
# Sides of the crop, how far from where it was seen H' looks for the anchor [D].
_NEAR = 1 / 7
_BATCH = 32
_COLORS = ((0, 200, 0), (220, 40, 40), (40, 90, 240), (230, 200, 0), (200, 0, 200))


def roots_of(
    pelvis: tf.Tensor, size: int, most: int, least: float
) -> tuple[tf.Tensor, tf.Tensor]:
    """Returns where people are, by non-maximum suppression of a map.

    Args:
        pelvis: `[B, cells, cells]`, the map of the anchor.
        size: side of the picture, pixels.
        most: N.
        least: height of a peak that is a person.

    Returns:
        `[B, N, 2]`, pixels, the highest peaks first, and their heights `[B, N]`; 0 for
        rows without anybody.
    """
    cells = pelvis.shape[1]
    top = tf.nn.max_pool2d(pelvis[..., None], 3, 1, "SAME")[..., 0]
    peaks = tf.where((pelvis >= top) & (pelvis >= least), pelvis, 0.0)
    heights, index = tf.math.top_k(tf.reshape(peaks, [-1, cells * cells]), most)
    row, column = index // cells, index % cells
    shift = _between(pelvis, row, column)
    place = tf.cast(tf.stack([column, row], axis=-1), tf.float32) + shift
    return (place + 0.5) * (size / cells) - 0.5, heights


def _between(pelvis: tf.Tensor, row: tf.Tensor, column: tf.Tensor) -> tf.Tensor:
    """Where between the cells peaks stand, by parabolas along x and y, `[B, N, 2]`."""
    # The border is as high as the peak's neighbour: no shift towards it.
    wide = tf.pad(pelvis, [[0, 0], [1, 1], [1, 1]], mode="SYMMETRIC")

    def at(down: int, right: int) -> tf.Tensor:
        places = tf.stack([row + 1 + down, column + 1 + right], axis=-1)
        return tf.gather_nd(wide, places, batch_dims=1)

    def shift(before: tf.Tensor, after: tf.Tensor) -> tf.Tensor:
        curve = tf.minimum(before - 2 * at(0, 0) + after, -1e-6)
        return tf.clip_by_value((before - after) / (2 * curve), -0.5, 0.5)

    return tf.stack([shift(at(0, -1), at(0, 1)), shift(at(-1, 0), at(1, 0))], axis=-1)


def everybody(
    composer: composers.Composer,
    trunk: teacher.Trunk,
    reader: teacher.MapReader,
    images: tf.Tensor,
    most: int = MOST,
    refiner: composers.Composer | None = None,
) -> dict[str, tf.Tensor]:
    """Returns the people of pictures, in one shot, or with a second look at each.

    Args:
        composer: M H.
        trunk: E.
        reader: F, of which the map of the anchor is used.
        images: `[B, S, S, 3]`, RGB in [0, 1].
        most: N.
        refiner: M H', for the second look.

    Returns:
        `joints [B, N, 17, 3]`, mm, camera frame; `points [B, N, 17, 2]`, pixels;
        `score [B, N]`, the height of the peak, 0 for rows without anybody; `count [B]`.
    """
    features = trunk(images, training=False)
    layout = composer.layout
    heat = reader(features, training=False)[..., layout.root_map]
    roots, heights = roots_of(heat, composer.camera.size, most, layout.peak)
    joints = composer.people(features, roots, training=False)
    points = composer.camera.projected(joints)
    if refiner is not None:
        there = tf.cast(tf.where(heights > 0), tf.int32)  # picture and row
        shown = tf.gather(images, there[:, 0])
        again = _again(refiner, trunk, reader, shown, tf.gather_nd(points, there))
        joints = tf.tensor_scatter_nd_update(joints, there, again)
        points = composer.camera.projected(joints)
    return {
        "joints": joints,
        "points": points,
        "score": heights,
        "count": tf.reduce_sum(tf.cast(heights > 0, tf.int32), axis=1),
    }


def _again(
    refiner: composers.Composer,
    trunk: teacher.Trunk,
    reader: teacher.MapReader,
    images: tf.Tensor,
    points: tf.Tensor,
) -> tf.Tensor:
    """People `[K, 17, 3]`, mm, by a second look ([P] suppl., Fig. 6).

    Args:
        refiner: M H'.
        trunk: E.
        reader: F.
        images: `[K, S, S, 3]`, one of each person.
        points: `[K, 17, 2]`, pixels, as they are seen at first.
    """
    camera = refiner.camera
    look = refinement.towards(points, camera)
    features = trunk(refinement.crops(images, look, camera), training=False)
    layout = refiner.layout
    heat = reader(features, training=False)[..., layout.root_map]
    expected = refinement.moved(points, look, camera)[:, layout.root]
    roots = _root_near(heat, expected, camera.size, layout.peak)
    joints = refiner.people(features, roots[:, None], False, look.zoom[:, None])
    return refinement.back(joints[:, 0], look)


def _root_near(
    pelvis: tf.Tensor, expected: tf.Tensor, size: int, least: float
) -> tf.Tensor:
    """The highest peak near a place `[K, 2]`, pixels; that place if there is none."""
    cells = pelvis.shape[1]
    along = (tf.range(cells, dtype=tf.float32) + 0.5) * (size / cells) - 0.5
    places = tf.stack(tf.meshgrid(along, along), axis=-1)  # x, y
    away = tf.norm(places - expected[:, None, None], axis=-1)
    near = tf.where(away <= _NEAR * size, pelvis, 0.0)
    roots, heights = roots_of(near, size, 1, least)
    return tf.where(heights > 0, roots[:, 0], expected)


def see(
    composer: composers.Composer,
    trunk: teacher.Trunk,
    reader: teacher.MapReader,
    images: np.ndarray,
    refiner: composers.Composer | None = None,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Returns joints `[n, 17, 3]`, mm, and points `[n, 17, 2]` of pictures uint8."""
    run = tf.function(
        lambda x: everybody(composer, trunk, reader, x, refiner=refiner),
        autograph=False,
    )
    joints, points = [], []
    for start in range(0, len(images), _BATCH):
        found = run(sources.pixels(images[start : start + _BATCH]))
        for n, count in enumerate(found["count"].numpy()):
            joints.append(found["joints"][n, :count].numpy())
            points.append(found["points"][n, :count].numpy())
    return joints, points


def drawn(image: np.ndarray, points: np.ndarray, scale: int = 3) -> np.ndarray:
    """Returns a picture with skeletons on it, `scale` times as large."""
    side = image.shape[0] * scale
    canvas = cv2.resize(image, (side, side), interpolation=cv2.INTER_LINEAR)
    for n, person in enumerate(points):
        color = _COLORS[n % len(_COLORS)]
        for parent, child in SKELETON.limbs:
            ends = scale * (person[[parent, child]] + 0.5) - 0.5
            if np.isfinite(ends).all():
                a, b = (tuple(int(v) for v in np.rint(end)) for end in ends)
                cv2.line(canvas, a, b, color, 2, cv2.LINE_AA)
    return canvas


def draw(
    path: str | os.PathLike, images: np.ndarray, *points: list[np.ndarray]
) -> None:
    """Writes a sheet: a row of pictures for each list of points."""
    shown = [drawn(image, p) for row in points for image, p in zip(images, row)]
    grids.save(pathlib.Path(path), grids.grid(shown, columns=len(images)))
