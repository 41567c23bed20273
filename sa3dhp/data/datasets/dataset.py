"""What there is to know of a data set: how it is planned and read, and facts of it."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import Union

from sa3dhp.data import glitches, records, schema
from sa3dhp.data.preparing import units
from sa3dhp.data.videos import people, video

# What a unit holds: a motion, labelled pictures, a picture made at the stored size, or
# a video and who is in it.
Item = Union[
    schema.Sequence, schema.Frames, records.Frame, tuple[video.Source, people.Scan]
]


@dataclasses.dataclass(frozen=True)
class Published:
    """What a data set's authors say of a split; None where they do not.

    Attributes:
        pictures: how many are scored; several numbers where it comes in several sizes.
        sequences: how many there are; a person of a sequence, a camera of it or a piece
            of a clip does not count.
        subjects: who they are.
        per_sequence: pictures of each sequence.
    """

    pictures: tuple[int, ...] | None = None
    sequences: int | None = None
    subjects: tuple[str, ...] | None = None
    per_sequence: Mapping[str, int] | None = None


@dataclasses.dataclass(frozen=True)
class Dataset:
    """A data set.

    Attributes:
        plan: from the input folder and the settings to its units.
        read: from the input folder, a unit and the settings to what is in the unit.
        licence: in a sentence.
        settings: fields of `units.Settings` that are for this data set alone.
        max_jump: mm, at which its motions are cut, see `glitches.find`.
        published: split -> what is known of it.
        ending: pattern of what to cut off a sequence's name to have its authors' own.
        shared: what several splits have in common by design: `subjects`, `sequences`.
    """

    plan: Callable[[pathlib.Path, units.Settings], units.Plan]
    read: Callable[[pathlib.Path, units.Unit, units.Settings], Iterable[Item]]
    licence: str
    settings: tuple[str, ...] = ()
    max_jump: float = glitches.MAX_JUMP
    published: Mapping[str, Published] = dataclasses.field(default_factory=dict)
    ending: str = ""
    shared: frozenset[str] = frozenset()
