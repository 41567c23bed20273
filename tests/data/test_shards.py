"""Random access to prepared pictures tells records that are damaged."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data import records, shards

_SHARD = "train-00000-of-00001.tfrecord"


def _folder(path, count=6):
    """Writes pictures; returns where the last byte of each record's payload is."""
    payloads = []
    for number in range(count):
        image = np.random.default_rng(number).integers(0, 255, (48, 48, 3), np.uint8)
        frame = records.Frame(
            image=image, skeleton="h36m17", joints=np.ones((17, 3), np.float32),
            keypoints=None, mask=np.ones(17, bool), frame_number=number,
            sequence="s", subject="S1", action="a", split="train", label=-1,
            clip="c", position=number, fps=30.0, projection=None,
        )  # fmt: skip
        payloads.append(records.encode_frame(frame))
    records.write_shard(path / _SHARD, payloads)
    entry = dict(
        shards=[_SHARD], checksums=[records.checksum(path / _SHARD)], records=count,
        clips=1, subjects=["S1"], sequences=1,
    )  # fmt: skip
    settings = dict(
        dataset="human36m", kind="frames", fps=30.0, image_size=32, stored_size=48,
        frame="camera",
    )  # fmt: skip
    splits = {"train": entry}
    manifest = records.Manifest(
        **settings, skeleton="h36m17", splits=splits, sources={}, licence="",
        data_hash=records.data_hash(splits, **settings),
    )  # fmt: skip
    records.write_manifest(path, manifest)
    return np.cumsum([len(payload) + 16 for payload in payloads]) - 5


def test_a_flipped_byte_is_named_by_its_record(tmp_path):
    ends = _folder(tmp_path)
    data = bytearray((tmp_path / _SHARD).read_bytes())
    data[ends[3] - 40] ^= 1
    (tmp_path / _SHARD).write_bytes(data)
    split = shards.Split(tmp_path, "train")
    assert [f.position for f in split.frames([0, 1, 2, 4, 5])] == [0, 1, 2, 4, 5]
    for rows in ([3], range(6), [3]):  # nor is it good the second time
        with pytest.raises(errors.InputError, match=f"{_SHARD}: record 3 is damaged"):
            split.frames(rows)


def test_a_shard_that_is_cut_under_a_reader_is_damaged(tmp_path):
    ends = _folder(tmp_path)
    split = shards.Split(tmp_path, "train")
    split.frames(range(6))
    with open(tmp_path / _SHARD, "r+b") as file:
        file.truncate(int(ends[5]) - 3)
    assert len(split.frames(range(5))) == 5
    with pytest.raises(errors.InputError, match="record 5 is damaged"):
        split.payload(5)


def test_threads_read_what_one_reads(tmp_path):
    _folder(tmp_path)
    alone = [shards.Split(tmp_path, "train").payload(row) for row in range(6)]
    split, rows = shards.Split(tmp_path, "train"), [n % 6 for n in range(600)]
    got = split.frames(rows)
    want = [records.decode_frame(payload) for payload in alone]
    assert [f.position for f in got] == rows
    assert all(np.array_equal(f.image, want[r].image) for f, r in zip(got, rows))
