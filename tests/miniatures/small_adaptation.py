"""An adaptation in small: a few clips, small networks, and steps made of them."""

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.systems.relation_distillation import relation_network, rules, views
from sa3dhp.systems.relation_distillation.steps import adaptation, terms

RULES = rules.table()
STORED = 16  # pixels; the small encoder sees 12
VIDEOS = 3
RATE = 3e-3
MOTION_SIZE = 24


def brighter(images, seed):
    """Another light for each picture."""
    shift = tf.random.stateless_uniform([tf.shape(images)[0], 1, 1, 1], seed, 0.0, 0.3)
    return images + shift


def same_light(images, seed):
    """No other light."""
    return images


def draw_clips(count=VIDEOS, seed=0):
    """Moving patterns, uint8 `[V, 60, S, S, 3]`, another one per clip."""
    rng = np.random.default_rng(seed)
    start, speed = rng.uniform(0, 255, (2, count, 1, STORED, STORED, 3))
    time = np.linspace(0, 1, 60).reshape(1, 60, 1, 1, 1)
    return ((start + speed * time) % 256).astype(np.uint8)


class SmallMotionEncoder(tf.keras.Model):
    """Stands for E_m: knows the frames by their order, and traces fast."""

    def __init__(self):
        super().__init__(dtype="float32")
        self._flatten = tf.keras.layers.Flatten()
        self._motion = tf.keras.layers.Dense(
            MOTION_SIZE, activation="tanh", dtype="float32"
        )
        self(tf.zeros([1, rules.MOTION_LENGTH, 32]))

    def call(self, latents, training=None):
        return self._motion(self._flatten(latents))


class Bench:
    """Makes observers, terms and steps of one small G.

    Attributes:
        encoder: G.
        motion_encoder: E_m.
        relations: rule and T by id.
        batch: three clips of three videos.
    """

    def __init__(self, encoder, motion_encoder, relations):
        self.encoder, self.motion_encoder = encoder, motion_encoder
        self.relations = relations
        self.batch = terms.Batch(tf.constant(draw_clips()), np.arange(VIDEOS))

    def encode(self, images):
        return self.encoder(images, training=False)

    def observer(self, augmentation=brighter, pose_frames=views.MIDDLE):
        return terms.Observer(
            self.encode,
            self.motion_encoder,
            augmentation,
            self.encoder.image_size,
            pose_frames,
        )

    def teacher(self, momentum=0.9):
        copy = type(self.encoder)()
        return terms.Teacher(self.encoder, copy, block="res3", momentum=momentum)

    def contrast(self, name="cr", temperature=0.1, normalise=False, **looks):
        parts = terms.CONTRASTIVE[name]
        return terms.Contrast(self.observer(**looks), parts, temperature, normalise)

    def term(self, name, teacher=None, **looks):
        if name in terms.CONTRASTIVE:
            return self.contrast(name, **looks)
        return terms.relation(self.observer(**looks), name, self.relations, teacher)

    def step(self, chosen, rates=RATE, *, decay_steps=0, seed=0, teacher=None, **looks):
        """`chosen`: names, or terms by name; `rates`: one for all, or by name."""
        if not isinstance(chosen, dict):
            chosen = {name: self.term(name, teacher, **looks) for name in chosen}
        if not isinstance(rates, dict):
            rates = dict.fromkeys(chosen, rates)
        return adaptation.AdaptationStep(
            self.encoder,
            self.encoder.res_variables("res3"),
            chosen,
            rates,
            decay_steps=decay_steps,
            seed=seed,
            teacher=teacher,
        )

    def readings(self, name, **looks):
        """What one term reads of the batch, for a step that did not begin."""
        return self.step((name,), **looks).terms(self.batch)


@pytest.fixture(scope="session")
def motion_encoder():
    tf.keras.utils.set_random_seed(1)
    return SmallMotionEncoder()


@pytest.fixture(scope="session")
def relations():
    tf.keras.utils.set_random_seed(2)
    size = {"pose": 32, "motion": MOTION_SIZE}
    return {
        name: (rule, relation_network.RelationNetwork((16, 16, 16, size[rule.space])))
        for name, rule in RULES.items()
    }


@pytest.fixture
def bench(small_encoder, motion_encoder, relations):
    return Bench(small_encoder, motion_encoder, relations)
