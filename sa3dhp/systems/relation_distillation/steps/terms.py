"""The terms of an adaptation: each a loss on a batch of target clips ([M] eq. 1-4).

A term is an object with `readings`. The step that lowers it knows nothing of what it
asks, so that a new term is one class here and its line in `job.terms`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import tensorflow as tf

from sa3dhp import errors
from sa3dhp.losses import pose as pose_losses
from sa3dhp.models import motion_autoencoder
from sa3dhp.systems.relation_distillation import (
    energies,
    relation_network,
    rules,
    views,
)
from sa3dhp.training.steps import source

CONTRASTIVE = {"cr": ("lcr", "hcr"), "lcr": ("lcr",), "hcr": ("hcr",)}
LABELLED, SELF_TRAINING = "source", "self_training"
NAMES = (*CONTRASTIVE, LABELLED, SELF_TRAINING)  # of the terms that are no rule


class Batch(NamedTuple):
    """What one iteration sees.

    Attributes:
        clips: `[V, 60, S, S, 3]`, uint8 or float in [0, 1], 30 fps, at the stored size.
        videos: `[V]` integers, which video each clip is of: clips of one video are no
            negatives of each other.
        images: labelled pictures `[B, s, s, 3]` in [0, 1]; None without labels.
        joints: of them, `[B, J, 3]`, mm, unknown = NaN.
    """

    clips: tf.Tensor
    videos: tf.Tensor
    images: tf.Tensor | None = None
    joints: tf.Tensor | None = None


class Term(Protocol):
    """One loss; its readings hold it under its own name."""

    @property
    def needs_negatives(self) -> bool:
        """Whether a batch of one video teaches it nothing."""

    def readings(
        self, batch: Batch, name: str, light: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns the term under `name`, with what else is known of it.

        Args:
            batch: its clips are float32 in [0, 1].
            name: of the term.
            light: seed `[2]` int64 of this iteration's changes of light.
        """


@dataclasses.dataclass(frozen=True, eq=False)
class Observer:
    """How terms and monitors look at target clips through G.

    Attributes:
        encode: G, images `[N, s, s, 3]` in [0, 1] -> z `[N, D]`.
        encode_motion: E_m, z `[V, 30, D]` -> v `[V, M]`.
        augmentation: A(x) of eq. 1, (images, seed `[2]` int64) -> images: changes the
            look and keeps the pose.
        image_size: s, side of what G sees, pixels.
        pose_frames: of the clip, that pose rules look at.
    """

    encode: views.Encode
    encode_motion: motion_autoencoder.MotionEncoder
    augmentation: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
    image_size: int
    pose_frames: views.Frames = views.MIDDLE

    def sides(self, rule: rules.Rule) -> tuple:
        """Returns (view, frames) of a rule's anchor and of its partner."""
        anchor, partner = views.frames(rule, self.pose_frames)
        return (rules.PLAIN, anchor), (rule.view, partner)

    def latents(
        self,
        clips: tf.Tensor,
        needed: views.Needed,
        encode: views.Encode | None = None,
        light: tf.Tensor | None = None,
    ) -> views.Latents:
        """Returns latents of the needed frames, by G unless `encode` is another.

        Args:
            clips: `[V, 60, S, S, 3]` in [0, 1].
            needed: frames by view.
            encode: in the place of G.
            light: seed of another light; None for the frames as they are.
        """
        relight = None
        if light is not None:

            def relight(images: tf.Tensor) -> tf.Tensor:
                return self.augmentation(images, light)

        network = encode or self.encode
        return views.Latents(network, clips, needed, self.image_size, relight)

    def side(self, rule: rules.Rule, latents: views.Latents, side: tuple) -> tf.Tensor:
        """Returns z `[V, F, D]` of one side of a pose rule, or v `[V, M]`."""
        z = latents.pick(*side)
        return self.encode_motion(z) if rule.space == "motion" else z

    def two_lights(
        self, clips: tf.Tensor, light: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns z `[V, 30, D]` of the middle frames, and of them in another light."""
        plain = views.show(clips, rules.PLAIN, views.MIDDLE, self.image_size)
        other = views.relit(plain, lambda images: self.augmentation(images, light))
        first, second = views.encode(self.encode, [plain, other])
        return first, second


class Teacher:
    """A slow copy of G, whose block follows as a moving average; ours, not the paper's.

    Attributes:
        model: the copy.
    """

    def __init__(
        self,
        encoder: tf.keras.Model,
        model: tf.keras.Model,
        *,
        block: str,
        momentum: float,
        encode: views.Encode | None = None,
        restarted: Callable[[], None] = lambda: None,
    ):
        """Copies the weights of G.

        Args:
            encoder: G.
            model: of the same shape.
            block: the part that follows, see `ImageEncoder.res_variables`.
            momentum: of the average, in (0, 1); 1 keeps what G said at the start.
            encode: a faster form of `model`, see `folded.fold`.
            restarted: called when all weights of `model` were replaced.

        Raises:
            InputError: if the momentum is out of range.
        """
        if not 0.0 < momentum <= 1.0:
            raise errors.InputError(
                f"adaptation.teacher_momentum: got {momentum}, expected a number in "
                "(0, 1]"
            )
        self.model, self._encoder = model, encoder
        self._momentum, self._restarted = momentum, restarted
        self._encode = encode or (lambda images: model(images, training=False))
        self._fast = encoder.res_variables(block)
        self._slow = model.res_variables(block)
        self.restart()

    def __call__(self, images: tf.Tensor) -> tf.Tensor:
        """Returns z `[N, D]` of images `[N, s, s, 3]` in [0, 1]."""
        return self._encode(images)

    def restart(self) -> None:
        """Takes over all weights of G as they are."""
        self.model.set_weights(self._encoder.get_weights())
        self._restarted()

    def follow(self) -> None:
        """Moves the block towards that of G; part of a traced step."""
        for average, variable in zip(self._slow, self._fast):
            average.assign_add((1.0 - self._momentum) * (variable - average))


@dataclasses.dataclass(frozen=True, eq=False)
class Contrast:
    """L_LCR on frames, L_HCR on motions, or their sum L_CR ([M] eq. 1).

    Attributes:
        observer: looks at the clips.
        parts: of `lcr` and `hcr` those that are summed.
        temperature: of the softmax.
        normalise: whether the cosine takes the place of the dot product.
    """

    observer: Observer
    parts: tuple[str, ...]
    temperature: float
    normalise: bool
    needs_negatives = True

    def readings(
        self, batch: Batch, name: str, light: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """See `Term`; also each part and its accuracy."""
        sides = self.observer.two_lights(batch.clips, light)
        found = self.of_latents(*sides, batch.videos)
        return {**found, name: tf.add_n([found[part] for part in self.parts])}

    def of_latents(
        self, anchor: tf.Tensor, positive: tf.Tensor, videos: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns the parts and their accuracies.

        Args:
            anchor: z `[V, F, D]`.
            positive: the same in another light.
            videos: `[V]` integers.
        """
        found = {}
        for part in self.parts:
            group = videos
            first, second = anchor, positive
            if part == "hcr":
                encode = self.observer.encode_motion
                first, second = encode(first), encode(second)  # [V, M]
            else:
                group = tf.repeat(videos, anchor.shape[1])
                size = anchor.shape[-1]
                first = tf.reshape(first, [-1, size])  # [V F, D]
                second = tf.reshape(second, [-1, size])
            found[part], found[f"{part}_accuracy"] = energies.info_nce(
                first, second, group, self.temperature, self.normalise
            )
        return found


@dataclasses.dataclass(frozen=True, eq=False)
class Relation:
    """The relational energy of one rule ([M] eq. 2 of poses, eq. 3 of motions).

    With a teacher (ours) G sees frames in another light, and learns the mean of what
    the teacher says of its own side and, through T, of the other; where the rule turns
    pictures, the turned side alone learns, from the other.

    Attributes:
        observer: looks at the clips.
        rule: ties the two sides.
        network: T, frozen; see `relation_network.Relation`.
        teacher: the slow copy, or None as in the paper.
    """

    observer: Observer
    rule: rules.Rule
    network: relation_network.Relation
    teacher: Teacher | None = None
    needs_negatives = False

    def readings(
        self, batch: Batch, name: str, light: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """See `Term`."""
        if self.teacher is None:
            return {name: self._paper(batch.clips)}
        if self.rule.view.angle:
            return {name: self._taught_one_side(batch.clips, light)}
        return {name: self._taught_both_sides(batch.clips, light)}

    def _paper(self, clips: tf.Tensor) -> tf.Tensor:
        anchor, partner = self._pair(clips)
        return energies.residual(self.network(anchor), partner)

    def _taught_one_side(self, clips: tf.Tensor, light: tf.Tensor) -> tf.Tensor:
        """The anchor as it was filmed is the better known of the two."""
        see, rule = self.observer, self.rule
        plain, turned = see.sides(rule)
        told = see.latents(clips, views.merged(plain), self.teacher)
        shown = see.latents(clips, views.merged(turned), light=light)
        target = self.network(see.side(rule, told, plain))
        return energies.residual(target, see.side(rule, shown, turned))

    def _taught_both_sides(self, clips: tf.Tensor, light: tf.Tensor) -> tf.Tensor:
        shown, told = self._pair(clips, light=light), self._pair(clips, self.teacher)
        (anchor, partner), network = shown, self.network
        target = 0.5 * (told[1] + network(told[0]))
        energy = energies.residual(target, partner)
        if self.rule.involution:  # T leads back as well
            back = 0.5 * (told[0] + network(told[1]))
            return 0.5 * (energy + energies.residual(back, anchor))
        return 0.5 * (energy + energies.residual(network(anchor), told[1]))

    def _pair(
        self,
        clips: tf.Tensor,
        encode: views.Encode | None = None,
        light: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Anchors' and partners' latents: z `[V, F, D]`, or v `[V, M]`."""
        see, rule = self.observer, self.rule
        sides = see.sides(rule)
        latents = see.latents(clips, views.merged(*sides), encode, light)
        first, second = (see.side(rule, latents, side) for side in sides)
        return first, second


@dataclasses.dataclass(frozen=True, eq=False)
class Labelled:
    """The labelled loss of the semi-supervised setting ([M] 4.2 a).

    Attributes:
        encode: G.
        loss: of its latents.
    """

    encode: views.Encode
    loss: source.SourceLoss
    needs_negatives = False

    def readings(
        self, batch: Batch, name: str, light: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """See `Term`; also the loss's own terms."""
        if batch.images is None:
            raise errors.InputError(
                f"batch: got no labelled pictures, expected some for the term {name!r}"
            )
        terms = self.loss.terms(self.encode(batch.images), batch.joints)
        return {**terms, name: self.loss.total(terms)}


@dataclasses.dataclass(frozen=True, eq=False)
class SelfTraining:
    """A control without any relation: G learns what its slow copy says of a frame.

    Attributes:
        observer: looks at the clips.
        teacher: sees frames as they are, G in another light.
    """

    observer: Observer
    teacher: Teacher
    needs_negatives = False

    def readings(
        self, batch: Batch, name: str, light: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """See `Term`."""
        see, needed = self.observer, {rules.PLAIN: views.MIDDLE}
        told = see.latents(batch.clips, needed, self.teacher)
        shown = see.latents(batch.clips, needed, light=light)
        side = (rules.PLAIN, views.MIDDLE)
        difference = pose_losses.absolute_difference
        return {name: difference(shown.pick(*side), told.pick(*side))}


def relation(
    observer: Observer,
    name: str,
    relations: Mapping[str, tuple[rules.Rule, relation_network.Relation]],
    teacher: Teacher | None,
) -> Relation:
    """Returns the term of a rule.

    Args:
        observer: looks at the clips.
        name: of the rule.
        relations: the rules that have a network, by id.
        teacher: see `Relation`.

    Raises:
        InputError: if there is no such rule, or no network for it.
    """
    if name not in relations:
        raise errors.InputError(
            f"adaptation.terms: no rule or relation network for {name!r}; expected one "
            f"of {', '.join([*NAMES, *relations])}"
        )
    return Relation(observer, *relations[name], teacher)


def self_training(observer: Observer, teacher: Teacher | None) -> SelfTraining:
    """Returns the control of that name; InputError without a slow copy."""
    if teacher is None:
        raise errors.InputError(
            f"adaptation.terms: {SELF_TRAINING!r} needs a slow copy, expected "
            "adaptation.teacher_momentum in (0, 1), got 0"
        )
    return SelfTraining(observer, teacher)
