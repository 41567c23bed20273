"""Videos of the user, of which nothing is known: the people in them, as clips."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from sa3dhp.data.datasets import dataset
from sa3dhp.data.preparing import units
from sa3dhp.data.videos import boxes_file, detection, people, video, video_folder
from sa3dhp.skeleton import skeleton as skeletons

SPLIT = "train"


def plan(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit per video or frame folder."""
    if not settings.boxes:
        detection.make(settings.detector)  # what is wrong with it is said now
    made = []
    for source in video.discover(root):
        files = source.images or (source.path,)
        unit = units.unit(root, source.name, SPLIT, *files)
        made.append(units.Unit(unit.name, unit.split, (), source.name, unit.size))
    return units.Plan("frames", tuple(made), {SPLIT: skeletons.SA3DHP17.id})


def read(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[tuple[video.Source, people.Scan]]:
    """The people in one video; raises `UnreadableError` if there is no clip in it."""
    source = _source(root, unit.part)
    given = boxes_file.read(settings.boxes) if settings.boxes else None
    detector = None if given is not None else detection.make(settings.detector)
    scan = people.scan(source, units.FPS, video.ASSUMED_FPS, detector, given)
    if not any(video_folder.windows_of(t, 0, units.CLIP_FRAMES) for t in scan.tracks):
        raise video.UnreadableError(
            video_folder.why_none(scan, units.CLIP_FRAMES, units.FPS)
        )
    yield source, scan


def _source(root: pathlib.Path, name: str) -> video.Source:
    """A source of `video.discover`, found without looking at the others."""
    path = root / name
    if path.is_file():
        return video.Source(name, path)
    (here,) = (source for source in video.discover(path) if source.name == ".")
    return video.Source(name, path, here.images)


DATASET = dataset.Dataset(
    plan,
    read,
    "videos of the user: their rights, and those of the people in them, apply",
    settings=("boxes", "detector"),
    shared=frozenset({"subjects"}),
)
