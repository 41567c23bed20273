"""One Adam, with loss scaling where float16 needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from sa3dhp.training import replicas

# On a GPU Keras would compile the update of each variable by XLA, which needs CUDA's
# libdevice beside TensorFlow and compiles for every shape anew; it is a few sums.
NO_XLA = {"jit_compile": False}
LossScaleOptimizer = tf.keras.mixed_precision.LossScaleOptimizer


def adam(
    learning_rate: Any,
    variables: list[tf.Variable],
    *,
    clip_norm: float | None = None,
    ema: float = 0.0,
) -> tf.keras.optimizers.Optimizer:
    """Returns an Adam whose slots exist already, so that a restore finds them.

    Args:
        learning_rate: a number or a `tf.keras.optimizers.schedules` schedule.
        variables: those it will update.
        clip_norm: largest norm of all gradients together; None for no limit.
        ema: momentum of a moving average of the variables; 0 for none.

    Returns:
        The optimizer; under the policy `mixed_float16` it scales the loss.
    """
    optimizer = tf.keras.optimizers.Adam(
        learning_rate,
        global_clipnorm=clip_norm,
        use_ema=ema > 0,
        ema_momentum=ema if ema > 0 else 0.99,
        **NO_XLA,
    )
    if tf.keras.mixed_precision.global_policy().compute_dtype == "float16":
        optimizer = LossScaleOptimizer(optimizer)
    optimizer.build(variables)
    return optimizer


def reset(optimizer: tf.keras.optimizers.Optimizer, learning_rate: float) -> None:
    """Makes an optimizer as good as new; functions traced with it stay valid.

    The moments, the step count and, under float16, the scale of the loss.
    """
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    for variable in inner.variables:
        variable.assign(tf.zeros_like(variable))
    if isinstance(optimizer, LossScaleOptimizer) and optimizer.dynamic:
        # Keras offers the scale to read only.
        optimizer._loss_scale.current_loss_scale.assign(optimizer.initial_scale)
        optimizer.dynamic_counter.assign(0)
    set_rate(optimizer, learning_rate)


def set_rate(optimizer: tf.keras.optimizers.Optimizer, learning_rate: float) -> None:
    """Sets the learning rate of an optimizer that was made with a number."""
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    inner.learning_rate = learning_rate


def update(
    optimizer: tf.keras.optimizers.Optimizer,
    tape: tf.GradientTape,
    loss: tf.Tensor,
    variables: list[tf.Variable],
) -> None:
    """Moves the variables down the gradient; a step that overflows float16 is skipped.

    Args:
        optimizer: from `adam`.
        tape: that recorded `loss`.
        loss: a float32 scalar.
        variables: those the optimizer was made for.
    """
    update_groups([(optimizer, variables)], tape, loss)


def update_groups(
    groups: Sequence[tuple[tf.keras.optimizers.Optimizer, list[tf.Variable]]],
    tape: tf.GradientTape,
    loss: tf.Tensor,
) -> None:
    """As `update`, for groups of variables with an optimizer each: one backward pass.

    Args:
        groups: optimizers from `adam`, and the variables they were made for.
        tape: that recorded `loss`.
        loss: a float32 scalar.
    """
    variables = [variable for _, group in groups for variable in group]
    whole = replicas.share(tf.ones_like(loss))
    scaled = [  # the same for all, see below
        optimizer.get_scaled_loss(whole)
        for optimizer, _ in groups
        if isinstance(optimizer, LossScaleOptimizer)
    ]
    scale = scaled[0] if scaled else whole
    gradients = tape.gradient(loss, variables, output_gradients=scale)
    if len(scaled) > 1:  # what overflows in one group stops all: one scale for ever
        bad = tf.add_n([0.0 * tf.reduce_sum(g) for g in gradients if g is not None])
        gradients = [None if g is None else g + bad for g in gradients]
    for optimizer, group in groups:
        mine, gradients = gradients[: len(group)], gradients[len(group) :]
        if scaled:
            mine = optimizer.get_unscaled_gradients(mine)
        optimizer.apply_gradients(zip(mine, group))
