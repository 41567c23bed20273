"""The pictures of a run, and their poses in the form that the estimator learns.

A pose is `[P, 3]` in half sides of the picture: x right and y down from its middle, z
away from the camera and from the pelvis, at the scale of the weak-perspective camera
that fits the picture.
"""

from __future__ import annotations

import functools
import pathlib
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sa3dhp import errors
from sa3dhp.data import labelled, pipeline, prepared, shards
from sa3dhp.evaluation import poses, prediction, protocol
from sa3dhp.geometry import camera
from sa3dhp.models import backbone
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import domain
from sa3dhp.systems.interventions import config as configs

SKELETON = skeletons.SA3DHP17
_SAMPLED = 16  # records that are looked at before the work


class Limbs(NamedTuple):
    """What gives predictions their size.

    Attributes:
        mm: mean length of the limbs.
        ends: the joints that they end in: of all limbs, those that the source labels.
    """

    mm: float
    ends: tuple[str, ...]


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
        InputError: if a domain, folder, card or file of weights is not there, or not
            usable; if pictures of the source are not labelled.
    """
    del uses  # all stages read the same
    data = config.data
    protocol.load(data.evaluation_card)
    backbone.check(config.estimator.weights)
    names = dict.fromkeys((data.source, *data.unlabelled, data.target))
    if data.kind == "world":
        for name in names:
            domain.get(name)
        return {}
    sizes = prepared.Sizes(data.image_size, data.stored_size)
    for name in names:
        prepared.split(name, labelled.unseen_split(name), sizes)
    for name in dict.fromkeys((data.source, *data.unlabelled)):
        part = prepared.split(name, data.split, sizes)
        rows = np.unique(np.linspace(0, len(part) - 1, _SAMPLED).astype(int))
        frames = part.frames(rows, image=False) if len(part) else []
        if not frames:
            raise errors.InputError(
                f"{name}: {data.split} is empty, expected pictures in it"
            )
        if name == data.source:
            labels = [(frame.keypoints, frame.joints) for frame in frames]
            lacks = [any(label is None for label in kind) for kind in zip(*labels)]
            _check_labels(f"{name} ({data.split})", *lacks)
    return {name: shards.manifest(name).data_hash for name in names}


def _check_labels(source: str, no_points: bool, no_joints: bool) -> None:
    """Raises InputError if pictures lack the labels that a source needs."""
    if no_points or no_joints:
        raise errors.InputError(
            f"{source}: some pictures have no {'2D' if no_points else '3D'} joints, "
            "expected both 2D and 3D in all: take a data set that has them as "
            "data.source"
        )


def same(config: configs.Config, first: str, second: str) -> bool:
    """Whether two names are of one place, as domains or folders are written."""
    if config.data.kind == "world":
        return domain.get(first) == domain.get(second)
    return pathlib.Path(first).resolve() == pathlib.Path(second).resolve()


def target(config: configs.Config) -> tuple[labelled.Images, poses.Poses]:
    """Returns the pictures that a run is measured on, and their truth.

    Of the embedded world at most `data.unseen`; of a prepared folder all pictures of
    the split that measures, in its own skeleton and with all that cards choose by.

    Raises:
        InputError: if they have no truth.
    """
    name = config.data.target
    if config.data.kind == "world":
        side = place(config, name, unseen=True)
        return side.images, truth_of(side)
    sizes = prepared.Sizes(config.data.image_size, config.data.stored_size)
    split = labelled.unseen_split(name)
    prepared.split(name, split, sizes)
    pictures, truth = prediction.read_prepared(name, split)
    return pictures.__getitem__, truth


def poses_of(pictures: labelled.Pictures, image_size: int) -> np.ndarray:
    """Returns poses `[N, P, 3]`, float32, see the module; what is not known is NaN.

    Args:
        pictures: with 2D and 3D labels.
        image_size: side of the pictures, pixels.

    Raises:
        InputError: if they have no such labels.
    """
    lacks = (pictures.points is None, pictures.joints is None)
    _check_labels(pictures.source, *lacks)
    assert pictures.points is not None and pictures.joints is not None
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


def size_of(pictures: labelled.Pictures) -> Limbs:
    """Returns which limbs labelled pictures have, and their mean length."""
    assert pictures.joints is not None  # told before
    lengths = limbs(pictures.joints)
    known = np.isfinite(lengths).any(axis=0)
    names = [SKELETON.joint_names[end] for _, end in SKELETON.limbs]
    ends = tuple(name for name, there in zip(names, known) if there)
    return Limbs(float(np.nanmean(lengths)), ends)


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
