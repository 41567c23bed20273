"""The unpaired set as latents, and how far apart they lie."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.models import pose_prior
from sa3dhp.skeleton import kinematics
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import world
from sa3dhp.systems.relation_distillation import pairs, relation_network, rules

SKELETON = skeletons.SA3DHP17
RULES = rules.table()
pytestmark = pytest.mark.usefixtures("eagerly")  # the stage's test traces


@dataclasses.dataclass(frozen=True)
class _Exact:
    """A prior that loses nothing: the latents are the local vectors themselves."""

    pose: pose_prior.PosePrior

    def encode(self, joints):
        local = kinematics.to_local(joints, SKELETON)
        return tf.reshape(local, [len(joints), -1])

    def decode(self, latent):
        frames = latent.shape[-1] // 51
        shape = [-1, 17, 3] if frames == 1 else [-1, frames, 17, 3]
        return self.pose.from_local(tf.reshape(latent, shape))


@pytest.fixture(scope="module")
def prior():
    bones = world.mean_bone_lengths()
    return _Exact(pose_prior.PosePrior(None, None, SKELETON, bones))


def _clips(rule, count):
    rng, length = np.random.default_rng(0), rule.clip_length
    clips = world.motions(rng, count=count, num_frames=max(length, 2))
    return clips[:, 0] if rule.space == "pose" else clips[:, :length]


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_the_exact_relation_maps_anchors_to_their_partners(rule, prior):
    anchors, partners = pairs.encode(rule, _clips(rule, 4), prior)
    related = relation_network.ExactRelation(rule, prior)
    found = related(tf.constant(anchors)[:, None])
    assert found.shape == (4, 1, partners.shape[-1])
    # Slow motion has frames to fill in.
    error = np.abs(found[:, 0] - partners).max()
    assert error < (0.05 if rule.slow else 1e-4)


@pytest.mark.parametrize("rule", RULES.values(), ids=lambda rule: rule.id)
def test_pairs_are_what_the_rule_makes_of_the_clip(rule, prior, monkeypatch):
    monkeypatch.setattr(pairs, "_CHUNK", 3)
    clips = _clips(rule, 4)
    anchors, partners = pairs.encode(rule, clips, prior)
    pair = rule.pair_joints(tf.constant(clips), SKELETON)
    for latents, joints in zip((anchors, partners), pair):
        local = kinematics.to_local(joints, SKELETON).numpy()
        np.testing.assert_allclose(latents, local.reshape(4, -1), atol=1e-5)


@pytest.mark.parametrize("id_", ["z3", "v2", "v3"])
def test_measures_of_a_perfect_and_of_an_idle_network(id_, prior):
    rule = RULES[id_]
    clips = _clips(rule, 4)
    _, partners = pairs.encode(rule, clips, prior)

    def measured(transform):
        return pairs.measure(rule, transform, clips, prior)()

    perfect, idle = measured(lambda _: tf.constant(partners)), measured(lambda z: z)
    assert perfect["residual"] == 0.0
    assert perfect["decoded_mm"] == perfect["reconstructed_mm"] < 0.01
    assert idle["residual"] == pytest.approx(idle["non_localness"])
    assert idle["non_localness"] == pytest.approx(perfect["non_localness"])
    assert idle["decoded_mm"] > 10


def test_decoded_error_is_the_mean_of_all_joints_but_the_root(prior):
    rule, clips = RULES["z2"], _clips(RULES["z2"], 5)
    idle = pairs.measure(rule, lambda z: z, clips, prior)()
    ours = prior.pose.with_these_bones(clips).numpy()
    partner = rule.view.joints(ours, SKELETON).numpy()
    off = np.linalg.norm(ours - partner, axis=-1)
    expected = np.delete(off, SKELETON.root, axis=1).mean()
    assert idle["decoded_mm"] == pytest.approx(expected, rel=1e-3)


def test_the_network_is_measured_as_it_is_when_asked(prior):
    scale = tf.Variable(1.0)
    clips = _clips(RULES["z1"], 3)
    measured = pairs.measure(RULES["z1"], lambda z: scale * z, clips, prior)
    first = measured()
    scale.assign(0.0)
    second = measured()
    assert second["residual"] != first["residual"]
    assert second["non_localness"] == first["non_localness"]


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


def test_distance_by_hand():
    latent = np.array([[[0.0, 0.0], [1.0, 1.0]]])
    partner = np.array([[[3.0, 4.0], [1.0, 0.0]]])
    assert float(pairs.latent_distance(latent, partner)) == pytest.approx(3.0)


def test_distance_of_equals_is_zero():
    assert float(pairs.latent_distance(np.ones((4, 8)), np.ones((4, 8)))) == 0


def _distance(rule, clips, prior):
    return float(pairs.latent_distance(*pairs.encode(rule, clips, prior)))


def _noise(count, frames):
    rng = np.random.default_rng(0)
    return rng.normal(size=(count, frames, 17, 3)).astype(np.float32) * 200


@pytest.mark.parametrize("id_", RULES)
def test_distance_of_a_rule_is_that_of_a_slow_loop(id_, prior):
    rule = RULES[id_]
    clips = _noise(3, rule.clip_length)
    if rule.space == "pose":
        clips = clips[:, 0]
    distances = []
    for clip in clips:
        sides = rule.pair_joints(clip, SKELETON)
        a, b = (kinematics.to_local(side, SKELETON).numpy().ravel() for side in sides)
        distances.append(np.linalg.norm(a - b))
    expected = pytest.approx(np.mean(distances), rel=1e-5)
    assert _distance(rule, clips, prior) == expected


def test_the_identity_is_local(prior):
    rule = rules.Rule("z0", "identity", "pose")
    assert _distance(rule, _noise(2, 1)[:, 0], prior) == 0


def test_a_composed_rule_reaches_further_than_its_parts(prior):
    # People who stand: a roll or a mirror changes less than both together.
    poses = _noise(200, 1)[:, 0]
    poses[:, SKELETON.index("neck")] = (0, -500, 0)
    poses[:, SKELETON.index("left_hip")] = (100, 0, 60)
    poses[:, SKELETON.index("right_hip")] = (-100, 0, -60)
    far = {id_: _distance(RULES[id_], poses, prior) for id_ in ("z1", "z2", "z3")}
    assert far["z3"] > max(far["z1"], far["z2"])


def test_latents_of_different_shapes_are_named():
    with pytest.raises(errors.InputError, match=r"\(2, 8\) and partners \(2, 4\)"):
        pairs.latent_distance(np.zeros((2, 8)), np.zeros((2, 4)))
