"""The data of each stage, chosen by the configuration: `build.py`'s twin.

Sources become batches here and nowhere else: unpaired poses and motions, labelled
source images, unlabelled target clips and the labelled clips results are measured on.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.data import augment, mixing, pipeline, prepared, records, schema, shards
from sa3dhp.data.datasets import cmu
from sa3dhp.data.videos import detection, video_folder
from sa3dhp.geometry import camera, pictures
from sa3dhp.models import backbone
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import domain, world
from sa3dhp.systems.relation_distillation import config as configs

SKELETON = skeletons.SA3DHP17
_MIRROR = np.array([-1, 1, 1], np.float32)
# The worlds a seed opens, apart from each other whatever their sizes.
_UNPAIRED, _TARGET, _TEST, _UNPAIRED_TEST, _SOURCE_CLIPS = range(5)


@dataclasses.dataclass(frozen=True)
class Unpaired:
    """Motions that belong to no image.

    Attributes:
        motions: of `[T, 17, 3]`, mm, camera frame, root-relative.
        bone_lengths: `[17]`, mm, the mean of those that train the prior.
    """

    motions: tuple[np.ndarray, ...]
    bone_lengths: np.ndarray


@functools.lru_cache(maxsize=2)
def unpaired(config: configs.Config, held_out: bool = False) -> Unpaired:
    """Returns the unpaired motions that train the priors, or those kept from them.

    Args:
        config: `data.unpaired` says where from.
        held_out: other seeds of the embedded world; of motion capture the subjects
            in `data.held_out_subjects`.

    Raises:
        InputError: if there is no motion capture where the configuration says.
    """
    data, seed = config.data, config.training.seed
    rng = pipeline.rng(seed, "world", _UNPAIRED_TEST if held_out else _UNPAIRED)
    if data.unpaired == "procedural":
        count = -(-data.unpaired_clips // 10) if held_out else data.unpaired_clips
        drawn = world.motions(
            rng, count=count, num_frames=2 * data.clip_frames, rolled=data.rolled
        )
        return Unpaired(tuple(drawn), world.mean_bone_lengths())
    if data.unpaired == "prepared":
        sequences = prepared.motions(data.unpaired_path, data.fps)
    else:
        sequences = cmu.unpaired_sequences(pathlib.Path(data.unpaired_path))
    train, test = prepared.by_subject(
        sequences, data.held_out_subjects, data.unpaired_path
    )
    turned = 0.0 if held_out else data.turned
    motions = [
        _seen(sequence, rng, data, turned)
        for sequence in (test if held_out else train)
        for _ in range(data.views)
    ]
    if not held_out:
        motions = mixing.vary_limbs(
            motions, rng, SKELETON, mixed=data.mixed, bent=data.bent
        )
    return Unpaired(tuple(motions), cmu.fixed_bone_lengths(train))


def _seen(
    sequence: schema.Sequence,
    rng: np.random.Generator,
    data: configs.Data,
    turned: float,
) -> np.ndarray:
    """Motion capture from a random heading and height, maybe rolled or mirrored.

    A share `turned` is rolled by any angle: few captured bodies stand on their hands,
    and an auto-encoder that saw none cannot code those that do.
    """
    yaw, pitch, _ = schema.random_view(rng)
    roll = world.draw_roll(rng, data.rolled)
    if turned and rng.uniform() < turned:
        roll = rng.uniform(-np.pi, np.pi)
    joints = schema.to_camera(sequence, yaw, pitch, roll)
    if rng.uniform() < data.mirrored:
        joints = joints[:, list(SKELETON.flip_indices)] * _MIRROR
    return joints


def pose_batches(
    config: configs.Config, motions: Sequence[np.ndarray]
) -> pipeline.Batches:
    """Returns the batches of stage 1: joints `[B, 17, 3]`, mm, drawn from motions."""
    size = config.pose_autoencoder.batch_size
    return pipeline.poses(motions, config.training.seed, size)


def motion_batches(
    config: configs.Config, motions: Sequence[np.ndarray]
) -> pipeline.Batches:
    """Returns the batches of stage 2: joints `[B, 30, 17, 3]`, mm.

    A third of the windows runs at double speed, as the anchors of `slow-backward` do.
    """
    return pipeline.motion_windows(
        motions,
        config.training.seed,
        batch_size=config.motion_autoencoder.batch_size,
        num_frames=config.data.clip_frames,
        strides=(1, 1, 2),
    )


def motion_pairs(
    config: configs.Config, motions: Sequence[np.ndarray], num_frames: int, count: int
) -> np.ndarray:
    """Returns windows that rules make pairs of, `[count, num_frames, 17, 3]`, mm."""
    rng = pipeline.rng(config.training.seed, "pairs", num_frames)
    return pipeline.windows(motions, rng, count=count, num_frames=num_frames)


def source_batches(config: configs.Config) -> pipeline.Batches:
    """Returns the batches of stage 3, rendered or read as they are needed.

    Returns:
        Images float32 `[B, S, S, 3]`, RGB in [0, 1], augmented, and their joints
        `[B, 17, 3]`, mm, NaN where a data set does not know them; for an encoder that
        reads points also where they are, `[B, 17, 3]`, half sides of the picture.

    Raises:
        InputError: if the source has no 2D labels and points are asked for.
    """
    pointed = _pointed(config)
    if config.data.source == "prepared":
        pools = [
            prepared.Pool(prepared.split(folder, prepared.TRAIN, _sizes(config)))
            for folder in source_folders(config)
        ]
        return _changing(config, "source", _drawn(config, pools), pointed)
    draw = functools.partial(_people, domain.get(config.data.source_domain), pointed)
    return _changing(config, "source", draw, pointed)


def _pointed(config: configs.Config) -> bool:
    """Whether the source's points are asked for."""
    return config.image_encoder.head == "points"


def _people(
    place: domain.Domain, pointed: bool, rng: np.random.Generator, **options: Any
) -> tuple[np.ndarray, ...]:
    """Draws people of the embedded world; where they are costs a little more."""
    again = copy.deepcopy(rng)
    images, joints = world.frames(place, rng, **options)
    if not pointed:
        return images, joints
    flat, _ = world.keypoints(place, again, **options)
    size, root = options["size"], SKELETON.root
    return images, joints, camera.half_sides(flat, joints, size, root)


def source_examples(config: configs.Config, count: int) -> np.ndarray:
    """Returns the first source pictures that G^s trains on, as it sees them.

    Returns:
        uint8 `[count or a few more, S, S, 3]`, under the changes of light.
    """
    found: list[np.ndarray] = []
    for images, *_ in source_batches(config)(0):
        found.append(np.round(images.numpy() * 255.0).astype(np.uint8))
        if sum(map(len, found)) >= count:
            break
    return np.concatenate(found)


def _drawn(
    config: configs.Config, pools: Sequence[prepared.Pool]
) -> Callable[..., tuple]:
    """Draws from prepared pictures, a share of them mirrored."""
    return functools.partial(prepared.draw, pools, mirrored=config.source.mirrored)


def _changing(
    config: configs.Config,
    stream: str,
    draw: Callable[..., tuple],
    pointed: bool = False,
) -> pipeline.Batches:
    """Batches of labelled pictures under changing light, see `source_batches`."""
    data, seed = config.data, config.training.seed
    change = tf.function(augment.photometric, autograph=False)

    def make(step: int) -> tuple:
        images, joints, *points = draw(
            pipeline.rng(seed, stream, step),
            count=config.source.batch_size,
            size=data.image_size,
            rolled=config.source.rolled,
        )
        pixels = tf.constant(images, tf.float32) / 255.0
        key = tf.constant([seed, step], tf.int64)
        images = change(pixels, key, config.source.augmentation)
        if not pointed:
            return images, tf.constant(joints)
        return images, tf.constant(joints), tf.constant(_known(points[0]))

    return pipeline.stream(make)


def source_test(config: configs.Config, count: int) -> tuple:
    """Returns unseen source images, neither augmented nor rolled, and their joints.

    Returns:
        uint8 `[count, S, S, 3]`, RGB, and labels as `source_batches`.
    """
    data, pointed = config.data, _pointed(config)
    if data.source == "prepared":
        found = prepared.unseen(source_folders(config), _sizes(config), count)
        return found if pointed else found[:2]
    return _people(
        domain.get(data.source_domain),
        pointed,
        pipeline.rng(config.training.seed, "source_test", 0),
        count=count,
        size=data.image_size,
        rolled=0.0,
    )


def _known(points: np.ndarray) -> np.ndarray:
    """Points of source pictures, some of them known.

    Raises:
        InputError: if none is.
    """
    if not np.isfinite(points).any():
        raise errors.InputError(
            "image_encoder.head: got points, but the source's pictures have no 2D "
            "labels; take flat, or prepare the source again from files that have them"
        )
    return points


def _clips(
    config: configs.Config, place: str, world_number: int, count: int
) -> Iterator[world.Clip]:
    """Clips of the embedded world, one after the other: the last may be costly."""
    data = config.data
    rng = pipeline.rng(config.training.seed, "world", world_number)
    for _ in range(count):
        yield world.clip(
            domain.get(place),
            rng,
            num_frames=2 * data.clip_frames,
            size=data.stored_size,
            margin=data.stored_size / data.image_size,
        )


def _pictures(
    config: configs.Config, place: str, world_number: int, count: int
) -> np.ndarray:
    """The pictures of such clips, held once: uint8 `[count, 60, S, S, 3]`."""
    data = config.data
    size = data.stored_size
    images = np.empty([count, 2 * data.clip_frames, size, size, 3], np.uint8)
    for number, clip in enumerate(_clips(config, place, world_number, count)):
        images[number] = clip.images
    return images


def target_clips(config: configs.Config) -> np.ndarray:
    """Renders unlabelled target clips, with the margin that rotations bring in.

    Returns:
        uint8 `[N, 60, S, S, 3]`. The joints are thrown away.
    """
    data = config.data
    return _pictures(config, data.target_domain, _TARGET, data.target_clips)


def test_clips(config: configs.Config) -> list[world.Clip]:
    """Renders labelled target clips, of other people in other scenes.

    Returns:
        Clips of 60 frames each, what results are measured on.
    """
    data = config.data
    return list(_clips(config, data.target_domain, _TEST, data.evaluation_clips))


def is_at_hand(config: configs.Config) -> bool:
    """Whether the source's pictures can be read, or drawn, here."""
    folders = config.data.source_paths
    return config.data.source != "prepared" or all(
        pathlib.Path(folder, records.MANIFEST).is_file() for folder in folders
    )


def has_clips(config: configs.Config) -> bool:
    """Whether `source_clips` finds some of the length that it asks for."""
    try:
        return len(source_clips(config, 1)) > 0
    except errors.InputError:
        return False


def source_clips(config: configs.Config, count: int) -> np.ndarray:
    """Returns source clips for the floor of the relation residuals.

    Returns:
        uint8 `[count, 60, S, S, 3]`.
    """
    if config.data.source == "prepared":
        folders, length = source_folders(config), 2 * config.data.clip_frames
        return prepared.some_clips(folders, _sizes(config), length, count)
    return _pictures(config, config.data.source_domain, _SOURCE_CLIPS, count)


def videos(
    config: configs.Config, detector: str, boxes: str | None
) -> video_folder.VideoSet:
    """Finds, tracks and crops the people in the videos of `data.target_path`.

    Args:
        config: gives the folder and the sizes.
        detector: see `detection.make`.
        boxes: a boxes file in its place.

    Raises:
        InputError: if nothing there is usable.
    """
    data = config.data

    def progress(name: str, number: int, total: int) -> None:
        print(f"searching {number + 1}/{total}: {name}", flush=True)

    return video_folder.load(
        data.target_path,
        stored_size=data.stored_size,
        image_size=data.image_size,
        fps=data.fps,
        clip_frames=2 * data.clip_frames,
        detector=detector,
        boxes=boxes,
        progress=progress,
    )


def check_videos(config: configs.Config, detector: str, boxes: str | None) -> None:
    """Raises the `InputError` of `videos` that can be told before any work.

    A detector or boxes for a target that is no videos are an error too.
    """
    if config.data.target == "videos":
        video_folder.check(config.data.target_path, detector, boxes)
    elif boxes is not None or detector != detection.AUTO:
        name, value = ("detector", detector) if boxes is None else ("boxes", boxes)
        raise errors.InputError(
            f"--{name}={value}: is for videos alone, got the target "
            f"{config.data.target}; give --videos= too, or leave it out"
        )


def source_folders(config: configs.Config) -> tuple[str, ...]:
    """Returns the prepared source folders.

    Raises:
        InputError: if none is named.
    """
    if not config.data.source_paths:
        raise errors.InputError(
            "data.source_paths: got none, expected prepared folders, such as "
            "[prepared/surreal]; make one with tools/prepare_data.py"
        )
    return config.data.source_paths


@functools.lru_cache(maxsize=2)
def prepared_target(config: configs.Config) -> tuple:
    """Returns the clips of a prepared target: the labelled ones, and the rest.

    Raises:
        InputError: if there are none, or `data.labelled_subjects` does not fit them.
    """
    data = config.data
    part = prepared.split(data.target_path, prepared.TRAIN, _sizes(config))
    clips = prepared.Clips(part, 2 * data.clip_frames)
    return prepared.semi_supervised(
        clips, data.labelled_subjects, data.labelled, config.training.seed
    )


def check(config: configs.Config, *uses: str) -> dict[str, str]:
    """Returns the hashes of the prepared folders in use, which results carry.

    Args:
        config: names the folders.
        uses: of `unpaired`, `source`, `target` and `evaluation` those that matter.

    Raises:
        InputError: if one, or the file of weights, is not there, before hours of work
            need it.
    """
    data, weights = config.data, config.image_encoder.weights
    if "source" in uses and weights != configs.TRAINED:
        backbone.check(weights)
    folders = {
        "unpaired": [data.unpaired_path] if data.unpaired == "prepared" else [],
        "source": source_folders(config) if data.source == "prepared" else [],
        "target": [data.target_path] if data.target == "prepared" else [],
        "evaluation": [data.evaluation_path] if data.evaluation_path else [],
    }
    if "source" in uses:
        for folder in folders["source"]:
            prepared.check_labelled(folder, _sizes(config))
    if "target" in uses and folders["target"]:
        prepared.split(data.target_path, prepared.TRAIN, _sizes(config))
    chosen = [str(folder) for use in uses for folder in folders[use]]
    return {folder: shards.manifest(folder).data_hash for folder in chosen}


def _sizes(config: configs.Config) -> prepared.Sizes:
    return prepared.Sizes(config.data.image_size, config.data.stored_size)


def labelled_target_batches(
    config: configs.Config, rows: np.ndarray
) -> pipeline.Batches:
    """Returns labelled target pictures for the semi-supervised setting (design 5).

    Args:
        config: `data.labelled` says how many clips of the embedded world have labels,
            `data.labelled_subjects` whose of a prepared target.
        rows: target clips of the embedded world that may be trained on; the first of
            them get their labels. No clip of the monitors is among them.

    Returns:
        Images float32 `[B, s, s, 3]`, RGB in [0, 1], and joints `[B, 17, 3]`, mm.

    Raises:
        InputError: if no clip has labels.
    """
    data = config.data
    if data.target == "prepared":
        labelled, _ = prepared_target(config)
        if not len(labelled):
            raise errors.InputError(
                "data.labelled_subjects: got none, expected subjects of the target "
                "for the term 'source'"
            )
        return _changing(config, "labelled", _drawn(config, [labelled.pool()]))
    chosen = np.sort(rows)[: round(data.labelled * data.target_clips)]
    if not len(chosen):
        raise errors.InputError(
            f"data.labelled: got {data.labelled}, expected a share above 0 for the "
            "term 'source'"
        )
    wanted, last = set(chosen.tolist()), int(chosen.max()) + 1
    clips = _clips(config, data.target_domain, _TARGET, last)
    known = [clip for number, clip in enumerate(clips) if number in wanted]
    stored = np.concatenate([clip.images for clip in known])
    images = pictures.center_crop(stored, data.image_size)
    joints = np.concatenate([clip.joints for clip in known])

    def make(step: int) -> tuple:
        generator = pipeline.rng(config.training.seed, "labelled", step)
        numbers = generator.integers(len(images), size=config.source.batch_size)
        return images[numbers].astype(np.float32) / 255.0, joints[numbers]

    return pipeline.stream(make)
