"""Adaptation: the energies against the rules, and what may move."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.geometry import pictures
from sa3dhp.models import motion_autoencoder
from sa3dhp.systems.relation_distillation import contrastive, relation_network
from sa3dhp.systems.relation_distillation import rules as relation_rules
from sa3dhp.systems.relation_distillation.steps import adaptation
from sa3dhp.training import optimisation
from sa3dhp.training.steps import source

RULES = relation_rules.table()
STORED = 16  # pixels; the small encoder sees 12
VIDEOS = 3
LEARNING_RATE = 3e-3


def _brighter(images, seed):
    shift = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed, 0.0, 0.3)
    return images + shift


@pytest.fixture(scope="module")
def motion_encoder():
    tf.keras.utils.set_random_seed(1)
    return motion_autoencoder.MotionEncoder(units=16, motion_size=24)


@pytest.fixture(scope="module")
def networks():
    tf.keras.utils.set_random_seed(2)
    size = {"pose": 32, "motion": 24}
    return {
        name: relation_network.RelationNetwork((16, 16, 16, size[rule.space]))
        for name, rule in RULES.items()
    }


@pytest.fixture
def make(small_encoder, motion_encoder, networks):
    def build(**options):
        options = {"learning_rate": LEARNING_RATE, "augmentation": _brighter, **options}
        return adaptation.AdaptationStep(
            small_encoder, motion_encoder, networks, RULES, **options
        )

    return build


@pytest.fixture
def clips():
    return tf.constant(_clips())


def _clips(seed=0) -> np.ndarray:
    """Moving patterns, uint8 `[V, 60, S, S, 3]`, another one per video."""
    rng = np.random.default_rng(seed)
    start, speed = rng.uniform(0, 255, (2, VIDEOS, 1, STORED, STORED, 3))
    time = np.linspace(0, 1, 60).reshape(1, 60, 1, 1, 1)
    return ((start + speed * time) % 256).astype(np.uint8)


def _encode(encoder, images):
    """Crop, then G on `[V, F, S, S, 3]` in [0, 1]: `[V, F, D]`."""
    images = pictures.center_crop(images, encoder.image_size)
    flat = tf.reshape(images, [-1, *images.shape[2:]])
    return tf.reshape(encoder(flat, training=False), [*images.shape[:2], -1])


def _floats(clips):
    return tf.cast(clips, tf.float32) / 255.0


@pytest.mark.parametrize("name", ["z1", "z2", "z3", "v1", "v2", "v3"])
def test_relation_energy_is_that_of_the_rules_pair(
    name, make, clips, small_encoder, motion_encoder, networks
):
    rule, images = RULES[name], _floats(clips)
    if not rule.slow:
        images = images[:, 15:45]
    anchor, partner = (_encode(small_encoder, x) for x in rule.pair_images(images))
    if rule.space == "motion":
        anchor, partner = motion_encoder(anchor), motion_encoder(partner)
    gap = networks[name](tf.reshape(anchor, [-1, anchor.shape[-1]])) - tf.reshape(
        partner, [-1, partner.shape[-1]]
    )
    expected = np.linalg.norm(gap, axis=-1).mean()
    found = make(terms=(name,)).terms(clips)[name]
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("normalise", [False, True])
def test_contrastive_energy_is_that_of_frames_and_of_motions(
    normalise, make, clips, small_encoder, motion_encoder
):
    images = _floats(clips)[:, 15:45]
    crops = tf.reshape(pictures.center_crop(images, 12), [-1, 12, 12, 3])
    augmented = _brighter(crops, tf.constant([5, 0], tf.int64))
    anchor = _encode(small_encoder, images)
    positive = tf.reshape(small_encoder(augmented, training=False), anchor.shape)
    frames = [tf.reshape(side, [-1, 32]) for side in (anchor, positive)]
    motions = [motion_encoder(side) for side in (anchor, positive)]
    low, low_accuracy = contrastive.info_nce(
        *frames, np.repeat(np.arange(VIDEOS), 30), 0.5, normalise
    )
    high, high_accuracy = contrastive.info_nce(
        *motions, np.arange(VIDEOS), 0.5, normalise
    )
    options = {"temperature": 0.5, "normalise": normalise, "seed": 5}
    found = make(terms=("cr",), **options).terms(clips)
    expected = {
        "lcr": low,
        "hcr": high,
        "cr": low + high,
        "lcr_accuracy": low_accuracy,
        "hcr_accuracy": high_accuracy,
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, err_msg=name)
    alone = make(terms=("lcr", "hcr"), **options).terms(clips)
    np.testing.assert_allclose(alone["lcr"], low, rtol=1e-4)
    np.testing.assert_allclose(alone["hcr"], high, rtol=1e-4)


def test_terms_take_turns_and_only_the_block_moves(
    make, clips, small_encoder, motion_encoder, networks, snapshot, unchanged
):
    step = make()
    frozen = [motion_encoder, *networks.values()]
    before = {id(model): snapshot(model) for model in (small_encoder, *frozen)}
    names = []
    for _ in range(8):
        readings = step(clips)
        assert all(np.isfinite(value) for value in readings.values())
        names.append(next(name for name in readings if name in step.turns))
    assert names == ["cr", "z3", "v2", "v3"] * 2
    assert step.iteration == 8
    for model in frozen:
        assert all(unchanged(model, before[id(model)]))
    block = {v.ref() for v in small_encoder.res_variables("res3")}
    same = unchanged(small_encoder, before[id(small_encoder)])
    for variable, untouched in zip(small_encoder.variables, same):
        assert untouched == (variable.ref() not in block), variable.name
    counts = [f.experimental_get_tracing_count() for f in step._updates.values()]
    assert counts == [1, 1, 1, 1]


@pytest.mark.parametrize("name", ["lcr", "hcr", "z3", "v2", "v3"])
def test_thirty_steps_lower_each_energy(name, make, clips):
    step = make(terms=(name,))
    before = step.terms(clips)[name]
    for _ in range(30):
        step(clips)
    assert step.terms(clips)[name] < before


@pytest.mark.parametrize(
    ("name", "frames"), [("cr", 60), ("z3", 60), ("v2", 60), ("v3", 45)]
)
def test_each_frame_goes_through_the_network_once(
    name, frames, make, clips, small_encoder
):
    step = make(terms=(name,))
    small_encoder.frames_seen.clear()
    step.terms(clips)
    assert small_encoder.frames_seen == [frames * VIDEOS]


def test_residuals_are_the_terms_and_update_nothing(
    make, clips, small_encoder, snapshot, unchanged
):
    step = make(terms=(*RULES, "cr"))
    before = snapshot(small_encoder)
    small_encoder.frames_seen.clear()
    found = step.residuals(clips)
    # Plain: 45; rotated, mirrored, and both: 30 each; augmented: 30.
    assert sum(small_encoder.frames_seen) == (45 + 3 * 30 + 30) * VIDEOS
    latent = _encode(small_encoder, _floats(clips)[:, 15:45]).numpy()
    expected = step.terms(clips)
    expected["spread"] = latent.reshape(-1, 32).std(0).mean()
    del expected["cr"]
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4, err_msg=name)
    assert all(unchanged(small_encoder, before)) and step.iteration == 0
    step.iteration.assign(7)  # the augmentation stays the same
    for name, value in step.residuals(clips).items():
        assert value == found[name], name


def test_float_clips_are_what_uint8_clips_are(make, clips):
    step = make(terms=("z3",))
    first, second = step.terms(clips), step.terms(_floats(clips))
    np.testing.assert_allclose(first["z3"], second["z3"], rtol=1e-6)


def test_learning_rate_by_term(
    eagerly, make, clips, small_encoder, snapshot, unchanged
):
    step = make(terms=("z3", "v3"), learning_rate={"z3": 0.0, "v3": 1e-3})
    before = snapshot(small_encoder)
    step(clips)
    assert all(unchanged(small_encoder, before))
    step(clips)
    assert not all(unchanged(small_encoder, before))


def test_labelled_images_take_their_turn(
    eagerly, make, clips, pose_networks, skeleton, bone_lengths, poses, small_encoder
):
    loss = source.SourceLoss(*pose_networks, skeleton, bone_lengths, latent_weight=0.5)
    step = make(terms=("source", "z3"), labelled_loss=loss)
    images = tf.random.stateless_uniform([4, 12, 12, 3], [0, 0])
    batch = (clips, images, poses(4))
    expected = loss.terms(small_encoder(images, training=False), poses(4))
    readings = step(batch)
    for name, value in expected.items():
        np.testing.assert_allclose(readings[name], value, rtol=1e-4)
    np.testing.assert_allclose(readings["source"], loss.total(expected), rtol=1e-4)
    assert set(step(batch)) == {"z3"}
    before = step.terms(batch)["source"]
    for _ in range(20):
        step(batch)
    assert step.terms(batch)["source"] < before


def test_teacher_starts_as_the_student_and_follows(eagerly, make, clips, small_encoder):
    teacher = type(small_encoder)()
    step = make(terms=("z3",), teacher=teacher, teacher_momentum=0.75)
    start = [v.numpy() for v in small_encoder.variables]
    step(clips)
    for slow, fast, first in zip(teacher.variables, small_encoder.variables, start):
        mean = 0.75 * first + 0.25 * fast.numpy()
        np.testing.assert_allclose(slow, mean, rtol=1e-5, atol=1e-7)
    assert "teacher" in step.trackables


@pytest.mark.parametrize("rule", RULES)
def test_a_teacher_that_is_the_student_says_the_mean_of_both_sides_or_the_anchors(
    rule, eagerly, make, clips, small_encoder, networks
):
    """Without another light the mean of both sides is half as far from either."""
    given = {"terms": (rule,), "augmentation": lambda images, seed: images}
    step = make(**given, teacher=type(small_encoder)(), teacher_momentum=0.9)
    found = float(step.terms(clips)[rule])
    here = float(make(**given).terms(clips)[rule])  # |T(a) - p|
    if RULES[rule].angle:  # p is told T(a)
        assert found == pytest.approx(here, rel=1e-4)
    elif not RULES[rule].involution:  # p is told the mean, T(a) is told p
        assert found == pytest.approx(0.5 * (0.5 * here + here), rel=1e-4)
    else:
        there = 4 * found - here  # |T(p) - a|
        assert there > 0 and there != pytest.approx(here, rel=1e-3)


def test_the_learning_rates_fall_along_a_cosine(eagerly, make, clips, snapshot):
    step = make(terms=("lcr", "z1"), learning_rate=1e-3, decay_steps=4)
    rates = []
    for turn in range(6):
        step(clips)
        optimizer = step.trackables[f"{('lcr', 'z1')[turn % 2]}_optimizer"]
        rates.append(float(optimizer.learning_rate))
    half = 0.5 + 0.5 * np.cos(np.pi * np.arange(6) / 4)
    expected = 1e-3 * np.where(np.arange(6) < 4, half, 0.0)
    np.testing.assert_allclose(rates, expected, rtol=1e-5, atol=1e-12)


def test_only_the_student_sees_another_light(eagerly, make, clips, small_encoder):
    def changed(strength):
        step = make(
            terms=("z1",),
            augmentation=lambda images, seed: images * strength,
            teacher=type(small_encoder)(),
            teacher_momentum=0.9,
        )
        return float(step.terms(clips)["z1"])

    assert changed(0.2) != pytest.approx(changed(1.0), rel=1e-3)


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision_learns(policy, clips, small_encoder, motion_encoder, networks):
    tf.keras.mixed_precision.set_global_policy(policy)
    try:
        encoder = type(small_encoder)()
        step = adaptation.AdaptationStep(
            encoder,
            motion_encoder,
            networks,
            RULES,
            _brighter,
            terms=("z3",),
            learning_rate=LEARNING_RATE,
        )
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    scaled = isinstance(
        step.trackables["z3_optimizer"], optimisation.LossScaleOptimizer
    )
    assert scaled == (policy == "mixed_float16")
    before = step.terms(clips)["z3"]
    for _ in range(20):
        assert np.isfinite(step(clips)["z3"])
    assert before.dtype == tf.float32 and step.terms(clips)["z3"] < before


def test_a_resumed_run_ends_where_an_undisturbed_one_ends(
    eagerly, make, clips, small_encoder, tmp_path, snapshot
):
    start = small_encoder.get_weights()
    terms = ("lcr", "z3", "v3")
    whole = make(terms=terms)
    for _ in range(5):
        whole(clips)
    expected = snapshot(small_encoder)
    small_encoder.set_weights(start)
    first = make(terms=terms)
    for _ in range(2):
        first(clips)
    path = tf.train.Checkpoint(**first.trackables).write(str(tmp_path / "half"))
    small_encoder.set_weights([0.0 * w for w in start])
    second = make(terms=terms)
    tf.train.Checkpoint(**second.trackables).read(path).assert_consumed()
    for _ in range(3):
        second(clips)
    for variable, value in zip(small_encoder.variables, expected):
        np.testing.assert_allclose(variable, value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"terms": ("z9",)}, "'z9'"),
        ({"terms": ("source",)}, "labelled_loss"),
        ({"learning_rate": {"cr": 1e-3}}, "'z3'"),
        ({"teacher_momentum": 0.9}, "teacher"),
    ],
)
def test_terms_without_what_they_need_are_refused(options, message, make):
    with pytest.raises(errors.InputError, match=message):
        make(**options)


def test_clips_of_another_length_are_refused(make, clips):
    step = make()  # a traced method holds its object weakly only
    with pytest.raises(errors.InputError, match=r"expected \[V, 60, S, S, 3\]"):
        step.residuals(clips[:, :30])
