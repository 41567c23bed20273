"""MATLAB's `.mat` files, both containers: version 5 to 7, and 7.3, which is HDF5.

SciPy's reader ends the process on some damaged bytes, so that this one is our own: it
reads arrays of numbers, cells and structs of them, by the public description ("MAT-File
Format", MathWorks), and never beyond what there is. What is not asked for is skipped.
Structs are read of version 5 to 7 alone.
"""

from __future__ import annotations

import contextlib
import io
import math
import pathlib
import struct
import zlib
from collections.abc import Collection, Iterator
from typing import Any, BinaryIO

import h5py
import numpy as np

from sa3dhp import errors
from sa3dhp.data.formats import hdf5

_HEADER = 128  # bytes; the last four are the version and the byte order
_MATRIX, _COMPRESSED = 14, 15
_NUMBERS = {
    1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8",
    13: "u8",
}  # fmt: skip
_CELL, _STRUCT = 1, 2
_CLASSES = {
    6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4",
    14: "i8", 15: "u8",
}  # fmt: skip
_MOST = 1 << 28  # bytes of a variable; the largest genuine one has 121 million
_NAME = 1 << 12  # bytes in which a compressed variable has named itself
_DEPTH = 4  # cells in cells
_PIECES = 1 << 18  # cells and fields of structs in a variable, inner ones too
_EMPTY = np.zeros((0, 0))


def read(
    path: str | pathlib.Path, names: Collection[str], what: str
) -> dict[str, np.ndarray]:
    """Reads some variables of a file.

    Args:
        path: of the file.
        names: of the variables; those that are not there are left out.
        what: the file should be, for messages: `a SURREAL file`.

    Returns:
        Arrays of numbers; a cell array is an object array, and an array of structs is
        one of dicts, from the names of fields to their values. Axes are MATLAB's, in
        either container. Fields that hold no numbers, cells or structs are left out.

    Raises:
        InputError: if it is missing or damaged, or a variable is of another kind.
        OSError: if the machine fails to read it.
    """
    with errors.reading(path, what):
        with open(path, "rb") as file:
            if h5py.is_hdf5(path):
                return _read_hdf5(path, names, what)
            header = file.read(_HEADER)
            order = {b"IM": "<", b"MI": ">"}.get(header[126:])
            if order is None or struct.unpack(order + "H", header[124:126]) != (256,):
                raise ValueError("no MAT-file of version 5 or 7.3; save it with -v7")
            return _read_elements(file, names, order)


def _read_hdf5(
    path: str | pathlib.Path, names: Collection[str], what: str
) -> dict[str, np.ndarray]:
    """Version 7.3: the axes are reversed there, and cells are references."""
    found = {}
    with hdf5.opened(path, what) as file:
        for name in set(names) & set(file):
            item: Any = file[name]
            if isinstance(item, h5py.Dataset) and item.dtype.kind == "O":
                if item.size > _MOST >> 12:
                    raise ValueError(f"{name}: claims {item.shape} cells")
                cells = np.empty(item.shape, object)
                for index, reference in np.ndenumerate(item[()]):
                    cell = file[reference]
                    if isinstance(cell, h5py.Group):
                        raise ValueError(f"{name}: structs in 7.3; save it with -v7")
                    cells[index] = hdf5.values(cell, name).T
                found[name] = cells.T
            else:
                found[name] = hdf5.numbers(file, name).T
    return found


def _read_elements(
    file: BinaryIO, names: Collection[str], order: str
) -> dict[str, np.ndarray]:
    """All wanted variables of a version 5 file, whose header has been read."""
    found: dict[str, np.ndarray] = {}
    while tag := file.read(8):
        if len(tag) < 8:
            raise ValueError("cut short")
        kind, size = struct.unpack(order + "II", tag)
        if kind not in (_MATRIX, _COMPRESSED):
            raise ValueError(f"element of type {kind}")
        data = file.read(size)
        if len(data) < size:
            raise ValueError("cut short")
        if kind == _COMPRESSED:
            start = _inflated(data, _NAME)
            if _name_of(start[8:], order) not in names:
                continue
            data = _inflated(data, _MOST)[8:]
        elif _name_of(data, order) not in names:
            continue
        name, array = _matrix(io.BytesIO(data), order, 0, iter(range(_PIECES)))
        found[name] = array
    return found


def _inflated(data: bytes, most: int) -> bytes:
    """What a compressed element holds, or its first `most` bytes."""
    return zlib.decompressobj().decompress(data, most)


def _name_of(data: bytes, order: str) -> str:
    """The name of a matrix, of which the beginning is enough."""
    return _head(io.BytesIO(data), order)[2]


def _head(file: BinaryIO, order: str) -> tuple[int, tuple[int, ...], str]:
    """Flags, sizes of the axes and name of a matrix."""
    flags, sizes = _part(file, order), _part(file, order)
    name = _part(file, order).astype(np.uint8).tobytes().decode("latin-1")
    return int(flags[0]), tuple(map(int, sizes)), name


def _part(file: BinaryIO, order: str) -> np.ndarray:
    """An element that holds numbers."""
    tag = file.read(8)
    kind, size = struct.unpack(order + "II", tag)
    if kind >> 16:  # up to four bytes are within the tag
        kind, size = kind & 0xFFFF, kind >> 16
        data = tag[4 : 4 + size]
    else:
        data = file.read(size)
        file.read(-size % 8)
    if kind not in _NUMBERS or len(data) != size:
        raise ValueError(f"element of type {kind}, {len(data)} of {size} bytes")
    return np.frombuffer(data, order + _NUMBERS[kind])


class _OtherKindError(ValueError):
    """A matrix that holds no numbers, cells or structs."""


def _matrix(
    file: BinaryIO, order: str, depth: int, room: Iterator[int]
) -> tuple[str, np.ndarray]:
    """Name and value of a matrix of numbers, or of an array of cells or structs.

    An inner matrix takes one of `room`, so that few bytes cannot become many objects.
    """
    flags, shape, name = _head(file, order)
    count, kind = math.prod(shape), flags & 0xFF
    if min(shape, default=-1) < 0 or depth > _DEPTH:
        raise ValueError(f"{name}: claims {shape}")
    if kind in (_CELL, _STRUCT):
        read = _cells if kind == _CELL else _structs
        return name, _objects(read(file, order, count, depth, room), shape)
    if kind not in _CLASSES or flags & 0x800:
        raise _OtherKindError(f"{name}: expected real numbers, got class {kind}")
    values = _part(file, order)
    if len(values) != count or count * 8 > _MOST:
        raise ValueError(f"{name}: {len(values)} numbers for {shape}")
    return name, values.astype(_CLASSES[kind]).reshape(shape, order="F")


def _objects(values: list, shape: tuple[int, ...]) -> np.ndarray:
    """A list as an array, `shape`, of objects; NumPy looks into none of them."""
    found = np.empty(len(values), object)
    for number, value in enumerate(values):
        found[number] = value
    return found.reshape(shape, order="F")


def _cells(
    file: BinaryIO, order: str, count: int, depth: int, room: Iterator[int]
) -> list[np.ndarray]:
    """What the cells of an array hold."""
    return [_inner(file, order, depth, room) for _ in range(count)]


def _structs(
    file: BinaryIO, order: str, count: int, depth: int, room: Iterator[int]
) -> list[dict]:
    """The structs of an array: their fields, which all of them have, by name."""
    width = int(_part(file, order)[0])  # bytes of a name, its end and padding included
    text = _part(file, order).astype(np.uint8).tobytes()
    if width < 1 or len(text) % width or count * (len(text) // width) > _PIECES:
        raise ValueError(f"claims {count} structs, {len(text)} bytes of names")
    if count and not text:
        raise _OtherKindError(f"{count} structs without fields")
    starts = range(0, len(text), width)
    names = [text[n : n + width].split(b"\0")[0].decode("latin-1") for n in starts]
    found: list[dict] = []
    for _ in range(count):
        fields = {}
        for name in names:
            with contextlib.suppress(_OtherKindError):
                fields[name] = _inner(file, order, depth, room)
        found.append(fields)
    return found


def _inner(file: BinaryIO, order: str, depth: int, room: Iterator[int]) -> np.ndarray:
    """The next matrix within an array; what was never filled has no size."""
    if next(room, None) is None:
        raise ValueError(f"more than {_PIECES} cells and fields")
    kind, size = struct.unpack(order + "II", file.read(8))
    data = file.read(size)
    if kind != _MATRIX or len(data) < size:
        raise ValueError(f"cell of type {kind}, {len(data)} of {size} bytes")
    if not size:
        return _EMPTY
    return _matrix(io.BytesIO(data), order, depth + 1, room)[1]
