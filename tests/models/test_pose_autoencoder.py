"""The trees of E_p and D_p against a reference by name, and what their outputs are."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.models import pose_autoencoder
from sa3dhp.skeleton import skeleton as skeletons

SKELETON = skeletons.SA3DHP17


@pytest.fixture(autouse=True)
def _seeded():
    tf.keras.utils.set_random_seed(0)


def _unit(shape, seed=0) -> np.ndarray:
    local = np.random.default_rng(seed).normal(size=(*shape, 3))
    local /= np.linalg.norm(local, axis=-1, keepdims=True)
    local[..., SKELETON.root, :] = 0.0
    return local.astype(np.float32)


def _randomise(model) -> dict:
    """Gives a model random weights (biases too); returns them by name."""
    rng = np.random.default_rng(3)
    values = [rng.normal(size=v.shape, scale=0.3) for v in model.trainable_variables]
    for variable, value in zip(model.trainable_variables, values):
        variable.assign(value)
    names = [v.name.split("/", 1)[1] for v in model.trainable_variables]
    return dict(zip(names, values))


def _leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def test_encoder_is_the_tree():
    encoder = pose_autoencoder.PoseEncoder()
    w = _randomise(encoder)
    local = _unit((4, 17))

    def dense(name, x):
        return x @ w[f"{name}/kernel:0"] + w[f"{name}/bias:0"]

    def part(name, *inputs):
        return _leaky(dense(name, np.concatenate(inputs, -1)))

    joint = {n: local[:, j] for j, n in enumerate(SKELETON.joint_names)}
    trunk = part("trunk", joint["pelvis"], joint["neck"], joint["head_top"])
    halves = []
    for half, limb, names in (
        ("upper_body", "arm", ("shoulder", "elbow", "wrist")),
        ("lower_body", "leg", ("hip", "knee", "ankle", "foot")),
    ):
        sides = []
        for side in ("right", "left"):
            inputs = [joint["neck"]] if limb == "arm" else []
            inputs += [joint[f"{side}_{name}"] for name in names]
            tip = part(f"{side}_{limb}", *inputs)
            sides.append(part(f"trunk_{side}_{limb}", trunk, tip))
        halves.append(part(half, *sides))
    x = part("body_1", part("body_0", *halves))
    expected = np.tanh(dense("latent", x))
    np.testing.assert_allclose(encoder(local), expected, atol=2e-5)


def test_decoder_is_the_tree_mirrored():
    decoder = pose_autoencoder.PoseDecoder()
    variables = {}
    rng = np.random.default_rng(3)
    # Leaves and parts share their names; the leaves come last.
    for variable in decoder.trainable_variables:
        value = rng.normal(size=variable.shape, scale=0.3)
        variable.assign(value)
        variables.setdefault(variable.name.split("/", 1)[1], []).append(value)
    latent = rng.uniform(-1, 1, (4, 32))

    def dense(name, x, leaf=False):
        index = -1 if leaf else 0
        kernel, bias = (variables[f"{name}/{k}:0"][index] for k in ("kernel", "bias"))
        return x @ kernel + bias

    def part(name, x):
        return _leaky(dense(name, x))

    x = part("body_2", part("body_1", part("body_0", latent)))
    joints, trunk = np.zeros((4, 17, 3)), 0.0
    for half, limb, share in (
        ("upper_body", "arm", x[:, :256]),
        ("lower_body", "leg", x[:, 256:]),
    ):
        both = part(half, share)
        for side, own in (("right", both[:, :64]), ("left", both[:, 64:])):
            with_trunk = part(f"trunk_{side}_{limb}", own)
            trunk = trunk + with_trunk[:, :32]
            tip = part(f"{side}_{limb}", with_trunk[:, 32:])
            vectors = dense(f"{side}_{limb}", tip, leaf=True).reshape(4, -1, 3)
            names = pose_autoencoder.PARTS[f"{side}_{limb}"]
            joints[:, SKELETON.indices(*names)] += vectors
    vectors = dense("trunk", part("trunk", trunk), leaf=True).reshape(4, -1, 3)
    joints[:, SKELETON.indices("pelvis", "neck", "head_top")] += vectors
    joints /= np.linalg.norm(joints, axis=-1, keepdims=True)
    joints[:, SKELETON.root] = 0.0
    np.testing.assert_allclose(decoder(latent), joints, atol=2e-5)


def test_decoded_vectors_are_unit_and_the_root_is_zero():
    local = pose_autoencoder.PoseDecoder()(tf.random.uniform([64, 32], -1.0, 1.0))
    assert local.dtype == tf.float32
    norms = np.linalg.norm(local, axis=-1)
    assert (norms[:, SKELETON.root] == 0).all()
    np.testing.assert_allclose(np.delete(norms, SKELETON.root, 1), 1.0, atol=1e-5)


def test_decoding_nothing_has_a_finite_gradient():
    decoder = pose_autoencoder.PoseDecoder()
    latent = tf.zeros([1, 32])  # with zero biases every vector is zero
    with tf.GradientTape() as tape:
        tape.watch(latent)
        local = decoder(latent)
    assert np.isfinite(local).all()
    assert np.isfinite(tape.gradient(local, latent)).all()


def test_parts_go_by_joint_name_not_by_order():
    order = np.random.default_rng(0).permutation(17)
    names = tuple(SKELETON.joint_names[j] for j in order)
    parents = tuple(
        names.index(SKELETON.joint_names[SKELETON.parents[j]]) for j in order
    )
    shuffled = dataclasses.replace(SKELETON, joint_names=names, parents=parents)
    local = _unit((5, 17))
    for kind in (pose_autoencoder.PoseEncoder, pose_autoencoder.PoseDecoder):
        plain, other = kind(), kind(skeleton=shuffled)
        other.set_weights(plain.get_weights())
        if kind is pose_autoencoder.PoseEncoder:
            np.testing.assert_allclose(plain(local), other(local[:, order]), atol=1e-6)
        else:
            latent = tf.random.uniform([5, 32], -1.0, 1.0)
            expected = plain(latent).numpy()[:, order]
            np.testing.assert_allclose(other(latent), expected, atol=1e-6)


def test_a_joint_logit_sees_its_joint_only():
    discriminator = pose_autoencoder.PoseDiscriminator()
    _randomise(discriminator)
    local = _unit((1, 17))
    moved = local.copy()
    wrist = SKELETON.index("left_wrist")
    moved[:, wrist] = -moved[:, wrist]
    changed = (discriminator(local) != discriminator(moved)).numpy()[0]
    part = 17 + list(pose_autoencoder.PARTS).index("left_arm")
    assert set(np.flatnonzero(changed)) == {wrist, part, 22}


def test_logit_weights_give_joints_parts_and_body_a_third_each():
    weights = pose_autoencoder.PoseDiscriminator().logit_weights
    sums = [weights[:17].sum(), weights[17:22].sum(), weights[22:].sum()]
    np.testing.assert_allclose(sums, [1 / 3] * 3, rtol=1e-6)


def test_latents_lie_within_one():
    latent = pose_autoencoder.PoseEncoder()(_unit((16, 17)))
    assert latent.shape == (16, 32) and np.abs(latent).max() < 1.0
