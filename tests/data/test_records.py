"""Prepared data: what is written is read, and what is damaged is named."""

import dataclasses
import errno

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.data import records, schema
from sa3dhp.skeleton import skeleton as skeletons


def _frame(number=0, **changes) -> records.Frame:
    rng = np.random.default_rng(number)
    ramp = np.linspace(0, 200, 48).astype(np.uint8)
    image = np.stack(np.broadcast_arrays(ramp, ramp[:, None], np.uint8(number)), -1)
    fields = dict(
        image=np.ascontiguousarray(image),
        skeleton="h36m17",
        joints=rng.normal(size=(17, 3)).astype(np.float32) * 1000,
        keypoints=rng.uniform(0, 48, (17, 2)).astype(np.float32),
        mask=rng.uniform(size=17) > 0.2,
        frame_number=65 + number,
        sequence="S1_Walking 1.54138969",
        subject="S1",
        action="Walking",
        split="train",
        label=-1,
        clip="S1_Walking 1.54138969+60",
        position=number,
        fps=30.0,
        projection=np.float32([[1145, 0, 24], [0, 1143, 22], [0, 0, 1]]),
    )
    return records.Frame(**{**fields, **changes})


def _motion(frames=5, **changes) -> schema.Sequence:
    joints = np.random.default_rng(frames).normal(size=(frames, 17, 3)) * 1000
    fields = dict(fps=30.0, subject="02", action="größer", note="amc")
    return schema.Sequence(
        "02_01", "sa3dhp17", joints, "world", **{**fields, **changes}
    )


def _folder(tmp_path, kind, payloads):
    records.write_shard(tmp_path / "train-00000-of-00001.tfrecord", payloads)
    shard = "train-00000-of-00001.tfrecord"
    checksums = [records.checksum(tmp_path / shard)]
    split = dict(shards=[shard], checksums=checksums, records=len(payloads))
    splits = {"train": dict(split, clips=1, subjects=["S1"], sequences=1)}
    manifest = records.Manifest(
        "human36m",
        kind,
        "h36m17",
        30.0,
        32,
        48,
        "camera",
        splits,
        {"S1/annot.h5": "0" * 64},
        "ask first",
        "of another day",  # no hash of ours: nothing to compare with
        notes=("2 frames dropped",),
    )
    records.write_manifest(tmp_path, manifest)
    return manifest


def _check_equal(ours, theirs):
    for field in dataclasses.fields(ours):
        a, b = getattr(ours, field.name), getattr(theirs, field.name)
        if field.name == "image":
            np.testing.assert_allclose(a.astype(int), b, atol=8)  # JPEG
        elif isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b)
            assert a.dtype == b.dtype
        else:
            assert a == b and type(a) is type(b), field.name


def test_frames_read_as_they_were_written(tmp_path) -> None:
    bare = dict(joints=None, keypoints=None, projection=None, mask=np.zeros(17, bool))
    frames = [_frame(0), _frame(1), _frame(2, label=7, **bare)]
    manifest = _folder(tmp_path, "frames", [records.encode_frame(f) for f in frames])
    read = list(records.read_frames(tmp_path, "train"))
    assert len(read) == 3
    for ours, theirs in zip(read, frames):
        _check_equal(ours, theirs)
    assert records.read_manifest(tmp_path) == manifest


@pytest.mark.parametrize("masked", [False, True])
def test_motions_read_as_they_were_written(tmp_path, masked) -> None:
    mask = np.random.default_rng(0).uniform(size=(5, 17)) > 0.5 if masked else None
    motions = [_motion(mask=mask), _motion(1), _motion(90, fps=29.97)]
    _folder(tmp_path, "motions", [records.encode_motion(m) for m in motions])
    read = list(records.read_motions(tmp_path, "train"))
    assert read[2].fps == pytest.approx(29.97, rel=1e-6)
    for ours, theirs in zip(read[:2], motions):
        _check_equal(ours, theirs)


def test_a_record_is_a_tensorflow_example(tmp_path) -> None:
    """Other programs read it without ours."""
    payload = records.encode_frame(_frame())
    features = {
        "image": tf.io.FixedLenFeature([], tf.string),
        "joints": tf.io.FixedLenFeature([17, 3], tf.float32),
        "mask": tf.io.FixedLenFeature([17], tf.int64),
        "clip": tf.io.FixedLenFeature([], tf.string),
    }
    example = tf.io.parse_single_example(payload, features)
    assert tf.io.decode_jpeg(example["image"]).shape == (48, 48, 3)
    np.testing.assert_array_equal(example["joints"], _frame().joints)


def test_the_same_records_are_the_same_bytes(tmp_path) -> None:
    for name in ("a", "b"):
        payloads = [records.encode_frame(_frame(n)) for n in range(3)]
        records.write_shard(tmp_path / name, iter(payloads))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_hash_knows_shards_and_settings() -> None:
    splits = {"train": {"checksums": ["1", "2"], "records": 5}}
    other = {"train": {"checksums": ["2", "1"], "records": 5}}
    base = records.data_hash(splits, image_size=224)
    assert base == records.data_hash(splits, image_size=224)
    assert base != records.data_hash(other, image_size=224)
    assert base != records.data_hash(splits, image_size=256)


def test_a_shard_appears_when_it_is_complete(tmp_path) -> None:
    def payloads():
        yield b"one"
        assert not (tmp_path / "a").exists()
        raise KeyError("in the middle")

    with pytest.raises(KeyError):
        records.write_shard(tmp_path / "a", payloads())
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_an_error_of_the_system(tmp_path) -> None:
    with pytest.raises(OSError) as error:
        records.write_records("/dev/full", [b"x" * 5_000_000] * 3)
    assert error.value.errno == errno.ENOSPC
    with pytest.raises(OSError) as error:
        records.write_shard(tmp_path / "no" / "where", [b"x"])
    assert error.value.errno == errno.ENOENT


def test_a_damaged_shard_is_named(tmp_path) -> None:
    _folder(tmp_path, "motions", [records.encode_motion(_motion(n)) for n in (3, 4)])
    shard = tmp_path / "train-00000-of-00001.tfrecord"
    data = bytearray(shard.read_bytes())
    shard.write_bytes(data[:-9])
    reading = records.read_motions(tmp_path, "train")
    assert len(next(reading)) == 3
    with pytest.raises(errors.InputError, match=r"00001\.tfrecord: damaged"):
        next(reading)
    data[len(data) // 3] ^= 1
    shard.write_bytes(data)
    with pytest.raises(errors.InputError, match="damaged"):
        list(records.read_motions(tmp_path, "train"))
    shard.unlink()
    with pytest.raises(errors.InputError, match="is missing"):
        records.read_motions(tmp_path, "train")


def test_what_is_not_there_is_an_error_at_the_call(tmp_path) -> None:
    with pytest.raises(errors.InputError, match="not finished"):
        records.read_frames(tmp_path, "train")
    _folder(tmp_path, "motions", [records.encode_motion(_motion())])
    with pytest.raises(errors.InputError, match="'test' expected one of train"):
        records.read_motions(tmp_path, "test")
    with pytest.raises(errors.InputError, match="holds motions of human36m"):
        records.read_frames(tmp_path, "train")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("{", "not read"),
        ("[]", "damaged"),
        ('{"notes": []}', "damaged"),
        ('{"version": 99}', "version 99, expected 1"),
    ],
)
def test_a_damaged_manifest_is_named(tmp_path, text, match) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(errors.InputError, match=match):
        records.read_manifest(tmp_path)


@pytest.mark.parametrize("value", [None, 3, "S1", [1]])
def test_subjects_that_are_no_names_are_told(tmp_path, value) -> None:
    manifest = _folder(tmp_path, "frames", [])
    manifest.splits["train"]["subjects"] = value
    records.write_manifest(tmp_path, manifest)
    with pytest.raises(
        errors.InputError, match=r"splits\.train\.subjects: expected nam"
    ):
        records.read_manifest(tmp_path)


@pytest.mark.parametrize("field", ["joints", "keypoints", "mask", "projection"])
def test_a_frame_of_other_shapes_is_refused(field) -> None:
    with pytest.raises(errors.InputError, match=f"{field} expected"):
        _frame(**{field: np.zeros((16, 3))})
    with pytest.raises(errors.InputError, match="image expected"):
        _frame(image=np.zeros((48, 40, 3), np.uint8))
    assert skeletons.get("h36m17").num_joints == 17


@pytest.mark.parametrize(
    ("skeleton", "of_split", "reason"),
    [
        ("h36m17", None, ""),
        ("h36m17", "h36m17", ""),
        ("h36m99", None, "skeleton: 'h36m99' is no skeleton"),
        ("h36m17", ["x"], r"splits\.train\.skeleton: \['x'\] is no skeleton"),
        ("h36m32", "h36m17", "skeleton: h36m32, expected h36m17 as of its first split"),
    ],
)
def test_an_edited_skeleton_is_named(tmp_path, skeleton, of_split, reason):
    manifest = _folder(tmp_path, "frames", [])
    if of_split:
        manifest.splits["train"]["skeleton"] = of_split
    records.write_manifest(tmp_path, dataclasses.replace(manifest, skeleton=skeleton))
    if not reason:
        assert records.read_manifest(tmp_path).skeleton == skeleton
    else:
        with pytest.raises(errors.InputError, match=reason):
            records.read_manifest(tmp_path)
