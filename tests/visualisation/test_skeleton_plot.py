"""Pictures of skeletons: sides, directions, rows, and what is refused."""

import cv2
import numpy as np
import pytest
from matplotlib import colors
from matplotlib import figure as mpl_figure

from sa3dhp import errors
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.visualisation import skeleton_plot

SKELETON = skeletons.SA3DHP17
JOINTS = np.random.default_rng(0).normal(size=(5, 17, 3)) * 300
IMAGES = np.random.default_rng(0).integers(0, 255, (5, 20, 20, 3)).astype(np.uint8)


def _share(image, colour, rows=slice(None), columns=slice(None)):
    """Number of pixels of a colour in a part of a picture."""
    want = np.array(colors.to_rgb(colour)) * 255
    part = image[rows, columns].astype(float)
    return int((np.abs(part - want).sum(-1) < 30).sum())


def _facing_camera():
    """Head up (y is down), the person's right on the left of the picture."""
    joints = np.zeros((17, 3))
    for name, index in zip(SKELETON.joint_names, range(17)):
        side = -1 if name.startswith("right_") else name.startswith("left_")
        high = {"head_top": -700, "neck": -500}.get(name, 0)
        high = 800 if name.endswith(("ankle", "foot", "knee")) else high
        joints[index] = side * 300, high, -100 * name.endswith("foot")
    return joints


def test_right_is_orange_and_stands_left_of_a_person_facing_us():
    figure = mpl_figure.Figure(figsize=(2, 2))
    axes = figure.add_axes((0, 0, 1, 1))
    skeleton_plot.draw(axes, _facing_camera(), SKELETON)
    image = skeleton_plot.to_image(figure, dpi=100)
    left, right = slice(0, 95), slice(105, 200)
    assert _share(image, skeleton_plot.RIGHT, columns=left) > 100
    assert _share(image, skeleton_plot.RIGHT, columns=right) == 0
    assert _share(image, skeleton_plot.LEFT, columns=right) > 100
    assert _share(image, skeleton_plot.LEFT, columns=left) == 0


def test_up_is_up_in_every_view():
    for view in ("front", "side"):
        figure = mpl_figure.Figure(figsize=(2, 2))
        axes = figure.add_axes((0, 0, 1, 1))
        skeleton_plot.draw(axes, _facing_camera(), SKELETON, view=view)
        image = skeleton_plot.to_image(figure, dpi=100)
        above = _share(image, skeleton_plot.TRUNK, rows=slice(0, 110))
        assert above > 3 * _share(image, skeleton_plot.TRUNK, rows=slice(110, 200))


def test_side_view_shows_depth_to_the_right():
    joints = _facing_camera()
    joints[:, 2] += 50 * np.arange(17)
    figure = mpl_figure.Figure(figsize=(2, 2))
    axes = figure.add_axes((0, 0, 1, 1))
    skeleton_plot.draw(axes, joints, SKELETON, view="side")
    drawn = {tuple(line.get_xdata()) for line in axes.lines}
    assert drawn == {(joints[p, 2], joints[c, 2]) for p, c in SKELETON.limbs}


@pytest.mark.parametrize("with_images", [False, True])
@pytest.mark.parametrize("side", [False, True])
def test_comparison_has_a_row_per_clip_and_view(with_images, side):
    figure = skeleton_plot.comparison(
        {"before": JOINTS, "after": JOINTS, "truth": JOINTS},
        SKELETON,
        images=IMAGES if with_images else None,
        num_frames=4,
        side=side,
    )
    rows = 3 * (1 + side) + with_images
    assert len(figure.axes) == 4 * rows
    labels = [axes.get_ylabel() for axes in figure.axes[::4]]
    assert labels[0] == ("input" if with_images else labels[0])
    assert all(any(k in x for x in labels) for k in ("before", "after", "truth"))


@pytest.mark.parametrize("view", ["front", "side"])
def test_strip_never_has_more_columns_than_frames(view):
    figure = skeleton_plot.strip(JOINTS, SKELETON, num_frames=9, view=view)
    assert len(figure.axes) == 5
    png = skeleton_plot.to_png(figure)
    assert cv2.imdecode(np.frombuffer(png, np.uint8), 1) is not None


def test_joints_that_are_nan_are_left_out():
    joints = JOINTS[0].copy()
    joints[4] = np.nan
    image = skeleton_plot.to_image(skeleton_plot.both_views(joints, SKELETON))
    assert image.ndim == 3 and image.dtype == np.uint8


def test_other_skeletons_are_drawn():
    for skeleton in skeletons.ALL.values():
        joints = np.random.default_rng(0).normal(size=(skeleton.num_joints, 3))
        figure = skeleton_plot.both_views(joints, skeleton, title=skeleton.id)
        assert len(figure.axes[0].lines) == len(skeleton.limbs)


def test_fit_to_box_fills_the_box_without_distortion():
    box = (10, 20, 110, 220)
    got = skeleton_plot.fit_to_box(JOINTS[0], box)
    low, high = got.min(0), got.max(0)
    assert (low >= [10 - 1e-9, 20 - 1e-9]).all() and (high <= [110.001, 220.001]).all()
    assert np.isclose(high - low, [100, 200]).any()
    np.testing.assert_allclose((low + high) / 2, [60, 120])
    ratio = (high - low) / np.ptp(JOINTS[0, :, :2], axis=0)
    assert ratio[0] == pytest.approx(ratio[1])


def test_overlay_draws_on_a_copy_at_the_keypoints():
    image = np.zeros((200, 200, 3), np.uint8)
    points = skeleton_plot.fit_to_box(_facing_camera(), (20, 20, 180, 180))
    got = skeleton_plot.overlay(image, points, SKELETON)
    assert not image.any() and got.shape == image.shape
    x, y = points[SKELETON.index("right_wrist")].round().astype(int)
    assert _share(got[y - 2 : y + 3, x - 2 : x + 3], skeleton_plot.RIGHT) > 5
    points[4] = np.nan
    points[7] = 1e7  # far outside
    assert skeleton_plot.overlay(image, points, SKELETON, thickness=3).any()


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: skeleton_plot.both_views(JOINTS[0, :5], SKELETON), r"got \(5, 3\)"),
        (lambda: skeleton_plot.strip(JOINTS, SKELETON, view="top"), "front"),
        (lambda: skeleton_plot.strip(JOINTS, SKELETON, images=IMAGES[:2]), r"\[2, 5\]"),
        (lambda: skeleton_plot.strip(JOINTS[:0], SKELETON), "as many of each"),
        (
            lambda: skeleton_plot.overlay(IMAGES[0], JOINTS[0, :3], SKELETON),
            r"\(3, 2\)",
        ),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(errors.InputError, match=message):
        call()
