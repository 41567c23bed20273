"""One's own labelled pictures, see `formats.labels`: `--dataset=own`."""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Iterator

from sa3dhp import errors
from sa3dhp.data import schema
from sa3dhp.data.datasets import dataset
from sa3dhp.data.formats import labels
from sa3dhp.data.preparing import units


def plan(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit for each sequence of each file `labels*.csv` or `labels*.npz`.

    Raises:
        InputError: if there is none, a file is at fault, a picture is not there, or
            files differ in their skeleton or in their frames per second.
    """
    del settings
    made: list[units.Unit] = []
    notes: list[str] = []
    skeletons: dict[str, str] = {}
    rates: dict[float, pathlib.Path] = {}
    for file in sorted(root.rglob("labels*")):
        if file.suffix.lower() not in labels.ENDINGS:
            continue
        found = _read(file)
        _check_pictures(file, found)
        rates[found.fps] = file
        for split, sequence in found.rows():
            name = f"{file.relative_to(root).with_suffix('').as_posix()}/{sequence}"
            made.append(units.unit(root, name, split, file, part=sequence))
            known = skeletons.setdefault(split, found.skeleton)
            if known != found.skeleton:
                raise errors.InputError(
                    f"{file}: {split} has the skeleton {found.skeleton}, and {known} "
                    "in a file before; expected one for a split"
                )
        notes.append(f"{file.relative_to(root).as_posix()}: {len(found.images)} rows")
    if not made:
        raise errors.InputError(
            f"{root}: no labels*.csv or labels*.npz below it; see 'Your own labels' in "
            "the README"
        )
    if len(rates) > 1:
        raise errors.InputError(
            f"{root}: fps differ: "
            + ", ".join(f"{file.name} {fps:g}" for fps, file in rates.items())
            + "; expected one"
        )
    fps = next(iter(rates))
    single = () if fps else tuple(skeletons)
    return units.Plan(
        "frames", tuple(made), skeletons, fps, 16, single, notes=tuple(notes)
    )


def read(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[schema.Frames]:
    """The pictures of a sequence, those of each person."""
    del settings
    file = root / unit.files[0]
    found = _read(file)
    rows = found.rows()[unit.split, unit.part]
    people = found.subjects[rows]
    for subject in dict.fromkeys(people.tolist()):
        name = unit.name if len(set(people.tolist())) == 1 else f"{unit.name}/{subject}"
        yield found.select(rows[people == subject], name, file.parent)


@functools.lru_cache(maxsize=4)
def _known(path: pathlib.Path, stamp: tuple[int, int]) -> labels.Labels:
    del stamp
    return labels.read(path)


def _read(path: pathlib.Path) -> labels.Labels:
    """Once for all sequences of a file that stays as it is."""
    about = path.stat()
    return _known(path, (about.st_mtime_ns, about.st_size))


def _check_pictures(file: pathlib.Path, found: labels.Labels) -> None:
    missing = [x for x in found.images.tolist() if not (file.parent / x).is_file()]
    if missing:
        raise errors.InputError(
            f"{file}: {len(missing)} of {len(found.images)} pictures are not there, "
            f"such as {file.parent / missing[0]}; paths are relative to the labels' "
            "folder"
        )


DATASET = dataset.Dataset(plan, read, "your own; whatever you may do with it")
