"""Adaptation of the real image encoder: Res-3 alone, and nothing below it."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.models import image_encoder, motion_autoencoder
from sa3dhp.systems.relation_distillation import relation_network
from sa3dhp.systems.relation_distillation import rules as relation_rules
from sa3dhp.systems.relation_distillation.steps import adaptation


def _same(images, seed):
    del seed
    return 0.9 * images


def _step(terms, **options):
    encoder = image_encoder.ImageEncoder(32)
    networks = {
        "z3": relation_network.RelationNetwork(),
        "v2": relation_network.RelationNetwork(relation_network.MOTION_WIDTHS),
        "v3": relation_network.RelationNetwork(relation_network.MOTION_WIDTHS),
    }
    return encoder, adaptation.AdaptationStep(
        encoder,
        motion_autoencoder.MotionEncoder(),
        networks,
        relation_rules.table(),
        _same,
        terms=terms,
        **options,
    )


def _moved(encoder, step, clips, steps):
    before = [v.numpy() for v in encoder.variables]
    for _ in range(steps):
        assert all(np.isfinite(value) for value in step(clips).values())
    pairs = zip(encoder.variables, before)
    return {v.name for v, value in pairs if not np.array_equal(v.numpy(), value)}


def _executed(graph):
    """The operations that a function's results and side effects depend on."""
    found = {}
    waiting = [*graph.control_outputs, *(x.op for x in graph.outputs)]
    while waiting:
        op = waiting.pop()
        if op.name not in found:
            found[op.name] = op
            waiting += [*op.control_inputs, *(x.op for x in op.inputs)]
    return found.values()


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    return tf.constant(rng.integers(0, 256, (2, 60, 36, 36, 3), np.uint8))


def test_only_res3_moves_and_nothing_else_gets_a_backward_pass(clips):
    encoder, step = _step(("z3",), learning_rate=1e-3)
    assert _moved(encoder, step, clips, 2) == {v.name for v in encoder.res3_variables}
    graph = step._updates["z3"].get_concrete_function(clips).graph
    kinds = [op.type for op in _executed(graph)]
    # Kernel gradients of the 13 convolutions of Res-3. Input gradients of those that
    # lead back to one: 3 of the head, 19 of Res-4, and Res-3's but for the two that
    # read Res-2.
    assert kinds.count("Conv2DBackpropFilter") == 13
    assert kinds.count("Conv2DBackpropInput") == 3 + 19 + 11
    assert kinds.count("Conv2D") == 1 + 10 + 13 + 19 + 3


@pytest.mark.slow
@pytest.mark.parametrize("block", ["res2", "res3", "res4", "batch_norm", "all"])
def test_each_block_moves_alone_under_all_terms(block, clips):
    encoder, step = _step(
        ("cr", "z3", "v2", "v3"), learning_rate=1e-3, trainable_block=block
    )
    names = {v.name for v in encoder.res_variables(block)}
    # From scratch some gradients are zero at first (behind silent branches).
    assert _moved(encoder, step, clips, 8) <= names
