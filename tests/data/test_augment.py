"""Augmentation changes colours, never places, and is a function of its seed."""

import numpy as np
import tensorflow as tf

from sa3dhp.data import augment

IMAGES = tf.random.stateless_uniform([4, 16, 16, 3], [0, 1])
SEED = tf.constant([1, 2], tf.int64)


def test_strength_zero_is_the_identity():
    found = augment.photometric(IMAGES, SEED, 0.0)
    np.testing.assert_allclose(found, IMAGES, atol=1e-6)


def test_the_same_seed_gives_the_same_images_and_another_seed_others():
    first = augment.photometric(IMAGES, SEED)
    np.testing.assert_array_equal(first, augment.photometric(IMAGES, SEED))
    assert np.abs(first - augment.photometric(IMAGES, SEED + 1)).max() > 0.05


def test_images_stay_in_range_and_each_gets_its_own_change():
    same = tf.repeat(IMAGES[:1], 4, axis=0)
    found = augment.photometric(same, SEED).numpy()
    assert found.min() >= 0 and found.max() <= 1
    assert np.abs(found[0] - found[1]).mean() > 0.01


def test_nothing_moves():
    image = np.full([1, 17, 17, 3], 0.4, np.float32)
    image[0, 8, 8] = 0.9
    for step in range(8):
        seed = tf.constant([0, step], tf.int64)
        found = augment.photometric(image, seed, 0.4).numpy()[0].mean(-1)
        mass = np.abs(found - np.median(found)) ** 4  # the noise counts little
        centre = (mass * np.arange(17)).sum(1).sum() / mass.sum()
        assert abs(centre - 8) < 1.5
