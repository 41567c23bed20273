"""The unpaired set as latents."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.skeleton import kinematics
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import world
from sa3dhp.systems.relation_distillation import pairs, rules

SKELETON = skeletons.SA3DHP17
RULES = rules.table()


def _flat(local):
    """An exact 'encoder': the local vectors themselves."""
    return tf.reshape(local, [-1, 51])


def _whole(z):
    return tf.reshape(z, [-1, 30 * 51])


def _decode(latent):
    return tf.reshape(latent, [-1, 17, 3])


def _clips(count, length):
    rng = np.random.default_rng(0)
    clips = world.motions(rng, count=count, num_frames=max(length, 2))
    return clips[:, 0] if length == 1 else clips[:, :length]


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_pairs_are_what_the_rule_makes_of_the_clip(rule, monkeypatch):
    monkeypatch.setattr(pairs, "_CHUNK", 3)
    clips = _clips(4, rule.clip_length)
    anchors, partners = pairs.encode(rule, clips, SKELETON, _flat, _whole)
    pair = rule.pair_joints(tf.constant(clips), SKELETON)
    for latents, joints in zip((anchors, partners), pair):
        local = kinematics.to_local(joints, SKELETON).numpy()
        np.testing.assert_allclose(latents, local.reshape(4, -1), atol=1e-5)


@pytest.mark.parametrize("id_", ["z3", "v2", "v3"])
def test_measures_of_a_perfect_and_of_an_idle_network(id_):
    rule, clips = RULES[id_], _clips(4, RULES[id_].clip_length)
    lengths = world.mean_bone_lengths()

    def measured(transform):
        return pairs.measure(
            rule,
            transform,
            clips,
            SKELETON,
            lengths,
            encode_pose=_flat,
            encode_motion=_whole,
            decode=_decode,
        )()

    _, partners = pairs.encode(rule, clips, SKELETON, _flat, _whole)
    perfect, idle = measured(lambda _: tf.constant(partners)), measured(lambda z: z)
    assert perfect["residual"] == 0.0
    assert perfect["decoded_mm"] == perfect["reconstructed_mm"] < 0.01
    assert idle["residual"] == pytest.approx(idle["non_localness"])
    assert idle["non_localness"] == pytest.approx(perfect["non_localness"])
    assert idle["decoded_mm"] > 10


def test_batches_are_a_function_of_seed_and_step():
    anchors = np.arange(20.0)[:, None]

    def draw(start, seed=0, count=3):
        batches = pairs.batches(anchors, -anchors, seed=seed, batch_size=6)
        return list(itertools.islice(batches(start), count))

    for one, two in zip(draw(0)[2], draw(2)[0]):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(draw(0)[0][0], draw(0)[1][0])
    assert not np.array_equal(draw(0)[0][0], draw(0, seed=1)[0][0])
    np.testing.assert_array_equal(*(a * s for a, s in zip(draw(0)[0], (1, -1))))
