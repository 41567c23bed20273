"""Batches are a function of (seed, stream, step), whoever asks and whenever."""

import itertools
import threading

import numpy as np
import pytest

from sa3dhp.data import pipeline
from sa3dhp.errors import InputError

MOTIONS = [
    np.arange(n * 51, dtype=np.float32).reshape(n, 17, 3) + 1e4 * k
    for k, n in enumerate((60, 80, 20))
]


def _take(batches, count, start=0):
    return list(itertools.islice(batches(start), count))


def test_a_resumed_stream_goes_on_where_the_undisturbed_one_is():
    batches = pipeline.poses(MOTIONS, seed=3, batch_size=5)
    whole, rest = _take(batches, 6), _take(batches, 3, start=3)
    for a, b in zip(whole[3:], rest):
        np.testing.assert_array_equal(a, b)


def test_another_seed_gives_other_batches():
    first = [_take(pipeline.poses(MOTIONS, s, 5), 1)[0] for s in (0, 1)]
    assert (first[0] != first[1]).any()


def test_an_error_in_the_making_is_raised_where_the_batch_is_asked_for():
    def make(step):
        if step == 2:
            raise InputError("nothing left")
        return step

    batches = pipeline.stream(make)(0)
    assert [next(batches), next(batches)] == [0, 1]
    with pytest.raises(InputError, match="nothing left"):
        next(batches)


def test_a_closed_stream_ends_its_thread():
    before = threading.active_count()
    batches = pipeline.stream(lambda step: step)(0)
    next(batches)
    batches.close()
    for thread in threading.enumerate():
        if thread.name.endswith("(work)"):
            thread.join(timeout=2)
    assert threading.active_count() <= before


def test_windows_are_consecutive_frames_at_their_stride():
    found = pipeline.windows(
        MOTIONS,
        np.random.default_rng(0),
        count=40,
        num_frames=30,
        strides=(1, 2),
    )
    assert found.shape == (40, 30, 17, 3)
    steps = np.diff(found[:, :, 0, 0], axis=1) / 51
    assert set(np.unique(steps)) == {1.0, 2.0}
    assert (steps == steps[:, :1]).all()


def test_too_short_motions_are_an_error_that_says_how_short():
    with pytest.raises(InputError, match="20 frames, expected 30"):
        pipeline.windows(MOTIONS[2:], np.random.default_rng(0), count=1, num_frames=30)


PICTURES = np.arange(7, dtype=np.uint8)[:, None]
VIDEOS = np.array([0, 0, 0, 1, 1, 5, 5])


def test_clips_of_a_batch_are_of_different_videos():
    seen = set()
    for clips, videos in _take(pipeline.clips(PICTURES, VIDEOS, 0, 3), 20):
        assert sorted(videos) == [0, 1, 5]
        np.testing.assert_array_equal(VIDEOS[clips[:, 0]], videos)
        seen |= set(clips[:, 0].tolist())
    assert seen == set(range(7))


@pytest.mark.parametrize("size", [4, 5, 6, 7, 8])
def test_a_batch_is_filled_with_other_clips_of_the_same_videos(size):
    for clips, videos in _take(pipeline.clips(PICTURES, VIDEOS, 0, size), 20):
        assert len(clips) == len(set(clips[:, 0].tolist())) == min(size, 7)
        assert set(videos) == {0, 1, 5}
        np.testing.assert_array_equal(VIDEOS[clips[:, 0]], videos)


def test_a_single_video_fills_batches_with_its_clips():
    for clips, videos in _take(pipeline.clips(PICTURES, np.zeros(7, int), 0, 4), 20):
        assert len(set(clips[:, 0].tolist())) == 4 and not videos.any()


def test_a_batch_smaller_than_the_videos_takes_some_of_them():
    taken = [
        tuple(sorted(videos))
        for _, videos in _take(pipeline.clips(PICTURES, VIDEOS, 0, 2), 20)
    ]
    assert all(len(set(pair)) == 2 for pair in taken)
    assert set(taken) == {(0, 1), (0, 5), (1, 5)}


def test_clips_are_a_function_of_seed_and_step():
    batches = pipeline.clips(PICTURES, VIDEOS, 3, 5)
    whole, rest = _take(batches, 6), _take(batches, 3, start=3)
    for one, two in zip(whole[3:], rest):
        for a, b in zip(one, two):
            np.testing.assert_array_equal(a, b)
    other = _take(pipeline.clips(PICTURES, VIDEOS, 4, 5), 6)
    assert any((a[0] != b[0]).any() for a, b in zip(whole, other))


def test_clips_may_be_rows_that_are_read_when_asked_for():
    rows = pipeline.Rows(PICTURES, np.array([6, 3, 4]))
    assert len(rows) == 3
    for clips, videos in _take(pipeline.clips(rows, np.array([5, 1, 1]), 0, 3), 5):
        assert sorted(clips[:, 0]) == [3, 4, 6]
        np.testing.assert_array_equal(VIDEOS[clips[:, 0]], videos)
