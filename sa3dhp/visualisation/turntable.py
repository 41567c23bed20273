"""Skeletons in a page that one turns with the mouse, and scrubs through time.

Drawn by plotly.js, which lies in the page: 5 MB, and nothing is loaded from elsewhere.
Several skeletons stand side by side and turn together; beside them the picture of the
same frame, where it may be shown.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from sa3dhp import errors
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.visualisation import page, skeleton_plot

MOST_FRAMES = 300  # of a clip; of longer ones every n-th is shown
_PICTURE = 240  # pixels, longer side
_QUALITY = 70  # of JPEG
_APART = 1.1  # sizes of a skeleton from one to the next


@dataclasses.dataclass(frozen=True, eq=False)
class Clip:
    """What is shown at a time.

    Attributes:
        caption: in the list of clips.
        poses: label -> `[T, J, 3]`, mm, camera frame; NaN where nothing is known.
        times: what is said of each frame, `[T]` texts.
        pictures: of the frames, JPEG files, see `jpeg`; empty to keep them private.
        skeleton: id, of all poses.
        fps: frames shown per second when it plays.
    """

    caption: str
    poses: Mapping[str, np.ndarray]
    times: Sequence[str]
    pictures: Sequence[bytes] = ()
    skeleton: str = skeletons.SA3DHP17.id
    fps: float = 30.0


def shown(count: int, most: int = MOST_FRAMES) -> np.ndarray:
    """Returns which of so many frames are shown: all, or every n-th."""
    return np.arange(0, count, max(1, -(-count // max(1, most))))


def jpeg(picture: np.ndarray) -> bytes:
    """Returns a small JPEG file of a picture `[H, W, 3]` uint8 RGB."""
    scale = min(1.0, _PICTURE / max(picture.shape[:2]))
    size = [max(1, round(scale * side)) for side in picture.shape[1::-1]]
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    options = [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), options)
    assert done  # a known format
    return data.tobytes()


def html(clips: Sequence[Clip]) -> str:
    """Returns the element of a page, with all that it needs; "" without a frame.

    Args:
        clips: one at a time is shown, of several a list chooses.

    Raises:
        InputError: if the parts of a clip are not of one length, or have other joints
            than the skeleton.
    """
    clips = [clip for clip in clips if len(clip.times)]
    if not clips:
        return ""
    data = json.dumps([_data(clip) for clip in clips], separators=(",", ":"))
    data = data.replace("<", "\\u003c")  # of a caption: it must not end the element
    options = "".join(f"<option>{page.text(clip.caption)}</option>" for clip in clips)
    chooser = f'<select aria-label="clip">{options}</select>'
    return f"""<div class="turn"><div class="bench">{chooser}
<button type="button">play</button>
<input type="range" min="0" value="0" aria-label="frame"><span class="at"></span></div>
<div class="stage"><img alt="the picture of this frame"><div class="plot"></div></div>
<script type="application/json">{data}</script></div>
<script>{_library()}</script><script>{_script()}</script>"""


def _data(clip: Clip) -> dict[str, Any]:
    """A clip as the script reads it: axes are plotly's, x right, y away, z up."""
    skeleton = skeletons.get(clip.skeleton)
    count = len(clip.times)
    poses = [np.asarray(pose, float) for pose in clip.poses.values()]
    pictures = [len(clip.pictures)] if len(clip.pictures) else []
    if {count, *map(len, poses), *pictures} != {count} or not poses:
        raise errors.InputError(
            f"clip {clip.caption}: got {[len(pose) for pose in poses]} poses, {count} "
            f"times and {len(clip.pictures)} pictures, expected as many of each row"
        )
    for pose in poses:
        if pose.shape[1:] != (skeleton.num_joints, 3):
            raise errors.InputError(
                f"clip {clip.caption}: got joints of shape {pose.shape}, expected "
                f"[T, {skeleton.num_joints}, 3] of {skeleton.id}"
            )
    known = np.concatenate([pose.reshape(-1, 3) for pose in poses])
    known = known[np.isfinite(known).all(axis=1)]
    known = known if len(known) else np.zeros((1, 3))
    low, high = known.min(axis=0), known.max(axis=0)
    places = _APART * max(high[0] - low[0], 1.0) * np.arange(len(poses))
    scene = np.stack(poses)  # [label, T, J, 3]
    scene[..., 0] += places[:, None, None]
    turned = np.stack([scene[..., 0], scene[..., 2], -scene[..., 1]], axis=-1)
    return {
        "labels": list(clip.poses),
        # [label][frame][joint] -> [x, y, z], whole mm; null where unknown.
        "poses": [[[_point(p) for p in pose] for pose in row] for row in turned],
        "limbs": [
            [a, b, skeleton_plot.limb_colour(skeleton, b)] for a, b in skeleton.limbs
        ],
        "range": [
            [round(low[0]), round(high[0] + places[-1])],
            [round(low[2]), round(high[2])],
            [round(-high[1]), round(-low[1])],
        ],
        "heads": np.rint(places + (low[0] + high[0]) / 2).astype(int).tolist(),
        "times": list(clip.times),
        "fps": clip.fps,
        "pictures": [
            f"data:image/jpeg;base64,{base64.b64encode(data).decode()}"
            for data in clip.pictures
        ],
    }


def _point(point: np.ndarray) -> list[int] | None:
    return np.rint(point).astype(int).tolist() if np.isfinite(point).all() else None


@functools.cache
def _library() -> str:
    # Not with this module: 5 MB, for those who write a page.
    from plotly import offline

    return offline.get_plotlyjs()


def _script() -> str:
    return pathlib.Path(__file__).with_name("turntable.js").read_text(encoding="utf-8")
