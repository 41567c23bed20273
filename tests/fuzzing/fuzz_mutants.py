"""Mutants: what happens to files on disks, in other programs and in bad hands."""

import copy
import re
from typing import Any

import numpy as np

NUMBERS = (b"nan", b"inf", b"-1", b"0", b"1e400", b"9" * 30, b"", b"x", b"1,5")
SIZES = (
    0,
    1,
    0x7FFFFFFF,
    0x80000000,
    0xFFFFFFFF,
    1 << 40,
    (1 << 63) - 1,
    (1 << 64) - 1,
)
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 1 << 62, 10**30, float("nan"), float("inf"), "", "x" * 500,
    [], {}, [[]], [[[1]]], {"a": {}}, "9" * 400,
)  # fmt: skip
ARRAYS: tuple[Any, ...] = (
    np.zeros(0), np.zeros((0, 3)), np.float64(np.nan), np.full((2, 3), np.inf),
    np.array("x"), np.array(["x", "yy"]), np.array(b"\xff"), np.zeros((1, 1, 1, 1, 1)),
    np.zeros(3, complex), np.zeros(3, bool), np.full(4, -(1 << 62)),
    np.zeros((1000, 9)),
    np.array([1e300, -1e300]), np.zeros(2, "M8[s]"),
)  # fmt: skip


def of_bytes(rng: np.random.Generator, data: bytes) -> bytes:
    """Returns other bytes: bits turned, spans lost, doubled, sizes made huge."""
    out = bytearray(data)
    for _ in range(int(rng.choice([1, 1, 2, 4, 16]))):
        if not out:
            break
        at, kind = int(rng.integers(len(out))), int(rng.integers(8))
        length = int(rng.integers(1, max(2, min(200, len(out)))))
        if kind == 0:
            out[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            out[at : at + length] = rng.bytes(length)
        elif kind == 2:
            del out[at : at + length]
        elif kind == 3:
            out[at:at] = out[at : at + length]
        elif kind == 4:
            del out[at:]
        elif kind == 5:
            size = int(rng.choice([2, 4, 8]))
            value = SIZES[int(rng.integers(len(SIZES)))] % (1 << (8 * size))
            out[at : at + size] = value.to_bytes(size, "little")
        elif kind == 6:
            out[at : at + length] = bytes(length)
        else:
            other = int(rng.integers(len(out)))
            out[at : at + length] = out[other : other + length]
    return bytes(out)


def of_text(rng: np.random.Generator, data: bytes) -> bytes:
    """Returns another text: numbers, words and lines lost, doubled or replaced."""
    kind = int(rng.integers(4))
    if kind == 0:
        found = list(re.finditer(rb"-?\d+(\.\d+)?", data))
        if not found:
            return data
        one = found[int(rng.integers(len(found)))]
        new = NUMBERS[int(rng.integers(len(NUMBERS)))]
        return data[: one.start()] + new + data[one.end() :]
    parts = data.splitlines(True) if kind < 3 else re.split(rb"(\s+)", data)
    at = int(rng.integers(max(len(parts), 1)))
    if kind == 1:
        del parts[at : at + 1]
    elif kind == 2:
        parts[at:at] = parts[at : at + 1]
    else:
        other = int(rng.integers(max(len(parts), 1)))
        parts[at : at + 1] = parts[other : other + 1]
    return b"".join(parts)


def of_content(rng: np.random.Generator, content: Any) -> Any:
    """Returns a copy in which some values, somewhere in it, are others."""
    content = copy.deepcopy(content)
    holder = {"": content}
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        _replace_one(rng, holder)
    return holder[""]


def _replace_one(rng: np.random.Generator, holder: dict) -> None:
    container: Any = holder
    while True:
        keys = list(container) if isinstance(container, dict) else range(len(container))
        key = list(keys)[int(rng.integers(len(keys)))]
        value = container[key]
        inner = isinstance(value, (dict, list)) and len(value)
        if not inner or (container is not holder and rng.random() < 0.3):
            break
        container = value
    if container is not holder and rng.random() < 0.15:
        del container[key]
    elif isinstance(value, np.ndarray):
        container[key] = _array(rng, value)
    else:
        container[key] = VALUES[int(rng.integers(len(VALUES)))]


def _array(rng: np.random.Generator, value: np.ndarray) -> Any:
    """Another array: of another shape, type or length, or with other numbers."""
    kind = int(rng.integers(6))
    if kind == 0 and value.ndim:
        return value[: int(rng.integers(len(value) + 1))]
    if kind == 1:
        return value[..., None]
    if kind == 2:
        return value.T
    if kind == 3 and value.dtype.kind == "f" and value.size:
        value.flat[int(rng.integers(value.size))] = [np.nan, np.inf, -1e38, 0][
            int(rng.integers(4))
        ]
        return value
    if kind == 4 and value.dtype.kind in "fiu":
        return value.astype(["i1", "f2", "c8", "U9", "S3", "u8"][int(rng.integers(6))])
    return ARRAYS[int(rng.integers(len(ARRAYS)))]
