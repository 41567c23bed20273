"""Videos that browsers play: H.264 in mp4, or VP9 in mp4 where there is no ffmpeg.

OpenCV of PyPI has no encoder of H.264. What it writes as `mp4v` (MPEG-4 part 2) no
browser plays, and its VP9, which they do play, takes ten times as long as drawing. So
the pictures go to the ffmpeg that imageio-ffmpeg brings, a program of its own.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import cv2
import numpy as np

from sa3dhp import errors

# Quality as most players' own recordings; the index first, so that it starts at once.
_X264 = ["-preset", "veryfast", "-crf", "23", "-movflags", "+faststart", "-f", "mp4"]
_VP9 = "vp09"


class Film:
    """One video while it is written."""

    def __init__(self, path: str | os.PathLike, fps: float, size: tuple[int, int]):
        """Opens it.

        Args:
            path: ends with `.mp4`.
            fps: frames per second.
            size: width and height, pixels, even.

        Raises:
            InputError: if neither ffmpeg nor this OpenCV can write it.
        """
        self._ffmpeg = _ffmpeg(os.fspath(path), fps, size)
        self._opencv = None if self._ffmpeg else _opencv(os.fspath(path), fps, size)

    def write(self, picture: np.ndarray) -> None:
        """Adds a frame `[h, w, 3]` uint8 RGB."""
        if self._ffmpeg is not None:
            self._ffmpeg.send(np.ascontiguousarray(picture))
        if self._opencv is not None:
            self._opencv.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))

    def close(self) -> None:
        """Ends the file; waits until all of it is there."""
        if self._ffmpeg is not None:
            self._ffmpeg.close()
        if self._opencv is not None:
            self._opencv.release()


def _ffmpeg(
    path: str, fps: float, size: tuple[int, int]
) -> Generator[None, Any, None] | None:
    """What takes pictures for ffmpeg, or None where there is none."""
    try:
        import imageio_ffmpeg

        imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):  # no wheel of it for this machine has one
        return None
    pictures = imageio_ffmpeg.write_frames(
        path,
        size,
        fps=fps,
        codec="libx264",
        quality=None,
        macro_block_size=2,
        ffmpeg_timeout=0,  # it is waited for
        output_params=_X264,
    )
    pictures.send(None)
    return pictures


def _opencv(path: str, fps: float, size: tuple[int, int]) -> cv2.VideoWriter:
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*_VP9), fps, size)
    if not writer.isOpened():
        raise errors.InputError(
            "overlay: neither ffmpeg nor this OpenCV can write a video here; "
            "pip install imageio-ffmpeg, or give --nodraw"
        )
    return writer
