"""HDF5 files of data sets, read without locks and within bounds.

HDF5 locks even what it only reads, which fails on network disks and beside a writer;
reading needs no lock. What the machine refuses (a lock, a disk that is gone) is no word
on the file: it stays an `OSError`, so that a run stops and can go on later.
"""

from __future__ import annotations

import contextlib
import errno
import pathlib
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from sa3dhp import errors

_MOST = 1 << 29  # bytes of one array; the largest genuine one has 20 million
_PASSING = {
    errno.EAGAIN, errno.EACCES, errno.EPERM, errno.ENOLCK, errno.EIO, errno.ESTALE,
    errno.ETIMEDOUT, errno.EBUSY, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
}  # fmt: skip


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
    try:
        with open(path, "rb") as file:
            file.read(8)  # so that a passing fault is told from a file of another kind
        with h5py.File(path, "r", locking=False) as opened_file:
            yield opened_file
    except (errors.InputError, MemoryError):
        raise
    except Exception as error:  # damaged files make HDF5 raise whatever it likes
        if isinstance(error, OSError) and error.errno in _PASSING:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise errors.InputError(f"{path}: not {what}: {reason}") from error


def numbers(group: h5py.Group, key: str) -> np.ndarray:
    """Returns an array of numbers; its size is checked before it is read.

    Raises:
        ValueError: if it is of another kind, or larger than any genuine one.
        KeyError: if it is not there.
    """
    item: Any = group[key]
    if not isinstance(item, h5py.Dataset) or item.dtype.kind not in "fiub":
        raise ValueError(f"{key}: expected numbers")
    if item.size is None or item.size * item.dtype.itemsize > _MOST:
        raise ValueError(f"{key}: claims {item.shape} of {item.dtype}")
    return np.asarray(item[()])
