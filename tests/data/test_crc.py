"""The checksum of TFRecords: published values, and those that TensorFlow writes."""

import struct

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.data import crc


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"", 0),
        (b"a", 0xC1D04330),
        (b"123456789", 0xE3069283),
        # RFC 3720, B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_published_values(data, value):
    assert crc.crc32c(data) == value


@pytest.mark.parametrize("size", [0, 3, 4, 255, 256, 257, 1021, 70_000])
def test_records_of_tensorflow(tmp_path, size):
    data = np.random.default_rng(size).bytes(size)
    path = tmp_path / "one.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(data)
    stored = path.read_bytes()
    assert stored[-4:] == struct.pack("<I", crc.masked(data))
    assert stored[8:12] == struct.pack("<I", crc.masked(stored[:8]))


def test_every_flipped_bit_changes_it():
    data = np.random.default_rng(0).bytes(300)
    value = crc.crc32c(data)
    for bit in range(8 * len(data)):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        assert crc.crc32c(bytes(flipped)) != value
