"""What rules show of a clip, and that each needed frame is encoded once."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.geometry import pictures
from sa3dhp.systems.relation_distillation import rules, views

RULES = rules.table()
MIRROR = rules.View(flip=True)


def _clips(videos=2, size=6):
    rng = np.random.default_rng(0)
    return tf.constant(rng.uniform(size=(videos, 60, size, size, 3)), tf.float32)


def _mean(images):
    """A G that one can see through: the mean colour of each half, `[N, 6]`."""
    _mean.batches.append(len(images))
    left, right = tf.split(images, 2, axis=2)
    return tf.concat([tf.reduce_mean(x, [1, 2]) for x in (left, right)], -1)


@pytest.fixture(autouse=True)
def _no_batches():
    _mean.batches = []


@pytest.mark.parametrize("count", range(1, 31))
def test_spread_is_even_and_of_the_middle(count):
    found = views.spread(count)
    assert len(found) == len(set(found)) == count
    assert found[0] == 15 and set(found) <= set(views.MIDDLE)
    gaps = np.diff([*found, 45])  # the first frame after the middle
    assert gaps.max() - gaps.min() <= 1


def test_spread_of_ten_and_of_all():
    assert views.spread(10) == views.MIDDLE[::3]
    assert views.spread(30) == views.spread(99) == views.MIDDLE == tuple(range(15, 45))


def test_frames_of_both_sides_in_the_stored_clip():
    assert views.frames(RULES["z3"], (20, 30)) == ((20, 30), (20, 30))
    forward = tuple(range(15, 45))
    assert views.frames(RULES["v2"], (20, 30)) == (forward, forward[::-1])
    slow = tuple(range(0, 60, 2))
    assert views.frames(RULES["v3"], (20, 30)) == (slow, forward[::-1])


def test_frames_of_a_view_are_needed_once():
    found = views.merged((rules.PLAIN, (3, 1)), (MIRROR, (1,)), (rules.PLAIN, (1, 2)))
    assert found == {rules.PLAIN: {1, 2, 3}, MIRROR: {1}}


def test_a_view_is_shown_before_the_centre_is_cut_out():
    clips, view = _clips(size=8), rules.View(True, 0.3)
    found = views.show(clips, view, (7, 5), size=4)
    whole = view.images(tf.gather(clips, [7, 5], axis=1))
    np.testing.assert_allclose(found, pictures.center_crop(whole, 4), atol=1e-6)
    assert found.shape == (2, 2, 4, 4, 3)


def test_several_pieces_go_through_the_network_in_one_batch():
    clips = _clips()
    parts = [clips[:, :2], clips[:, 5:10]]
    first, second = views.encode(_mean, parts)
    assert _mean.batches == [2 * 7]
    for found, part in ((first, parts[0]), (second, parts[1])):
        expected = np.stack([_mean(video) for video in part])
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_latents_are_picked_by_view_and_frame_in_their_order():
    clips = _clips()
    needed = {rules.PLAIN: {4, 2, 9}, MIRROR: (9, 9, 2)}
    latents = views.Latents(_mean, clips, needed, size=6)
    assert _mean.batches == [2 * (3 + 2)]
    plain = latents.pick(rules.PLAIN, (9, 2, 9))
    assert plain.shape == (2, 3, 6)
    for column, frame in enumerate((9, 2, 9)):
        expected = _mean(clips[:, frame])
        np.testing.assert_allclose(plain[:, column], expected, atol=1e-6)
    mirrored = latents.pick(MIRROR, (2,))[:, 0].numpy()
    expected = np.roll(_mean(clips[:, 2]).numpy(), 3, axis=1)  # left is right
    np.testing.assert_allclose(mirrored, expected, atol=1e-6)


def test_another_light_falls_on_every_frame_that_is_shown():
    clips = _clips()
    needed = {rules.PLAIN: (3,), MIRROR: (3,)}
    plain, dark = (
        views.Latents(_mean, clips, needed, 6, relight)
        for relight in (None, lambda images: 0.5 * images)
    )
    for view in needed:
        expected = 0.5 * plain.pick(view, (3,))
        np.testing.assert_allclose(dark.pick(view, (3,)), expected, atol=1e-6)
