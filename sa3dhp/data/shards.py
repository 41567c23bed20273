"""Random access to prepared pictures: any record of a split by its number.

Only the place of each record in its shard is held in memory (8 bytes a record), so that
a data set of any size can be drawn from as a function of (seed, step).
"""

from __future__ import annotations

import concurrent.futures
import functools
import os
import pathlib
import struct
import weakref
from collections.abc import Iterable

import numpy as np

from sa3dhp import errors
from sa3dhp.data import crc, datasets, records

# A TFRecord: uint64 length, uint32 checksum of it, the payload, uint32 checksum of it.
_HEAD, _TAIL = 12, 4
_THREADS = 8  # reading waits for the disk, decoding leaves Python's lock


class Split:
    """The pictures of one split, in the order of its shards.

    Attributes:
        folder: of the prepared data set.
        name: of the split.
        manifest: of the data set.
    """

    def __init__(self, folder: str | os.PathLike, name: str) -> None:
        """Finds the place of every record.

        Raises:
            InputError: if there is no such data set or split, it holds no pictures, or
                its shards are not those of its manifest.
        """
        self.folder, self.name = pathlib.Path(folder), name
        self.manifest = manifest(folder)
        if self.manifest.kind != "frames":
            raise errors.InputError(
                f"{folder}: holds {self.manifest.kind}, expected pictures (frames)"
            )
        if name not in self.manifest.splits:
            raise errors.InputError(
                f"{folder}: has no split {name!r}, only "
                f"{', '.join(self.manifest.splits)}; prepare that part of the data set"
            )
        entry = self.manifest.splits[name]
        paths = [self.folder / shard for shard in entry["shards"]]
        with concurrent.futures.ThreadPoolExecutor(_THREADS) as pool:
            self._places = list(pool.map(_places, paths))
        counts = [len(places) - 1 for places in self._places]
        self._ends = np.cumsum(counts)
        if sum(counts) != entry["records"]:
            raise errors.InputError(
                f"{folder}: the shards of {name} hold {sum(counts)} records, expected "
                f"{entry['records']}; prepare it again"
            )
        self._paths = paths
        self._files = [os.open(path, os.O_RDONLY) for path in paths]
        weakref.finalize(self, _close, self._files)
        self._checked = bytearray(len(self))  # records whose checksum was found right

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    @functools.cached_property
    def clip_length(self) -> int:
        """Pictures per clip: 1 where they are single ones."""
        clips = self.manifest.splits[self.name]["clips"]
        return len(self) // clips if clips and len(self) % clips == 0 else 1

    def payload(self, row: int) -> bytes:
        """Returns one record as it is stored.

        Raises:
            InputError: if its bytes are not those that were written (its checksum).
        """
        if not 0 <= row < len(self):
            raise IndexError(f"row: got {row}, expected 0 <= row < {len(self)}")
        shard = int(np.searchsorted(self._ends, row, side="right"))
        places = self._places[shard]
        at = row - (self._ends[shard] - (len(places) - 1))
        first, last = int(places[at]) + _HEAD, int(places[at + 1])
        stored = os.pread(self._files[shard], last - first, first)
        payload, end = stored[:-_TAIL], stored[-_TAIL:]
        good = len(stored) == last - first
        if good and not self._checked[row]:  # once: a third of decoding the picture
            good = end == struct.pack("<I", crc.masked(payload))
            self._checked[row] = good
        if not good:
            raise errors.InputError(
                f"{self._paths[shard]}: record {at} is damaged: its checksum differs; "
                f"{records.REMEDY}"
            )
        return payload

    def frames(self, rows: Iterable[int], image: bool = True) -> list[records.Frame]:
        """Returns records by their numbers, in that order.

        Args:
            rows: from 0 to the number of records.
            image: False leaves the pictures undecoded, and empty.

        Raises:
            InputError: if one is damaged.
        """

        def read(row: int) -> records.Frame:
            return records.decode_frame(self.payload(int(row)), image=image)

        rows = list(rows)
        if len(rows) < 4:
            return [read(row) for row in rows]
        return list(_pool().map(read, rows))

    def clip(self, number: int) -> list[records.Frame]:
        """Returns the pictures of one clip, in order.

        Raises:
            InputError: if the records there are not one clip.
        """
        length = self.clip_length
        found = self.frames(range(number * length, (number + 1) * length))
        ids = {frame.clip for frame in found}
        if len(ids) != 1 or [f.position for f in found] != list(range(length)):
            raise errors.InputError(
                f"{self.folder}: clip {number} of {self.name} is not {length} pictures "
                "in order; prepare it again"
            )
        return found


def manifest(folder: str | os.PathLike) -> records.Manifest:
    """Returns the manifest of a prepared folder.

    Raises:
        InputError: if there is none, with the command that makes it.
    """
    path = pathlib.Path(folder)
    if not str(folder) or not (path / "manifest.json").is_file():
        shown = str(folder) or "OUTPUT"
        raise errors.InputError(
            f"{str(folder) or 'no folder given'}: expected a prepared data set; make "
            f"it: python tools/prepare_data.py --dataset={_dataset(path)} --input=DIR "
            f"--output={shown}"
        )
    return records.read_manifest(path)


def _dataset(path: pathlib.Path) -> str:
    """The data set that a folder's name suggests."""
    return path.name if path.name in datasets.DATASETS else "NAME"


def _places(path: pathlib.Path) -> np.ndarray:
    """Where each record of a shard begins, and the end: `[N + 1]` bytes."""
    if not path.is_file():
        raise errors.InputError(f"{path}: this shard is missing; prepare it again")
    end, at, found = path.stat().st_size, 0, [0]
    file = os.open(path, os.O_RDONLY)
    try:
        while at < end:
            head = os.pread(file, 8, at)
            at += (
                _HEAD
                + _TAIL
                + (struct.unpack("<Q", head)[0] if len(head) == 8 else end)
            )
            found.append(at)
    finally:
        os.close(file)
    if at != end:
        raise errors.InputError(f"{path}: damaged or cut short; prepare it again")
    return np.array(found, np.int64)


def _close(files: list[int]) -> None:
    for file in files:
        os.close(file)


@functools.cache
def _pool() -> concurrent.futures.ThreadPoolExecutor:
    return concurrent.futures.ThreadPoolExecutor(_THREADS, "shards")
