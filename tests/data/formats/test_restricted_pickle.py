"""Pickles of arrays and containers read; a pickle that wants more is refused."""

import collections
import os
import pickle
import pickletools
import struct

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data.formats import restricted_pickle

VALUES = {
    "array": np.arange(12, dtype=np.float32).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "big endian": np.arange(4, dtype=">i2"),
    "bool": np.array([True, False]),
    "text": np.array(["m", "female"]),
    "bytes": np.array([b"ab", b"c"]),
    "empty": np.zeros((0, 3)),
    "scalar": np.float64(3.5),
    "objects": np.array([np.arange(3), "x", None], dtype=object),
    "nested": [(1, 2.5, "é", b"\xff", None, True), {3, 4}, [np.zeros(2)]],
    "ordered": collections.OrderedDict(b=1, a=np.ones(1)),
}


def _assert_same(ours, expected):
    assert type(ours) is type(expected)
    if isinstance(expected, np.ndarray):
        # NumPy itself reads other byte orders as its own.
        assert ours.dtype.newbyteorder("=") == expected.dtype.newbyteorder("=")
        assert ours.shape == expected.shape
        for a, b in zip(ours.ravel(), expected.ravel()):
            _assert_same(a, b)
    elif isinstance(expected, dict):
        assert list(ours) == list(expected)
        for key, value in expected.items():
            _assert_same(ours[key], value)
    elif isinstance(expected, (list, tuple)):
        assert len(ours) == len(expected)
        for a, b in zip(ours, expected):
            _assert_same(a, b)
    else:
        assert ours == expected


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_containers_come_back(tmp_path, protocol):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(VALUES, protocol))
    _assert_same(restricted_pickle.load(path), VALUES)


def test_what_comes_back_can_be_written_to(tmp_path):
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps(np.zeros(3), 5))
    array = restricted_pickle.load(path)
    array[0] = 1.0
    np.testing.assert_array_equal(array, [1.0, 0.0, 0.0])


def test_python_2_reads(tmp_path):
    """Written by hand as Python 2 does: bytes are text, modules have other names."""
    data = struct.pack("<2d", 1.5, -2.0)
    text = b"S'" + data.decode("latin1").encode("unicode_escape") + b"'\n"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n"
        b"(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n(I2\ntcnumpy\ndtype\n(S'f8'\nI0\nI1\ntR"
        b"(I3\nS'<'\nNNNI-1\nI-1\nI0\ntbI00\n" + text + b"tb"
    )
    path = tmp_path / "a.pkl"
    path.write_bytes(b"(dS'sequence'\nS'walk'\nsS'trans'\n" + array + b"s.")
    loaded = restricted_pickle.load(path)
    assert loaded["sequence"] == "walk"
    np.testing.assert_array_equal(loaded["trans"], [1.5, -2.0])


def test_object_arrays_of_npz_files_come_back(tmp_path):
    path = tmp_path / "a.npz"
    poses = {"S1": {"Walking 1": np.ones((2, 32, 3), np.float32)}}
    np.savez_compressed(path, poses=np.array(poses, object), plain=np.arange(3))
    loaded = restricted_pickle.load_npz(path)
    assert loaded["poses"].shape == ()
    _assert_same(loaded["poses"].item(), poses)
    np.testing.assert_array_equal(loaded["plain"], np.arange(3))


class _Evil:
    """Pickles as a call of anything."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


CALLS = {
    "a command": _Evil(os.system, "echo bad > bad"),
    "code": _Evil(eval, "open('bad', 'w')"),
    "a file": _Evil(open, "bad", "w"),
    "an attribute": _Evil(getattr, "text", "format"),
    "numpy's own loader": _Evil(np.load, "bad.npy", None, True),
    "a map of a file": _Evil(np.memmap, "bad", "u1", "w+", 0, (1,)),
    "another codec": _Evil(__import__("codecs").encode, "x", "rot13"),
    "a dtype of records": np.zeros(2, dtype=[("a", "O")]),
    "a class of ours": errors.InputError("x"),
}


@pytest.mark.parametrize("evil", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("wrap", ["alone", "in a dict", "in an object array", "npz"])
def test_a_pickle_that_wants_more_is_refused(tmp_path, monkeypatch, evil, wrap):
    monkeypatch.chdir(tmp_path)
    value = {"alone": evil, "in a dict": {"a": [evil]}}.get(wrap)
    if value is None:
        value = np.empty(1, object)
        value[0] = evil
    if wrap == "npz":
        np.savez("a.npz", value=value)
        with pytest.raises(errors.InputError, match="not a pickle that is safe"):
            restricted_pickle.load_npz("a.npz")
    else:
        (tmp_path / "a.pkl").write_bytes(pickle.dumps(value))
        with pytest.raises(errors.InputError, match="not a pickle that is safe"):
            restricted_pickle.load("a.pkl")
    assert not (tmp_path / "bad").exists()


def _load_bytes(tmp_path, data):
    pickletools.genops(data)  # well-formed: it is refused for what it says
    path = tmp_path / "a.pkl"
    path.write_bytes(data)
    return restricted_pickle.load(path)


def test_bytes_never_become_object_pointers(tmp_path):
    """A dtype whose state hides that it holds objects would read wild memory."""
    # Flags 0, where an honest one says 63.
    dtype = b"cnumpy\ndtype\n(S'O'\nI00\nI01\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntb"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n(I1\nt" + dtype + b"I00\nS'AAAAAAAA'\ntb."
    )
    with pytest.raises(errors.InputError, match="not a pickle that is safe"):
        _load_bytes(tmp_path, array)
    scalar = b"cnumpy.core.multiarray\nscalar\n(" + dtype + b"S'AAAAAAAA'\ntR."
    with pytest.raises(errors.InputError, match="an object is no scalar"):
        _load_bytes(tmp_path, scalar)


def test_the_admitted_functions_cannot_be_changed(tmp_path):
    for state in (b"(dS'x'\nI1\ns", b"(N(dS'__code__'\nI1\nst"):
        data = b"cnumpy\ndtype\n" + state + b"b."
        with pytest.raises(errors.InputError, match="may not change functions"):
            _load_bytes(tmp_path, data)


@pytest.mark.parametrize("data", [b"", b"hello", pickle.dumps(VALUES)[:-20]])
def test_a_broken_file_is_refused(tmp_path, data):
    (tmp_path / "a.pkl").write_bytes(data)
    with pytest.raises(errors.InputError, match=r"a\.pkl: not a pickle"):
        restricted_pickle.load(tmp_path / "a.pkl")
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(errors.InputError, match=r"a\.npz: not a \.npz file"):
        restricted_pickle.load_npz(tmp_path / "a.npz")


def test_genuine_files_read(shared_data):
    cameras = restricted_pickle.load(shared_data / "formats/h36m/cameras.pkl")
    assert len(cameras) == 44
    cameras = restricted_pickle.load(
        shared_data / "formats/mpi_inf_3dhp/cameras_test.pkl"
    )
    assert cameras["TS6"]["f"].shape == (2, 1)
