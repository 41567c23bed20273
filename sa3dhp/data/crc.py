"""CRC-32C, the checksum of TFRecords, of blocks of bytes at once.

TensorFlow checks it only where a file is read from its beginning. A checksum of this
kind is linear: that of a message is the exclusive or of those of its bytes, each at its
distance from the end, which tables give. So NumPy looks up all bytes of all blocks in
one go, and a short loop joins the blocks. The polynomial is 0x1EDC6F41 (Castagnoli et
al., 1993), its bits reflected.
"""

from __future__ import annotations

import functools

import numpy as np

_REFLECTED = 0x82F63B78
_BLOCK = 256  # bytes
_ALL = 0xFFFFFFFF
_MASK_DELTA = 0xA282EAD8  # of TFRecords, which never store a plain checksum


def crc32c(data: bytes) -> int:
    """Returns the CRC-32C of some bytes."""
    blocks, joined = _tables()
    if len(data) < 4:
        return _crc_of_few(data)
    padding = -len(data) % _BLOCK  # zeros in front of a message change nothing
    whole = np.frombuffer(bytearray(padding) + data, np.uint8)
    whole[padding : padding + 4] ^= 0xFF  # the start value, all ones
    places = whole.reshape(-1, _BLOCK) + np.arange(0, _BLOCK * 256, 256)
    value = 0
    a, b, c, d = joined
    for block in np.bitwise_xor.reduce(blocks.take(places), axis=1).tolist():
        value = (
            block
            ^ a[value & 255]
            ^ b[value >> 8 & 255]
            ^ c[value >> 16 & 255]
            ^ d[value >> 24]
        )
    return value ^ _ALL


def masked(data: bytes) -> int:
    """Returns the checksum of some bytes as a TFRecord stores it."""
    value = crc32c(data)
    return ((value >> 15 | value << 17) + _MASK_DELTA) & _ALL


def _crc_of_few(data: bytes) -> int:
    table, value = _bytes(), _ALL
    for byte in data:
        value = int(table[(value ^ byte) & 255]) ^ value >> 8
    return value ^ _ALL


@functools.cache
def _bytes() -> np.ndarray:
    """What each byte alone comes to, `[256]` uint32."""
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ np.uint32(_REFLECTED), table >> 1)
    return table


@functools.cache
def _tables() -> tuple[np.ndarray, tuple[list[int], ...]]:
    """What bytes of a block come to, by place and value; and checksums a block later.

    The first is `[_BLOCK * 256]` uint32. The second has a table for each of the four
    bytes of a checksum, of what `_BLOCK` more zeros make of it.
    """

    def later(values: np.ndarray) -> np.ndarray:
        return np.asarray(_bytes()[values & 255] ^ values >> 8)

    rows = [_bytes()]
    for _ in range(_BLOCK - 1):
        rows.append(later(rows[-1]))
    joined = []
    for byte in range(4):
        values = np.arange(256, dtype=np.uint32) << np.uint32(8 * byte)
        for _ in range(_BLOCK):
            values = later(values)
        joined.append(values.tolist())
    return np.concatenate(rows[::-1]), tuple(joined)
