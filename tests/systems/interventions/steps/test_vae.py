"""E and M learn to show a picture again."""

import numpy as np
import tensorflow as tf

from sa3dhp.systems.interventions import vae
from sa3dhp.systems.interventions.steps import vae as step_


def test_thirty_steps_lower_the_error_and_codes_are_those_of_the_step():
    rng = np.random.default_rng(0)
    images = tf.constant(rng.uniform(size=(8, 8, 8, 3)), tf.float32)
    encoder, decoder = vae.Encoder(8, 4), vae.Decoder(8, 4)
    step = step_.VaeStep(
        encoder, decoder, learning_rate=1e-2, divergence_weight=0.01, seed=0
    )
    first = [float(v) for v in step.terms(images, training=True).values()]
    again = [float(v) for v in step.terms(images, training=True).values()]
    np.testing.assert_allclose(first, again, rtol=1e-5)
    found = [step(images) for _ in range(30)]
    assert float(found[-1]["reconstruction"]) < 0.7 * float(found[0]["reconstruction"])
    assert float(found[-1]["divergence"]) > 0
