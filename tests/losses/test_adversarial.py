"""The adversarial distances, by hand."""

import numpy as np
import tensorflow as tf

from sa3dhp.losses import adversarial


def test_distance_is_weighted():
    logits = tf.constant([[1.0, 0.0], [0.0, -1.0]])
    weights = np.array([0.75, 0.25], np.float32)
    # Rows: 0.25 and 0.75 * 1 + 0.25 * 2.
    found = adversarial.distance_to(adversarial.REAL, logits, weights)
    np.testing.assert_allclose(found, (0.25 + 1.25) / 2)


def test_equal_weights_by_default():
    logits = tf.constant([[1.0, -1.0]])
    assert adversarial.distance_to(adversarial.FAKE, logits) == 1.0


def test_share_goes_by_the_sign_of_the_mean_logit():
    logits = tf.constant([[1.0, -0.5], [-1.0, 0.5], [0.2, 0.2], [0.0, 0.0]])
    assert adversarial.share_taken_for(adversarial.REAL, logits) == 0.5
    assert adversarial.share_taken_for(adversarial.FAKE, logits) == 0.25
