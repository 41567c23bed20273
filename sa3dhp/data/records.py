"""Prepared data: a folder of TFRecord shards and a manifest that says what they are.

`manifest.json` and `<split>-00000-of-00004.tfrecord`; each record is a
`tf.train.Example`. Kind `motions`: a record is a `schema.Sequence`. Kind `frames`: a
record is a `Frame`, a square crop around one person, or a person in a picture of
several (`muco`), whose records make a clip of their own. The pictures of a clip lie
next to each other in one shard, in order, so that clips are assembled without an index;
the shards of a split hold a mixture of its sequences.

A manifest is written last: a folder without one is not finished.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import cv2
import numpy as np
import tensorflow as tf
from google.protobuf import message

from sa3dhp import documents, errors, files
from sa3dhp.data import schema
from sa3dhp.skeleton import skeleton as skeletons

VERSION = 1
KINDS = ("motions", "frames")
MANIFEST = "manifest.json"
PARTIAL = ".partial"  # ending of shards that are being written
JPEG_QUALITY = 95
REMEDY = "run tools/prepare_data.py again into an empty folder"


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Frame:
    """One picture of one person.

    Attributes:
        image: `[S, S, 3]`, uint8, RGB, S = the manifest's `stored_size`; the network
            sees the middle `image_size` of it.
        skeleton: id of a named skeleton, which gives `J`.
        joints: `[J, 3]`, float32, mm, camera frame, *not* root-relative, or None. Sides
            are the person's as the picture shows them.
        keypoints: `[J, 2]`, float32, pixels of this crop (the centre of the first is
            0), or None.
        mask: `[J]`, bool, True = annotated.
        frame_number: as the data set counts; protocols pick by it.
        sequence: the data set's name for where it comes from.
        subject: whom it shows.
        action: what the data set calls it.
        split: `train`, `test`, ...
        label: the data set's class of this frame, -1 for none.
        clip: id that the pictures of one clip share, or the people of one picture; any
            other single picture has its own.
        position: in the clip, from 0; the nearest of several people has 0.
        fps: of the clip; 0 for single pictures.
        projection: `[3, 3]`, float32, camera frame (mm) -> pixels of this crop, the
            lens' distortion left out; None where the camera is not known.
    """

    image: np.ndarray
    skeleton: str
    joints: np.ndarray | None
    keypoints: np.ndarray | None
    mask: np.ndarray
    frame_number: int
    sequence: str
    subject: str
    action: str
    split: str
    label: int
    clip: str
    position: int
    fps: float
    projection: np.ndarray | None

    def __post_init__(self) -> None:
        count = skeletons.get(self.skeleton).num_joints
        shapes = dict(
            joints=(count, 3), keypoints=(count, 2), mask=(count,), projection=(3, 3)
        )
        for field, shape in shapes.items():
            value = getattr(self, field)
            if value is not None and np.shape(value) != shape:
                raise errors.InputError(
                    f"{self.clip}: {field} expected {shape}, got {np.shape(value)}"
                )
        side = np.shape(self.image)[:1]
        if np.shape(self.image) != (*side, *side, 3) or self.image.dtype != np.uint8:
            raise errors.InputError(
                f"{self.clip}: image expected uint8 [S, S, 3], got {self.image.dtype} "
                f"{np.shape(self.image)}"
            )


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a prepared folder holds.

    Attributes:
        dataset: name of the data set, as `prepare_data` knows it.
        kind: `motions` or `frames`.
        skeleton: of the first split; each split names its own in `splits`.
        fps: of the clips or motions; 0 for single pictures.
        image_size: pixels that a network sees, the middle of
        stored_size: pixels of the stored crops (0, both, for motions).
        frame: `camera` or `world`.
        splits: name -> `shards` (file names), `checksums` (sha256 of each), `records`,
            `clips`, `subjects`, `sequences` (how many) and `skeleton`.
        sources: path below the input folder -> sha256.
        licence: of the data set, in a sentence.
        data_hash: of the shards and of what they mean; results carry it.
        unit: of length.
        version: of this format.
        notes: what was left out, and how often.
        plan: hash of what was asked for, by which a second run knows its own work.
    """

    dataset: str
    kind: str
    skeleton: str
    fps: float
    image_size: int
    stored_size: int
    frame: str
    splits: dict[str, dict[str, Any]]
    sources: dict[str, str]
    licence: str
    data_hash: str
    unit: str = "mm"
    version: int = VERSION
    notes: tuple[str, ...] = ()
    plan: str = ""


def data_hash(splits: Mapping[str, Mapping[str, Any]], **settings: object) -> str:
    """Returns the hash of prepared data: its shards' checksums and what they mean."""
    entry = {"shards": {n: s["checksums"] for n, s in splits.items()}, **settings}
    text = json.dumps(entry, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def checksum(path: str | os.PathLike) -> str:
    """Returns the sha256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_manifest(folder: str | os.PathLike, manifest: Manifest) -> None:
    """Writes `manifest.json`, at once or not at all."""
    text = json.dumps(dataclasses.asdict(manifest), indent=1, ensure_ascii=False)
    files.write_text(pathlib.Path(folder) / MANIFEST, text + "\n")


def read_manifest(folder: str | os.PathLike) -> Manifest:
    """Reads `manifest.json`.

    Raises:
        InputError: if it is missing, damaged or of another version.
    """
    path = pathlib.Path(folder) / MANIFEST
    try:
        entry = documents.parse_json(path.read_bytes(), str(path))
    except FileNotFoundError:
        raise errors.InputError(
            f"{folder}: no {MANIFEST}: not prepared data, or not finished; give the "
            "--output of tools/prepare_data.py, or run it again to finish it"
        ) from None
    except (OSError, ValueError) as error:
        if errors.is_machine_fault(error):
            raise
        raise errors.InputError(f"{path}: not read: {error}; {REMEDY}") from None
    if isinstance(entry, dict) and entry.get("version", VERSION) != VERSION:
        raise errors.InputError(
            f"{path}: version {entry['version']}, expected {VERSION}; {REMEDY}"
        )
    try:
        manifest = Manifest(**{**entry, "notes": tuple(entry["notes"])})
    except (TypeError, KeyError) as error:
        raise errors.InputError(f"{path}: damaged: {error}; {REMEDY}") from None
    _check_manifest(path, manifest)
    return manifest


_HASHED = ("dataset", "kind", "fps", "image_size", "stored_size", "frame")


def _check_manifest(path: pathlib.Path, manifest: Manifest) -> None:
    """Raises `InputError` for a field of a wrong type or value, and for an edited one.

    What has no checksums, or no hash of ours, is older: nothing to compare it with.
    """
    expected: dict[str, tuple[str, bool]] = {
        "kind": (" or ".join(KINDS), manifest.kind in KINDS),
        "frame": ("camera or world", manifest.frame in ("camera", "world")),
        "fps": ("0 or above", _number(manifest.fps)),
        "image_size": ("a whole number", _whole(manifest.image_size)),
        "stored_size": ("a whole number", _whole(manifest.stored_size)),
        "unit": ("mm", manifest.unit == "mm"),
        "data_hash": ("a text", isinstance(manifest.data_hash, str)),
        "splits": ("names with their shards", isinstance(manifest.splits, dict)),
    }
    if isinstance(manifest.splits, dict):
        for name, entry in manifest.splits.items():
            whole = isinstance(entry, dict)
            expected[f"splits.{name}"] = "shards, records and clips", whole
            for key in ("records", "clips"):
                good = whole and _whole(entry.get(key))
                expected[f"splits.{name}.{key}"] = "a whole number", good
            subjects = entry.get("subjects", []) if whole else None
            expected[f"splits.{name}.subjects"] = "names", _texts(subjects)
            names = entry.get("shards") if whole else None
            good = isinstance(names, list) and all(map(_file_name, names))
            expected[f"splits.{name}.shards"] = "names of files beside it", good
            sums = entry.get("checksums", []) if whole else None
            count = len(names) if isinstance(names, list) else 0
            good = isinstance(sums, list) and len(sums) in (0, count)
            expected[f"splits.{name}.checksums"] = "one for each shard", good
    for field, (wanted, good) in expected.items():
        if not good:
            raise errors.InputError(
                f"{path}: {field}: expected {wanted}: edited or damaged; {REMEDY}"
            )
    _check_skeletons(path, manifest)
    splits = manifest.splits
    if len(manifest.data_hash) != 64 or not all(
        s.get("checksums") for s in splits.values()
    ):
        return
    settings = {key: getattr(manifest, key) for key in _HASHED}
    if data_hash(splits, **settings) != manifest.data_hash:
        raise errors.InputError(
            f"{path}: {_edited(manifest, settings)} was edited after it was prepared: "
            f"data_hash does not fit; {REMEDY}"
        )


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _check_skeletons(path: pathlib.Path, manifest: Manifest) -> None:
    """Raises `InputError` for skeletons that nobody knows, or that contradict.

    The hash does not cover them, and results name it: a hash that did would be another
    one for the same data.
    """
    splits = manifest.splits
    told = {n: s["skeleton"] for n, s in splits.items() if "skeleton" in s}
    named = {f"splits.{name}.skeleton": value for name, value in told.items()}
    first = named.get("splits.train.skeleton", next(iter(named.values()), None))
    for field, value in {**named, "skeleton": manifest.skeleton}.items():
        if (value, field) != (None, "skeleton") and value not in list(skeletons.ALL):
            raise errors.InputError(
                f"{path}: {field}: {value!r:.80} is no skeleton, expected one of "
                f"{', '.join(skeletons.ALL)}: edited or damaged; {REMEDY}"
            )
    if first is not None and manifest.skeleton != first:
        raise errors.InputError(
            f"{path}: skeleton: {manifest.skeleton}, expected {first} as of its first "
            f"split: edited or damaged; {REMEDY}"
        )


def _edited(manifest: Manifest, settings: dict[str, Any]) -> str:
    """The field whose former value can be told, else the names of all it may be."""
    likely: dict[str, list[Any]] = {
        "kind": list(KINDS),
        "frame": ["camera", "world"],
        "fps": [0.0, 10.0, 24.0, 25.0, 30.0, 50.0, 60.0, 100.0, 120.0],
        "image_size": [0, 32, 48, 64, 96, 128, 160, 192, 224, 256],
        "stored_size": [0, 48, 64, 80, 96, 128, 192, 224, 256, 288, 320, 336, 384],
    }
    for field, values in likely.items():
        for value in values:
            if (
                data_hash(manifest.splits, **{**settings, field: value})
                == manifest.data_hash
            ):
                return f"{field}: {getattr(manifest, field)!r}, expected {value!r}: it"
    return f"one of {', '.join(_HASHED)} or splits.*.checksums"


def _number(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value < 1e6


def _whole(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 40


def _file_name(value: Any) -> bool:
    return isinstance(value, str) and pathlib.PurePath(value).name == value


def encode_frame(frame: Frame) -> bytes:
    """Returns the record of a picture, which is kept as JPEG."""
    bgr = cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR)
    _, jpeg = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    return _encode({**vars(frame), "image": jpeg.tobytes()})


def encode_motion(sequence: schema.Sequence) -> bytes:
    """Returns the record of a motion."""
    return _encode(vars(sequence))


def _encode(values: Mapping[str, Any]) -> bytes:
    """A `tf.train.Example`: text and bytes, floats, integers; None is left out."""
    example = tf.train.Example()
    for name, value in values.items():
        feature = example.features.feature[name]
        if value is None:
            del example.features.feature[name]
        elif isinstance(value, (str, bytes)):
            data = value.encode() if isinstance(value, str) else value
            feature.bytes_list.value.append(data)
        else:
            flat = np.ravel(value)
            floats = np.issubdtype(flat.dtype, np.floating)
            kind = feature.float_list if floats else feature.int64_list
            kind.value.extend(flat.tolist())
    return example.SerializeToString(deterministic=True)


def _decode(payload: bytes) -> dict[str, Any]:
    """The features of a record: str or bytes, and flat arrays."""
    features = tf.train.Example.FromString(payload).features.feature
    values: dict[str, Any] = {}
    for name, feature in features.items():
        kind = feature.WhichOneof("kind")
        if kind == "bytes_list":
            data = feature.bytes_list.value[0]
            values[name] = data if name == "image" else data.decode()
        elif kind == "float_list":
            values[name] = np.array(feature.float_list.value, np.float32)
        else:
            values[name] = np.array(feature.int64_list.value, np.int64)
    return values


def decode_frame(payload: bytes, image: bool = True) -> Frame:
    """Returns the picture of a record; without `image` an empty one, faster.

    Raises:
        InputError: if the record is damaged.
    """
    try:
        values = _decode(payload)
        jpeg = values.pop("image")
        for name, shape in (("joints", (-1, 3)), ("keypoints", (-1, 2))):
            values[name] = values[name].reshape(shape) if name in values else None
        matrix = values.get("projection")
        values["projection"] = None if matrix is None else matrix.reshape(3, 3)
        for name in ("frame_number", "label", "position", "fps"):
            values[name] = values[name].item()
        values["mask"] = values["mask"].astype(bool)
        pixels = np.zeros((0, 0, 3), np.uint8)
        if image:
            bgr = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            pixels = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
        return Frame(**values, image=pixels)
    except _DAMAGED as error:
        reason = " ".join(str(error).split())
        raise errors.InputError(f"record: damaged: {reason}; {REMEDY}") from None


# What a payload of arbitrary bytes makes protobuf, NumPy and OpenCV raise.
_DAMAGED = (
    message.DecodeError, LookupError, ValueError, TypeError, AttributeError,
    OverflowError, cv2.error,
)  # fmt: skip


def decode_motion(payload: bytes) -> schema.Sequence:
    """Returns the motion of a record.

    Raises:
        InputError: if the record is damaged.
    """
    try:
        values = _decode(payload)
        count = skeletons.get(values["skeleton"]).num_joints
        values["joints"] = values["joints"].reshape(-1, count, 3)
        if "mask" in values:
            values["mask"] = values["mask"].reshape(-1, count).astype(bool)
        return schema.Sequence(**{**values, "fps": values["fps"].item()})
    except _DAMAGED as error:
        reason = " ".join(str(error).split())
        raise errors.InputError(f"record: damaged: {reason}; {REMEDY}") from None


def write_shard(path: str | os.PathLike, payloads: Iterable[bytes]) -> None:
    """Writes records to a TFRecord file, which appears when it is complete.

    Raises:
        OSError: if the disk is full or the folder cannot be written.
    """
    # Not `files.atomic`, whose temporary files keep the ending: what a killed run
    # leaves must never be taken for a shard, and the next run finds it by this name.
    partial = f"{os.fspath(path)}.{os.getpid()}{PARTIAL}"
    try:
        write_records(partial, payloads)
        os.replace(partial, path)
    finally:
        pathlib.Path(partial).unlink(missing_ok=True)


def write_records(path: str, payloads: Iterable[bytes]) -> None:
    """Writes records to a file; TensorFlow's errors become those of the system."""
    try:
        with tf.io.TFRecordWriter(path) as writer:
            for payload in payloads:
                writer.write(payload)
    except tf.errors.OpError as error:
        raise files.system_error(error, path) from error


def read_frames(folder: str | os.PathLike, split: str) -> Iterator[Frame]:
    """Reads the pictures of a split in their order.

    Raises:
        InputError: at the call for a folder without them; on the way if a shard is
            damaged.
    """
    return _read(folder, split, "frames", decode_frame)


def read_motions(folder: str | os.PathLike, split: str) -> Iterator[schema.Sequence]:
    """Reads the motions of a split in their order; see `read_frames`."""
    return _read(folder, split, "motions", decode_motion)


def _read(folder, split: str, kind: str, decode) -> Iterator:
    """Checks at once; decodes as it is asked to."""
    manifest = read_manifest(folder)
    if manifest.kind != kind:
        raise errors.InputError(
            f"{folder}: holds {manifest.kind} of {manifest.dataset}, expected {kind}"
        )
    if split not in manifest.splits:
        raise errors.InputError(
            f"{folder}: split {split!r} expected one of {', '.join(manifest.splits)}"
        )
    shards = [pathlib.Path(folder) / n for n in manifest.splits[split]["shards"]]
    missing = [shard.name for shard in shards if not shard.is_file()]
    if missing:
        raise errors.InputError(f"{folder}: {missing[0]} is missing; {REMEDY}")
    return (decode(p) for shard in shards for p in read_records(shard))


def read_records(path: str | os.PathLike) -> Iterator[bytes]:
    """Reads the records of one shard; raises `InputError` where it is damaged."""
    try:
        yield from tf.data.TFRecordDataset(os.fspath(path)).as_numpy_iterator()
    except tf.errors.OpError as error:
        raise errors.InputError(
            f"{path}: damaged: {' '.join(error.message.split())}; {REMEDY}"
        ) from None
