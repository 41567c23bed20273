"""Each term against what its formula says of the rule's pictures."""

import dataclasses

import numpy as np
import pytest
import small_adaptation as small
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.geometry import pictures
from sa3dhp.systems.relation_distillation import energies, rules, views
from sa3dhp.systems.relation_distillation.steps import terms
from sa3dhp.training.steps import source

RULES, VIDEOS = small.RULES, small.VIDEOS


def _floats(clips):
    return tf.cast(clips, tf.float32) / 255.0


def _encode(encoder, images):
    """Crop, then G on `[V, F, S, S, 3]` in [0, 1]: `[V, F, D]`."""
    images = pictures.center_crop(images, encoder.image_size)
    flat = tf.reshape(images, [-1, *images.shape[2:]])
    return tf.reshape(encoder(flat, training=False), [*images.shape[:2], -1])


def _residual(bench, rule, network, frames=slice(15, 45)):
    """mean || T(z) - z+ || of the rule's pair, step by step."""
    images = _floats(bench.batch.clips)
    if not rule.slow:
        images = images[:, frames]
    anchor, partner = (_encode(bench.encoder, x) for x in rule.pair_images(images))
    if rule.space == "motion":
        anchor, partner = bench.motion_encoder(anchor), bench.motion_encoder(partner)
    gap = network(tf.reshape(anchor, [-1, anchor.shape[-1]])) - tf.reshape(
        partner, [-1, partner.shape[-1]]
    )
    return np.linalg.norm(gap, axis=-1).mean()


@pytest.mark.parametrize("name", RULES)
def test_relation_energy_is_that_of_the_rules_pair(name, bench):
    found = bench.readings(name)
    assert set(found) == {name}
    expected = _residual(bench, *bench.relations[name])
    np.testing.assert_allclose(found[name], expected, rtol=1e-4)


def test_pose_rules_look_at_the_frames_they_are_told_to(bench):
    frames = views.spread(10)
    bench.encoder.frames_seen.clear()
    found = bench.readings("z3", pose_frames=frames)["z3"]
    assert bench.encoder.frames_seen == [2 * 10 * VIDEOS]
    expected = _residual(bench, *bench.relations["z3"], slice(15, 45, 3))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@dataclasses.dataclass(frozen=True)
class _Dimmed(rules.View):
    """A view with a piece that the project does not know."""

    factor: float = 1.0

    def images(self, images):
        return self.factor * super().images(images)


@pytest.mark.parametrize(("space", "id_"), [("pose", "z3"), ("motion", "v2")])
def test_a_new_piece_of_a_view_is_seen_by_the_term(space, id_, bench):
    network = bench.relations[id_][1]
    found = []
    for factor in (1.0, 0.3):
        rule = rules.Rule("a", "a", space, _Dimmed(flip=True, factor=factor))
        bench.relations = {"a": (rule, network)}
        found.append(float(bench.readings("a")["a"]))
        expected = _residual(bench, rule, network)
        assert found[-1] == pytest.approx(expected, rel=1e-4)
    assert found[0] != pytest.approx(found[1], rel=1e-2)


@pytest.mark.parametrize("normalise", [False, True])
def test_contrastive_energy_is_that_of_frames_and_of_motions(normalise, bench):
    images = _floats(bench.batch.clips)[:, 15:45]
    crops = tf.reshape(pictures.center_crop(images, 12), [-1, 12, 12, 3])
    augmented = small.brighter(crops, tf.constant([5, 0], tf.int64))
    anchor = _encode(bench.encoder, images)
    positive = tf.reshape(bench.encode(augmented), anchor.shape)
    frames = [tf.reshape(side, [-1, 32]) for side in (anchor, positive)]
    motions = [bench.motion_encoder(side) for side in (anchor, positive)]
    low, low_accuracy = energies.info_nce(
        *frames, np.repeat(np.arange(VIDEOS), 30), 0.5, normalise
    )
    high, high_accuracy = energies.info_nce(*motions, np.arange(VIDEOS), 0.5, normalise)
    expected = {
        "lcr": low,
        "hcr": high,
        "cr": low + high,
        "lcr_accuracy": low_accuracy,
        "hcr_accuracy": high_accuracy,
    }
    options = {"temperature": 0.5, "normalise": normalise}

    def readings(*names):
        chosen = {name: bench.contrast(name, **options) for name in names}
        return bench.step(chosen, seed=5).terms(bench.batch)

    found = readings("cr")
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, err_msg=name)
    alone = readings("lcr", "hcr")
    np.testing.assert_allclose(alone["lcr"], low, rtol=1e-4)
    np.testing.assert_allclose(alone["hcr"], high, rtol=1e-4)


def test_clips_of_one_video_are_no_negatives_of_each_other(bench):
    rng = np.random.default_rng(0)
    anchor, positive = rng.uniform(-1, 1, (2, 4, 30, 32)).astype(np.float32)
    videos = np.array([7, 7, 2, 5])
    found = bench.contrast("cr", temperature=4.0).of_latents(anchor, positive, videos)

    def by_hand(first, second, group):
        losses, right = [], []
        for i in range(len(first)):
            top = first[i] @ second[i] / 4.0
            wrong = [x @ first[i] / 4.0 for x in first[group != group[i]]]
            losses.append(np.log(np.exp([top, *wrong]).sum()) - top)
            right.append(top > max(wrong))
        return np.mean(losses), np.mean(right)

    low = by_hand(*(x.reshape(-1, 32) for x in (anchor, positive)), videos.repeat(30))
    motions = [bench.motion_encoder(x).numpy() for x in (anchor, positive)]
    high = by_hand(*motions, videos)
    for part, expected in (("lcr", low), ("hcr", high)):
        values = found[part], found[f"{part}_accuracy"]
        np.testing.assert_allclose(values, expected, rtol=1e-4, err_msg=part)
    one = bench.contrast("cr").of_latents(anchor, positive, np.full(4, 7))
    assert one["lcr"] == one["hcr"] == 0.0


@pytest.mark.parametrize(
    ("name", "frames"), [("cr", 60), ("z3", 60), ("v2", 60), ("v3", 45)]
)
def test_each_frame_goes_through_the_network_once(name, frames, bench):
    step = bench.step((name,))
    bench.encoder.frames_seen.clear()
    step.terms(bench.batch)
    assert bench.encoder.frames_seen == [frames * VIDEOS]


@pytest.mark.parametrize(
    ("name", "frames"), [("z1", 60), ("z2", 30), ("z3", 30), ("v2", 30), ("v3", 45)]
)
def test_a_teacher_and_its_student_see_only_what_counts(name, frames, bench):
    """Where the rule turns pictures: the teacher plain ones, the student turned."""
    teacher = bench.teacher()
    step = bench.step((name,), teacher=teacher)
    for seen in (bench.encoder.frames_seen, teacher.model.frames_seen):
        seen.clear()
    step.terms(bench.batch)
    assert bench.encoder.frames_seen == [frames * VIDEOS]
    assert teacher.model.frames_seen == [frames * VIDEOS]


@pytest.mark.parametrize("rule", RULES)
def test_a_teacher_that_is_the_student_says_the_mean_of_both_sides_or_the_anchors(
    rule, bench
):
    """Without another light the mean of both sides is half as far from either."""
    looks = {"augmentation": small.same_light}
    found = float(bench.readings(rule, teacher=bench.teacher(), **looks)[rule])
    here = float(bench.readings(rule, **looks)[rule])  # |T(a) - p|
    if RULES[rule].view.angle:  # p is told T(a)
        assert found == pytest.approx(here, rel=1e-4)
    elif not RULES[rule].involution:  # p is told the mean, T(a) is told p
        assert found == pytest.approx(0.5 * (0.5 * here + here), rel=1e-4)
    else:
        there = 4 * found - here  # |T(p) - a|
        assert there > 0 and there != pytest.approx(here, rel=1e-3)


@pytest.mark.parametrize("rule", ["z1", "z3"])
def test_only_the_student_sees_another_light(rule, bench):
    """Its own side alone changes: in the dark G says one thing of all pictures."""

    def dark(images, seed):
        return 0.0 * images

    teacher = bench.teacher()
    found = float(bench.readings(rule, teacher=teacher, augmentation=dark)[rule])
    network = bench.relations[rule][1]
    images = _floats(bench.batch.clips)[:, 15:45]
    anchor, partner = RULES[rule].pair_images(images)
    told = [tf.reshape(_encode(teacher.model, x), [-1, 32]) for x in (anchor, partner)]
    shown = bench.encode(tf.zeros([len(told[0]), 12, 12, 3]))
    if rule == "z3":
        expected = energies.residual(network(told[0]), shown)
    else:
        targets = [0.5 * (told[1 - i] + network(told[i])) for i in (0, 1)]
        expected = 0.5 * sum(energies.residual(target, shown) for target in targets)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_self_training_asks_for_what_the_slow_copy_says_of_plain_frames(bench):
    teacher = bench.teacher()
    bench.encoder.set_weights([0.9 * w for w in bench.encoder.get_weights()])
    term = terms.self_training(bench.observer(), teacher)
    found = bench.step({"self_training": term}, seed=3).terms(bench.batch)
    images = _floats(bench.batch.clips)[:, 15:45]
    crops = tf.reshape(pictures.center_crop(images, 12), [-1, 12, 12, 3])
    shown = bench.encode(small.brighter(crops, tf.constant([3, 0], tf.int64)))
    told = teacher.model(crops, training=False)
    expected = np.abs(shown - told).mean()
    np.testing.assert_allclose(found["self_training"], expected, rtol=1e-4)


def test_labelled_pictures_are_read_by_their_loss(bench, pose_prior, poses):
    loss = source.SourceLoss(pose_prior, joints_weight=1.0, latent_weight=0.5)
    step = bench.step({"source": terms.Labelled(bench.encode, loss)})
    images, joints = tf.random.stateless_uniform([4, 12, 12, 3], [0, 0]), poses(4)
    found = step.terms(bench.batch._replace(images=images, joints=joints))
    expected = loss.terms(bench.encode(images), joints)
    assert found.keys() == {*expected, "source"}
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4)
    np.testing.assert_allclose(found["source"], loss.total(expected), rtol=1e-4)
    with pytest.raises(errors.InputError, match=r"no labelled pictures.*'source'"):
        step.terms(bench.batch)


def test_float_clips_are_what_uint8_clips_are(bench):
    step = bench.step(("z3",))
    first = step.terms(bench.batch)
    second = step.terms(bench.batch._replace(clips=_floats(bench.batch.clips)))
    np.testing.assert_allclose(first["z3"], second["z3"], rtol=1e-6)
    numpy = step.terms(bench.batch._replace(clips=bench.batch.clips.numpy()))
    np.testing.assert_allclose(first["z3"], numpy["z3"], rtol=1e-6)


def test_what_no_term_can_be_made_of_is_refused(bench):
    with pytest.raises(errors.InputError, match=r"'z9'; expected one of cr, .*, z1, "):
        bench.term("z9")
    with pytest.raises(errors.InputError, match="'self_training' needs a slow copy"):
        terms.self_training(bench.observer(), None)
    for momentum in (0.0, -0.1, 1.1):
        with pytest.raises(errors.InputError, match=r"teacher_momentum.*\(0, 1\]"):
            bench.teacher(momentum)


def test_a_term_says_whether_it_needs_negatives(bench):
    names = ("cr", "lcr", "hcr", "z3", "v3")
    needy = [name for name in names if bench.term(name).needs_negatives]
    assert needy == ["cr", "lcr", "hcr"]
    assert not terms.self_training(bench.observer(), bench.teacher()).needs_negatives
    assert not terms.Labelled(bench.encode, None).needs_negatives
