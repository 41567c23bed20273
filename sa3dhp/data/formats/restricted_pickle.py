"""Pickles of data sets, without letting them run code.

Unpickling calls whatever the file names. Here a file may name what NumPy arrays,
NumPy scalars and `OrderedDict` need, and nothing else; and even these names lead to
functions of ours, because NumPy's own can be talked into reading memory that is not
theirs (an object `dtype` whose state claims to hold plain bytes). A reader may name
classes whose objects it makes itself of what they consist of; the classes themselves
are never looked up.

The unpickler is Python's slow one: its memory grows with the file alone (a few bytes
make the fast one reserve gigabytes), and it lets us look at keys before they are hashed
(a tuple of tuples of tuples can take years). What is shared within a file is counted
as often as it is used, so that no file stands for more than a small multiple of itself.
"""

from __future__ import annotations

import collections
import io
import math
import pathlib
import pickle
import struct
from collections.abc import Callable, Iterable, Mapping
from typing import Any, BinaryIO, ClassVar

import numpy as np

from sa3dhp import errors, files

# Name of a class -> a function from the state of an object of it to what replaces it.
Rebuilt = Mapping[str, Callable[[Any], Any]]

_FREE = 1 << 26  # bytes that any file may stand for
_MOST = 8  # times its own size that a larger one may
_ITEM = 8  # bytes that a value counts at least


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
        if self.dtype.kind not in "biufcSUO" or self.dtype.subdtype:
            raise pickle.UnpicklingError("only numbers, texts and objects are admitted")

    def __setstate__(self, state: tuple) -> None:
        self.dtype = self.dtype.newbyteorder(state[1] if state[1] in "<>" else "|")


class _Array(np.ndarray):
    """An array that takes its `dtype` from `_Dtype`; becomes plain in the end."""

    def __setstate__(self, state: tuple) -> None:
        version, shape, dtype, fortran, data = state
        if not isinstance(dtype, _Dtype):
            raise pickle.UnpicklingError("an array without a dtype")
        # NumPy reads as many objects as the shape says, wherever their list ends.
        count, size = math.prod(shape), dtype.dtype.itemsize
        if dtype.dtype.hasobject and not isinstance(data, list):
            raise pickle.UnpicklingError("objects that are no list")
        if count * (1 if dtype.dtype.hasobject else max(size, 1)) != len(data):
            raise pickle.UnpicklingError(f"{len(data)} values or bytes for {shape}")
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


_KEYS = (str, bytes, int, float, np.generic, type(None))


def _key(value: Any) -> Any:
    """A key whose hash takes no time: a plain value, or a tuple of such."""
    items = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(x, _KEYS) for x in items):
        raise pickle.UnpicklingError("a key that is no text or number")
    return value


def _ordered(pairs: Any = ()) -> collections.OrderedDict:
    return collections.OrderedDict((_key(key), value) for key, value in pairs)


_ADMITTED: dict[str, Callable[..., Any]] = {
    "numpy.ndarray": lambda *_: _Array(0),
    "numpy.dtype": _Dtype,
    "numpy.core.multiarray._reconstruct": lambda *_: _Array(0),
    "numpy.core.multiarray.scalar": _scalar,
    "numpy.core.numeric._frombuffer": _from_buffer,
    "collections.OrderedDict": _ordered,
    "builtins.set": lambda items=(): set(map(_key, items)),
    "builtins.frozenset": lambda items=(): frozenset(map(_key, items)),
    "builtins.bytes": _bytes,
    "_codecs.encode": _encode,
    "copyreg._reconstructor": _reconstructor,
    "builtins.object": lambda *_: None,  # only named, in calls of the former
}


class _Unpickler(pickle._Unpickler):
    dispatch: ClassVar[dict[int, Callable[[Any], None]]] = dict(
        pickle._Unpickler.dispatch
    )

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

    def load_bytearray8(self) -> None:
        """Reserves no more than there is."""
        machine: Any = self  # whose `read` and `append` no stub names
        (size,) = struct.unpack("<Q", machine.read(8))
        machine.append(bytearray(machine.read(size)))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8


def _looked_at(code: bytes, keys: Callable[[list], Iterable]) -> None:
    """Makes the unpickler look at keys before the operation `code` hashes them."""
    plainly = _Unpickler.dispatch[code[0]]

    def load(unpickler: Any) -> None:
        for key in keys(unpickler.stack):
            _key(key)
        plainly(unpickler)

    _Unpickler.dispatch[code[0]] = load


_looked_at(pickle.SETITEM, lambda stack: stack[-2:-1])
for _operation in (pickle.SETITEMS, pickle.DICT):
    _looked_at(_operation, lambda stack: stack[::2])
for _operation in (pickle.ADDITEMS, pickle.FROZENSET):
    _looked_at(_operation, lambda stack: stack)


class _Plain:
    """Turns what was unpickled into plain arrays and containers, and counts it."""

    def __init__(self, most: int) -> None:
        self._most = most  # bytes
        # By identity: the value (kept, so that it stays the only one of that identity),
        # what it became, and its size.
        self._done: dict[int, tuple[Any, Any, int]] = {}
        self._open: set[int] = set()
        self._size = 0

    def __call__(self, value: Any) -> Any:
        if id(value) in self._done:
            _, plain, size = self._done[id(value)]
            self._add(size)
            return plain
        if id(value) in self._open:
            raise pickle.UnpicklingError("a container that holds itself")
        before = self._size
        self._open.add(id(value))
        plain = self._plain(value)
        self._open.remove(id(value))
        self._done[id(value)] = value, plain, self._size - before
        return plain

    def _add(self, size: int) -> None:
        self._size += max(size, _ITEM)
        if self._size > self._most:
            raise pickle.UnpicklingError("it stands for far more than its size")

    def _plain(self, value: Any) -> Any:
        if isinstance(value, np.ndarray):
            self._add(value.nbytes)
            array = value.view(np.ndarray)
            if array.dtype.hasobject:
                for index in np.ndindex(array.shape):
                    array[index] = self(array[index])
            return array
        self._add(len(value) if isinstance(value, (str, bytes, bytearray)) else 0)
        if isinstance(value, _Dtype):
            return value.dtype
        if isinstance(value, _Held):
            return value.make(self(value.state))
        if isinstance(value, collections.OrderedDict):
            return _ordered([(k, self(v)) for k, v in dict.items(value)])
        if isinstance(value, dict):
            return {key: self(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)([self(item) for item in value])
        return value


def _load(file: BinaryIO, name: str, rebuilt: Rebuilt) -> Any:
    remedy = "get it from the data set's own site, or convert it to .npz"
    with errors.reading(name, "a pickle that is safe to read", remedy):
        data = file.read()
        plain = _Plain(max(_FREE, _MOST * len(data)))
        return plain(_Unpickler(io.BytesIO(data), rebuilt).load())


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
        InputError: if it is no `.npz` file, claims more than it holds, or an object
            array is not safe to read.
    """
    with errors.reading(path, "a .npz file"):
        return files.load_npz(path, unpickle=lambda file, name: _load(file, name, {}))
