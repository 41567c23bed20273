"""Skeletons as pictures: NumPy in, matplotlib figures or RGB arrays out.

The person's right side is orange, the left side blue, the trunk grey, in every picture:
who sees orange on the left of a front view sees a person who faces the camera.
"""

from __future__ import annotations

import io
import typing
from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from sa3dhp import errors
from sa3dhp.skeleton import skeleton as skeletons

if typing.TYPE_CHECKING:  # matplotlib takes seconds, and drawing over videos no part
    from matplotlib import axes as mpl_axes
    from matplotlib import figure as mpl_figure

RIGHT, LEFT, TRUNK = "#d9621e", "#1f6fb4", "#4a4a4a"
_VIEWS = {"front": (0, 1), "side": (2, 1)}  # axes drawn to the right and downwards
_MARGIN = 1.12
_CELL_INCHES = 1.35


def limb_colour(skeleton: skeletons.Skeleton, joint: int) -> str:
    """Returns the colour of the limb that ends in a joint, by its side."""
    name = skeleton.joint_names[joint]
    if name.startswith("right_"):
        return RIGHT
    return LEFT if name.startswith("left_") else TRUNK


def half_extent(joints: np.ndarray) -> float:
    """Returns half the side of the square that holds all frames, each about its own
    middle, in mm; NaN joints do not count."""
    joints = np.asarray(joints, float).reshape(-1, *np.shape(joints)[-2:])
    size = np.nanmax(joints, axis=1) - np.nanmin(joints, axis=1)
    return max(float(np.nanmax(size)) / 2 * _MARGIN, 1.0)


def draw(
    axes: mpl_axes.Axes,
    joints: np.ndarray,
    skeleton: skeletons.Skeleton,
    *,
    view: str = "front",
    extent: float | None = None,
    alpha: float = 1.0,
    line_width: float = 2.0,
) -> None:
    """Draws one pose into square axes without ticks.

    Args:
        axes: where to.
        joints: `[J, 3]`, mm, camera frame; joints that are NaN are left out.
        skeleton: names and joins the joints.
        view: `front`: as the camera sees it; `side`: depth to the right (the camera
            stands on the left).
        extent: half the side of the shown square, mm; the pose's own if None.
        alpha: 1 is opaque.
        line_width: of limbs, points.

    Raises:
        errors.InputError: if the joints are not those of the skeleton or the view is
            unknown.
    """
    joints = np.asarray(joints, float)
    if joints.shape != (skeleton.num_joints, 3):
        raise errors.InputError(
            f"joints: got {joints.shape}, expected ({skeleton.num_joints}, 3) for "
            f"{skeleton.id}"
        )
    if view not in _VIEWS:
        raise errors.InputError(f"view: got {view!r}, expected one of {list(_VIEWS)}")
    extent = half_extent(joints) if extent is None else extent
    flat = joints[:, list(_VIEWS[view])]
    middle = (np.nanmax(flat, axis=0) + np.nanmin(flat, axis=0)) / 2
    # Far limbs first: near ones cross over them.
    depth = joints[:, 2] if view == "front" else -joints[:, 0]
    for parent, child in sorted(
        skeleton.limbs, key=lambda limb: -np.nan_to_num(depth[list(limb)]).mean()
    ):
        axes.plot(
            *flat[[parent, child]].T,
            color=limb_colour(skeleton, child),
            alpha=alpha,
            linewidth=line_width,
            marker="o",
            markersize=line_width,
            solid_capstyle="round",
        )
    axes.set_xlim(middle[0] - extent, middle[0] + extent)
    axes.set_ylim(middle[1] + extent, middle[1] - extent)  # y points down
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#d8d8d8")


def comparison(
    poses: Mapping[str, np.ndarray],
    skeleton: skeletons.Skeleton,
    *,
    images: np.ndarray | None = None,
    num_frames: int = 8,
    side: bool = True,
    title: str = "",
) -> mpl_figure.Figure:
    """Returns clips row under row: the input, then e.g. before, after and the truth.

    Args:
        poses: label -> `[T, J, 3]`, mm, camera frame, one row each (two with `side`).
        skeleton: of all of them.
        images: `[T, H, W, 3]` uint8 RGB, the input frames.
        num_frames: columns, evenly spaced over `T`.
        side: also a row from the side, where errors of depth show.
        title: one line above.

    Raises:
        errors.InputError: if the rows are not of one length, at least one frame, or
            have other joints than the skeleton.
    """
    from matplotlib import figure as mpl_figure
    from matplotlib import layout_engine

    views = tuple(_VIEWS) if side else ("front",)
    clips = {label: np.asarray(clip, float) for label, clip in poses.items()}
    frames = _spaced(
        [*clips.values(), *([] if images is None else [images])], num_frames
    )
    chosen = [(label, view, clip) for view in views for label, clip in clips.items()]
    count = len(chosen) + (images is not None)
    figure = mpl_figure.Figure(
        figsize=(_CELL_INCHES * len(frames) + 0.35, _CELL_INCHES * count + 0.4),
        layout=layout_engine.ConstrainedLayoutEngine(
            w_pad=0.025, h_pad=0.015, wspace=0.01, hspace=0.01
        ),
    )
    grid = figure.subplots(count, len(frames), squeeze=False)
    labels = [f"{label}\n({view})" if side else label for label, view, _ in chosen]
    if images is not None:
        for axes, frame in zip(grid[0], frames):
            axes.imshow(images[frame])
            axes.set_xticks([])
            axes.set_yticks([])
        labels = ["input", *labels]
    extent = half_extent(np.concatenate([clip[frames] for clip in clips.values()]))
    for axes_of_row, (_, view, clip) in zip(grid[count - len(chosen) :], chosen):
        for axes, frame in zip(axes_of_row, frames):
            draw(axes, clip[frame], skeleton, view=view, extent=extent)
    for axes, label in zip(grid[:, 0], labels):
        axes.set_ylabel(label, fontsize=8)
    for axes, frame in zip(grid[0], frames):
        axes.set_title(f"frame {frame}", fontsize=7, color="#777777", pad=3)
    figure.suptitle(title, fontsize=10)
    return figure


def _spaced(clips: Sequence[np.ndarray], count: int) -> np.ndarray:
    """Indices of at most `count` frames, evenly spaced over clips of one length."""
    lengths = {len(clip) for clip in clips}
    if len(lengths) != 1 or min(lengths) < 1:
        raise errors.InputError(
            f"clips: got {sorted(lengths)} frames, expected as many of each row"
        )
    (total,) = lengths
    return np.linspace(0, total - 1, min(count, total)).round().astype(int)


def overlay(
    image: np.ndarray,
    keypoints: np.ndarray,
    skeleton: skeletons.Skeleton,
    *,
    thickness: int | None = None,
) -> np.ndarray:
    """Returns a copy of an image with a 2D skeleton drawn over it.

    Args:
        image: `[H, W, 3]` uint8 RGB.
        keypoints: `[J, 2]` or `[J, 3]` (x, y, ...), pixels; NaN joints are left out.
        skeleton: of the key-points.
        thickness: of limbs, pixels; chosen by the size of the image if None.

    Raises:
        errors.InputError: on wrong shapes.
    """
    keypoints = np.asarray(keypoints, float)[..., :2]
    if image.ndim != 3 or keypoints.shape != (skeleton.num_joints, 2):
        raise errors.InputError(
            f"overlay: got image {image.shape} and key-points {keypoints.shape}, "
            f"expected [H, W, 3] and ({skeleton.num_joints}, 2)"
        )
    canvas = np.ascontiguousarray(image).copy()
    if thickness is None:
        thickness = max(1, round(min(image.shape[:2]) / 120))
    points = [_sixteenths(point) for point in keypoints]
    for rim in (2 * max(1, thickness // 2), 0):  # a white rim, then the colour
        for parent, child in skeleton.limbs:
            start, end = points[parent], points[child]
            if start is None or end is None:
                continue
            colour = (255, 255, 255) if rim else _rgb(limb_colour(skeleton, child))
            width = thickness + rim
            cv2.line(canvas, start, end, colour, width, cv2.LINE_AA, shift=4)
    for joint, point in enumerate(points):
        if point is not None:
            colour = _rgb(limb_colour(skeleton, joint))
            cv2.circle(canvas, point, 20 * thickness, colour, -1, cv2.LINE_AA, shift=4)
    return canvas


def _sixteenths(point: np.ndarray) -> tuple[int, int] | None:
    """A pixel in the sixteenths that OpenCV draws with `shift=4`; None if unknown."""
    if not np.isfinite(point).all():
        return None
    x, y = np.rint(16 * np.clip(point, -1e4, 1e4))
    return int(x), int(y)


def _rgb(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def to_png(figure: mpl_figure.Figure, *, dpi: int = 110) -> bytes:
    """Returns a figure as a PNG file in memory."""
    from matplotlib.backends import backend_agg

    backend_agg.FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return buffer.getvalue()
