"""Stage 5: adaptation to unlabelled videos ([M] eq. 1-4, [S] Alg. 1, l. 8-11)."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

from sa3dhp import errors
from sa3dhp.models import image_encoder, motion_autoencoder
from sa3dhp.systems.relation_distillation import contrastive, relation_network, views
from sa3dhp.systems.relation_distillation import relation as relation_losses
from sa3dhp.systems.relation_distillation import rules as relation_rules
from sa3dhp.training import optimisation
from sa3dhp.training.steps import source

CLIP_LENGTH = 2 * relation_rules.MOTION_LENGTH
# The frames of the clip that the contrastive terms and the 30-frame rules use: those
# that `slow-backward` takes for its partner.
_START = relation_rules.MOTION_LENGTH // 2
MIDDLE = tuple(range(_START, _START + relation_rules.MOTION_LENGTH))
CONTRASTIVE = {"cr": ("lcr", "hcr"), "lcr": ("lcr",), "hcr": ("hcr",)}
LABELLED = "source"


class AdaptationStep:
    """Moves one block of G so that its latents obey the relations on target videos.

    One Adam per term; the terms take turns, one per iteration. Batch norm runs on the
    source's statistics, and nothing below the block gets a backward pass.

    The terms, all unweighted: a rule's id for its relational energy (eq. 2-3); `lcr`,
    `hcr` (eq. 1) or `cr`, their sum; `source`, the labelled loss of the
    semi-supervised setting.
    """

    def __init__(
        self,
        encoder: image_encoder.ImageEncoder,
        motion_encoder: motion_autoencoder.MotionEncoder,
        relation_networks: Mapping[str, relation_network.RelationNetwork],
        rules: Mapping[str, relation_rules.Rule],
        augmentation: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
        *,
        terms: tuple[str, ...] = ("cr", "z3", "v2", "v3"),
        learning_rate: float | Mapping[str, float] = 1e-5,
        decay_steps: int = 0,
        temperature: float = 1.0,
        normalise: bool = False,
        trainable_block: str = "res3",
        pose_frames: int = len(MIDDLE),
        labelled_loss: source.SourceLoss | None = None,
        teacher: image_encoder.ImageEncoder | None = None,
        teacher_momentum: float = 0.0,
        seed: int = 0,
    ):
        """Builds one optimizer per term.

        Args:
            encoder: G, started from G^s.
            motion_encoder: E_m, frozen.
            relation_networks: T by rule id, frozen; at least those of `terms`.
            rules: the rules by id.
            augmentation: (images `[N, S, S, 3]` in [0, 1], seed `[2]` int64) -> images;
                changes the look and keeps the pose.
            terms: in the order of their turns.
            learning_rate: for all, or by term.
            decay_steps: updates over which it falls to zero, along a cosine; 0: never.
            temperature: of the contrastive terms.
            normalise: whether the contrastive terms use the cosine.
            trainable_block: see `ImageEncoder.res_variables`; the paper's is `res3`.
            pose_frames: of a clip's 30 that pose rules look at, evenly spread; fewer
                of more clips show more people for the same work.
            labelled_loss: of the term `source`.
            teacher: an encoder of the same shape; ours, off in the paper. It gets the
                weights of `encoder` and its block follows as a moving average. In a
                relation G then sees augmented frames, and each side learns the mean
                of what the teacher says of it and, through T, of the other side; where
                the rule turns pictures, the turned side alone learns, from the other.
            teacher_momentum: of that average, in (0, 1).
            seed: of the augmentation, a function of (seed, iteration).

        Raises:
            InputError: if a term has no rule, network, labelled loss or learning rate,
                or the teacher no momentum.
        """
        self._encoder, self._motion_encoder = encoder, motion_encoder
        self._networks, self._rules = dict(relation_networks), dict(rules)
        self._looks = views.Looks(augmentation, encoder.image_size)
        self._terms = tuple(terms)
        self._temperature, self._normalise = temperature, normalise
        self._labelled_loss = labelled_loss
        self._teacher, self._momentum = teacher, teacher_momentum
        self._seed = tf.Variable(seed, dtype=tf.int64, trainable=False)
        self._monitored = None
        self._block = trainable_block
        self._pose_frames = MIDDLE[:: max(1, len(MIDDLE) // pose_frames)]
        self._variables = encoder.res_variables(trainable_block)
        self._check(learning_rate, labelled_loss is not None, teacher is not None)
        if not isinstance(learning_rate, Mapping):
            learning_rate = dict.fromkeys(self._terms, learning_rate)
        self._rates, self._decay_steps = dict(learning_rate), decay_steps
        self._optimizers = {
            term: optimisation.adam(self._rates[term], self._variables)
            for term in self._terms
        }
        self._updates = {
            term: tf.function(
                functools.partial(self._update, term),
                reduce_retracing=True,
                autograph=False,  # it would bury the errors of bad input
            )
            for term in self._terms
        }
        if teacher is not None:
            teacher.set_weights(encoder.get_weights())
        self.iteration = tf.Variable(0, dtype=tf.int64, trainable=False)

    @property
    def models(self) -> dict[str, tf.keras.Model]:
        """The networks by name."""
        return {"image_encoder": self._encoder}

    @property
    def variables(self) -> list[tf.Variable]:
        """The trainable block's variables, all that ever changes."""
        return self._variables

    @property
    def turns(self) -> tuple[str, ...]:
        """The terms in the order of their turns."""
        return self._terms

    @property
    def rule_ids(self) -> list[str]:
        """The rules that are monitored: those that have a relation network."""
        known = [rule for rule in self._rules if rule in self._networks]
        if self._monitored is None:
            return known
        return [rule for rule in known if rule in self._monitored]

    @property
    def voters(self) -> list[str]:
        """The monitored rules that say how far the target is and which step to keep.

        They are those that turn the picture: a G that leans everybody the same way
        obeys the mirror and the clock, but not a turn. All, if none of them turns.
        """
        turning = [rule for rule in self.rule_ids if self._rules[rule].angle]
        return turning or self.rule_ids

    def monitor(self, rules: Sequence[str]) -> None:
        """Leaves all other rules out of `residuals`; call it before the first look."""
        self._monitored = tuple(rules)

    def restart(
        self,
        terms: tuple[str, ...],
        learning_rate: Mapping[str, float],
        seed: int,
        decay_steps: int = 0,
    ) -> None:
        """Begins again, from the encoder as it now is, with nothing traced anew.

        Args:
            terms: in the order of their turns; some of those it was built with.
            learning_rate: by term.
            seed: of the augmentation.
            decay_steps: see `__init__`.

        Raises:
            InputError: if it was not built with one of the terms.
        """
        unknown = sorted(set(terms) - set(self._optimizers))
        if unknown:
            raise errors.InputError(
                f"terms: got {', '.join(unknown)}; expected some of "
                f"{', '.join(self._optimizers)}, which the step was built with"
            )
        self._terms = tuple(terms)
        self._rates, self._decay_steps = dict(learning_rate), decay_steps
        for term in terms:
            optimisation.reset(self._optimizers[term], learning_rate[term])
        if self._teacher is not None:
            self._teacher.set_weights(self._encoder.get_weights())
        self._seed.assign(seed)
        self.iteration.assign(0)

    @property
    def trackables(self) -> dict:
        """All that a checkpoint must hold."""
        optimizers = {f"{t}_optimizer": self._optimizers[t] for t in self._terms}
        teacher = {} if self._teacher is None else {"teacher": self._teacher}
        return {**self.models, **optimizers, **teacher, "iteration": self.iteration}

    def terms(self, batch: Any, training: bool = False) -> dict[str, tf.Tensor]:
        """Returns all unweighted terms; `training` changes nothing, see `__call__`."""
        found = {}
        for term in self._terms:
            found.update(self._readings(term, batch))
        return found

    def __call__(self, batch: Any) -> dict[str, tf.Tensor]:
        """Runs the iteration of one term.

        Args:
            batch: clips `[V, 60, S, S, 3]`, uint8 or float in [0, 1], 30 fps, one video
                each, at the stored size; with the term `source` a tuple (clips, images
                `[B, H, W, 3]` in [0, 1], joints `[B, J, 3]` mm).

        Returns:
            The term before the update, and for contrastive terms their accuracy.

        Raises:
            InputError: if the clips have another shape.
        """
        done = int(self.iteration.numpy())
        term = self._terms[done % len(self._terms)]
        if self._decay_steps:
            left = 0.5 + 0.5 * math.cos(math.pi * min(1.0, done / self._decay_steps))
            optimisation.set_rate(self._optimizers[term], left * self._rates[term])
        readings = self._updates[term](batch)
        self.iteration.assign_add(1)
        return readings

    @tf.function(reduce_retracing=True, autograph=False)
    def residuals(self, clips: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns monitors that need no label; updates nothing.

        Args:
            clips: `[V, 60, S, S, 3]`, as for `__call__`.

        Returns:
            Scalars by name: the residual of each rule that has a network, `lcr`, `hcr`
            and their accuracies, and `spread`, the standard deviation of z over all
            frames, mean over its coordinates. The augmentation is the same at every
            call, so that the numbers of two models can be compared.
        """
        clips = self._checked(clips)
        chosen = [self._rules[rule] for rule in self.rule_ids]
        needed = self._needed_frames(chosen)
        needed[views.PLAIN] |= set(MIDDLE)
        latents = self._looks.latents(self._encoder, clips, needed)
        anchor = latents.pick(views.PLAIN, MIDDLE)
        seed = tf.stack([self._seed, tf.zeros([], tf.int64)])
        [positive] = views.encode(self._encoder, [self._augmented(clips, seed)])
        found = self._contrast(anchor, positive, ("lcr", "hcr"))
        for rule in chosen:
            pair = self._pair(rule, latents)
            found[rule.id] = relation_losses.residual(
                self._networks[rule.id](pair[0]), pair[1]
            )
        spread = tf.math.reduce_std(tf.reshape(anchor, [-1, anchor.shape[-1]]), 0)
        return {**found, "spread": tf.reduce_mean(spread)}

    def _update(self, term: str, batch: Any) -> dict[str, tf.Tensor]:
        """One iteration of a term."""
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(self._variables)
            readings = self._readings(term, batch)
        loss = readings[term]
        optimisation.update(self._optimizers[term], tape, loss, self._variables)
        if self._teacher is not None:
            slow = self._teacher.res_variables(self._block)
            for average, variable in zip(slow, self._variables):
                average.assign_add((1.0 - self._momentum) * (variable - average))
        return readings

    def _readings(self, term: str, batch: Any) -> dict[str, tf.Tensor]:
        """The term under its name, with what else is known of it."""
        clips, *labelled = batch if isinstance(batch, (tuple, list)) else (batch,)
        if term == LABELLED:
            images, joints = labelled
            latent = self._encoder(images, training=False)
            terms = self._labelled_loss.terms(latent, joints)
            return {**terms, term: self._labelled_loss.total(terms)}
        clips = self._checked(clips)
        if term not in CONTRASTIVE:
            return {term: self._relation(self._rules[term], clips)}
        plain = self._looks.show(clips, views.PLAIN, MIDDLE)
        positive = self._augmented(clips, self._light())
        sides = views.encode(self._encoder, [plain, positive])
        readings = self._contrast(*sides, CONTRASTIVE[term])
        return {**readings, term: tf.add_n([readings[n] for n in CONTRASTIVE[term]])}

    def _contrast(
        self, anchor: tf.Tensor, positive: tf.Tensor, names: tuple[str, ...]
    ) -> dict[str, tf.Tensor]:
        """Eq. 1 on `[V, 30, D]` latents (`lcr`), on their motions (`hcr`), or both."""
        readings = {}
        for name in names:
            video = tf.range(tf.shape(anchor)[0])
            if name == "hcr":
                sides = [self._motion_encoder(side) for side in (anchor, positive)]
            else:
                sides = [
                    tf.reshape(side, [-1, side.shape[-1]])  # [V 30, D]
                    for side in (anchor, positive)
                ]
                video = tf.repeat(video, len(MIDDLE))
            readings[name], readings[f"{name}_accuracy"] = contrastive.info_nce(
                *sides, video, self._temperature, self._normalise
            )
        return readings

    def _relation(self, rule: relation_rules.Rule, clips: tf.Tensor) -> tf.Tensor:
        """Eq. 2 or 3; with a teacher, G learns what the teacher says of both sides."""
        network = self._networks[rule.id]
        needed = self._needed_frames([rule])
        if self._teacher is None:
            pair = self._pair(rule, self._looks.latents(self._encoder, clips, needed))
            return relation_losses.residual(network(pair[0]), pair[1])
        shown = self._looks.latents(self._encoder, clips, needed, self._light())
        anchor, partner = self._pair(rule, shown)
        # The tape does not watch the teacher: its side passes no gradient.
        told = self._pair(rule, self._looks.latents(self._teacher, clips, needed))
        if rule.angle:  # the anchor as it was filmed is the better known of the two
            return relation_losses.residual(network(told[0]), partner)
        energy = relation_losses.residual(0.5 * (told[1] + network(told[0])), partner)
        if rule.involution:  # T leads back as well
            back = 0.5 * (told[0] + network(told[1]))
            return 0.5 * (energy + relation_losses.residual(back, anchor))
        return 0.5 * (energy + relation_losses.residual(network(anchor), told[1]))

    def _pair(
        self, rule: relation_rules.Rule, latents: views.Latents
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Anchors' and partners' latents: z `[V, F, D]`, or v `[V, M]`."""
        anchor_frames, partner_frames = self._frames(rule)
        anchor = latents.pick(views.PLAIN, anchor_frames)
        partner = latents.pick(views.of(rule), partner_frames)
        if rule.space == "motion":
            return self._motion_encoder(anchor), self._motion_encoder(partner)
        return anchor, partner

    def _augmented(self, clips: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """The middle frames in another light: `[V, 30, s, s, 3]`."""
        return self._looks.relit(self._looks.show(clips, views.PLAIN, MIDDLE), seed)

    def _light(self) -> tf.Tensor:
        """The seed of this iteration's augmentation."""
        return tf.stack([self._seed, self.iteration])

    def _frames(
        self, rule: relation_rules.Rule
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The frames of the 60-frame clip on the anchor's and the partner's side."""
        if rule.space == "pose":
            return self._pose_frames, self._pose_frames
        start = (CLIP_LENGTH - rule.clip_length) // 2
        sides = (rule.anchor_frames, rule.partner_frames)
        return tuple(tuple(start + frame for frame in side) for side in sides)

    def _needed_frames(
        self, rules: list[relation_rules.Rule]
    ) -> dict[views.Look, set[int]]:
        """The frames that the rules need, by how they are shown."""
        needed = {views.PLAIN: set()}
        for rule in rules:
            anchor, partner = self._frames(rule)
            needed[views.PLAIN].update(anchor)
            needed.setdefault(views.of(rule), set()).update(partner)
        return needed

    @staticmethod
    def _checked(clips: tf.Tensor) -> tf.Tensor:
        """The clips as float32 in [0, 1]."""
        shape = clips.shape
        if shape.rank != 5 or shape[1] != CLIP_LENGTH or shape[4] != 3:
            raise errors.InputError(
                f"clips: expected [V, {CLIP_LENGTH}, S, S, 3], got {tuple(shape)}"
            )
        if clips.dtype == tf.uint8:
            return tf.cast(clips, tf.float32) / 255.0
        return tf.cast(clips, tf.float32)

    def _check(self, learning_rate: Any, labelled: bool, teacher: bool) -> None:
        """Refuses terms without what they need."""
        for term in self._terms:
            if isinstance(learning_rate, Mapping) and term not in learning_rate:
                raise errors.InputError(f"learning_rate: none given for {term!r}")
            if term == LABELLED and not labelled:
                raise errors.InputError("terms: 'source' needs a labelled_loss")
            if term in CONTRASTIVE or term == LABELLED:
                continue
            if term not in self._rules or term not in self._networks:
                known = sorted({*self._rules} & {*self._networks})
                raise errors.InputError(
                    f"terms: no rule or relation network for {term!r}; expected one of "
                    f"{', '.join([*CONTRASTIVE, LABELLED, *known])}"
                )
        if teacher != (0.0 < self._momentum < 1.0):
            raise errors.InputError(
                "teacher: give the encoder and a momentum in (0, 1), or neither; got "
                f"{'an' if teacher else 'no'} encoder and {self._momentum}"
            )
