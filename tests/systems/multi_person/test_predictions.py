"""Roots are found where the pelvis map has peaks, as the grouping finds them."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.systems.multi_person import grouping, maps, predictions, sources, teacher


def test_roots_are_the_peaks_that_grouping_finds():
    rng = np.random.default_rng(0)
    scenes = []
    for count in (1, 2, 3):
        places = np.array([[5.0, 6.0], [14.0, 20.0], [22.0, 7.0]])[:count]
        points = np.full((count, 17, 2), np.nan)
        points[:, maps.SKELETON.root] = places + rng.uniform(-0.4, 0.4, places.shape)
        scenes.append(maps.draw(points)[..., maps.OWN.root_map])
    roots, heights = predictions.roots_of(tf.constant(np.stack(scenes)), 112, 4, 0.3)
    for n, scene in enumerate(scenes):
        expected = grouping.peaks(scene)
        found = roots[n, : len(expected)].numpy()
        assert (heights[n].numpy() > 0).sum() == len(expected) == n + 1
        want = sources.in_pixels(expected[:, :2], 112)
        np.testing.assert_allclose(found, want, atol=1e-3)


def test_a_peak_at_the_border_stays_in_the_picture():
    heat = np.zeros((1, 28, 28), np.float32)
    heat[0, 0, 27] = 1.0
    roots, _ = predictions.roots_of(tf.constant(heat), 112, 1, 0.3)
    assert -0.5 <= roots[0, 0, 1] < 4 and 107 < roots[0, 0, 0] <= 111.5


@pytest.mark.parametrize("size", [56, 112])
def test_the_teacher_makes_28_cells_of_its_pictures(size):
    trunk, reader = teacher.Trunk(size, 8), teacher.MapReader(8, 8)
    features = trunk(np.zeros((2, size, size, 3), np.float32))
    assert features.shape == (2, 28, 28, 8) and np.min(features) >= 0
    assert reader(features).shape == (2, 28, 28, 43)
    with pytest.raises(errors.InputError, match=f"expected .B, {size}, {size}, 3."):
        trunk(np.zeros((2, 28, 28, 3), np.float32))


@pytest.mark.parametrize("size", [28, 100, 84])
def test_a_size_that_gives_no_28_cells_is_refused(size):
    with pytest.raises(errors.InputError, match=f"got {size}, expected 28 times"):
        teacher.Trunk(size, 8)


def test_a_skeleton_is_drawn_where_it_is(tmp_path):
    points = np.full((1, 17, 2), np.nan)
    points[0, [0, 1]] = [[5, 5], [5, 15]]
    image = np.zeros((20, 20, 3), np.uint8)
    shown = predictions.drawn(image, points)
    limb = (0, 1) in maps.SKELETON.limbs or (1, 0) in maps.SKELETON.limbs
    assert shown.shape == (60, 60, 3) and bool(shown.any()) == limb
    predictions.draw(tmp_path / "a.png", image[None], [points], [points])
    assert (tmp_path / "a.png").is_file()
