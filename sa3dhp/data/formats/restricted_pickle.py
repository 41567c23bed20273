"""Pickles of data sets, without letting them run code.

Unpickling calls whatever the file names. Here a file may name what NumPy arrays,
NumPy scalars and `OrderedDict` need, and nothing else; and even these names lead to
functions of ours, because NumPy's own can be talked into reading memory that is not
theirs (an object `dtype` whose state claims to hold plain bytes). A reader may name
classes whose objects it makes itself of what they consist of; the classes themselves
are never looked up.
"""

from __future__ import annotations

import collections
import io
import pathlib
import pickle
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

from sa3dhp import errors

# Name of a class -> a function from the state of an object of it to what replaces it.
Rebuilt = Mapping[str, Callable[[Any], Any]]


class _Call:
    """A function that a pickle may call, but neither change nor subclass."""

    __slots__ = ("_function",)
    _function: Callable[..., Any]

    def __init__(self, function: Callable[..., Any]) -> None:
        object.__setattr__(self, "_function", function)

    def __call__(self, *args):
        return self._function(*args)

    def __setattr__(self, name, value):
        raise pickle.UnpicklingError("a pickle may not change functions")

    def __setstate__(self, state):
        raise pickle.UnpicklingError("a pickle may not change functions")


class _Dtype:
    """Stands for a `dtype` while unpickling: its state sets the byte order alone."""

    def __init__(self, kind: str, *_) -> None:
        self.dtype = np.dtype(str(kind))
        if self.dtype.kind == "V":
            raise pickle.UnpicklingError("records are not admitted")

    def __setstate__(self, state: tuple) -> None:
        self.dtype = self.dtype.newbyteorder(state[1] if state[1] in "<>" else "|")


class _Array(np.ndarray):
    """An array that takes its `dtype` from `_Dtype`; becomes plain in the end."""

    def __setstate__(self, state: tuple) -> None:
        version, shape, dtype, fortran, data = state
        if not isinstance(dtype, _Dtype):
            raise pickle.UnpicklingError("an array without a dtype")
        super().__setstate__((version, shape, dtype.dtype, fortran, data))


def _unknown(state: Any) -> Any:
    raise pickle.UnpicklingError("an object of a class that is not admitted")


class _Held:
    """Stands for an object of a class that is not looked up: its state alone is kept.

    Its own `__setstate__` also keeps a pickle from changing the class.
    """

    __slots__ = ("state",)
    state: Any
    make = staticmethod(_unknown)  # what replaces it; each class has its own

    def __setstate__(self, state: Any) -> None:
        self.state = state


def _reconstructor(kind: Any, *_) -> _Held:
    """Makes such an object, as pickles of protocols 0 and 1 do."""
    if not isinstance(kind, type) or not issubclass(kind, _Held):
        raise pickle.UnpicklingError("an object of a class that is not admitted")
    return kind()


def _bytes(data: Any = b"") -> bytes:
    """Python 2 wrote bytes as text."""
    if isinstance(data, str):
        return data.encode("latin1")
    if not isinstance(data, (bytes, bytearray, pickle.PickleBuffer)):
        raise pickle.UnpicklingError("bytes of something that is not bytes")
    return bytes(data)


def _scalar(dtype: _Dtype, data: Any) -> np.generic:
    if dtype.dtype.hasobject:
        raise pickle.UnpicklingError("an object is no scalar")
    return np.frombuffer(_bytes(data), dtype.dtype)[0]


def _from_buffer(data: Any, dtype: _Dtype, shape: tuple, order: Any) -> np.ndarray:
    if dtype.dtype.hasobject:
        raise pickle.UnpicklingError("objects do not come from a buffer")
    # A copy, so that the array is writeable and owns its memory.
    return np.frombuffer(_bytes(data), dtype.dtype).reshape(shape, order=order).copy()


def _encode(text: str, encoding: str) -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"encoding {encoding} is not admitted")
    return text.encode("latin1")


_ADMITTED: dict[str, Callable[..., Any]] = {
    "numpy.ndarray": lambda *_: _Array(0),
    "numpy.dtype": _Dtype,
    "numpy.core.multiarray._reconstruct": lambda *_: _Array(0),
    "numpy.core.multiarray.scalar": _scalar,
    "numpy.core.numeric._frombuffer": _from_buffer,
    "collections.OrderedDict": collections.OrderedDict,
    "builtins.set": set,
    "builtins.frozenset": frozenset,
    "builtins.bytes": _bytes,
    "_codecs.encode": _encode,
    "copyreg._reconstructor": _reconstructor,
    "builtins.object": lambda *_: None,  # only named, in calls of the former
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, rebuilt: Rebuilt) -> None:
        # latin1: what Python 2 wrote, data sets' usual case, decodes without loss.
        super().__init__(file, encoding="latin1")
        self._held = {
            name: type("_Held", (_Held,), {"__slots__": (), "make": staticmethod(make)})
            for name, make in rebuilt.items()
        }

    def find_class(self, module: str, name: str) -> Any:
        path = f"{module}.{name}".replace("numpy._core.", "numpy.core.")
        path = path.replace("__builtin__.", "builtins.")  # Python 2
        path = path.replace("copy_reg.", "copyreg.")
        if path in self._held:
            return self._held[path]
        if path not in _ADMITTED:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}; only NumPy arrays and plain containers "
                "are admitted"
            )
        return _Call(_ADMITTED[path])


def _plain(value: Any) -> Any:
    """Turns the arrays inside containers into plain ones."""
    if isinstance(value, np.ndarray):
        array = value.view(np.ndarray)
        if array.dtype.hasobject:
            for index in np.ndindex(array.shape):
                array[index] = _plain(array[index])
        return array
    if isinstance(value, _Dtype):
        return value.dtype
    if isinstance(value, _Held):
        return value.make(_plain(value.state))
    if isinstance(value, dict):
        return type(value)((_plain(k), _plain(v)) for k, v in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value)(_plain(item) for item in value)
    return value


def _load(file: BinaryIO, name: str, rebuilt: Rebuilt) -> Any:
    try:
        return _plain(_Unpickler(file, rebuilt).load())
    except errors.InputError:
        raise
    except Exception as error:  # a broken pickle can raise anything at all
        raise errors.InputError(
            f"{name}: not a pickle that is safe to read: {error}; get it from the "
            "data set's own site, or convert it to .npz"
        ) from error


def load(path: str | pathlib.Path, rebuilt: Rebuilt | None = None) -> Any:
    """Reads a pickle that holds NumPy arrays and plain containers.

    Args:
        path: of the file.
        rebuilt: other classes whose objects may be in it, and what is to be made of
            their state, which is plain by then.

    Raises:
        InputError: if it holds, or asks for, anything else.
    """
    with open(path, "rb") as file:
        return _load(file, str(path), rebuilt or {})


def load_npz(path: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Reads a `.npz` file whose arrays may hold objects, all at once.

    Raises:
        InputError: if it is no `.npz` file, or an object array is not safe to read.
    """
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.namelist():
                data = io.BytesIO(archive.read(member))
                name = member[: -len(".npy")] if member.endswith(".npy") else member
                arrays[name] = _load_npy(data, f"{path}: {name}")
    except (zipfile.BadZipFile, OSError) as error:
        raise errors.InputError(f"{path}: not a .npz file: {error}") from error
    return arrays


def _load_npy(file: BinaryIO, name: str) -> np.ndarray:
    """Reads one array in NumPy's own format."""
    try:
        version = np.lib.format.read_magic(file)
        reader = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, _, dtype = reader(file)
        if not dtype.hasobject:
            file.seek(0)
            return np.lib.format.read_array(file, allow_pickle=False)
    except (ValueError, KeyError) as error:
        raise errors.InputError(f"{name}: not an array: {error}") from error
    array = _load(file, name, {})
    if not isinstance(array, np.ndarray) or array.shape != shape:
        raise errors.InputError(f"{name}: expected an object array of shape {shape}")
    return array
