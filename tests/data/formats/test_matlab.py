"""MATLAB's files: what SciPy writes comes back; damaged bytes are named."""

import struct
import zlib

import h5py
import numpy as np
import pytest
import scipy.io

from sa3dhp import errors
from sa3dhp.data.formats import matlab

_CELLS = np.empty((2, 3), object)
for _n, _index in enumerate(np.ndindex(2, 3)):
    _CELLS[_index] = np.full((_n, 2), float(_n))
VALUES = {
    "joints": np.arange(24.0).reshape(2, 3, 4),
    "small": np.array([[7.0]]),  # within a tag
    "single": np.float32([[1.5, -2]]),
    "bytes": np.arange(6, dtype=np.uint8).reshape(3, 2),
    "long": np.array([[-(1 << 40)]]),
    "flags": np.array([[True, False]]),
    "empty": np.zeros((0, 3)),
    "cells": _CELLS,
    "a_name_of_more_than_eight_bytes": np.ones((1, 2)),
}


@pytest.mark.parametrize("compressed", [False, True])
def test_what_scipy_writes_comes_back(tmp_path, compressed):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {**VALUES, "words": "abc"}, do_compression=compressed)
    expected = scipy.io.loadmat(path)
    got = matlab.read(path, list(VALUES), "a file")
    assert set(got) == set(VALUES)
    for name, value in got.items():
        assert value.shape == expected[name].shape
        if name == "cells":
            for ours, theirs in zip(value.ravel(), expected[name].ravel()):
                np.testing.assert_array_equal(ours, theirs)
        else:
            assert value.dtype == expected[name].dtype
            np.testing.assert_array_equal(value, expected[name])


def _people():
    """Cells of structs as MuPoTS-3D has them; a field with words, a cell with none."""
    cells = np.empty((2, 3), object)
    for n, index in enumerate(np.ndindex(2, 3)):
        fields = {"annot2": np.full((2, 17), n), "isValidFrame": n % 2, "who": "abc"}
        cells[index] = {**fields, "annot3": np.arange(51.0).reshape(3, 17) + n}
    cells[1, 2] = np.zeros((0, 0))
    return cells


@pytest.mark.parametrize("compressed", [False, True])
def test_structs_in_cells_come_back_by_the_names_of_their_fields(tmp_path, compressed):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"people": _people()}, do_compression=compressed)
    expected = scipy.io.loadmat(path)["people"]
    (got,) = matlab.read(path, ["people"], "a file").values()
    assert got.shape == (2, 3) and got[1, 2].shape == (0, 0)
    for index in list(np.ndindex(2, 3))[:-1]:
        ours, theirs = got[index], expected[index]
        assert ours.shape == theirs.shape == (1, 1)
        assert set(ours[0, 0]) == {"annot2", "annot3", "isValidFrame"}
        for name, value in ours[0, 0].items():
            assert value.dtype == theirs[name][0, 0].dtype
            np.testing.assert_array_equal(value, theirs[name][0, 0])


def test_an_array_of_structs_has_the_axes_of_matlab(tmp_path):
    path, kind = tmp_path / "a.mat", [("x", object), ("a_name_of_many_bytes", object)]
    array = np.empty((2, 3), kind)
    for n, index in enumerate(np.ndindex(2, 3)):
        array[index] = (np.full((1, n), n), np.array([[n]]))
    scipy.io.savemat(path, {"a": array})
    (got,) = matlab.read(path, ["a"], "a file").values()
    assert got.shape == (2, 3)
    for n, index in enumerate(np.ndindex(2, 3)):
        np.testing.assert_array_equal(got[index]["x"], np.full((1, n), n))
        assert got[index]["a_name_of_many_bytes"] == n


def test_a_damaged_struct_is_named_wherever_it_ends(tmp_path):
    path = tmp_path / "a.mat"
    scipy.io.savemat(path, {"a": _people()[:1, :1]})
    whole = path.read_bytes()
    for size in range(136, len(whole), 40):
        # The variable claims what is there, its parts more.
        body = whole[136:size]
        head = struct.pack("<II", 14, len(body))
        path.write_bytes(whole[:128] + head + body)
        with pytest.raises(errors.InputError, match=r"a\.mat: not a file"):
            matlab.read(path, ["a"], "a file")


def test_structs_of_version_7_3_are_told_the_remedy(tmp_path):
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["#refs#/a/annot2"] = np.zeros((17, 2))
        cells = np.array([[file["#refs#/a"].ref]], h5py.ref_dtype)
        file.create_dataset("people", data=cells, dtype=h5py.ref_dtype)
    with pytest.raises(errors.InputError, match=r"people: structs in 7\.3; save"):
        matlab.read(path, ["people"], "a file")


def test_a_file_of_version_7_3_has_the_same_axes(tmp_path):
    path = tmp_path / "a.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["joints"] = VALUES["joints"].T
        names = []
        for n, cell in enumerate(_CELLS.T.ravel()):
            file[f"#refs#/{n}"] = cell.T
            names.append(file[f"#refs#/{n}"].ref)
        cells = np.array(names, h5py.ref_dtype).reshape(_CELLS.T.shape)
        file.create_dataset("cells", data=cells, dtype=h5py.ref_dtype)
    got = matlab.read(path, ["joints", "cells", "none"], "a file")
    assert set(got) == {"joints", "cells"}
    np.testing.assert_array_equal(got["joints"], VALUES["joints"])
    for ours, theirs in zip(got["cells"].ravel(), _CELLS.ravel()):
        np.testing.assert_array_equal(ours, theirs)


def _file(body: bytes) -> bytes:
    return b" " * 124 + struct.pack("<H", 256) + b"IM" + body


def _matrix(shape, name: bytes, data: bytes, flags: int = 6) -> bytes:
    def part(kind, content):
        pad = b"\0" * (-len(content) % 8)
        return struct.pack("<II", kind, len(content)) + content + pad

    sizes = struct.pack(f"<{len(shape)}i", *shape)
    inner = part(6, struct.pack("<II", flags, 0)) + part(5, sizes) + part(1, name)
    inner += data
    return struct.pack("<II", 14, len(inner)) + inner


def _names(width: int, names: bytes) -> bytes:
    """The names of a struct's fields."""
    pad = b"\0" * (-len(names) % 8)
    start = struct.pack("<HHi", 5, 4, width)
    return start + struct.pack("<II", 1, len(names)) + names + pad


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (_matrix((1 << 20, 1 << 20), b"a", struct.pack("<II", 9, 8) + bytes(8)), "1 n"),
        (_matrix((-1, 1), b"a", struct.pack("<II", 9, 8) + bytes(8)), "claims"),
        (_matrix((1, 1), b"a", struct.pack("<II", 9, 1 << 31)), "of 2147483648 bytes"),
        (_matrix((1 << 30, 1), b"a", b"", flags=1), "unpack|cell"),
        (_matrix((1, 1), b"a", b"", flags=4), "real numbers"),
        (_matrix((1, 1), b"a", b"", flags=2), "unpack"),
        (_matrix((1, 1), b"a", _names(4, b"abc\0"), flags=2), "unpack"),
        (_matrix((1, 1), b"a", _names(8, b"abc\0"), flags=2), "4 bytes of names"),
        (_matrix((1, 1), b"a", _names(-8, b"abc\0"), flags=2), "4 bytes of names"),
        (_matrix((1, 1), b"a", _names(1, bytes(1 << 19)), flags=2), "524288 bytes of"),
        (_matrix((1 << 30, 1), b"a", _names(4, b""), flags=2), "1073741824 structs"),
        (_matrix((1 << 30, 1), b"a", _names(4, b"abc\0"), flags=2), "4 bytes of names"),
        (struct.pack("<II", 14, 1 << 31), "cut short"),
        (struct.pack("<II", 15, 4) + b"abcd", "decompress"),
        (b"abc", "cut short"),
    ],
)
def test_damaged_bytes_are_named(tmp_path, body, reason):
    path = tmp_path / "a.mat"
    path.write_bytes(_file(body))
    with pytest.raises(errors.InputError, match=rf"a.mat: not a file: .*({reason})"):
        matlab.read(path, ["a"], "a file")


def test_a_bomb_is_not_unpacked(tmp_path):
    packed = zlib.compressobj(9)
    data = b"".join(packed.compress(bytes(1 << 20)) for _ in range(512))
    data += packed.flush()
    path = tmp_path / "a.mat"
    path.write_bytes(_file(struct.pack("<II", 15, len(data)) + data))
    with pytest.raises(errors.InputError, match=r"a\.mat: not a file"):
        matlab.read(path, ["a"], "a file")


def test_cells_in_cells_are_counted_together(tmp_path):
    """A megabyte could else become gigabytes of objects."""
    inside = _matrix((600, 1), b"", 600 * struct.pack("<II", 14, 0), flags=1)
    packed = zlib.compress(_matrix((600, 1), b"a", 600 * inside, flags=1))
    path = tmp_path / "a.mat"
    path.write_bytes(_file(struct.pack("<II", 15, len(packed)) + packed))
    with pytest.raises(errors.InputError, match="more than 262144 cells and fields"):
        matlab.read(path, ["a"], "a file")


def test_a_file_of_another_kind_is_named(tmp_path):
    path = tmp_path / "a.mat"
    path.write_bytes(b"x" * 500)
    with pytest.raises(errors.InputError, match=r"no MAT-file of version 5 or 7\.3"):
        matlab.read(path, ["a"], "a file")
