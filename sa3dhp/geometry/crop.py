"""The crop rule: person box -> square crop, the same for every source of pictures.

Square of side `SIDE_FACTOR * max(w, h)` around the centre of the person's box. The
centre follows the person (smoothed), the side is one number per clip, so that a
person who squats gets shorter in the crop. The network sees this square at
`image_size` pixels. A *stored* crop is larger by `stored_size / image_size` around the
same centre, so that an in-plane rotation brings in real pixels; the network's input is
the central `image_size` of its `stored_size` pixels.

Boxes are `[T, 4]`, x1 y1 x2 y2 in pixels of the source picture; centres `[T, 2]`, x y.
"""

from __future__ import annotations

import cv2
import numpy as np
from scipy import ndimage

from sa3dhp import errors

SIDE_FACTOR = 1.25  # side of the network's square over the longer side of the box
SIDE_PERCENTILE = 90.0  # of max(w, h) over a clip: a maximum that outlives an outlier
CLIP_SECONDS = 2.0  # of a clip
SMOOTHING_FRAMES = 3.0  # standard deviation of the centre's Gaussian, 0.1 s at 30 fps
RULE = (
    "square crop around the person: centre = centre of the person's box (x1 y1 x2 y2), "
    f"smoothed over time (Gaussian, {SMOOTHING_FRAMES:g} frames at 30 fps); side = "
    f"{SIDE_FACTOR:g} * max(w, h), one side per clip ({SIDE_PERCENTILE:g}th percentile "
    "over its frames); pixels outside the picture repeat its edge; resized by area "
    "averaging; RGB"
)


def square_box(boxes: np.ndarray) -> tuple[np.ndarray, float]:
    """Returns the centres and the one side of the network's squares of a clip.

    Args:
        boxes: `[T, 4]`, x1 y1 x2 y2, pixels; `T = 1` for a single picture.

    Returns:
        `[T, 2]` float32 smoothed centres and the side, both in pixels.

    Raises:
        InputError: if a box is not finite or has no area, or the shape is another.
    """
    boxes = np.asarray(boxes, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4 or not len(boxes):
        raise errors.InputError(
            f"boxes: expected [T, 4] with T >= 1, got {boxes.shape}; "
            "give one x1 y1 x2 y2 per frame"
        )
    sizes = boxes[:, 2:] - boxes[:, :2]  # [T, 2]
    if not (np.isfinite(boxes).all() and (sizes > 0).all()):
        raise errors.InputError(
            "boxes: expected finite x1 < x2 and y1 < y2, got a box without area; "
            "drop the frames without a person"
        )
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2  # [T, 2]
    centres = ndimage.gaussian_filter1d(
        centres, SMOOTHING_FRAMES, axis=0, mode="nearest"
    )
    side = SIDE_FACTOR * np.percentile(sizes.max(axis=1), SIDE_PERCENTILE)
    return centres.astype(np.float32), float(side)


def square_boxes(boxes: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns centres and sides of the network's squares along a track of any length.

    `square_box` for a person who may come nearer for minutes: the side is that of the
    clip of `CLIP_SECONDS` around each frame.

    Args:
        boxes: `[T, 4]`, x1 y1 x2 y2, pixels.
        fps: of the track.

    Returns:
        `[T, 2]` float32 centres and `[T]` float32 sides, pixels.

    Raises:
        InputError: as `square_box`.
    """
    square_box(boxes)  # its checks
    boxes = np.asarray(boxes, np.float64)
    sigma = SMOOTHING_FRAMES * fps / 30.0
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2  # [T, 2]
    centres = ndimage.gaussian_filter1d(centres, sigma, axis=0, mode="nearest")
    sides = SIDE_FACTOR * _running((boxes[:, 2:] - boxes[:, :2]).max(axis=1), fps)
    return centres.astype(np.float32), sides.astype(np.float32)


def _running(values: np.ndarray, fps: float) -> np.ndarray:
    """The `SIDE_PERCENTILE` of `[T]` over the clip around each frame, smoothed."""
    window = max(1, 2 * round(CLIP_SECONDS * fps / 2) + 1)
    high = ndimage.percentile_filter(
        values, SIDE_PERCENTILE, size=min(window, 2 * len(values) - 1), mode="nearest"
    )
    return ndimage.gaussian_filter1d(high, window / 6, mode="nearest")


def stored_side(side: float, stored_size: int, image_size: int) -> float:
    """Returns the side of the stored square, source pixels, for the network's side."""
    return side * stored_size / image_size


def extract(
    frame: np.ndarray, centre: np.ndarray, side: float, size: int
) -> np.ndarray:
    """Returns one square of a picture at `size` pixels.

    The square is cut at whole pixels, then shrunk by area averaging (or grown
    bilinearly). Outside the picture its edge is repeated: a mirrored border would draw
    a second person.

    Args:
        frame: `[H, W, 3]` uint8.
        centre: `[2]`, x y, pixels; it may lie outside the picture.
        side: of the square to cut, pixels (`stored_side` for a stored crop).
        size: of the result, pixels.

    Returns:
        `[size, size, 3]` uint8.

    Raises:
        InputError: if the square is not finite, empty, or absurdly large.
    """
    frame = np.asarray(frame)
    if frame.ndim != 3:
        raise errors.InputError(
            f"frame: expected [H, W, 3], got {frame.shape}; give one picture"
        )
    height, width = frame.shape[:2]
    x, y = (float(value) for value in centre)
    if not (np.isfinite([x, y, side]).all() and 0 < side <= 8 * max(height, width)):
        raise errors.InputError(
            f"crop: got centre ({x:g}, {y:g}) and side {side:g} in a picture of "
            f"{width} x {height}; give a person box inside the picture"
        )
    count = max(1, round(side))
    left, before_x, after_x = _visible(x, count, width)
    top, before_y, after_y = _visible(y, count, height)
    seen = frame[top : top + count - before_y - after_y]
    seen = seen[:, left : left + count - before_x - after_x]
    borders = (before_y, after_y, before_x, after_x)
    square = cv2.copyMakeBorder(seen, *borders, cv2.BORDER_REPLICATE)
    shrink = count >= size
    interpolation = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR
    return cv2.resize(square, (size, size), interpolation=interpolation)


def matrix(centre: np.ndarray, side: float, size: int) -> np.ndarray:
    """Returns where `extract` puts what: `[3, 3]`, source pixels -> crop pixels.

    Homogeneous coordinates; the centre of the first pixel is 0 in both. Arguments as
    those of `extract`.
    """
    count = max(1, round(side))
    scale = size / count
    left, top = (_start(float(value), count) for value in centre)
    return np.array(
        [
            [scale, 0.0, (0.5 - left) * scale - 0.5],
            [0.0, scale, (0.5 - top) * scale - 0.5],
            [0.0, 0.0, 1.0],
        ]
    )


def _start(centre: float, count: int) -> int:
    """The first of `count` pixels around a centre; it may lie outside the picture."""
    return int(np.floor(centre - count / 2 + 0.5))


def _visible(centre: float, count: int, length: int) -> tuple[int, int, int]:
    """Cuts `count` pixels around a centre out of `length`, at least one of them seen.

    Returns:
        The first pixel seen and how many to repeat before the first and after the last.
    """
    start = _start(centre, count)
    first = min(max(start, 0), length - 1)
    last = min(max(start + count - 1, 0), length - 1)
    before = min(max(-start, 0), count - 1)
    return first, before, count - before - (last - first + 1)


def project_to_frame(
    joints: np.ndarray, centres: np.ndarray, side: float
) -> np.ndarray:
    """Places root-relative joints in the source picture, for overlays.

    A pose without its absolute position is drawn orthographically by the crop rule
    read backwards: each frame's skeleton box is centred on the crop, and one scale for
    the clip makes the `SIDE_PERCENTILE`th percentile of its longer extent
    `side / SIDE_FACTOR`. Head, hands and feet end at the joints, so the drawing is a
    little (about 5 %) larger than the body.

    Args:
        joints: `[T, J, 3]` mm, camera frame (y down), root-relative.
        centres: `[T, 2]`, pixels, of the crops.
        side: of the network's square, pixels.

    Returns:
        `[T, J, 2]` float32 pixels.

    Raises:
        InputError: if the shapes do not agree.
    """
    joints = np.asarray(joints, np.float64)
    centres = np.asarray(centres, np.float64)
    if joints.ndim != 3 or joints.shape[-1] != 3 or centres.shape != (len(joints), 2):
        raise errors.InputError(
            "project_to_frame: expected joints [T, J, 3] and centres [T, 2], got "
            f"{joints.shape} and {centres.shape}; give one centre per frame"
        )
    low, high = joints[..., :2].min(axis=1), joints[..., :2].max(axis=1)  # [T, 2]
    extent = np.percentile((high - low).max(axis=-1), SIDE_PERCENTILE)
    return _placed(joints, centres, side / SIDE_FACTOR / max(extent, 1e-6))


def project_track(
    joints: np.ndarray, centres: np.ndarray, sides: np.ndarray, fps: float
) -> np.ndarray:
    """Places root-relative joints in the source picture along a track of any length.

    `project_to_frame` with the squares of `square_boxes`: the scale is that of the clip
    around each frame. It is a drawing without perspective, fitted to the person's box;
    no joint is measured in the picture.

    Args:
        joints: `[T, J, 3]` mm, camera frame (y down), root-relative.
        centres: `[T, 2]`, pixels, of the squares.
        sides: `[T]`, pixels.
        fps: of the track.

    Returns:
        `[T, J, 2]` float32 pixels.
    """
    joints = np.asarray(joints, np.float64)
    low, high = joints[..., :2].min(axis=1), joints[..., :2].max(axis=1)  # [T, 2]
    extent = np.maximum(_running((high - low).max(axis=-1), fps), 1e-6)
    scale = np.asarray(sides, np.float64) / SIDE_FACTOR / extent
    return _placed(joints, np.asarray(centres, np.float64), scale[:, None, None])


def _placed(
    joints: np.ndarray, centres: np.ndarray, scale: np.ndarray | float
) -> np.ndarray:
    """The joints' x and y, each frame's box centred; `[T, J, 2]` pixels."""
    plane = joints[..., :2]  # [T, J, 2]
    low, high = plane.min(axis=1, keepdims=True), plane.max(axis=1, keepdims=True)
    return ((plane - (low + high) / 2) * scale + centres[:, None]).astype(np.float32)
