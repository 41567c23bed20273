"""Skeletons as pictures: NumPy in, matplotlib figures or RGB arrays out.

The person's right side is orange, the left side blue, the trunk grey, in every picture:
who sees orange on the left of a front view sees a person who faces the camera.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from matplotlib import axes as mpl_axes
from matplotlib import figure as mpl_figure
from matplotlib.backends import backend_agg

from sa3dhp import errors
from sa3dhp.skeleton import skeleton as skeletons

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


def both_views(
    joints: np.ndarray, skeleton: skeletons.Skeleton, *, title: str = ""
) -> mpl_figure.Figure:
    """Returns one pose `[J, 3]` from the front and from the side."""
    figure = mpl_figure.Figure(figsize=(4.4, 2.5), layout="constrained")
    extent = half_extent(joints)
    for column, view in enumerate(_VIEWS):
        axes = figure.add_subplot(1, 2, column + 1)
        draw(axes, joints, skeleton, view=view, extent=extent)
        axes.set_xlabel(f"{view} view", fontsize=8)
    figure.suptitle(title, fontsize=9)
    return figure


def strip(
    clip: np.ndarray,
    skeleton: skeletons.Skeleton,
    *,
    num_frames: int = 8,
    view: str = "front",
    images: np.ndarray | None = None,
    title: str = "",
) -> mpl_figure.Figure:
    """Returns frames of a clip in a row, evenly spaced, under its images if given.

    Args:
        clip: `[T, J, 3]`, mm, camera frame.
        skeleton: of the joints.
        num_frames: columns, at most `T`.
        view: `front` or `side`.
        images: `[T, H, W, 3]` uint8 RGB of the same frames.
        title: one line above.
    """
    return rows({view: clip}, skeleton, num_frames, images, views=(view,), title=title)


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
    """
    views = tuple(_VIEWS) if side else ("front",)
    return rows(poses, skeleton, num_frames, images, views=views, title=title)


def rows(
    poses: Mapping[str, np.ndarray],
    skeleton: skeletons.Skeleton,
    num_frames: int,
    images: np.ndarray | None,
    *,
    views: Sequence[str],
    title: str,
) -> mpl_figure.Figure:
    """Returns the picture behind `strip` and `comparison`: clips x views by frames."""
    clips = {label: np.asarray(clip, float) for label, clip in poses.items()}
    lengths = {len(clip) for clip in clips.values()}
    lengths |= set() if images is None else {len(images)}
    if len(lengths) != 1 or min(lengths) < 1:
        raise errors.InputError(
            f"clips: got {sorted(lengths)} frames, expected as many of each row"
        )
    (total,) = lengths
    frames = np.linspace(0, total - 1, min(num_frames, total)).round().astype(int)
    chosen = [(label, view, clip) for view in views for label, clip in clips.items()]
    count = len(chosen) + (images is not None)
    figure = mpl_figure.Figure(
        figsize=(_CELL_INCHES * len(frames) + 0.35, _CELL_INCHES * count + 0.4),
        layout="constrained",
    )
    figure.get_layout_engine().set(w_pad=0.025, h_pad=0.015, wspace=0.01, hspace=0.01)
    grid = figure.subplots(count, len(frames), squeeze=False)
    extent = half_extent(np.concatenate([clip[frames] for clip in clips.values()]))
    for row, axes_of_row in enumerate(grid):
        for axes, frame in zip(axes_of_row, frames):
            if images is not None and row == 0:
                axes.imshow(images[frame])
                axes.set_xticks([])
                axes.set_yticks([])
                continue
            _, view, clip = chosen[row - (images is not None)]
            draw(axes, clip[frame], skeleton, view=view, extent=extent)
    labels = ["input"] * (images is not None)
    labels += [
        f"{label}\n({view})" if len(views) > 1 else label for label, view, _ in chosen
    ]
    for axes, label in zip(grid[:, 0], labels):
        axes.set_ylabel(label, fontsize=8)
    for axes, frame in zip(grid[0], frames):
        axes.set_title(f"frame {frame}", fontsize=7, color="#777777", pad=3)
    figure.suptitle(title, fontsize=10)
    return figure


def fit_to_box(joints: np.ndarray, box: Sequence[float]) -> np.ndarray:
    """Returns where a root-relative pose lies in an image, by the person's box.

    A weak perspective: one scale, chosen so that the pose just fits into the box, and
    the middles coincide. For showing, not for measuring.

    Args:
        joints: `[J, 3]`, mm, camera frame.
        box: left, top, right, bottom, pixels.

    Returns:
        `[J, 2]`, pixels.
    """
    flat = np.asarray(joints, float)[:, :2]
    low, high = np.nanmin(flat, axis=0), np.nanmax(flat, axis=0)
    left, top, right, bottom = box
    scale = min(
        (right - left) / max(high[0] - low[0], 1e-6),
        (bottom - top) / max(high[1] - low[1], 1e-6),
    )
    centre = np.array([left + right, top + bottom]) / 2
    return (flat - (low + high) / 2) * scale + centre


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
    points = [
        tuple(int(v) for v in np.rint(16 * np.clip(p, -1e4, 1e4)))
        if np.isfinite(p).all()
        else None
        for p in keypoints
    ]
    for rim in (2 * max(1, thickness // 2), 0):  # a white rim, then the colour
        for parent, child in skeleton.limbs:
            if points[parent] is None or points[child] is None:
                continue
            colour = (255, 255, 255) if rim else _rgb(limb_colour(skeleton, child))
            cv2.line(
                canvas, points[parent], points[child], colour, thickness + rim,
                cv2.LINE_AA, shift=4,
            )  # fmt: skip
    for joint, point in enumerate(points):
        if point is not None:
            colour = _rgb(limb_colour(skeleton, joint))
            cv2.circle(canvas, point, 20 * thickness, colour, -1, cv2.LINE_AA, shift=4)
    return canvas


def _rgb(colour: str) -> tuple[int, int, int]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))


def to_png(figure: mpl_figure.Figure, *, dpi: int = 110) -> bytes:
    """Returns a figure as a PNG file in memory."""
    backend_agg.FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white")
    return buffer.getvalue()


def to_image(figure: mpl_figure.Figure, *, dpi: int = 110) -> np.ndarray:
    """Returns a figure as `[H, W, 3]` uint8 RGB."""
    png = np.frombuffer(to_png(figure, dpi=dpi), np.uint8)
    return cv2.cvtColor(cv2.imdecode(png, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
