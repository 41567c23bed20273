"""Adaptation of the real image encoder: Res-3 alone, and nothing below it."""

import numpy as np
import pytest
import small_resnet
import tensorflow as tf

from sa3dhp.models import folded, image_encoder, motion_autoencoder
from sa3dhp.systems.relation_distillation import relation_network, rules
from sa3dhp.systems.relation_distillation.steps import adaptation, terms

RULES = rules.table()
WIDTHS = {
    "pose": relation_network.POSE_WIDTHS,
    "motion": relation_network.MOTION_WIDTHS,
}


def _darker(images, seed):
    del seed
    return 0.9 * images


def _step(names, block="res3", pose_frames=(20, 40)):
    encoder = image_encoder.ImageEncoder(32)
    variables = encoder.res_variables(block)
    observer = terms.Observer(
        folded.fold(encoder, variables),
        motion_autoencoder.MotionEncoder(),
        _darker,
        32,
        pose_frames,
    )
    networks = {
        name: (rule, relation_network.RelationNetwork(WIDTHS[rule.space]))
        for name, rule in RULES.items()
    }
    chosen = {}
    for name in names:
        if name in terms.CONTRASTIVE:
            parts = terms.CONTRASTIVE[name]
            chosen[name] = terms.Contrast(observer, parts, 0.1, False)
        else:
            chosen[name] = terms.relation(observer, name, networks, None)
    rates = dict.fromkeys(names, 1e-3)
    return encoder, adaptation.AdaptationStep(
        encoder, variables, chosen, rates, decay_steps=0, seed=0
    )


def _moved(encoder, step, batch, steps):
    before = [v.numpy() for v in encoder.variables]
    for _ in range(steps):
        assert all(np.isfinite(value) for value in step(batch).values())
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
def batch():
    rng = np.random.default_rng(0)
    clips = tf.constant(rng.integers(0, 256, (2, 60, 36, 36, 3), np.uint8))
    return terms.Batch(clips, np.arange(2))


def test_only_res3_moves_and_nothing_else_gets_a_backward_pass(batch):
    encoder, step = _step(("z3",))
    assert _moved(encoder, step, batch, 2) == {v.name for v in encoder.res3_variables}
    traced = step._known["z3"][2].get_concrete_function(batch)
    kinds = [op.type for op in _executed(traced.graph)]
    # Kernel gradients of the 13 convolutions of Res-3. Input gradients of those that
    # lead back to one: 3 of the head, 19 of Res-4, and Res-3's but for the two that
    # read Res-2.
    assert kinds.count("Conv2DBackpropFilter") == 13
    assert kinds.count("Conv2DBackpropInput") == 3 + 19 + 11
    assert kinds.count("Conv2D") == 1 + 10 + 13 + 19 + 3
    nodes = [node.op for node in traced.graph.as_graph_def().node]
    assert "Conv2D" in nodes and not [x for x in nodes if "BatchNorm" in x]


def test_float16_reads_four_terms_as_float32_and_an_overflow_skips_its_own(batch):
    """On a GPU; here the halves are slow, but the same."""
    names, made = ("cr", "z3", "v2", "v3"), []
    try:
        with small_resnet.used():
            for policy in ("float32", "mixed_float16"):
                tf.keras.mixed_precision.set_global_policy(policy)
                tf.keras.utils.set_random_seed(0)
                made.append(_step(names)[1])
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    plain, half = made
    optimizers = {name: half.trackables[f"{name}_optimizer"] for name in names}
    for name, optimizer in optimizers.items():
        scale = 3e38 if name == "z3" else 8.0
        optimizer._loss_scale.current_loss_scale.assign(scale)
    for name in names:
        before = [v.numpy() for v in half.variables]
        found, expected = half(batch)[name], plain(batch)[name]
        np.testing.assert_allclose(found, expected, rtol=0.02)
        moved = [v.numpy() - old for v, old in zip(half.variables, before)]
        assert all(np.isfinite(x).all() for x in moved)
        assert any(x.any() for x in moved) == (name != "z3"), "too large for a half"
    scales = {name: float(x.loss_scale) for name, x in optimizers.items()}
    assert scales.pop("z3") == pytest.approx(1.5e38)
    assert set(scales.values()) == {8.0}


@pytest.mark.slow
@pytest.mark.parametrize("block", ["res2", "res3", "res4", "batch_norm", "all"])
def test_each_block_moves_alone_under_all_terms(block, batch):
    encoder, step = _step(("cr", "z3", "v2", "v3"), block)
    names = {v.name for v in encoder.res_variables(block)}
    # From scratch some gradients are zero at first (behind silent branches).
    assert _moved(encoder, step, batch, 8) <= names
