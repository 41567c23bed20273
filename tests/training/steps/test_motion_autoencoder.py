"""The motion stage: learns, with and without the pull on v, and moves no E_p or D_p."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.models import motion_autoencoder
from sa3dhp.training.steps import motion_autoencoder as steps


@pytest.fixture
def make(skeleton, bone_lengths, pose_networks):
    def build(**options):
        tf.keras.utils.set_random_seed(0)
        return steps.MotionAutoencoderStep(
            motion_autoencoder.MotionEncoder(units=32),
            motion_autoencoder.MotionDecoder(units=32),
            motion_autoencoder.MotionDiscriminator(units=32),
            *pose_networks,
            skeleton,
            bone_lengths,
            **{"learning_rate": 1e-2, **options},
        )

    return build


@pytest.mark.parametrize("adversarial_weight", [0.0, 0.1])
def test_learns_and_moves_only_what_it_should(
    make, poses, pose_networks, adversarial_weight, snapshot, unchanged
):
    step = make(adversarial_weight=adversarial_weight)
    batch = tf.repeat(poses(4)[:, None], 30, axis=1)
    frozen = [snapshot(model) for model in pose_networks]
    judge = snapshot(step.models["motion_discriminator"])
    before = step.terms(batch)
    for _ in range(30):
        terms = step(batch)
        assert all(np.isfinite(value) for value in terms.values())
    assert terms["latents"] < 0.9 * before["latents"]
    assert terms["joints"] < 0.9 * before["joints"]
    assert all(all(unchanged(m, b)) for m, b in zip(pose_networks, frozen))
    same = unchanged(step.models["motion_discriminator"], judge)
    assert all(same) if adversarial_weight == 0 else not any(same)
    assert ("adversarial" in terms) == (adversarial_weight > 0)
    assert step.__call__.experimental_get_tracing_count() == 1
    assert step.iteration == 30


def test_a_perfect_reconstruction_has_no_error(make, poses):
    step = make()

    class Copy(tf.keras.Model):
        def call(self, x, training=None):
            return x

    step._encoder = step._decoder = Copy()
    terms = step.terms(tf.repeat(poses(2)[:, None], 30, axis=1))
    assert all(value == 0.0 for value in terms.values())


def test_trackables_hold_the_optimizers_and_the_step(make):
    assert set(make().trackables) == {
        "motion_encoder",
        "motion_decoder",
        "motion_discriminator",
        "autoencoder_optimizer",
        "discriminator_optimizer",
        "iteration",
    }
