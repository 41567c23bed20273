"""Motion capture -> motions at 30 fps without capture glitches."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

from sa3dhp import errors
from sa3dhp.data import glitches, schema
from sa3dhp.data.preparing import units
from sa3dhp.data.sources import bandai_namco, bvh, cmu
from sa3dhp.skeleton import skeleton as skeletons

SPLIT = "train"  # neither data set has a split of its own; subjects make one
_SKELETONS = {SPLIT: skeletons.SA3DHP17.id}


def plan_cmu(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit per clip: the formats it is there in, AMC first, and its skeleton."""
    del settings
    clips: dict[str, list[pathlib.Path]] = {}
    files = cmu.clip_files(root)
    for file in sorted(files, key=lambda file: file.suffix.lower() != ".amc"):
        clips.setdefault("_".join(cmu.clip_id(file)), []).append(file)
    for formats in clips.values():
        if formats[0].suffix.lower() == ".amc":
            formats.append(cmu.skeleton_file(formats[0]))
    plan = [units.unit(root, name, SPLIT, *clips[name]) for name in sorted(clips)]
    return units.Plan("motions", tuple(plan), _SKELETONS, per_shard=16)


def read_cmu(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[schema.Sequence]:
    """The clip in its first format that has the AMC skeleton."""
    del settings
    reasons = []
    for name in unit.files:
        reader = cmu.READERS.get(pathlib.Path(name).suffix.lower())
        if reader is None:  # the skeleton of an AMC file
            continue
        try:
            sequence = reader(root / name)
        except (errors.InputError, ValueError) as error:
            reasons.append(str(error))
            continue
        if sequence.note in cmu.SAME_SKELETON:
            yield sequence
            return
        reasons.append(f"{name}: the figure of {sequence.note} has other proportions")
    raise errors.InputError("; ".join(reasons))


def plan_bandai(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit per BVH file."""
    del settings
    files = sorted(root.rglob("*.bvh"))
    if not files:
        raise errors.InputError(f"{root}: no *.bvh below it; unpack the data set there")
    plan = [units.unit(root, file.stem, SPLIT, file) for file in files]
    return units.Plan("motions", tuple(plan), _SKELETONS, per_shard=64)


def read_bandai(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[schema.Sequence]:
    """The clip of a BVH file."""
    del settings
    motion = bvh.read(root / unit.files[0])
    _, _, action = unit.name.partition("_")
    yield bvh.to_sequence(motion, bandai_namco.RIG, unit.name, action=action)


def prepared(
    sequence: schema.Sequence, max_jump: float, report: units.Report
) -> Iterator[schema.Sequence]:
    """Cuts a motion at jumps of more than `max_jump` mm, counts them, and resamples."""
    pieces, dropped = glitches.split(sequence, max_jump)
    jumps = int(glitches.find(sequence.joints, max_jump).sum())
    report.count("jumps of the capture, where a motion was cut", jumps)
    report.count("captured frames dropped, too short between two jumps", dropped)
    for piece in pieces:
        yield schema.resample(piece, units.FPS)
