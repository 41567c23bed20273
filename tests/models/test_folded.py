"""G without batch norm: the same numbers, gradients and limits as Keras' own."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.models import folded, image_encoder

SIZE = 32


def _encoder(size: int = SIZE, head: str = "flat") -> image_encoder.ImageEncoder:
    """A small head, and everything that starts at zero or one made random."""
    tf.keras.utils.set_random_seed(0)
    encoder = image_encoder.ImageEncoder(size, None, 1, (8, 8, 8), 16, head)
    rng = np.random.default_rng(0)
    for variable in encoder.variables:
        kind = variable.name.rsplit("/", 1)[-1].split(":")[0]
        if kind in ("gamma", "moving_variance"):
            value = rng.uniform(0.5, 1.5, variable.shape)
            # Sixteen residuals would add up to saturated latents.
            value *= 0.3 if kind == "gamma" and "_3_bn" in variable.name else 1.0
        elif kind in ("beta", "moving_mean", "bias"):
            value = rng.normal(0, 0.1, variable.shape)
        elif "head_volumes" in variable.name:  # they start almost even
            value = rng.normal(0, 1.0, variable.shape)
        elif not variable.numpy().any():  # the kernels that close a dense block
            value = rng.normal(0, 0.1, variable.shape)
        else:
            continue
        variable.assign(value)
    return encoder


@pytest.fixture(scope="module")
def encoder() -> image_encoder.ImageEncoder:
    """Read only."""
    return _encoder()


def _images(count: int = 4, size: int = SIZE) -> tf.Tensor:
    rng = np.random.default_rng(1)
    return tf.constant(rng.uniform(0, 1, (count, size, size, 3)), tf.float32)


def _gradients(network, variables: list) -> list:
    """Of a loss that tells the coordinates of the latents apart."""

    def run(images: tf.Tensor) -> list:
        with tf.GradientTape() as tape:
            latents = network(images)
            loss = tf.reduce_sum(latents * tf.range(32, dtype=tf.float32))
        return tape.gradient(loss, variables)

    return tf.function(run, autograph=False)(_images())


def _operations(network) -> set[str]:
    """The types of all operations of a traced function, those it calls included."""
    spec = tf.TensorSpec([None, SIZE, SIZE, 3])
    graph = tf.function(network, autograph=False).get_concrete_function(spec).graph
    inner = graph.as_graph_def().library.function
    nested = {node.op for function in inner for node in function.node_def}
    return nested | {operation.type for operation in graph.get_operations()}


@pytest.mark.parametrize("size", [SIZE, 64])
def test_latents_are_those_of_keras(size: int) -> None:
    encoder = _encoder(size)
    latents = folded.fold(encoder)(_images(size=size))
    want = encoder(_images(size=size), training=False)
    assert latents.dtype == tf.float32 and latents.shape == (4, 32)
    assert 0.02 < np.std(want, axis=0).mean() and np.abs(want).max() < 0.999
    np.testing.assert_allclose(latents, want, atol=1e-4)


@pytest.mark.parametrize("block", ["res3", "all"])
def test_the_head_that_points_is_folded_alike(block) -> None:
    encoder = _encoder(head="points")
    variables = encoder.res_variables(block)
    want = encoder(_images(), training=False)
    assert 0.001 < np.std(want, axis=0).mean()
    for network in (folded.fold(encoder), folded.fold(encoder, variables)):
        np.testing.assert_allclose(network(_images()), want, atol=1e-4)
    got = _gradients(network, variables)
    kept = _gradients(lambda images: encoder(images, training=False), variables)
    for variable, mine, theirs in zip(variables, got, kept):
        error = np.linalg.norm(mine - theirs) / (np.linalg.norm(theirs) + 1e-6)
        assert error < 1e-3, f"{variable.name}: {error}"


@pytest.mark.parametrize("block", ["res2", "res3", "res4", "batch_norm", "all"])
def test_latents_and_gradients_of_each_block_are_those_of_keras(block, encoder) -> None:
    variables = encoder.res_variables(block)
    network = folded.fold(encoder, variables)
    want = encoder(_images(), training=False)
    np.testing.assert_allclose(network(_images()), want, atol=1e-4)
    got = _gradients(network, variables)
    kept = _gradients(lambda images: encoder(images, training=False), variables)
    for variable, mine, theirs in zip(variables, got, kept):
        error = np.linalg.norm(mine - theirs) / np.linalg.norm(theirs)
        assert error < 1e-4, f"{variable.name}: {error}"


def test_there_is_no_batch_norm_left(encoder) -> None:
    kept = _operations(lambda images: encoder(images, training=False))
    assert any("BatchNorm" in name for name in kept)  # the search sees them
    for variables in ((), encoder.res3_variables):
        names = _operations(folded.fold(encoder, variables))
        assert "Conv2D" in names
        assert not any("BatchNorm" in name for name in names)


def test_nothing_below_the_block_gets_a_backward_pass(encoder) -> None:
    variables = encoder.res3_variables
    network = folded.fold(encoder, variables)

    def backward(images: tf.Tensor) -> list:
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_sum(network(images))
        return tape.gradient(loss, variables)

    spec = tf.TensorSpec([None, SIZE, SIZE, 3])
    traced = tf.function(backward, autograph=False).get_concrete_function(spec)
    names = [operation.type for operation in traced.graph.get_operations()]
    assert "MaxPoolGrad" not in names
    # What is left when nothing asks for it is pruned: count what is asked for.
    wanted, queue = set(), [value.op for value in traced.graph.outputs]
    while queue:
        operation = queue.pop()
        if operation.name not in wanted:
            wanted.add(operation.name)
            queue += [value.op for value in operation.inputs]
    kinds = [traced.graph.get_operation_by_name(name).type for name in wanted]
    # Res-3: 4 blocks of 3 convolutions and a shortcut; above it Res-4 likewise with 6,
    # and 3 convolutions of the head. Below Res-3's input nothing is asked for.
    assert kinds.count("Conv2DBackpropFilter") == 4 * 3 + 1
    assert kinds.count("Conv2DBackpropInput") == (4 * 3 - 1) + (6 * 3 + 1) + 3


def test_images_and_frozen_layers_get_no_gradient(encoder) -> None:
    network, images = folded.fold(encoder, encoder.res3_variables), _images()
    others = encoder.res_variables("res2") + encoder.res_variables("res4")
    with tf.GradientTape() as tape:
        tape.watch(images)
        loss = tf.reduce_sum(network(images))
    assert all(g is None for g in tape.gradient(loss, [images, *others]))


def test_a_part_that_is_frozen_in_a_layer_that_trains_gets_no_gradient(encoder) -> None:
    network = folded.fold(encoder, encoder.res_variables("batch_norm"))
    kernel = encoder.backbone.get_layer("conv3_block2_1_conv").kernel
    gamma = encoder.backbone.get_layer("conv3_block2_1_bn").gamma
    got = _gradients(network, [kernel, gamma])
    assert got[0] is None and got[1] is not None


def test_images_get_a_gradient_where_nothing_trains(encoder) -> None:
    images, network = _images(), folded.fold(encoder)
    found = []
    for run in (network, lambda x: encoder(x, training=False)):
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_sum(run(images))
        found.append(tape.gradient(loss, images).numpy())
    error = np.linalg.norm(found[0] - found[1]) / np.linalg.norm(found[1])
    assert error < 1e-4


def test_what_trains_is_read_anew_and_the_rest_after_a_refresh(encoder) -> None:
    before = encoder.get_weights()
    network = folded.fold(encoder, encoder.res3_variables)
    run = tf.function(network, autograph=False)
    try:
        start = run(_images()).numpy()
        for variable in encoder.res3_variables:
            variable.assign(variable * 1.1)
        moved = encoder(_images(), training=False)
        assert np.abs(moved - start).max() > 1e-3
        np.testing.assert_allclose(run(_images()), moved, atol=1e-4)

        rng = np.random.default_rng(2)  # statistics as well
        encoder.set_weights([w * rng.uniform(0.8, 1.2, w.shape) for w in before])
        want = encoder(_images(), training=False)
        assert np.abs(run(_images()) - want).max() > 1e-3  # half of it is still old
        network.refresh()
        np.testing.assert_allclose(run(_images()), want, atol=1e-4)
        assert run.experimental_get_tracing_count() == 1
    finally:
        encoder.set_weights(before)


@pytest.mark.parametrize(
    ("policy", "tolerance"), [("mixed_bfloat16", 0.03), ("mixed_float16", 0.004)]
)
def test_mixed_precision_is_as_close_to_float32_as_keras(
    policy, tolerance, encoder
) -> None:
    tf.keras.mixed_precision.set_global_policy(policy)
    try:
        mixed = image_encoder.ImageEncoder(SIZE, None, 1, (8, 8, 8), 16)
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    mixed.set_weights(encoder.get_weights())
    exact = encoder(_images(), training=False)
    for variables in ((), mixed.res3_variables):
        network = folded.fold(mixed, variables)
        latents = network(_images())
        assert latents.dtype == tf.float32
        # Two roundings of the same number; a latent lies in (-1, 1).
        np.testing.assert_allclose(latents, exact, atol=tolerance)
        want = mixed(_images(), training=False)
        np.testing.assert_allclose(latents, want, atol=2 * tolerance)
    kinds = {v.dtype.name for v in folded.fold(mixed).variables}
    assert kinds == {policy.removeprefix("mixed_"), "float32"}  # the latent's layer


def test_variables_are_all_that_a_call_reads(encoder) -> None:
    for variables in ((), encoder.res3_variables):
        network = folded.fold(encoder, variables)
        run = tf.function(network, autograph=False)
        spec = tf.TensorSpec([None, SIZE, SIZE, 3])
        captured = run.get_concrete_function(spec).graph.variables
        assert {id(v) for v in captured} == {id(v) for v in network.variables}
        trained = [v for v in network.variables if v.trainable]
        assert {id(v) for v in trained} == {id(v) for v in variables}


def test_callers_find_the_encoder_and_its_size(encoder) -> None:
    network = folded.fold(encoder)
    assert network.encoder is encoder and network.image_size == SIZE


def test_images_of_another_size_are_refused(encoder) -> None:
    with pytest.raises(errors.InputError, match=r"expected \[B, 32, 32, 3\]"):
        folded.fold(encoder)(np.zeros([1, 64, 64, 3], np.float32))


def test_variables_that_cannot_train_are_refused(encoder) -> None:
    statistics = encoder.backbone.get_layer("conv3_block1_1_bn").moving_mean
    for variable in (statistics, tf.Variable(1.0, name="foreign")):
        with pytest.raises(errors.InputError, match="trainable: got"):
            folded.fold(encoder, [variable])
