"""Linking detections into tracks."""

import numpy as np
import pytest

from sa3dhp.data.videos import tracking

LOOKS = np.arange(0, 300, 3)  # ten looks a second for ten seconds, at 30 fps


def _box(x, y=200.0, height=100.0, score=0.9):
    return [x - 0.2 * height, y - height / 2, x + 0.2 * height, y + height / 2, score]


def _centres(path):
    return (path.boxes[:, :2] + path.boxes[:, 2:]) / 2


def _link(detections, looks=LOOKS, num_frames=300):
    arrays = [np.array(boxes, np.float32).reshape(-1, 5) for boxes in detections]
    paths = tracking.link(looks, arrays, 30.0, num_frames)
    return [path for path in paths if not path.doubt]


def test_a_walk_is_one_track_that_follows_it() -> None:
    (path,) = _link([[_box(100 + look)] for look in LOOKS])
    assert path.first == 0 and len(path.boxes) == 300
    x = _centres(path)[:, 0]
    np.testing.assert_allclose(x[15:280], 100 + np.arange(15, 280), atol=1.0)


def test_jitter_of_the_detector_is_smoothed() -> None:
    noise = np.random.default_rng(0).normal(0, 6, len(LOOKS))
    (path,) = _link([[_box(200 + shift)] for shift in noise])
    assert np.abs(np.diff(_centres(path)[:, 0])).max() < 1.5
    assert _centres(path)[:, 0].std() < 0.7 * noise.std()


def test_missed_looks_are_filled() -> None:
    detections = [[_box(100 + look)] for look in LOOKS]
    for missed in [*range(20, 27), 40, 41, 60]:
        detections[missed] = []
    (path,) = _link(detections)
    assert len(path.boxes) == 300
    np.testing.assert_allclose(_centres(path)[66, 0], 166, atol=2)


def test_wild_windows_do_not_move_the_track() -> None:
    rng = np.random.default_rng(1)
    detections = [[_box(300)] for _ in LOOKS]
    for boxes in detections:
        for _ in range(5):
            x, y, h = rng.uniform(0, 600), rng.uniform(0, 400), rng.uniform(60, 300)
            boxes.append(_box(x, y, h, rng.uniform(0.1, 0.7)))
    path = _link(detections)[0]
    assert np.abs(_centres(path)[:, 0] - 300).max() < 12


def test_a_person_who_leaves_and_comes_back_is_two_tracks() -> None:
    detections = [[_box(200)] if not 100 <= f < 200 else [] for f in LOOKS]
    paths = sorted(_link(detections), key=lambda path: path.first)
    assert [path.first for path in paths] == [0, 201 - 8]
    assert len(paths[0].boxes) == 99 + 1 + 8 and len(paths[1].boxes) == 99 + 8


def test_two_persons_are_two_tracks_and_the_larger_is_first() -> None:
    detections = [[_box(100, height=80), _box(600, height=200)] for _ in LOOKS]
    first, second = _link(detections)
    assert (
        abs(_centres(first)[0, 0] - 600) < 1 and abs(_centres(second)[0, 0] - 100) < 1
    )


def test_persons_who_cross_keep_their_direction() -> None:
    detections = [[_box(100 + f, 150), _box(700 - f, 350)] for f in LOOKS]
    for path in _link(detections):
        x = _centres(path)[:, 0]
        assert (np.diff(x[10:-10]) > 0).all() or (np.diff(x[10:-10]) < 0).all()


def test_windows_on_parts_of_a_person_are_no_second_track() -> None:
    parts = [_box(300, 200, 200, 0.9), _box(300, 150, 90, 0.8), _box(320, 260, 80, 0.8)]
    assert len(_link([parts for _ in LOOKS])) == 1


@pytest.mark.parametrize("score", [0.1, 0.3])
def test_low_confidence_is_nobody(score) -> None:
    assert _link([[_box(300, score=score)] for _ in LOOKS]) == []


def test_a_second_track_must_be_surer_than_the_best() -> None:
    detections = [[_box(100), _box(600, score=0.55)] for _ in LOOKS]
    assert len(_link(detections)) == 1
    assert len(_link([[_box(600, score=0.55)] for _ in LOOKS])) == 1


def test_nothing_found_is_no_track() -> None:
    assert _link([[] for _ in LOOKS]) == []
    assert _link([], looks=np.zeros(0, int), num_frames=0) == []


def test_a_jump_across_the_picture_is_not_followed() -> None:
    detections = [[_box(100 if f < 150 else 900)] for f in LOOKS]
    paths = _link(detections)
    assert len(paths) == 2 and all(np.ptp(_centres(p)[:, 0]) < 5 for p in paths)


def test_the_result_does_not_depend_on_the_order_of_windows() -> None:
    rng = np.random.default_rng(2)
    detections = []
    for _ in LOOKS:
        x, h = 300 + rng.normal(0, 9, 8), 100 + rng.normal(0, 9, 8)
        s = rng.uniform(0.2, 0.95, 8)
        detections.append([_box(*v) for v in zip(x, 200 + x * 0, h, s)])
    (one,) = _link(detections)
    (two,) = _link([boxes[::-1] for boxes in detections])
    np.testing.assert_allclose(one.boxes, two.boxes, atol=1e-3)


def test_the_best_path_agrees_with_trying_all_of_them() -> None:
    rng = np.random.default_rng(3)
    looks = np.arange(0, 15, 3)
    for _ in range(20):
        detections = [
            np.array(
                [_box(*rng.normal(200, 15, 2), 100, s) for s in rng.uniform(size=2)]
            )
            for _ in looks
        ]
        chosen = tracking._best_path(looks, detections, 30.0)
        assert _value(looks, detections, chosen) == pytest.approx(
            max(_value(looks, detections, path) for path in _all_paths(len(looks)))
        )


def _all_paths(length):
    """Every choice of window 0, window 1 or none at each look."""
    for code in range(1, 3**length):
        digits = [code // 3**k % 3 for k in range(length)]
        yield [(k, digit - 1) for k, digit in enumerate(digits) if digit]


def _value(looks, detections, path):
    """The sum that the best path maximises, term by term."""
    total = sum(detections[s][n, 4] - tracking.BIAS for s, n in path)
    for (s, n), (t, m) in zip(path, path[1:]):
        old, new = detections[s][n], detections[t][m]
        distance = np.hypot(*((new[:2] + new[2:4] - old[:2] - old[2:4]) / 2))
        tall = [box[3] - box[1] for box in (old, new)]
        reach = tracking.SLACK + tracking.SPEED * (looks[t] - looks[s]) / 30.0
        distance, growth = (
            distance / np.sqrt(tall[0] * tall[1]),
            np.log(tall[1] / tall[0]),
        )
        if distance > reach or abs(growth) > reach:
            return -np.inf
        total -= 0.5 * (distance + abs(growth)) / reach + tracking.MISS * (t - s - 1)
    return total


def test_given_boxes_are_filled_linearly() -> None:
    boxes = np.array([[0, 0, 10, 20], [40, 0, 50, 20]])
    path = tracking.from_boxes(np.array([5, 9]), boxes)
    assert path.first == 5 and path.confidence == 1.0
    np.testing.assert_allclose(path.boxes[:, 0], [0, 10, 20, 30, 40])


def _all(detections, looks=LOOKS, num_frames=300):
    arrays = [np.array(boxes, np.float32).reshape(-1, 5) for boxes in detections]
    return tracking.link(looks, arrays, 30.0, num_frames)


def test_what_is_left_out_says_why() -> None:
    (path,) = _all([[_box(300, score=0.4)] for _ in LOOKS])
    assert path.doubt == "low confidence: 0.40, needs 0.5"
    first, second = _all([[_box(100), _box(600, score=0.55)] for _ in LOOKS])
    assert first.doubt == "" and second.doubt == "low confidence: 0.55, needs 0.6"


def test_a_second_person_of_the_same_size_nearby_is_told_apart() -> None:
    first, second = _all([[_box(300, score=0.9), _box(345, score=0.8)] for _ in LOOKS])
    assert first.doubt == "" and second.doubt == tracking.BESIDE
    np.testing.assert_allclose(_centres(second)[:, 0], 345, atol=1)
    first, second = _all([[_box(300), _box(400, score=0.8)] for _ in LOOKS])
    assert first.doubt == second.doubt == ""


def test_a_box_that_jumps_about_is_nobody() -> None:
    heights = [100 if k % 2 else 130 for k in range(len(LOOKS))]
    (path,) = _all([[_box(300, height=h)] for h in heights])
    assert path.doubt.startswith("its box jumps by 26 %")


def test_scores_are_those_of_the_looks_around_and_a_miss_is_0() -> None:
    detections = [[_box(300, score=0.9)] for _ in LOOKS]
    detections[50] = []
    (path,) = _all(detections)
    assert path.scores.shape == (300,) and path.scores[0] == np.float32(0.9)
    assert path.scores[150] == 0 and 0 < path.scores[149] < 0.9
    assert path.seen == 0.99 and abs(path.confidence - 0.9 * 0.99) < 1e-6
