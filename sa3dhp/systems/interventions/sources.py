"""The pictures of a run, and their poses in the form that the estimator learns.

A pose is `[P, 3]` in half sides of the picture: x right and y down from its middle, z
away from the camera and from the pelvis, at the scale of the weak-perspective camera
that fits the picture.
"""

from __future__ import annotations

import functools
import zlib
from collections.abc import Sequence

import numpy as np

from sa3dhp import errors
from sa3dhp.data import labelled, pipeline, prepared, shards
from sa3dhp.evaluation import poses
from sa3dhp.geometry import camera
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import domain
from sa3dhp.systems.interventions import config as configs

SKELETON = skeletons.SA3DHP17


def place(config: configs.Config, name: str, unseen: bool = False) -> labelled.Pictures:
    """Returns the pictures of a place that train, or at most `data.unseen` others."""
    data = config.data
    if data.kind == "world":
        return labelled.of_world(
            name,
            config.training.seed,
            count=data.unseen if unseen else data.pictures,
            size=data.image_size,
            first=labelled.UNSEEN if unseen else _first(name),
        )
    sizes = prepared.Sizes(data.image_size, data.stored_size)
    found = _prepared(name, "" if unseen else data.split, sizes)
    return found.evenly(data.unseen) if unseen else found


@functools.lru_cache(maxsize=16)
def _prepared(name: str, split: str, sizes: prepared.Sizes) -> labelled.Pictures:
    """Pictures of a split, or of the one that measures; configurations share them."""
    split = split or labelled.unseen_split(name)
    return labelled.of_prepared(name, split, sizes, SKELETON.id, complete=False)


def _first(name: str) -> int:
    """Chunks of people of a domain's own: nobody appears in two places."""
    return (1 + zlib.crc32(name.encode())) << 21


def check(config: configs.Config, *uses: str) -> dict[str, str]:
    """Returns the hashes of the prepared folders in use, which results carry.

    Raises:
        InputError: if a domain or a folder is not there, or not usable.
    """
    del uses  # all stages read the same
    data = config.data
    names = dict.fromkeys((data.source, *data.unlabelled, data.target))
    if data.kind == "world":
        for name in names:
            domain.get(name)
        return {}
    return {name: shards.manifest(name).data_hash for name in names}


def poses_of(pictures: labelled.Pictures, image_size: int) -> np.ndarray:
    """Returns poses `[N, P, 3]`, float32, see the module; what is not known is NaN.

    Args:
        pictures: with 2D and 3D labels.
        image_size: side of the pictures, pixels.

    Raises:
        InputError: if they have no such labels.
    """
    if pictures.points is None or pictures.joints is None:
        lacks = "2D" if pictures.points is None else "3D"
        raise errors.InputError(
            f"{pictures.source}: some pictures have no {lacks} joints, expected both "
            "2D and 3D in all: take a data set that has them as data.source"
        )
    return camera.half_sides(
        pictures.points, pictures.joints, image_size, SKELETON.root
    )


def truth_of(pictures: labelled.Pictures) -> poses.Poses:
    """Returns what pictures are measured on; joints that are not known are masked.

    Args:
        pictures: with `joints [N, P, 3]`, mm.
    """
    assert pictures.joints is not None  # told before
    known = np.isfinite(pictures.joints).all(axis=-1)
    return poses.Poses(
        np.where(known[..., None], pictures.joints, 0.0),
        pictures.skeleton,
        mask=known,
        labels={"subject": pictures.subjects, "sequence": pictures.sequences},
        source=pictures.source,
    )


def size_of(pictures: labelled.Pictures) -> float:
    """Returns the mean length of a limb, mm, which gives predictions their size."""
    assert pictures.joints is not None  # told before
    return float(np.nanmean(limbs(pictures.joints)))


def limbs(joints: np.ndarray) -> np.ndarray:
    """Returns the lengths `[N, L]` of the limbs of `[N, P, 3]`."""
    parents, children = (list(ends) for ends in zip(*SKELETON.limbs))
    return np.linalg.norm(joints[:, children] - joints[:, parents], axis=-1)


def labelled_batch(
    pictures: labelled.Pictures, poses: np.ndarray, seed: int, step: int, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns pictures uint8 and their poses of one step."""
    rng = pipeline.rng(seed, "pictures", step)
    rows = np.sort(rng.integers(len(pictures), size=count))
    return pictures.images(rows), poses[rows]


def unlabelled_batch(
    places: Sequence[labelled.Pictures], seed: int, step: int, count: int
) -> np.ndarray:
    """Returns pictures uint8 of some places, as many of each on average."""
    rng = pipeline.rng(seed, "unlabelled", step)
    chosen = rng.integers(len(places), size=count)
    parts = []
    for number, found in enumerate(places):
        rows = np.sort(rng.integers(len(found), size=int(np.sum(chosen == number))))
        if len(rows):
            parts.append(found.images(rows))
    return np.concatenate(parts)
