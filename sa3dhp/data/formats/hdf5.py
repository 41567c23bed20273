"""HDF5 files of data sets, read without locks and within bounds.

HDF5 locks even what it only reads, which fails on network disks and beside a writer;
reading needs no lock. What the machine refuses (a lock, a disk that is gone) is no word
on the file: it stays an `OSError`, so that a run stops and can go on later.
"""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from sa3dhp import errors

_MOST = 1 << 28  # bytes of one array; the largest genuine one has 20 million
_FREE = 1 << 20  # bytes that any array may claim
_PACKED = 1100  # times what is stored that it may claim: zeros pack well


@contextlib.contextmanager
def opened(path: str | pathlib.Path, what: str) -> Iterator[h5py.File]:
    """Yields a file that is open for reading, without a lock.

    Args:
        path: of the file.
        what: it should be, for messages.

    Raises:
        InputError: if it is missing, no HDF5, or what is read of it is not there or of
            another form.
        OSError: if the machine fails to read it.
    """
    with errors.reading(path, what):
        with open(path, "rb") as file:
            file.read(8)  # so that a passing fault is told from a file of another kind
        with h5py.File(path, "r", locking=False) as opened_file:
            yield opened_file


def numbers(group: h5py.Group, key: str) -> np.ndarray:
    """Returns an array of numbers; its size is checked before it is read.

    Raises:
        ValueError: if it is of another kind, or claims more than is stored.
        KeyError: if it is not there.
    """
    return values(group[key], key)


def values(item: Any, key: str) -> np.ndarray:
    """Returns what an object of a file holds, see `numbers`."""
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiub":
        raise ValueError(f"{key}: expected numbers")
    if item.size is None:
        raise ValueError(f"{key}: empty")
    claimed, stored = item.size * item.dtype.itemsize, item.id.get_storage_size()
    # What was never written takes no place in a file, and any amount of memory.
    if claimed > min(_MOST, max(_FREE, _PACKED * stored)):
        raise ValueError(f"{key}: claims {item.shape} of {item.dtype}")
    return np.asarray(item[()])
