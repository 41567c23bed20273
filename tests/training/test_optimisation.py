"""One Adam: what it is made with, and how it becomes as good as new."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.training import optimisation


@pytest.fixture
def float16():
    tf.keras.mixed_precision.set_global_policy("mixed_float16")
    yield
    tf.keras.mixed_precision.set_global_policy("float32")


def _update(optimizer, variable, factor=1.0):
    with tf.GradientTape() as tape:
        loss = factor * 0.5 * tf.reduce_sum(variable**2)
    optimisation.update(optimizer, tape, loss, [variable])
    return tf.identity(variable)


def _descend(optimizer, variable, steps=1, factor=1.0):
    """Lowers |x|^2 / 2; returns where it led."""
    for _ in range(steps):
        _update(optimizer, variable, factor)
    return variable.numpy()


def _moments(optimizer, variable):
    return [v for v in optimizer.variables if v.shape == variable.shape]


def test_no_update_is_compiled_by_xla_where_there_is_a_gpu(monkeypatch):
    config = tf.compat.v2.config  # as Keras has it
    monkeypatch.setattr(config, "list_physical_devices", lambda kind: [kind])
    assert tf.keras.optimizers.Adam().jit_compile  # Keras' own choice there
    assert not optimisation.adam(0.1, [tf.Variable([1.0])]).jit_compile


def test_the_slots_are_there_before_the_first_update():
    variable = tf.Variable([1.0, 2.0])
    optimizer = optimisation.adam(0.1, [variable])
    assert len(_moments(optimizer, variable)) == 2


def test_the_first_step_of_adam_is_the_learning_rate():
    variable = tf.Variable([1.0, -2.0])
    found = _descend(optimisation.adam(0.1, [variable]), variable)
    np.testing.assert_allclose(found, [0.9, -1.9], rtol=1e-5)


def test_the_gradient_is_no_longer_than_the_limit():
    # The first moment tells how long it was: a tenth of (3, 4).
    variable = tf.Variable([30.0, 40.0])
    optimizer = optimisation.adam(0.0, [variable], clip_norm=5.0)
    _descend(optimizer, variable)
    first, _ = _moments(optimizer, variable)
    np.testing.assert_allclose(first, [0.3, 0.4], rtol=1e-5)


def test_an_average_is_kept_where_it_is_asked_for():
    variable = tf.Variable([1.0])
    optimizer = optimisation.adam(0.1, [variable], ema=0.75)
    _descend(optimizer, variable)
    optimizer.finalize_variable_values([variable])
    np.testing.assert_allclose(variable, [0.75 * 1.0 + 0.25 * 0.9], rtol=1e-5)


def test_after_a_reset_the_same_run_is_the_same_to_the_bit():
    variable = tf.Variable([3.0, -1.0])
    optimizer = optimisation.adam(0.1, [variable])
    step = tf.function(lambda: _update(optimizer, variable))
    first = [step().numpy() for _ in range(4)]
    variable.assign([3.0, -1.0])
    optimisation.reset(optimizer, 0.1)
    assert optimizer.iterations == 0
    np.testing.assert_array_equal(first, [step().numpy() for _ in range(4)])
    variable.assign([3.0, -1.0])
    optimisation.reset(optimizer, 0.2)  # another rate in the same traced function
    np.testing.assert_allclose(step(), [2.8, -0.8], rtol=1e-5)
    assert step.experimental_get_tracing_count() == 1


def test_the_rate_of_either_optimizer_can_be_set(float16):
    variable = tf.Variable([1.0])
    optimizer = optimisation.adam(0.1, [variable])
    optimisation.set_rate(optimizer, 0.5)
    assert isinstance(optimizer, optimisation.LossScaleOptimizer)
    assert optimizer.inner_optimizer.learning_rate == 0.5
    np.testing.assert_allclose(_descend(optimizer, variable), [0.5], rtol=1e-5)


def test_float16_alone_scales_the_loss(float16):
    assert isinstance(
        optimisation.adam(0.1, [tf.Variable(1.0)]), optimisation.LossScaleOptimizer
    )
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    assert not isinstance(
        optimisation.adam(0.1, [tf.Variable(1.0)]), optimisation.LossScaleOptimizer
    )


def test_an_overflow_moves_nothing_and_a_reset_restores_the_scale(float16):
    variable = tf.Variable([1.0, 2.0])
    optimizer = optimisation.adam(0.1, [variable])
    initial = float(optimizer.loss_scale)
    for halved in (1, 2):
        found = _descend(optimizer, variable, factor=float("inf"))
        np.testing.assert_array_equal(found, [1.0, 2.0])
        assert optimizer.loss_scale == initial / 2**halved
    _descend(optimizer, variable)  # counts towards a greater scale
    assert optimizer.dynamic_counter == 1
    optimisation.reset(optimizer, 0.1)
    assert optimizer.loss_scale == initial == optimizer.initial_scale
    assert optimizer.dynamic_counter == 0 and optimizer.iterations == 0
    variable.assign([1.0, 2.0])
    np.testing.assert_allclose(_descend(optimizer, variable), [0.9, 1.9], rtol=1e-5)


def test_the_loss_is_scaled_without_a_warning_that_it_is_not(float16, caplog):
    """Keras warns where gradients were unscaled and no loss was scaled."""
    variable = tf.Variable([1.0, 2.0])
    optimizer = optimisation.adam(0.1, [variable])
    tf.function(lambda: _update(optimizer, variable), autograph=False)()
    _update(optimizer, variable)
    assert "get_scaled_loss" not in caplog.text


def test_groups_move_at_their_own_rates_from_one_backward_pass():
    pair = [tf.Variable([1.0]), tf.Variable([1.0, -1.0])]
    groups = [
        (optimisation.adam(r, [v]), [v]) for r, v in zip((0.1, 0.01), pair, strict=True)
    ]
    with tf.GradientTape() as tape:
        loss = tf.add_n([tf.reduce_sum(v**2) for v in pair])
    optimisation.update_groups(groups, tape, loss)
    np.testing.assert_allclose(pair[0], [0.9], rtol=1e-5)
    np.testing.assert_allclose(pair[1], [0.99, -0.99], rtol=1e-5)


def test_what_overflows_in_one_group_stops_them_all(float16):
    pair = [tf.Variable([1.0]), tf.Variable([1.0])]
    groups = [(optimisation.adam(0.1, [v]), [v]) for v in pair]
    scale = float(groups[0][0].loss_scale)
    for factor in (1e37, 1.0):  # 1e37 times the scale is beyond float32
        with tf.GradientTape() as tape:
            loss = pair[0][0] ** 2 + factor * pair[1][0] ** 2
        optimisation.update_groups(groups, tape, loss)
        if factor > 1:
            assert [float(v[0]) for v in pair] == [1.0, 1.0]
            assert float(groups[0][0].loss_scale) == scale / 2
    assert pair[0][0] == pair[1][0] < 0.95  # and went on together
