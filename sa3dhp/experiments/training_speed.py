"""How fast the pre-training is, and the pictures that it is fed with.

Each row is set beside what it cannot be faster than, or what one would do without it:
Keras' layers with batch norm, the matrix products of a network alone, a batch that is
there already.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from sa3dhp.data import augment, pipeline, prepared, records
from sa3dhp.experiments import benchmark
from sa3dhp.models import folded, image_encoder, pose_autoencoder, pose_prior
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import domain, world
from sa3dhp.systems.relation_distillation import relation_network
from sa3dhp.systems.relation_distillation.steps import relations
from sa3dhp.training.steps import source

SKELETON = skeletons.SA3DHP17
PRODUCTS, THERE = "its matrix products", "a batch that is there"
COUNT = 5  # works
_STORED = 512  # pictures in the shard that is read
_PAIRS = 256
_TWICE = 2  # backward passes of a product: to its input, and to its matrix


def works(size: int, batch: int, folder: pathlib.Path) -> Iterator[benchmark.Work]:
    """Yields the source model's update, its pictures, and updates of T.

    Args:
        size: of the pictures, pixels.
        batch: pictures at once.
        folder: gets a shard.
    """
    yield source_update(size, batch)
    draw = pictures(size, batch, folder)
    cores = f"{batch} pictures of {size} px out of a shard, a core"
    runs = {"ours": lambda: draw(0)}
    yield benchmark.Work(cores, batch, "pictures", runs, clock=benchmark.CORES)
    yield fed_update(size, batch, draw)
    for name, widths in (
        ("poses", relation_network.POSE_WIDTHS),
        ("motions", relation_network.MOTION_WIDTHS),
    ):
        yield relation_update(name, widths)


def steps(size: int) -> dict[str, source.SourceStep]:
    """Stage 3 on fixed statistics, all of one G in training; its weights stay."""
    networks = pose_autoencoder.PoseEncoder(), pose_autoencoder.PoseDecoder()
    lengths = np.full(SKELETON.num_joints, 200.0, np.float32)
    prior = pose_prior.PosePrior(*networks, SKELETON, lengths)
    encoder = image_encoder.ImageEncoder(size)
    variables = encoder.variables_above("nothing")
    features: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
        "ours": folded.fold(encoder, variables).features,
        benchmark.KERAS: functools.partial(encoder.features, training=False),
    }
    return {
        name: source.SourceStep(
            encoder,
            source.SourceLoss(prior, joints_weight=1.0, latent_weight=1.0),
            learning_rate=0.0,
            clip_norm=None,
            ema=0.0,
            features=read,
            variables=variables,
        )
        for name, read in features.items()
    }


def source_update(size: int, batch: int) -> benchmark.Work:
    """One update of G^s with batch norm on fixed statistics: folded, and Keras."""
    images = np.random.default_rng(0).random((batch, size, size, 3), np.float32)
    joints = 300 * np.ones((batch, SKELETON.num_joints, 3), np.float32)
    given = tf.constant(images), tf.constant(joints)

    def run(step: source.SourceStep) -> Callable[[], Any]:
        return lambda: step(given)["joints"].numpy()

    runs = {name: run(step) for name, step in steps(size).items()}
    name = f"update of G, {batch} pictures of {size} px"
    return benchmark.Work(name, batch, "pictures", runs)


def pictures(
    size: int, batch: int, folder: pathlib.Path
) -> Callable[[int], tuple[tf.Tensor, tf.Tensor]]:
    """Returns what makes batch number `step` out of a shard, as stage 3 reads it.

    Args:
        size: of the pictures, pixels; they are stored half as large again.
        batch: pictures.
        folder: gets the shard.
    """
    stored = size * 3 // 2
    images, joints = world.frames(
        domain.get("studio"), np.random.default_rng(0), count=_STORED, size=stored
    )
    payloads = [
        records.encode_frame(_frame(number, *pair))
        for number, pair in enumerate(zip(images, joints))
    ]
    _write(folder, payloads, size, stored)
    pool = prepared.Pool(
        prepared.split(str(folder), prepared.TRAIN, prepared.Sizes(size, stored))
    )
    change = tf.function(augment.photometric, autograph=False)

    def make(step: int) -> tuple[tf.Tensor, tf.Tensor]:
        rng = pipeline.rng(0, "source", step)
        drawn, known, _ = prepared.draw(
            [pool], rng, count=batch, size=size, rolled=0.5, mirrored=0.5
        )
        pixels = tf.constant(drawn, tf.float32) / 255.0
        changed = change(pixels, tf.constant([0, step], tf.int64), 1.0)
        return changed, tf.constant(known)

    return make


def fed_update(
    size: int, batch: int, draw: Callable[[int], tuple[tf.Tensor, tf.Tensor]]
) -> benchmark.Work:
    """One update of G^s on batches that are made meanwhile: does it wait for them?"""
    step, given = steps(size)["ours"], draw(0)
    ready = pipeline.stream(draw)(0)
    runs: dict[str, Callable[[], Any]] = {
        "ours": lambda: step(next(ready))["joints"].numpy(),
        THERE: lambda: step(given)["joints"].numpy(),
    }
    name = f"update of G on what is read meanwhile, {batch} pictures of {size} px"
    return benchmark.Work(name, batch, "pictures", runs)


def relation_update(name: str, widths: tuple[int, ...]) -> benchmark.Work:
    """One update of a relation network, and the products that it cannot do without.

    Args:
        name: of the latents, for people.
        widths: of the network's layers.
    """
    network = relation_network.RelationNetwork(widths)
    step = relations.RelationStep(network, learning_rate=0.0)
    rng = np.random.default_rng(0)
    latents = [rng.uniform(-1, 1, (_PAIRS, widths[-1])) for _ in range(2)]
    anchor, partner = (tf.constant(latent, tf.float32) for latent in latents)
    kernels = [v for v in network.trainable_variables if v.shape.rank == _TWICE]
    sides = [
        [tf.random.stateless_normal([_PAIRS, n], [0, n]) for n in kernel.shape]
        for kernel in kernels
    ]

    @tf.function(autograph=False)
    def products() -> tf.Tensor:
        total = tf.zeros([])
        for kernel, (inside, outside) in zip(kernels, sides):
            total += tf.reduce_sum((inside @ kernel)[0])
            total += tf.reduce_sum(tf.matmul(outside, kernel, transpose_b=True)[0])
            total += tf.reduce_sum(tf.matmul(inside, outside, transpose_a=True)[0])
        return total

    runs: dict[str, Callable[[], Any]] = {
        "ours": lambda: step((anchor, partner))["residual"].numpy(),
        PRODUCTS: lambda: products().numpy(),
    }
    return benchmark.Work(f"update of T of {name}", _PAIRS, "pairs", runs)


def _frame(number: int, image: np.ndarray, joints: np.ndarray) -> records.Frame:
    return records.Frame(
        image=image,
        skeleton=SKELETON.id,
        joints=joints.astype(np.float32),
        keypoints=None,
        mask=np.ones(SKELETON.num_joints, bool),
        frame_number=number,
        sequence="drawn",
        subject="",
        action="",
        split=prepared.TRAIN,
        label=-1,
        clip=str(number),
        position=0,
        fps=0.0,
        projection=None,
    )


def _write(folder: pathlib.Path, payloads: list[bytes], size: int, stored: int) -> None:
    """A prepared folder of one shard."""
    file = "train-00000-of-00001.tfrecord"
    records.write_shard(folder / file, payloads)
    split = {
        "shards": [file],
        "checksums": [records.checksum(folder / file)],
        "records": len(payloads),
        "clips": len(payloads),
        "subjects": [],
        "sequences": 1,
        "skeleton": SKELETON.id,
    }
    manifest = records.Manifest(
        *("own", "frames", SKELETON.id, 0.0, size, stored, "camera"),
        *({prepared.TRAIN: split}, {}, "none", ""),
    )
    records.write_manifest(folder, manifest)
