"""The motion stage: learns, with and without the pull on v, and moves no E_p or D_p."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.models import motion_autoencoder
from sa3dhp.models import pose_prior as priors
from sa3dhp.training.steps import motion_autoencoder as steps

OPTIONS = {
    "learning_rate": 1e-2,
    "latent_weight": 1.0,
    "joints_weight": 1.0,
    "adversarial_weight": 0.0,
    "seed": 0,
}


@pytest.fixture
def make(pose_prior):
    def build(**options):
        tf.keras.utils.set_random_seed(0)
        prior = priors.MotionPrior(
            motion_autoencoder.MotionEncoder(units=32),
            motion_autoencoder.MotionDecoder(units=32),
            pose_prior,
        )
        return steps.MotionAutoencoderStep(
            prior,
            motion_autoencoder.MotionDiscriminator(units=32),
            **{**OPTIONS, **options},
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


class _Copy(tf.keras.Model):
    """An auto-encoder that loses nothing."""

    def call(self, x, training=None):
        return x


def test_a_perfect_reconstruction_has_no_error(pose_prior, poses):
    copies = priors.MotionPrior(_Copy(), _Copy(), pose_prior)
    judge = motion_autoencoder.MotionDiscriminator(units=4)
    step = steps.MotionAutoencoderStep(copies, judge, **OPTIONS)
    terms = step.terms(tf.repeat(poses(2)[:, None], 30, axis=1))
    assert set(terms) == {"latents", "joints", "joint_error"}
    assert all(value == 0.0 for value in terms.values())


class _Still(tf.keras.Model):
    """Shows the first frame thirty times."""

    def call(self, x, training=None):
        return tf.repeat(x[:, :1], 30, axis=1)


def test_joint_error_is_the_mean_of_all_joints_but_the_root(pose_prior, poses):
    still = priors.MotionPrior(_Copy(), _Still(), pose_prior)
    judge = motion_autoencoder.MotionDiscriminator(units=4)
    step = steps.MotionAutoencoderStep(still, judge, **OPTIONS)
    clips = poses(2, 30)
    shown = still.joints(still.latents(clips)).numpy()  # what D_p makes of them
    off = np.linalg.norm(shown - shown[:, :1], axis=-1)  # [B, T, J]
    root = pose_prior.skeleton.root
    assert not off[..., root].any()
    terms = step.terms(clips)
    expected = np.delete(off, root, axis=-1).mean()
    np.testing.assert_allclose(terms["joint_error"], expected, rtol=1e-4)
    expected = np.abs(shown - shown[:, :1]).mean() / step.UNIT_MM
    np.testing.assert_allclose(terms["joints"], expected, rtol=1e-4)


def test_trackables_hold_the_optimizers_and_the_step(make):
    assert set(make().trackables) == {
        "motion_encoder",
        "motion_decoder",
        "motion_discriminator",
        "autoencoder_optimizer",
        "discriminator_optimizer",
        "iteration",
    }
