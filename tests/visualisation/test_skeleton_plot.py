"""Pictures of skeletons: sides, directions, rows, and what is refused."""

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


def test_right_is_orange_and_stands_left_of_a_person_facing_us(to_image):
    figure = mpl_figure.Figure(figsize=(2, 2))
    axes = figure.add_axes((0, 0, 1, 1))
    skeleton_plot.draw(axes, _facing_camera(), SKELETON)
    image = to_image(figure, dpi=100)
    left, right = slice(0, 95), slice(105, 200)
    assert _share(image, skeleton_plot.RIGHT, columns=left) > 100
    assert _share(image, skeleton_plot.RIGHT, columns=right) == 0
    assert _share(image, skeleton_plot.LEFT, columns=right) > 100
    assert _share(image, skeleton_plot.LEFT, columns=left) == 0


def test_up_is_up_in_every_view(to_image):
    for view in ("front", "side"):
        figure = mpl_figure.Figure(figsize=(2, 2))
        axes = figure.add_axes((0, 0, 1, 1))
        skeleton_plot.draw(axes, _facing_camera(), SKELETON, view=view)
        image = to_image(figure, dpi=100)
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


def test_comparison_never_has_more_columns_than_frames(to_image):
    figure = skeleton_plot.comparison(
        {"before": JOINTS}, SKELETON, num_frames=9, side=False, title="walk"
    )
    assert len(figure.axes) == 5
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == [f"frame {index}" for index in range(5)]
    assert to_image(figure).std() > 0


def test_frames_are_spaced_from_the_first_to_the_last():
    figure = skeleton_plot.comparison({"a": JOINTS}, SKELETON, num_frames=3, side=False)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["frame 0", "frame 2", "frame 4"]


def _drawn(joints, skeleton):
    axes = mpl_figure.Figure(figsize=(2, 2)).add_axes((0, 0, 1, 1))
    skeleton_plot.draw(axes, joints, skeleton)
    return axes


def test_joints_that_are_nan_are_left_out(to_image):
    joints = _facing_camera()
    joints[4] = np.nan
    axes = _drawn(joints, SKELETON)
    broken = [line for line in axes.lines if np.isnan(line.get_xdata()).any()]
    assert len(broken) == 1  # the limb that ends in the right wrist
    assert to_image(axes.figure).std() > 0


def test_other_skeletons_are_drawn():
    for skeleton in skeletons.ALL.values():
        joints = np.random.default_rng(0).normal(size=(skeleton.num_joints, 3))
        assert len(_drawn(joints, skeleton).lines) == len(skeleton.limbs)


def test_overlay_draws_on_a_copy_at_the_keypoints():
    image = np.zeros((200, 200, 3), np.uint8)
    points = 100 + _facing_camera()[:, :2] / 10  # pixels
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
        (lambda: _drawn(JOINTS[0, :5], SKELETON), r"got \(5, 3\)"),
        (
            lambda: skeleton_plot.draw(None, JOINTS[0], SKELETON, view="top"),
            "view: got 'top', expected one of .*front",
        ),
        (
            lambda: skeleton_plot.comparison(
                {"a": JOINTS}, SKELETON, images=IMAGES[:2]
            ),
            r"\[2, 5\]",
        ),
        (
            lambda: skeleton_plot.comparison({"a": JOINTS[:0]}, SKELETON),
            "as many of each",
        ),
        (
            lambda: skeleton_plot.overlay(IMAGES[0], JOINTS[0, :3], SKELETON),
            r"\(3, 2\)",
        ),
    ],
)
def test_wrong_input_is_named(call, message):
    with pytest.raises(errors.InputError, match=message):
        call()
