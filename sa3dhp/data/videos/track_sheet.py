"""One picture with every track that was found: who was followed, and what was dropped.

A row is a track: its source, from when to when, how sure the detector was, whether it
is used or why not, and some crops of it with their times. It is there to be looked at.
"""

from __future__ import annotations

import os
import textwrap
from collections.abc import Sequence

import cv2
import numpy as np

from sa3dhp.data.videos import screening
from sa3dhp.visualisation import grids

NAME = "tracks.png"
COLUMNS = 8  # crops of a track
LEGEND = "each row one person, from left to right in time: is it one, and the same?"
NO_FRAMES = "each row one person; its pictures are kept private (--no_frames)"
MOST_ROWS = 60
_SIDE, _TEXT = 110, 330  # pixels: of a crop, and the width of the words
_KEPT, _DROPPED, _GREY = (20, 120, 50), (190, 40, 30), (90, 90, 90)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def write(
    path: str | os.PathLike,
    kept: Sequence[screening.Track],
    dropped: Sequence[screening.Track],
    *,
    frames: bool = True,
    numbered: bool = False,
) -> None:
    """Writes the sheet, whole or not at all; `draw` explains the arguments."""
    sheet = draw(kept, dropped, frames=frames, numbered=numbered)
    grids.save(os.fspath(path), sheet)


def draw(
    kept: Sequence[screening.Track],
    dropped: Sequence[screening.Track],
    *,
    frames: bool = True,
    numbered: bool = False,
) -> np.ndarray:
    """Returns the sheet, `[H, W, 3]` uint8 RGB.

    Args:
        kept: tracks that are used.
        dropped: tracks that are not; of more than `MOST_ROWS` tracks in all some of
            those that are used are left out.
        frames: whether crops are shown; else grey squares with their times are.
        numbered: whether those that are used are told as the persons that they are in
            other files, counted from 0 in each source.
    """
    room = max(1, MOST_ROWS - len(dropped))
    names = [track.name for track in kept]
    numbers = [names[:k].count(name) for k, name in enumerate(names)]
    words = [f"used: person {n}" if numbered else "used" for n in numbers]
    shown = list(zip(kept, words))
    if len(shown) > room:
        shown = [shown[i] for i in np.linspace(0, len(shown) - 1, room).astype(int)]
    counts = f"{len(kept)} used, {len(dropped)} dropped"
    if len(shown) < len(kept):
        counts += f"; {len(shown)} of those used are shown"
    width = _TEXT + COLUMNS * (_SIDE + 2)
    head = np.full((44, width, 3), 255, np.uint8)
    _write(head, f"tracks: {counts}", (6, 18), _GREY, 0.5)
    _write(head, LEGEND if frames else NO_FRAMES, (6, 36), _GREY)
    lost = [(track, f"dropped: {track.dropped}") for track in dropped[:MOST_ROWS]]
    rows = [_row(track, word, width, frames) for track, word in (*lost, *shown)]
    return np.concatenate([head, *rows])


def _row(track: screening.Track, verdict: str, width: int, frames: bool) -> np.ndarray:
    """One track."""
    row = np.full((_SIDE + 4, width, 3), 255, np.uint8)
    row[0] = 200
    colour = _DROPPED if track.dropped else _KEPT
    begin, end = track.source_frames[[0, -1]]
    seconds = len(track.boxes) / track.fps
    _write(row, _cut(track.name, 44), (6, 18), _GREY)
    _write(row, f"{seconds:.1f} s: frames {begin} to {end}", (6, 36), _GREY)
    sure = (
        f"confidence {track.confidence:.2f}, seen in {100 * track.seen:.0f} % of looks"
    )
    _write(row, sure, (6, 54), _GREY)
    for number, line in enumerate(textwrap.wrap(verdict, 46)[:3]):
        _write(row, line, (6, 72 + 16 * number), colour)
    count = min(COLUMNS, len(track.pictures))
    for column, k in enumerate(np.linspace(0, len(track.pictures) - 1, count)):
        at, left = round(k), _TEXT + column * (_SIDE + 2)
        picture = track.pictures[at]
        picture = picture if frames else np.full_like(picture, 150)
        tile = grids.letterbox(picture, _SIDE)
        _write(
            tile, f"{track.pictured[at] / track.fps:.1f} s", (4, _SIDE - 5), (255,) * 3
        )
        row[2 : 2 + _SIDE, left : left + _SIDE] = tile
    return row


def _write(
    picture: np.ndarray, text: str, at: tuple, colour: tuple, size: float = 0.42
) -> None:
    cv2.putText(picture, text, at, _FONT, size, colour, 1, cv2.LINE_AA)


def _cut(text: str, length: int) -> str:
    """The end of a text that is too long: names of files differ there."""
    return text if len(text) <= length else ".." + text[2 - length :]
