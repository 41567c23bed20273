"""The crop rule."""

import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.geometry import crop


def _slow_extract(frame, centre, side):
    """The square at source resolution, pixel by pixel."""
    count = round(side)
    left, top = (int(np.floor(v - count / 2 + 0.5)) for v in centre)
    height, width = frame.shape[:2]
    out = np.zeros((count, count, 3), np.uint8)
    for r in range(count):
        for c in range(count):
            y, x = np.clip(top + r, 0, height - 1), np.clip(left + c, 0, width - 1)
            out[r, c] = frame[y, x]
    return out


@pytest.mark.parametrize(
    ("centre", "side"),
    [
        ((20, 15), 10),
        ((0, 0), 12),
        ((39.4, 29.6), 15),
        ((-50, 15), 8),
        ((90, -60), 9),
        ((20, 80), 30),
        ((20, 15), 120),
        ((20.5, 14.5), 1),
    ],
)
def test_extract_agrees_with_a_loop_over_pixels(centre, side) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (30, 40, 3)).astype(np.uint8)
    got = crop.extract(frame, np.array(centre), side, round(side))
    np.testing.assert_array_equal(got, _slow_extract(frame, centre, side))


def test_shrinking_averages_areas() -> None:
    frame = np.random.default_rng(1).integers(0, 255, (40, 40, 3)).astype(np.uint8)
    got = crop.extract(frame, np.array([20, 20]), 40, 10).astype(float)
    want = frame.reshape(10, 4, 10, 4, 3).mean(axis=(1, 3))
    assert np.abs(got - want).max() <= 0.51


def test_extract_leaves_its_input_alone() -> None:
    frame = np.full((20, 20, 3), 7, np.uint8)
    crop.extract(frame, np.array([10, 10]), 30, 8)[:] = 99
    assert (frame == 7).all()


def test_side_is_the_named_factor_of_the_longer_side() -> None:
    centres, side = crop.square_box(np.array([[10, 20, 30, 100]]))
    np.testing.assert_allclose(centres, [[20, 60]])
    assert side == pytest.approx(crop.SIDE_FACTOR * 80)


def test_one_wild_box_does_not_set_the_side_of_a_clip() -> None:
    boxes = np.tile([0.0, 0, 40, 100], (60, 1))
    boxes[30] = [0, 0, 40, 900]
    assert crop.square_box(boxes)[1] == pytest.approx(125)


def test_a_person_who_squats_gets_shorter_in_the_crop() -> None:
    boxes = np.tile([0.0, 0, 40, 100], (60, 1))
    boxes[20:40, 1] = 50
    assert crop.square_box(boxes)[1] == pytest.approx(125)


def test_centres_follow_a_steady_walk_without_lag() -> None:
    x = np.arange(60) * 3.0
    boxes = np.stack([x, 0 * x, x + 40, 0 * x + 100], axis=-1)
    centres, _ = crop.square_box(boxes)
    np.testing.assert_allclose(centres[15:45, 0], x[15:45] + 20, atol=0.05)


def test_jitter_of_the_centre_is_smoothed() -> None:
    rng = np.random.default_rng(0)
    shift = rng.normal(0, 5, (200, 1))
    boxes = np.array([0.0, 0, 40, 100]) + np.concatenate([shift, 0 * shift] * 2, axis=1)
    centres, _ = crop.square_box(boxes)
    assert centres[:, 0].std() < 0.45 * shift.std()


def test_moving_the_boxes_moves_the_centres_and_not_the_side() -> None:
    rng = np.random.default_rng(2)
    low = rng.uniform(0, 50, (30, 2))
    boxes = np.concatenate([low, low + rng.uniform(10, 60, (30, 2))], axis=1)
    centres, side = crop.square_box(boxes)
    moved, same = crop.square_box(boxes + np.array([7.0, -3, 7, -3]))
    np.testing.assert_allclose(moved - centres, np.tile([7, -3], (30, 1)), atol=1e-4)
    assert same == pytest.approx(side)


def test_stored_side_keeps_the_networks_square_in_the_middle() -> None:
    frame = np.random.default_rng(3).integers(0, 255, (300, 300, 3)).astype(np.uint8)
    centre, side = np.array([150, 150]), 64.0
    stored = crop.extract(frame, centre, crop.stored_side(side, 96, 64), 96)
    inner = crop.extract(frame, centre, side, 64)
    np.testing.assert_array_equal(stored[16:80, 16:80], inner)


def test_projection_inverts_the_crop_rule() -> None:
    rng = np.random.default_rng(4)
    joints = rng.normal(0, 300, (40, 17, 3))
    boxes = np.concatenate(
        [joints[..., :2].min(axis=1), joints[..., :2].max(axis=1)], axis=1
    )
    pixels = boxes * 0.2 + 400
    _, side = crop.square_box(pixels)
    centres = (pixels[:, :2] + pixels[:, 2:]) / 2
    placed = crop.project_to_frame(joints, centres, side)
    np.testing.assert_allclose(placed, joints[..., :2] * 0.2 + 400, atol=1e-3)


def test_projection_does_not_know_depth_or_units() -> None:
    rng = np.random.default_rng(5)
    joints, centres = rng.normal(0, 300, (8, 17, 3)), np.full((8, 2), 50.0)
    flat = joints * [1, 1, 0]
    one = crop.project_to_frame(joints, centres, 100)
    np.testing.assert_allclose(crop.project_to_frame(flat, centres, 100), one)
    metres = crop.project_to_frame(joints / 1000, centres, 100)
    np.testing.assert_allclose(metres, one, atol=1e-3)


@pytest.mark.parametrize(
    "boxes",
    [
        np.zeros((0, 4)),
        np.zeros((3, 5)),
        np.array([[0, 0, np.nan, 4]]),
        np.array([[0, 0, 0, 4]]),
        np.array([[5, 0, 1, 4]]),
    ],
)
def test_bad_boxes_are_named(boxes) -> None:
    with pytest.raises(errors.InputError, match=r"boxes: expected .*;") as caught:
        crop.square_box(boxes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("centre", "side"), [((0, 0), 0), ((np.nan, 0), 9), ((0, 0), 1e9), ((0, 0), np.inf)]
)
def test_absurd_squares_are_refused(centre, side) -> None:
    with pytest.raises(errors.InputError, match="person box inside the picture"):
        crop.extract(np.zeros((20, 30, 3), np.uint8), np.array(centre), side, 8)


def test_shapes_that_disagree_are_refused() -> None:
    with pytest.raises(errors.InputError, match="one centre per frame"):
        crop.project_to_frame(np.zeros((4, 17, 3)), np.zeros((3, 2)), 10)
    with pytest.raises(errors.InputError, match="one picture"):
        crop.extract(np.zeros((4, 4)), np.zeros(2), 2, 2)


@pytest.mark.parametrize(
    ("centre", "side", "size"),
    [((20, 15), 24, 48), ((31.3, 8.7), 25.4, 25), ((2.2, 28.1), 40.7, 16)],
)
def test_the_matrix_says_where_a_pixel_goes(centre, side, size) -> None:
    """The centre of mass of one lit pixel, anywhere in the square."""
    for x, y in ((20, 15), (22, 18), (14, 20)):
        frame = np.zeros((30, 40, 3), np.uint8)
        frame[y, x] = 255
        crop_image = crop.extract(frame, np.array(centre), side, size)[..., 0]
        if crop_image[1:-1, 1:-1].sum() < 50:
            continue
        weights = crop_image / crop_image.sum()
        rows, columns = np.mgrid[:size, :size]
        expected = crop.matrix(np.array(centre), side, size) @ [x, y, 1.0]
        found = (columns * weights).sum(), (rows * weights).sum(), 1.0
        np.testing.assert_allclose(expected, found, atol=0.3)


def test_the_squares_of_a_steady_track_are_those_of_its_clip() -> None:
    boxes = np.tile(np.array([[10.0, 20, 40, 100]]), (90, 1))
    centres, side = crop.square_box(boxes)
    along = crop.square_boxes(boxes, 30.0)
    np.testing.assert_allclose(along[0], centres)
    np.testing.assert_allclose(along[1], side, rtol=1e-6)
    one = crop.square_boxes(boxes[:1], 30.0)
    np.testing.assert_allclose(one[1], [side], rtol=1e-6)


def test_the_square_grows_with_a_person_who_comes_near() -> None:
    height = np.linspace(50, 500, 600)  # in 20 seconds
    boxes = np.stack([0 * height, 0 * height, height / 3, height], axis=1)
    _, sides = crop.square_boxes(boxes, 30.0)
    ratio = sides[60:-60] / (crop.SIDE_FACTOR * height[60:-60])
    assert (np.diff(sides) >= -1e-3).all() and 1.0 < ratio.min() and ratio.max() < 1.3


def test_the_centre_is_smoothed_alike_at_any_rate() -> None:
    step = np.repeat([0.0, 100.0], 60)
    boxes = np.stack([step, step, step + 50, step + 80], axis=1)
    slow, fast = (crop.square_boxes(boxes, fps)[0][:, 0] for fps in (30.0, 60.0))
    # 0.1 s is 3 frames of one, 6 of the other; the step is at 59.5 of both.
    between = (fast[50:70:2] + fast[51:71:2]) / 2
    np.testing.assert_allclose(slow[55:65], between, atol=0.5)


def test_a_track_is_placed_like_a_clip() -> None:
    rng = np.random.default_rng(0)
    joints = rng.normal(0, 300, (1, 17, 3)).repeat(40, axis=0)
    boxes = np.tile(np.array([[10.0, 20, 40, 100]]), (40, 1))
    squares = crop.square_boxes(boxes, 30.0)
    placed = crop.project_track(joints, *squares, 30.0)
    clip = crop.project_to_frame(joints, *crop.square_box(boxes))
    np.testing.assert_allclose(placed, clip, rtol=1e-5, atol=1e-3)
