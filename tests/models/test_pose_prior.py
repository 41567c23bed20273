"""The priors: kinematics around the networks, joints to latents and back."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.models import motion_autoencoder, pose_autoencoder, pose_prior
from sa3dhp.skeleton import kinematics
from sa3dhp.skeleton import skeleton as skeletons

SKELETON = skeletons.SA3DHP17


@pytest.fixture(scope="module")
def bones():
    lengths = np.random.default_rng(0).uniform(100, 400, 17).astype(np.float32)
    lengths[SKELETON.root] = 0.0
    return lengths


@pytest.fixture(scope="module")
def prior(bones):
    tf.keras.utils.set_random_seed(0)
    networks = pose_autoencoder.PoseEncoder(), pose_autoencoder.PoseDecoder()
    return pose_prior.PosePrior(*networks, SKELETON, bones)


@pytest.fixture(scope="module")
def motion(prior):
    tf.keras.utils.set_random_seed(1)
    encoder = motion_autoencoder.MotionEncoder(units=4, motion_size=8)
    decoder = motion_autoencoder.MotionDecoder(units=4, motion_size=8)
    return pose_prior.MotionPrior(encoder, decoder, prior)


def _poses(*shape):
    """Joints `[*shape, 17, 3]`, mm, root-relative."""
    joints = np.random.default_rng(0).normal(size=(*shape, 17, 3)) * 300
    joints[..., SKELETON.root, :] = 0.0
    return tf.constant(joints, tf.float32)


def test_poses_are_encoded_as_local_vectors_and_decoded_with_these_bones(prior, bones):
    joints = _poses(5)
    latent = prior.encode(joints)
    expected = prior.encoder(kinematics.to_local(joints, SKELETON))
    np.testing.assert_array_equal(latent, expected)
    assert latent.shape == (5, 32)
    decoded = prior.decode(latent)
    expected = kinematics.from_local(prior.decoder(latent), SKELETON, bones)
    np.testing.assert_array_equal(decoded, expected)
    found = kinematics.bone_lengths(decoded, SKELETON)
    np.testing.assert_allclose(found, np.tile(bones, (5, 1)), rtol=1e-3, atol=1e-3)


def test_to_local_and_back_keeps_a_pose_of_these_bones(prior):
    once = prior.with_these_bones(_poses(4, 3))
    twice = prior.with_these_bones(once)
    np.testing.assert_allclose(twice, once, atol=0.05)
    # The same directions, whatever the bones were.
    bigger = prior.with_these_bones(2.0 * _poses(4, 3))
    np.testing.assert_allclose(bigger, once, atol=0.05)


def test_distance_is_how_far_a_latent_moves_through_the_auto_encoder(prior):
    latent = tf.random.stateless_uniform([6, 32], [0, 0], -1.0, 1.0)
    local = prior.decoder(latent)
    expected = np.abs(latent - prior.encoder(local)).mean()
    np.testing.assert_allclose(prior.distance(latent, local), expected, rtol=1e-6)
    assert prior.distance(prior.encoder(local), local) == 0.0


def test_motions_go_through_the_poses_frame_by_frame(motion, prior):
    clips = _poses(2, 30)
    z = motion.latents(clips)
    assert z.shape == (2, 30, 32)
    np.testing.assert_allclose(z[1], prior.encode(clips[1]), atol=1e-5)
    joints = motion.joints(z)
    assert joints.shape == (2, 30, 17, 3)
    np.testing.assert_allclose(joints[1], prior.decode(z[1]), atol=1e-2)


def test_motions_are_encoded_and_decoded_in_whole(motion):
    clips = _poses(2, 30)
    latent = motion.encode(clips)
    assert latent.shape == (2, 8)
    expected = motion.encoder(motion.latents(clips))
    np.testing.assert_allclose(latent, expected, atol=1e-6)
    decoded = motion.decode(latent)
    assert decoded.shape == clips.shape
    expected = motion.joints(motion.decoder(latent))
    np.testing.assert_allclose(decoded, expected, atol=1e-2)


def test_both_priors_know_the_poses_they_stand_on(motion, prior):
    assert prior.pose is prior and motion.pose is prior
