"""The teacher: what its numbers are, and what it is made of."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.systems.nrsfm import distillation, teacher

P, ATOMS = 5, (12, 6, 4)


@pytest.fixture
def network():
    tf.keras.utils.set_random_seed(0)
    made = teacher.Teacher(P, ATOMS)
    for bias in (*made.camera_biases, *made.code_biases, *made.decoder_biases):
        bias.assign(tf.random.normal(bias.shape, stddev=0.05))
    return made


@pytest.fixture
def points():
    given = np.random.default_rng(0).normal(size=(7, P, 2))
    return (given - given.mean(axis=1, keepdims=True)).astype(np.float32)


def test_output_fits_together(network, points):
    out = {name: value.numpy() for name, value in network(points).items()}
    assert out["camera"].shape == (7, 3, 2) and out["code"].shape == (7, 12)
    assert out["shape"].shape == out["joints"].shape == (7, P, 3)
    assert (out["code"] >= 0).all()
    eyes = np.tile(np.eye(2), [7, 1, 1])
    squares = out["camera"].transpose(0, 2, 1) @ out["camera"]
    np.testing.assert_allclose(squares, eyes, atol=1e-4)
    projected = out["shape"] @ out["camera"]
    np.testing.assert_allclose(out["joints"][..., :2], projected, atol=1e-5)
    seen = distillation.basis(network.dictionary, out["camera"])
    depth = tf.linalg.matvec(seen.z, out["code"])
    np.testing.assert_allclose(out["joints"][..., 2], depth, atol=1e-5)


def test_layers_are_those_of_the_formula(network, points):
    """A slow reference with the Kronecker products written out ([N] 3)."""
    w = {v.name.split(":")[0]: v.numpy() for v in network.weights}
    atoms = [w[f"dictionary_{n}"] for n in (1, 2, 3)]
    got = network(points)
    for n in range(2):
        psi = np.zeros((ATOMS[0], 3, 2))
        for k in range(ATOMS[0]):
            block = atoms[0][:, k].reshape(P, 3)
            psi[k] = block.T @ points[n] - w["camera_bias_1"][k]
        psi = np.maximum(psi, 0).reshape(-1, 2)  # [3 K_1, 2], blocks below each other
        for level in (2, 3):
            wide = np.kron(atoms[level - 1].T, np.eye(3))
            bias = np.repeat(w[f"camera_bias_{level}"], 3)[:, None]
            psi = wide @ psi - bias
            psi = np.maximum(psi, 0) if level < 3 else psi
        blocks = psi.reshape(ATOMS[-1], 3, 2)
        left, _, right = np.linalg.svd(
            np.tensordot(blocks, w["to_camera"][:, 0], (0, 0))
        )
        camera = left[:, :2] @ right
        np.testing.assert_allclose(got["camera"][n], camera, atol=1e-4)
        code = (points[n] @ camera.T).ravel()
        for level in (1, 2, 3):
            bias = w[f"code_bias_{level}"]
            code = np.maximum(atoms[level - 1].T @ code - bias, 0)
        for level in (3, 2):
            bias = w[f"decoder_bias_{level - 1}"]
            code = np.maximum(atoms[level - 1] @ code - bias, 0)
        np.testing.assert_allclose(got["code"][n], code, rtol=1e-4, atol=1e-6)
        shape = (atoms[0] @ code).reshape(P, 3)
        np.testing.assert_allclose(got["shape"][n], shape, rtol=1e-4, atol=1e-6)


def test_encoder_and_decoder_share_their_dictionaries(network):
    biases = 2 * sum(ATOMS) + sum(ATOMS[:-1])
    dictionaries = 3 * P * 12 + 12 * 6 + 6 * 4
    assert network.count_params() == dictionaries + biases + 4


def test_the_papers_size():
    made = teacher.Teacher(17, (256, 128, 64, 32, 16, 8))
    dictionaries = 51 * 256 + 256 * 128 + 128 * 64 + 64 * 32 + 32 * 16 + 16 * 8
    assert made.count_params() == dictionaries + 504 + 504 + 496 + 8
    assert made.dictionary.shape == (17, 3, 256)


def test_another_number_of_points_is_refused(network):
    with pytest.raises(errors.InputError, match=r"expected \[B, 5, 2\], got \(7, 6, 2"):
        network(np.zeros((7, 6, 2), np.float32))


def test_gradient_is_finite_for_points_that_say_nothing(network):
    with tf.GradientTape() as tape:
        out = network(tf.zeros([3, P, 2]))
        error = teacher.reprojection(out["joints"], tf.zeros([3, P, 2]))
        loss = tf.reduce_mean(error) + tf.reduce_mean(out["code"])
    for slope in tape.gradient(loss, network.trainable_variables):
        assert slope is None or np.isfinite(slope).all()


def test_reprojection_is_the_norm_of_what_the_camera_sees():
    joints, points = np.ones((2, 4, 3), np.float32), np.zeros((2, 4, 2), np.float32)
    np.testing.assert_allclose(teacher.reprojection(joints, points), np.sqrt(8.0))


def test_the_code_of_a_shape_does_not_change_as_camera_and_points_roll(network, points):
    """W Q and M Q show the same shape: q_phi(W Q, M Q) = q_phi(W, M)."""
    camera = network(points)["camera"].numpy()
    turn = np.array([[0.6, -0.8], [0.8, 0.6]], np.float32)
    same = network.code(tf.constant(points @ turn), tf.constant(camera @ turn))
    np.testing.assert_allclose(same, network.code(points, camera), atol=1e-5)


def test_of_several_cameras_the_cheapest_is_kept(points):
    tf.keras.utils.set_random_seed(1)
    made = teacher.Teacher(P, ATOMS, hypotheses=4, sparsity=0.1)
    cameras = made.cameras(tf.constant(points)).numpy()
    assert cameras.shape == (7, 4, 3, 2)
    out = made(points)
    one = teacher.Teacher(P, ATOMS, sparsity=0.1)
    one.set_weights([w[:, :1] if w.shape == (4, 4) else w for w in made.get_weights()])
    for n in range(7):
        prices = []
        for h in range(4):
            flat = tf.constant(points[n : n + 1])
            code = made.code(flat, cameras[n : n + 1, h])
            error = made.shape_of(code)[0].numpy() @ cameras[n, h] - points[n]
            prices.append(np.linalg.norm(error) + 0.1 * np.sum(code))
        best = int(np.argmin(prices))
        np.testing.assert_allclose(out["camera"][n], cameras[n, best], atol=1e-6)
    # The first alone is the plain teacher.
    np.testing.assert_allclose(one(points)["camera"], cameras[:, 0], atol=1e-5)


def test_learning_reaches_the_chosen_camera_alone(points):
    """The gradient is that of eq. 4 at the chosen cameras, whatever else was tried."""
    tf.keras.utils.set_random_seed(1)
    made = teacher.Teacher(P, ATOMS, hypotheses=4, sparsity=0.1)
    flat = tf.constant(points)

    def loss(camera, code):
        seen = tf.matmul(made.shape_of(code), camera)
        return tf.reduce_sum(teacher.reprojection(seen, flat)) + tf.reduce_sum(code)

    chosen = []
    with tf.GradientTape(persistent=True) as tape:
        out = made(flat)
        found = loss(out["camera"], out["code"])
        cameras = made.cameras(flat)
        for n in range(7):
            distance = np.abs(cameras[n] - out["camera"][n]).sum(axis=(1, 2))
            chosen.append(cameras[n, int(np.argmin(distance))])
        camera = tf.stack(chosen)
        expected = loss(camera, made.code(flat, camera))
    weights = made.trainable_variables
    for a, b in zip(tape.gradient(found, weights), tape.gradient(expected, weights)):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
