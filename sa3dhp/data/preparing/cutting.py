"""Pictures and their annotation -> square crops, as clips at 30 fps or one by one.

The crop rule is that of `geometry.crop`: the person's box is that of the 17 joints of
the project and the flesh around them, whatever joints the data set has, so that people
of all data sets are of one size in the crop. A clip has one side; its centre follows
the person. Nothing is held but the clips that are being filled.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from sa3dhp import errors
from sa3dhp.data import glitches, records, schema
from sa3dhp.data.preparing import units
from sa3dhp.data.videos import people, screening, video, video_folder
from sa3dhp.geometry import crop
from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons

FLESH_MM = 60.0  # how far a body reaches beyond its joints
_FLESH_SHARE = 0.04  # the same of the longer side of its box, where mm are not known
_NEAREST_MM = 100.0  # joints nearer to the camera, or behind it, have no picture

_HEAD, _NECK = skeletons.SA3DHP17.indices("head_top", "neck")
# What a skeleton without a head lacks: (the joint before it, the one before that, how
# much further it is, as a share of their distance).
_ENDS = {
    "head_top": ("neck", "pelvis", 0.55),
    "left_foot": ("left_ankle", "left_knee", 0.25),
    "right_foot": ("right_ankle", "right_knee", 0.25),
}

Pictures = Iterator[tuple[int, "np.ndarray | None"]]


@dataclasses.dataclass(frozen=True)
class Cut:
    """One clip, or one picture, that is to be cut.

    Attributes:
        name: its id.
        rows: `[T]` int, the pictures shown, not necessarily different ones.
        centres: `[T, 2]`, pixels of the source.
        side: of the network's square, pixels of the source.
        fps: 0 for a single picture.
    """

    name: str
    rows: np.ndarray
    centres: np.ndarray
    side: float
    fps: float


def boxes(frames: schema.Frames) -> tuple[np.ndarray, np.ndarray]:
    """Returns the persons' boxes `[N, 4]`, pixels, and where there is none `[N]`."""
    weights, valid = conversion.matrix(frames.skeleton, skeletons.SA3DHP17)
    if frames.keypoints is not None:
        points = frames.keypoints
    elif frames.camera is not None and frames.joints is not None:
        # Those behind the camera are left out below.
        nearest = [-np.inf, -np.inf, _NEAREST_MM]
        points = frames.camera.project(
            np.maximum(np.nan_to_num(frames.joints), nearest)
        )
    else:
        raise errors.InputError(f"{frames.name}: neither key-points nor a camera")
    points = np.einsum("ij,njk->nik", weights, np.nan_to_num(points))
    # A joint that is made of annotated ones serves, the guessed top of a head too.
    uses = (weights != 0).astype(int)
    known = ((~frames.mask).astype(int) @ uses.T == 0) & (valid | (uses.sum(1) > 1))
    points = np.where(known[..., None], points, np.nan)
    if (weights[_HEAD] == weights[_NECK]).all():  # it has no head at all
        points = _with_ends(points)
    usable = known.sum(1) >= 3
    points[~usable] = 0.0
    low, high = np.nanmin(points, axis=1), np.nanmax(points, axis=1)
    flesh = _FLESH_SHARE * (high - low).max(1)
    if frames.joints is not None and frames.camera is not None:
        depth = np.where(frames.mask, frames.joints[..., 2], np.nan)
        depth[~usable] = _NEAREST_MM
        usable &= np.nanmin(depth, axis=1) > _NEAREST_MM
        middle = np.maximum(np.nanmedian(depth, axis=1), _NEAREST_MM)
        flesh = FLESH_MM * float(frames.camera.matrix[0, 0]) / middle
    found = np.concatenate([low - flesh[:, None], high + flesh[:, None]], axis=1)
    return found, usable & ((high - low).max(1) > 1.0)


def _with_ends(points: np.ndarray) -> np.ndarray:
    """Adds the head and the feet, `[N, 17, 2]`, of people known from neck to ankles.

    For the box alone, so that it holds the whole person: further along the trunk and
    the shins, by what a grown person has.
    """
    joints = skeletons.SA3DHP17.index
    found = points.copy()
    for end, (last, first, share) in _ENDS.items():
        a, b = points[:, joints(first)], points[:, joints(last)]
        found[:, joints(end)] = b + share * (b - a)
    return found


def cuts(frames: schema.Frames, single: bool, report: units.Report) -> list[Cut]:
    """Decides what is cut out of labelled pictures.

    Args:
        frames: of one video or set of images.
        single: each picture on its own, rather than clips at 30 fps.
        report: where it is counted what cannot be used.
    """
    found, usable = boxes(frames)
    report.count("pictures without a usable box, left out", (~usable).sum())
    if single:
        return [
            _cut(f"{frames.name}+{frames.frame_numbers[row]}", row[None], found, 0.0)
            for row in np.flatnonzero(usable)
        ]
    out = []
    for run in _runs(frames, usable, report):
        rows = run[video.timeline(len(run), frames.fps, units.FPS)]
        pieces = video_folder.pieces(len(rows), units.CLIP_FRAMES)
        if not pieces:
            report.count("pictures in runs of less than a second, left out", len(run))
        for piece in pieces:
            name = f"{frames.name}+{frames.frame_numbers[rows[piece[0]]]}"
            out.append(_cut(name, rows[piece], found, units.FPS))
    return out


def without_labels(frames: schema.Frames) -> tuple[video.Source, people.Scan]:
    """Returns pictures of a video as one person in it that nothing is known of.

    The labels say where the person is, and no more: clips to adapt to.

    Raises:
        InputError: if a picture has no usable box.
    """
    found, usable = boxes(frames)
    assert frames.video_indices is not None  # of a video
    if not usable.all():
        raise errors.InputError(
            f"{frames.name}: {(~usable).sum()} pictures without a usable box, expected "
            "a person in each"
        )
    shown = video.timeline(len(frames), frames.fps, units.FPS)
    track = screening.Track(
        frames.name,
        frames.video_indices[shown],
        found[shown].astype(np.float32),
        confidence=1.0,
        scores=np.ones(len(shown), np.float32),
        fps=units.FPS,
    )
    source = video.Source(frames.name, pathlib.Path(frames.video))
    return source, people.Scan([track], len(frames) / frames.fps, [])


def _cut(name: str, rows: np.ndarray, found: np.ndarray, fps: float) -> Cut:
    centres, side = crop.square_box(found[rows])
    return Cut(name, rows, centres[people.first_of_each(rows)], side, fps)


def _runs(frames: schema.Frames, usable: np.ndarray, report: units.Report) -> list:
    """Rows without a gap in their numbers, an unusable picture or a capture glitch."""
    rows = np.flatnonzero(usable)
    gap = np.diff(frames.frame_numbers[rows]) != 1
    if frames.joints is not None and len(rows):
        jumps = glitches.find(frames.joints[rows], glitches.MAX_JUMP) & ~gap
        report.count("jumps of the capture, where a video was cut", jumps.sum())
        gap |= jumps
    return [run for run in np.split(rows, np.flatnonzero(gap) + 1) if len(run)]


def scan_cuts(scan: people.Scan) -> list[Cut]:
    """The clips of people found in a video, see `video_folder`."""
    out = []
    for number, track in enumerate(scan.tracks):
        windows = video_folder.windows_of(track, number, units.CLIP_FRAMES)
        for count, window in enumerate(windows):
            name = f"{track.name}+{number}+{count}"
            out.append(Cut(name, window.frames, window.centres, window.side, units.FPS))
    return out


def payloads(
    todo: list[Cut],
    pictures: Pictures,
    describe: Callable[[int], dict],
    settings: units.Settings,
    report: units.Report,
) -> Iterator[bytes]:
    """Cuts the crops while the pictures stream by; the records of each clip together.

    Args:
        todo: what to cut.
        pictures: (row, picture or None where it cannot be read), rows ascending.
        describe: from a row to the fields of `records.Frame` that it decides.
        settings: gives the sizes.
        report: where records, and clips that remained incomplete, are counted.
    """
    uses: dict[int, list[int]] = {}
    for number, item in enumerate(todo):
        for row in np.unique(item.rows):
            uses.setdefault(int(row), []).append(number)
    filling: dict[int, list] = {}
    done = 0
    for row, picture in pictures:
        for number in uses.pop(row, ()):
            item = todo[number]
            slots = filling.setdefault(number, [None] * len(item.rows))
            for position in np.flatnonzero(item.rows == row):
                slots[position] = _record(
                    item, int(position), picture, describe(row), settings
                )
            if all(slot is not None for slot in slots):
                yield from filling.pop(number)
                done += 1
                report.records += len(slots)
                report.clips += 1
    lost = "pictures that cannot be read" if not todo or not todo[0].fps else (
        "clips left out, for a picture of theirs cannot be read"
    )  # fmt: skip
    report.count(lost, len(todo) - done)


def _record(
    item: Cut,
    position: int,
    picture: np.ndarray | None,
    fields: dict,
    settings: units.Settings,
) -> bytes | None:
    """One record, or None where it cannot be cut."""
    if picture is None:
        return None
    centre, size = item.centres[position], settings.stored_size
    side = crop.stored_side(item.side, size, settings.image_size)
    try:
        image = crop.extract(picture, centre, side, size)
    except errors.InputError:  # a box far outside the picture
        return None
    matrix = crop.matrix(centre, side, size)
    if fields.get("keypoints") is not None:
        points = fields["keypoints"] @ matrix[:2, :2].T + matrix[:2, 2]
        fields["keypoints"] = points.astype(np.float32)
    if fields.get("projection") is not None:
        fields["projection"] = (matrix @ fields["projection"]).astype(np.float32)
    frame = records.Frame(
        image=image, clip=item.name, position=position, fps=item.fps, **fields
    )
    return records.encode_frame(frame)


def label(frames: schema.Frames, row: int) -> dict:
    """The fields of `records.Frame` that a row of labelled pictures decides."""

    def pick(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[row]

    return dict(
        skeleton=frames.skeleton,
        joints=pick(frames.joints),
        keypoints=pick(frames.keypoints),
        mask=frames.mask[row],
        frame_number=int(frames.frame_numbers[row]),
        sequence=frames.name,
        subject=frames.subject,
        action=frames.action,
        split=frames.split,
        label=-1 if frames.labels is None else int(frames.labels[row]),
        projection=None
        if frames.camera is None or frames.joints is None
        else frames.camera.matrix,
    )


def unlabelled(name: str, split: str, row: int) -> dict:
    """The same for a picture of a video that nothing is known of."""
    skeleton = skeletons.SA3DHP17
    return dict(
        skeleton=skeleton.id,
        joints=None,
        keypoints=None,
        mask=np.zeros(skeleton.num_joints, bool),
        frame_number=row,
        sequence=name,
        subject="",
        action="",
        split=split,
        label=-1,
        projection=None,
    )


def image_rows(frames: schema.Frames, rows: Iterable[int], digest: Any) -> Pictures:
    """Reads single pictures; `digest` takes in the bytes of each."""
    for row in sorted(rows):
        path = pathlib.Path(frames.images[row])
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
        yield row, video.read_image(path)


def video_rows(frames: schema.Frames, rows: Iterable[int]) -> Pictures:
    """Streams the frames of a video that belong to rows, as far as it can be read."""
    indices = frames.video_indices
    assert indices is not None  # `schema.Frames` of a video have them
    wanted = {int(indices[row]): row for row in rows}
    source = video.Source(frames.name, pathlib.Path(frames.video))
    last = max(wanted, default=-1)
    for index, picture in video.frames(source, wanted.__contains__):
        if picture is not None:
            yield wanted[index], picture
        if index >= last:
            return
