"""The data of each stage: crowds of a domain or a folder, canonical poses, scenes."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.data import augment, pipeline, prepared, schema, shards
from sa3dhp.models import backbone
from sa3dhp.synthetic import crowd, domain, world
from sa3dhp.systems.multi_person import camera as cameras
from sa3dhp.systems.multi_person import config as configs
from sa3dhp.systems.multi_person import (
    folders,
    frozen,
    grouping,
    maps,
    networks,
    poses,
    refinement,
    scenes,
    teacher,
)
from sa3dhp.systems.multi_person.steps import student as student_step
from sa3dhp.systems.multi_person.steps import teacher as teacher_step

SKELETON = poses.SKELETON
_CHUNK = 50  # crowds that are drawn from one seed
_UNSEEN = 1 << 20  # the first chunk of crowds that never train
_MOTIONS = 2000  # of the embedded world, that captured poses come from
_FPS = 10.0  # of captured motion, whose poses are all there are
_BATCH = 32
_SHIFT, _SCALE = 0.05, 0.15  # how crops that train differ: middle, logarithm of side
_AWAY = 1 / 6  # sides of a crop, how far a pelvis may be from where it was seen


def check(config: configs.Config, *uses: str) -> dict[str, str]:
    """Returns the hashes of the folders in use, which results carry.

    Args:
        config: the run's.
        uses: values of `config.READS`.

    Raises:
        InputError: if a domain, folder, published teacher, file of weights or student
            is not there, or not usable.
    """
    data = config.data
    if "teacher" in uses and config.teacher.published:
        frozen.read(config.teacher.weights, data.image_size, config.teacher.features)
    elif "teacher" in uses:
        backbone.check(config.teacher.weights)
    hashes = {}
    if "pictures" in uses and config.student.start:
        begun = networks.start_of(config).hash(networks.ALIGNED[0])
        hashes[config.student.start] = begun
    if {"poses", "pictures"} & set(uses) and data.poses == "captured" and data.motions:
        _motions(data)
        hashes[data.motions] = shards.manifest(data.motions).data_hash
    if data.kind == "world":
        for name in (data.source, data.target):
            domain.get(name)
        return hashes
    if not {"pictures", "teacher"} & set(uses):
        return hashes
    labels = config.student.labels != "none"
    # A published teacher learns of nobody here; then the source may be the target.
    taught = not config.teacher.published or data.source != data.target
    found = folders.check(
        data.source, data.image_size, data.focal, labels=taught or labels
    )
    return {
        **hashes,
        data.source: found,
        data.target: folders.check(
            data.target, data.image_size, data.focal, labels=labels
        ),
    }


def measured(config: configs.Config) -> dict[str, str]:
    """Returns the places with labelled pictures that never train: side -> place."""
    places = {"source": config.data.source, "target": config.data.target}
    if config.data.kind == "world":
        return places
    return {side: x for side, x in places.items() if folders.unseen_split(x)}


def crowds(config: configs.Config, name: str, unseen: bool = False) -> crowd.Crowds:
    """Returns the pictures of a place that train, or those that measure.

    Raises:
        InputError: if a folder is not usable, or has none that measure.
    """
    return _crowds(config.data, config.training.seed, name, unseen)


@functools.lru_cache(maxsize=8)  # rows of a table share them
def _crowds(data: configs.Data, seed: int, name: str, unseen: bool) -> crowd.Crowds:
    if data.kind == "folders":
        return folders.crowds(name, data.image_size, data.unseen if unseen else None)
    count = data.unseen if unseen else data.pictures
    first = _UNSEEN if unseen else (1 + zlib.crc32(name.encode())) << 21
    parts = [
        crowd.pictures(
            domain.get(name),
            pipeline.rng(seed, "crowds", first + number),
            count=min(_CHUNK, count - number * _CHUNK),
            size=data.image_size,
            people=data.people,
            focal=data.focal,
            near=data.near_mm,
            far=data.far_mm,
        )
        for number in range(-(-count // _CHUNK))
    ]
    fields = ("images", "joints", "points", "there")
    return crowd.Crowds(
        *(np.concatenate([getattr(x, f) for x in parts]) for f in fields)
    )


def people_of(found: crowd.Crowds) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Returns joints and points of the people whose pelvis is in the picture.

    Returns:
        Of each picture `[n, 17, 3]`, mm, camera frame, and `[n, 17, 2]`, pixels.
    """
    rows = found.there & np.isfinite(found.points[:, :, SKELETON.root, 0])
    joints, points = (
        [x[row] for x, row in zip(part, rows)] for part in (found.joints, found.points)
    )
    return joints, points


def canonical_poses(config: configs.Config, unseen: bool = False) -> np.ndarray:
    """Returns canonical poses `[N, 17, 3]`, mm, that train or that measure."""
    return _canonical_poses(config.data, config.training.seed, unseen)


@functools.lru_cache(maxsize=4)
def _canonical_poses(data: configs.Data, seed: int, unseen: bool) -> np.ndarray:
    rng = pipeline.rng(seed, "canonical", int(unseen))
    count = min(data.pool, 2000) if unseen else data.pool
    if data.poses == "artificial":
        return poses.artificial(rng, count, world.mean_bone_lengths())
    if data.motions:  # with our bones: Psi has one body ([P] 3.1.1)
        joints = np.concatenate([one.joints for one in _motions(data)[unseen]])
        rows = rng.permutation(len(joints))[:count]
        return poses.captured(poses.sized(joints[rows], world.mean_bone_lengths()))
    frames = -(-count // _MOTIONS)
    motions = world.motions(rng, count=_MOTIONS, num_frames=frames, rolled=0.0)
    return poses.captured(motions.reshape(-1, SKELETON.num_joints, 3)[:count])


@functools.lru_cache(maxsize=1)
def _motions(
    data: configs.Data,
) -> tuple[list[schema.Sequence], list[schema.Sequence]]:
    """The motions of the folder that train, and those that measure."""
    found = prepared.motions(data.motions, _FPS, SKELETON)
    return prepared.by_subject(found, data.held_out_subjects, data.motions)


def pose_batches(config: configs.Config, unseen: bool = False) -> pipeline.Batches:
    """Returns batches of canonical poses `[B, 17, 3]`, mm."""
    known = canonical_poses(config, unseen)

    def make(step: int) -> tf.Tensor:
        rng = pipeline.rng(config.training.seed, "poses", step)
        rows = rng.integers(len(known), size=config.poses.batch_size)
        return tf.constant(known[rows])

    return pipeline.stream(make)


def teacher_batch(
    config: configs.Config, step: int, unseen: bool = False
) -> teacher_step.Batch:
    """Returns labelled pictures of the source, in changing light if they train."""
    found = crowds(config, config.data.source, unseen)
    rng = pipeline.rng(config.training.seed, "pictures", step)
    rows = rng.integers(len(found.images), size=config.teacher.batch_size)
    points = in_cells(found.points[rows], config.data.image_size)
    drawn = [maps.draw(one[there]) for one, there in zip(points, found.there[rows])]
    images = pixels(found.images[rows])
    if not unseen:
        images = _lit(config, images, step)
    return teacher_step.Batch(images, tf.constant(np.stack(drawn)))


def in_cells(
    points: np.ndarray, size: int, layout: maps.Layout = maps.OWN
) -> np.ndarray:
    """Returns points in pixels as cells of the maps."""
    return (points + 0.5) * (layout.cells / size) - 0.5


def in_pixels(
    points: np.ndarray, size: int, layout: maps.Layout = maps.OWN
) -> np.ndarray:
    """Returns points in cells of the maps as pixels."""
    return (points + 0.5) * (size / layout.cells) - 0.5


def pixels(images: np.ndarray) -> tf.Tensor:
    """Returns pictures uint8 as float32 in [0, 1]."""
    return tf.constant(images, tf.float32) / 255.0


def seen_by_teacher(
    trunk: teacher.Trunk, reader: teacher.MapReader, images: np.ndarray, people: int
) -> np.ndarray:
    """Returns k_q of pictures uint8: `[B, people, 17, 2]`, pixels; unknown = NaN."""
    run, size = _looking(trunk, reader), images.shape[1]
    found = np.full((len(images), people, SKELETON.num_joints, 2), np.nan, np.float32)
    for start in range(0, len(images), _BATCH):
        for n, heat in enumerate(run(pixels(images[start : start + _BATCH])).numpy()):
            persons = grouping.people(heat, reader.layout)[:people]
            found[start + n, : len(persons)] = in_pixels(persons, size, reader.layout)
    return found


@functools.lru_cache(maxsize=2)  # traced once for all that H' trains on
def _looking(
    trunk: teacher.Trunk, reader: teacher.MapReader
) -> Callable[[tf.Tensor], tf.Tensor]:
    """F E."""
    return tf.function(
        lambda x: reader(trunk(x, training=False), training=False), autograph=False
    )


def truth_of(
    seen: np.ndarray,
    found: crowd.Crowds,
    size: int,
    root: int = SKELETON.root,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels of the people that the teacher sees, by the nearest anchor.

    Args:
        seen: k_q, `[B, N, 17, 2]`, pixels.
        found: the true people of the same pictures.
        size: side of the pictures, pixels; an anchor is at most a tenth of it away.
        root: the anchor's joint.

    Returns:
        `[B, N, 17, 3]`, mm, and `[B, N, 17, 2]`, pixels; NaN where nobody is.
    """
    rows, people = seen.shape[:2]
    joints = np.full((rows, people, SKELETON.num_joints, 3), np.nan, np.float32)
    points = np.full((rows, people, SKELETON.num_joints, 2), np.nan, np.float32)
    gaps = np.linalg.norm(
        seen[:, :, None, root] - found.points[:, None, :, root], axis=-1
    )
    gaps = np.where(np.isfinite(gaps), gaps, np.inf)
    nearest = gaps.argmin(axis=2)
    close = np.take_along_axis(gaps, nearest[..., None], 2)[..., 0] < size / 10
    for n, person in zip(*np.nonzero(close)):
        joints[n, person] = found.joints[n, nearest[n, person]]
        points[n, person] = found.points[n, nearest[n, person]]
    return joints, points


class StudentBatches:
    """The batches of `StudentStep`: pictures as the teacher sees them, and scenes."""

    def __init__(
        self,
        config: configs.Config,
        camera: cameras.Camera,
        trunk: teacher.Trunk,
        reader: teacher.MapReader,
        unseen: bool = False,
        turned: bool = True,
    ) -> None:
        """Lets the teacher look at all pictures once.

        Args:
            config: the run's.
            camera: the fixed one.
            trunk: E.
            reader: F.
            unseen: of pictures and poses that measure.
            turned: whether L_ss is minimised; without it `turned` holds the images.
        """
        self._config, self._camera, self._unseen = config, camera, unseen
        self._turned = turned
        self._layout = reader.layout
        data = config.data
        self._crowds = crowds(config, data.target, unseen)
        self._seen = seen_by_teacher(trunk, reader, self._crowds.images, data.people)
        self._labels = truth_of(
            self._seen, self._crowds, data.image_size, self._layout.root
        )
        self._poses = canonical_poses(config, unseen)

    def make(self, step: int) -> student_step.Batch:
        """Returns the batch of a step."""
        config, size = self._config, self._config.data.image_size
        rng = pipeline.rng(config.training.seed, "unlabelled", step)
        rows = rng.integers(len(self._seen), size=config.student.batch_size)
        points, images = self._seen[rows], self._crowds.images[rows]
        turns, flipped = _turns(rng, len(rows), size, config.student.turn_deg)
        roots = np.nan_to_num(points[:, :, self._layout.root])
        light = [pixels(images)]
        if self._turned:
            light.append(pixels(_warped(images, turns)))
        if not self._unseen:
            light = [_lit(config, x, 2 * step + n) for n, x in enumerate(light)]
        drawn = scenes.draw(
            self._poses,
            pipeline.rng(config.training.seed, "scenes", step),
            count=config.student.batch_size,
            people=config.data.people,
            camera=self._camera,
            upright=poses.UPRIGHT,
            layout=self._layout,
        )
        joints, true_points = self._labels
        return student_step.Batch(
            images=light[0],
            roots=tf.constant(roots, tf.float32),
            points=tf.constant(points),
            turned=light[-1],
            turns=tf.constant(turns, tf.float32),
            flipped=tf.constant(flipped),
            joints=tf.constant(joints[rows]),
            true_points=tf.constant(true_points[rows]),
            maps=tf.constant(drawn.maps),
            scene_joints=tf.constant(drawn.joints),
            scene_roots=tf.constant(drawn.roots),
            scene_there=tf.constant(drawn.there),
            zoom=tf.ones(points.shape[:2]),
            scene_zoom=tf.ones(drawn.there.shape),
        )


class RefinementBatches(StudentBatches):
    """The same for H': crops of the people that the teacher sees, and of scenes.

    There is one person to a row of a batch, `[B, 1, ...]`, the one that a look is at;
    others may be in its crop. The teacher looks at each crop anew.
    """

    def __init__(
        self,
        config: configs.Config,
        camera: cameras.Camera,
        trunk: teacher.Trunk,
        reader: teacher.MapReader,
    ) -> None:
        """Lets the teacher look at all pictures once; arguments as `StudentBatches`.

        Raises:
            InputError: if it sees nobody in any of them.
        """
        super().__init__(config, camera, trunk, reader)
        self._networks = trunk, reader
        root = self._layout.root
        self._people = np.argwhere(np.isfinite(self._seen[:, :, root, 0]))
        if not len(self._people):
            raise errors.InputError(
                f"{config.data.target}: the teacher sees nobody in {len(self._seen)} "
                "pictures, expected people to crop; train it longer (teacher.steps)"
            )

    def make(self, step: int) -> student_step.Batch:
        """Returns the batch of a step."""
        config, camera = self._config, self._camera
        size, count = camera.size, config.student.batch_size
        rng = pipeline.rng(config.training.seed, "refinement", step)
        rows = self._people[rng.integers(len(self._people), size=count)]
        picture, person = rows.T
        look = _look(rng, self._seen[picture, person], camera)
        images = refinement.crops(pixels(self._crowds.images[picture]), look, camera)
        points = self._seen_again(images, rows, look)
        joints, true_points = (x[picture, person] for x in self._labels)
        images = _lit(config, images, step)
        layout = self._layout
        scene_joints, scene_points, there, scene_look = self._scenes(rng)
        drawn = [
            maps.draw(in_cells(one[row], size, layout), layout)
            for one, row in zip(scene_points, there)
        ]
        return student_step.Batch(
            images=images,
            roots=tf.constant(points[:, None, layout.root]),
            points=tf.constant(points[:, None]),
            turned=images,
            turns=tf.zeros([count, 2, 3]),
            flipped=tf.zeros([count], tf.bool),
            joints=refinement.into(joints, look)[:, None],
            true_points=refinement.moved(true_points, look, camera)[:, None],
            maps=tf.constant(np.stack(drawn)),
            scene_joints=scene_joints[:, None],
            scene_roots=tf.constant(scene_points[:, :1, layout.root]),
            scene_there=tf.ones([count, 1], tf.bool),
            zoom=look.zoom[:, None],
            scene_zoom=scene_look.zoom[:, None],
        )

    def _seen_again(
        self, images: tf.Tensor, rows: np.ndarray, look: refinement.Look
    ) -> np.ndarray:
        """k_q of the person that a crop is of `[B, 17, 2]`, pixels of the crop.

        Where the teacher sees nobody there, all but the expected anchor is NaN.
        """
        root, size, people = (
            self._layout.root,
            self._camera.size,
            self._config.data.people,
        )
        before = refinement.moved(self._seen[tuple(rows.T)], look, self._camera).numpy()
        bytes_ = np.rint(255.0 * images.numpy()).astype(np.uint8)
        again = seen_by_teacher(*self._networks, bytes_, people)
        away = np.linalg.norm(again[:, :, root] - before[:, None, root], axis=-1)
        away = np.nan_to_num(away, nan=np.inf)
        nearest = again[np.arange(len(again)), away.argmin(axis=1)]
        unknown = np.full_like(before, np.nan)
        unknown[:, root] = before[:, root]
        found = away.min(axis=1) < _AWAY * size
        return np.where(found[:, None, None], nearest, unknown)

    def _scenes(
        self, rng: np.random.Generator
    ) -> tuple[tf.Tensor, np.ndarray, np.ndarray, refinement.Look]:
        """Scenes, each seen by a look at its first person.

        Returns:
            That person `[B, 17, 3]`, mm, turned camera; all people `[B, N, 17, 2]`,
            pixels of the crop; who of them is there, `[B, N]`; the looks.
        """
        drawn = scenes.draw(
            self._poses,
            rng,
            count=self._config.student.batch_size,
            people=self._config.data.people,
            camera=self._camera,
            upright=poses.UPRIGHT,
            layout=self._layout,
        )
        points = self._camera.projected(drawn.joints)
        look = _look(rng, points[:, 0], self._camera)
        each = refinement.Look(look.turn[:, None], look.zoom[:, None])
        moved = refinement.moved(points, each, self._camera).numpy()
        return refinement.into(drawn.joints[:, 0], look), moved, drawn.there, look


def _look(
    rng: np.random.Generator, points: np.ndarray, camera: cameras.Camera
) -> refinement.Look:
    """Looks at people `[B, 17, 2]`, pixels, a little off."""
    shift = rng.uniform(-_SHIFT, _SHIFT, (len(points), 2))
    scale = np.exp(rng.uniform(-_SCALE, _SCALE, len(points)))
    return refinement.towards(points, camera, np.float32(shift), np.float32(scale))


def _turns(
    rng: np.random.Generator, count: int, size: int, most_deg: float
) -> tuple[np.ndarray, np.ndarray]:
    """T_s of some pictures: `[B, 2, 3]` and whether they are mirrored, `[B]`."""
    flipped = rng.uniform(size=count) < 0.5
    angle = np.deg2rad(rng.uniform(-most_deg, most_deg, count))
    scale = rng.uniform(0.8, 1.25, count)
    move = rng.uniform(-0.1, 0.1, (count, 2)) * size
    cos, sin = scale * np.cos(angle), scale * np.sin(angle)
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], axis=1)
    turn[flipped, :, 0] *= -1.0
    middle = np.full(2, (size - 1) / 2)
    shift = middle - turn @ middle + move
    return np.concatenate([turn, shift[..., None]], axis=-1), flipped


def _warped(images: np.ndarray, turns: np.ndarray) -> np.ndarray:
    side = images.shape[1]
    return np.stack(
        [
            cv2.warpAffine(image, turn, (side, side), borderMode=cv2.BORDER_REFLECT)
            for image, turn in zip(images, turns)
        ]
    )


def _lit(config: configs.Config, images: tf.Tensor, step: int) -> tf.Tensor:
    key = tf.constant([config.training.seed, step], tf.int64)
    return augment.photometric(images, key, config.data.augmentation)
