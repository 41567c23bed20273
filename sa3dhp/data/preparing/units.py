"""What preparation is made of: pieces of a data set, and what became of them.

A data set is planned as a list of *units* (a clip, a video, a part of a list of images)
without reading more than names and sizes. Units are dealt out to shards in order, so
that each shard mixes them; which unit is where is a function of the input alone.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import pathlib

from sa3dhp.data import records

CLIP_FRAMES = 60  # T of a stored clip: two of the network's ([S] 5b)
FPS = 30.0  # of what is stored


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a user can choose.

    Attributes:
        stored_size: side of the stored crops, pixels.
        image_size: of which the network sees these in the middle.
        detector: see `detection.make`; for videos without boxes.
        boxes: path of a boxes file, or ""; for videos.
        boxes_checksum: of that file, "" without one.
        smpl: folder of SMPL's files, see `smpl_files`, or ""; for 3DPW's 14 joints.
        clips: how many to make for train, of data sets that are made: people of
            `rendered_people`, pictures of `muco`; 0 for their defaults.
    """

    stored_size: int
    image_size: int
    detector: str = "auto"
    boxes: str = ""
    boxes_checksum: str = ""
    smpl: str = ""
    clips: int = 0


@dataclasses.dataclass(frozen=True)
class Unit:
    """A piece of a data set that is read as one.

    Attributes:
        name: unique in its data set.
        split: that its records go to.
        files: it is read from, relative to the input folder; pictures of an image
            folder are not among them.
        part: which part of the files, as its reader understands it.
        size: of the files, bytes: an input that changes is noticed by it.
    """

    name: str
    split: str
    files: tuple[str, ...]
    part: str = ""
    size: int = 0


@dataclasses.dataclass(frozen=True)
class Plan:
    """A data set as it was found.

    Attributes:
        kind: `frames` or `motions`.
        units: in an order that depends on names alone.
        skeletons: split -> skeleton id.
        fps: of the records.
        per_shard: units in a shard.
        single: splits of single pictures; the others hold clips of `CLIP_FRAMES`.
        notes: what was left out already.
    """

    kind: str
    units: tuple[Unit, ...]
    skeletons: dict[str, str]
    fps: float = FPS
    per_shard: int = 1
    single: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def fingerprint(self, dataset: str, settings: Settings) -> str:
        """Hash of all that the output depends on."""
        # Boxes are known by their checksum, SMPL by those in the notes, wherever they
        # lie; clips by the units.
        chosen = dataclasses.asdict(dataclasses.replace(settings, boxes=""))
        del chosen["smpl"], chosen["clips"]
        if settings.detector == Settings.detector:
            chosen["detector"] = "hog"  # where none is asked, as it always was
        entry = [records.VERSION, dataset, chosen, dataclasses.asdict(self)]
        text = json.dumps(entry, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Task:
    """One shard: what to read and where to write.

    Attributes:
        dataset: name of the data set.
        source: the input folder.
        output: the output folder.
        shard: file name.
        units: that the shard holds.
        single: whether its records are single pictures.
        settings: of the job.
    """

    dataset: str
    source: str
    output: str
    shard: str
    units: tuple[Unit, ...]
    single: bool
    settings: Settings


@dataclasses.dataclass
class Report:
    """What became of the units of a shard.

    Attributes:
        records: that were made of them.
        clips: that these records are.
        subjects: whom they show.
        sequences: names of what gave records.
        counts: what was left out or assumed -> how often.
        skipped: unit -> why it gave nothing, or not all.
        sources: path below the input folder -> sha256.
        checksum: sha256 of the shard.
        size: of the shard, bytes.
    """

    records: int = 0
    clips: int = 0
    subjects: list[str] = dataclasses.field(default_factory=list)
    sequences: list[str] = dataclasses.field(default_factory=list)
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    skipped: dict[str, str] = dataclasses.field(default_factory=dict)
    sources: dict[str, str] = dataclasses.field(default_factory=dict)
    checksum: str = ""
    size: int = 0

    def count(self, what: str, number: int = 1) -> None:
        """Counts what was left out; nothing for 0."""
        if number:
            self.counts[what] = self.counts.get(what, 0) + int(number)

    def made(self, subject: str, sequence: str) -> None:
        """Notes whom and what the records of this shard show."""
        for known, name in ((self.subjects, subject), (self.sequences, sequence)):
            if name and name not in known:
                known.append(name)


def unit(
    root: pathlib.Path, name: str, split: str, *files: pathlib.Path, part: str = ""
) -> Unit:
    """Makes a unit of files below `root`; a file that is missing has no size."""
    relative = tuple(file.relative_to(root).as_posix() for file in files)
    size = sum(file.stat().st_size for file in files if file.is_file())
    return Unit(name, split, relative, part, size)


def deal(plan: Plan) -> dict[str, list[tuple[Unit, ...]]]:
    """Deals the units of each split out to its shards: split -> units by shard."""
    splits: dict[str, list[Unit]] = collections.defaultdict(list)
    for item in plan.units:
        splits[item.split].append(item)
    return {
        split: [tuple(items[n::count]) for n in range(count)]
        for split, items in splits.items()
        for count in (-(-len(items) // plan.per_shard),)
    }
