"""A file of person boxes that takes the place of a detector."""

from __future__ import annotations

import csv
import os
import pathlib

import numpy as np

from sa3dhp import documents, errors, files
from sa3dhp.data.videos import tracking

_MOST = 10_000_000  # frames of all videos; every one of them gets a box
_HEADERS = (
    ["video", "frame", "x", "y", "w", "h"],
    ["video", "frame", "x", "y", "width", "height"],
)
_LARGEST = 1e13  # of a number; no NaN is below
_SHARES = 1.5  # pixels; what was given as parts of the picture is no larger
LAYOUT = '{"video name": [[frame, x, y, w, h], ...]} or CSV rows video,frame,x,y,w,h'


def read(path: str | os.PathLike) -> dict[str, tracking.Path]:
    """Reads one track per video, in frames of the source; gaps are filled linearly.

    JSON `{"video name": [[frame, x, y, w, h], ...]}` or CSV rows `video,frame,x,y,w,h`
    (a header line is allowed): frame counts from 0, x y is the top left corner, pixels.
    A video is named by its path below the folder, its file name, or its stem.

    Raises:
        InputError: if the file is missing, of another layout, names a frame twice or
            has a box that is not finite or has no area.
    """
    path = pathlib.Path(path)
    if errors.is_special(path):
        raise errors.InputError(f"boxes file: {path} is a device or a pipe")
    try:
        text = files.read_bounded(path).decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        if errors.is_machine_fault(error):
            raise
        raise errors.InputError(
            f"boxes file: cannot read {path}; give a text file {LAYOUT}"
        ) from None
    rows = _csv_rows if path.suffix.lower() == ".csv" else _json_rows
    try:
        table = rows(text)
    except errors.InputError as error:
        raise errors.InputError(f"boxes file: {path}: {error}") from None
    except (ValueError, TypeError, AttributeError, OverflowError, csv.Error):
        raise errors.InputError(f"boxes file: {path} is not {LAYOUT}") from None
    if not table:
        raise errors.InputError(f"boxes file: {path} is empty; expected {LAYOUT}")
    last = sum(
        max((row[0] for row in rows if row), default=0) for rows in table.values()
    )
    if last > _MOST:
        raise errors.InputError(
            f"boxes file: {path}: its tracks go on to {last:.4g} frames in all, "
            f"expected at most {_MOST} (4 days); give the frames of the videos"
        )
    return {name: _track(path, name, values) for name, values in table.items()}


def find(tracks: dict[str, tracking.Path], name: str) -> tracking.Path | None:
    """Looks a video up by its path below the folder, its file name, or its stem."""
    parts = pathlib.PurePosixPath(name)
    for key in (name, parts.name, parts.stem):
        if key in tracks:
            return tracks[key]
    return None


def _json_rows(text: str) -> dict[str, list[list[float]]]:
    """Rows of the JSON layout, by video."""
    return {
        str(name): [[float(value) for value in row] for row in rows]
        for name, rows in documents.parse_json(text, f"not {LAYOUT}").items()
    }


def _csv_rows(text: str) -> dict[str, list[list[float]]]:
    """Rows of the CSV layout, by video."""
    table: dict[str, list[list[float]]] = {}
    for number, row in enumerate(csv.reader(text.splitlines())):
        names = [name.strip().lower() for name in row]
        if number == 0 and names[:1] == ["video"]:
            if names not in _HEADERS:
                raise errors.InputError(
                    f"its columns are {','.join(names):.200}, expected "
                    "video,frame,x,y,w,h: the top left corner, width and height"
                )
            continue
        if not row:
            continue
        table.setdefault(row[0].strip(), []).append([float(value) for value in row[1:]])
    return table


def _track(path: pathlib.Path, name: str, rows: list[list[float]]) -> tracking.Path:
    """The track of one video."""
    for row in rows:
        good = len(row) == 5 and all(abs(value) < _LARGEST for value in row)
        if not (good and row[0] >= 0 and row[0] == int(row[0]) and min(row[3:]) > 0):
            raise errors.InputError(
                f"boxes file: {path}: {name}: got {row}, expected [frame, x, y, w, h] "
                "with a whole frame >= 0 and w, h > 0; correct or remove the row"
            )
    if not rows:
        raise errors.InputError(
            f"boxes file: {path}: {name} has no box; give boxes or remove the name"
        )
    values = np.array(sorted(rows), np.float64)
    frames = values[:, 0].astype(int)
    if len(np.unique(frames)) != len(frames) or frames[-1] > 10_000_000:
        raise errors.InputError(
            f"boxes file: {path}: {name} names a frame twice or beyond 10 million; "
            "give one person per video, one box per frame"
        )
    if values[:, 1:].max() <= _SHARES:
        raise errors.InputError(
            f"boxes file: {path}: {name}: no number is above {_SHARES:g}: they look "
            "like shares of the picture, expected pixels; multiply x and w by its "
            "width, y and h by its height"
        )
    corners = np.concatenate([values[:, 1:3], values[:, 1:3] + values[:, 3:]], axis=1)
    return tracking.from_boxes(frames, corners)
