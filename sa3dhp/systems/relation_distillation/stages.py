"""Part A of Algorithm 1 as training stages: what each trains, and on what."""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from sa3dhp.models import folded, pose_autoencoder, pose_prior
from sa3dhp.skeleton import limits
from sa3dhp.systems.relation_distillation import config as configs
from sa3dhp.systems.relation_distillation import job, pairs, rules, sources
from sa3dhp.systems.relation_distillation import networks as networks_
from sa3dhp.systems.relation_distillation.steps import relations as relation_step
from sa3dhp.training import batch_norm, loop, replicas, store
from sa3dhp.training import stage as stages_
from sa3dhp.training.steps import motion_autoencoder as motion_step
from sa3dhp.training.steps import pose_autoencoder as pose_step
from sa3dhp.training.steps import source as source_step

SKELETON = networks_.SKELETON
_REPORTED = 512  # unseen pairs or images that a network is measured on
_ESTIMATED = 512  # source pictures that batch norm's statistics are estimated on
_CHUNK = 64
_AVERAGED = 32  # batches that the head's batch norm is estimated on at the end


class Stages:
    """Makes the stages of one configuration; each needs those before it."""

    def __init__(
        self,
        config: configs.Config,
        networks: networks_.Networks,
        strategy: tf.distribute.Strategy | None = None,
    ) -> None:
        """Keeps what everything is built from; by default it trains on one device."""
        self._config, self._networks = config, networks
        self._strategy = strategy or tf.distribute.get_strategy()
        self._seed = config.training.seed
        self._make = {
            "pose_autoencoder": self._pose_autoencoder,
            "motion_autoencoder": self._motion_autoencoder,
            "source": self._source,
            "relations": self._relations,
        }

    @property
    def names(self) -> tuple[str, ...]:
        """The stages in the order of Algorithm 1."""
        return tuple(self._make)

    def parts(self, name: str) -> Iterator[stages_.Stage]:
        """Yields the parts of a stage; train each before asking for more."""
        return self._make[name]()

    def train(self, name: str, workdir: str | os.PathLike) -> list[tuple]:
        """Trains all parts of a stage, or goes on with it, and saves its networks.

        Args:
            name: one of `config.STAGES`.
            workdir: where the resumable state and the logs go.

        Returns:
            Rows of part, name of a measure, and its value on unseen data.
        """
        training, rows = self._config.training, []
        for part in self.parts(name):
            measured = stages_.train(
                part,
                self._networks.store,
                workdir,
                seed=self._seed,
                log_every=training.log_every,
                checkpoint_every=training.checkpoint_every,
            )
            rows += [(part.name, *item) for item in measured.items()]
        self._keep_floor()
        return rows

    def _keep_floor(self) -> None:
        """Keeps what G reads on its own source, once all is there that reads it.

        Who adapts the networks elsewhere does not have the pictures; the embedded world
        is drawn anew instead.
        """
        known = {path.stem for path in self._networks.store.folder.glob("*.npz")}
        relations = {networks_.relation_name(name) for name in self._networks.rules}
        needed = {*networks_.POSE, *networks_.MOTION, "image_encoder", *relations}
        data = self._config.data
        if data.source != "prepared" or not needed <= known:
            return
        if not sources.has_clips(self._config):
            return  # the adaptation says so, who cannot go on without
        fresh = networks_.Networks(self._config, self._networks.store)
        floor = job.Job(self._config, fresh).read_floor()
        others = sorted(needed - {"image_encoder"})
        self._networks.store.save_floor("image_encoder", floor, others)

    def non_localness(self, rule: rules.Rule) -> float:
        """Returns a rule's latent distance over unseen motions ([M] 3.3.3)."""
        clips = self._clips(self._unseen, rule, _REPORTED)
        anchors, partners = pairs.encode(rule, clips, self._networks.prior_of(rule))
        return float(pairs.latent_distance(anchors, partners))

    @functools.cached_property
    def _unpaired(self) -> sources.Unpaired:
        return sources.unpaired(self._config)

    @functools.cached_property
    def _unseen(self) -> Sequence[np.ndarray]:
        return sources.unpaired(self._config, held_out=True).motions

    def _rate(self, section: Any) -> Any:
        """The learning rate of a stage, by the schedule that all share."""
        return self._scheduled(section.learning_rate, section.steps)

    def _scheduled(self, rate: float, steps: int) -> Any:
        if self._config.training.schedule == "constant":
            return rate
        return tf.keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.01)

    def _pose_autoencoder(self) -> Iterator[stages_.Stage]:
        c, config = self._config.pose_autoencoder, self._config
        bones = self._unpaired.bone_lengths
        with replicas.scope(self._strategy):
            encoder, decoder = map(self._networks.new, networks_.POSE)
            step = pose_step.PoseAutoencoderStep(
                pose_prior.PosePrior(encoder, decoder, SKELETON, bones),
                self._networks.new("pose_discriminator"),
                learning_rate=self._rate(c),
                cycle_weight=c.cycle_weight,
                local_weight=c.local_weight,
                adversarial_weight=c.adversarial_weight,
                turns=pose_step.Turns(c.right_enough, c.fooled_enough),
                noise=c.discriminator_noise,
                seed=self._seed,
            )
        unseen = loop.measure(
            step, lambda: sources.pose_batches(config, self._unseen)(0)
        )
        yield stages_.Stage(
            "pose_autoencoder",
            step,
            sources.pose_batches(config, self._unpaired.motions),
            c.steps,
            dict(zip(networks_.POSE, (encoder, decoder))),
            lambda: {**unseen(), "random_in_limits": _in_limits(decoder)},
            also_saved=lambda: self._networks.store.save_bones(SKELETON, bones),
        )

    def _motion_autoencoder(self) -> Iterator[stages_.Stage]:
        c, config = self._config.motion_autoencoder, self._config
        with replicas.scope(self._strategy):
            encoder, decoder = map(self._networks.new, networks_.MOTION)
            step = motion_step.MotionAutoencoderStep(
                pose_prior.MotionPrior(encoder, decoder, self._networks.pose_prior),
                self._networks.new("motion_discriminator"),
                learning_rate=self._rate(c),
                latent_weight=c.latent_weight,
                joints_weight=c.joints_weight,
                adversarial_weight=c.adversarial_weight,
                seed=self._seed,
            )
        yield stages_.Stage(
            "motion_autoencoder",
            step,
            sources.motion_batches(config, self._unpaired.motions),
            c.steps,
            dict(zip(networks_.MOTION, (encoder, decoder))),
            loop.measure(step, lambda: sources.motion_batches(config, self._unseen)(0)),
            networks_.POSE,
        )

    def _source(self) -> Iterator[stages_.Stage]:
        c, config = self._config.source, self._config
        with replicas.scope(self._strategy):
            network = self._networks.source_start()
            loss = source_loss(config, self._networks.pose_prior)
        batches = sources.source_batches(config)
        features, statistics = None, config.image_encoder.batch_norm
        trained = network.variables_above(c.frozen_up_to)
        if statistics == "reestimated":
            seen = sources.source_examples(config, _ESTIMATED)
            batch_norm.reestimate(network, seen, _CHUNK)
        with replicas.scope(self._strategy):
            if statistics != "train":
                features = replicas.shared(folded.fold(network, trained).features)
            step = source_step.SourceStep(
                network,
                loss,
                learning_rate=self._rate(c),
                backbone_rate=self._scheduled(c.backbone_rate, c.steps)
                if c.backbone_rate
                else None,
                clip_norm=c.clip_norm or None,
                ema=c.ema,
                features=features,
                variables=trained,
            )
        yield stages_.Stage(
            "source",
            step,
            batches,
            c.steps,
            {"image_encoder": network},
            loop.measure(step, self._unseen_images),
            networks_.POSE,
            {"image_size": config.data.image_size},
            finalise=lambda: step.finalise(itertools.islice(batches(0), _AVERAGED)),
        )

    def _relations(self) -> Iterator[stages_.Stage]:
        for rule in self._networks.rules.values():
            yield self._relation(rule)

    def _relation(self, rule: rules.Rule) -> stages_.Stage:
        c, name = self._config.relations, networks_.relation_name(rule.id)
        prior = self._networks.prior_of(rule)
        with replicas.scope(self._strategy):
            network = self._networks.new(name)
            step = relation_step.RelationStep(network, learning_rate=self._rate(c))
        clips = self._clips(self._unpaired.motions, rule, c.pairs)
        unseen = self._clips(self._unseen, rule, min(c.pairs, _REPORTED))
        return stages_.Stage(
            name,
            step,
            pairs.batches(
                *pairs.encode(rule, clips, prior),
                seed=self._seed,
                batch_size=c.batch_size,
            ),
            c.steps,
            {name: network},
            pairs.measure(rule, network, unseen, prior),
            networks_.POSE + (networks_.MOTION if rule.space == "motion" else ()),
            self._networks.made_of(rule),
        )

    def _clips(
        self, motions: Sequence[np.ndarray], rule: rules.Rule, count: int
    ) -> np.ndarray:
        """Unpaired clips to make pairs of, see `pairs.encode`."""
        length = rule.clip_length
        clips = sources.motion_pairs(self._config, motions, length, count)
        return clips[:, 0] if rule.space == "pose" else clips

    @functools.cached_property
    def _source_test(self) -> tuple[np.ndarray, ...]:
        return sources.source_test(self._config, _REPORTED)

    def _unseen_images(self) -> Iterator[tuple[np.ndarray, ...]]:
        for i in range(0, len(self._source_test[0]), _CHUNK):
            images, *labels = (part[i : i + _CHUNK] for part in self._source_test)
            yield images.astype(np.float32) / 255, *labels


def make(
    config: configs.Config,
    folder: str | os.PathLike,
    strategy: tf.distribute.Strategy | None = None,
) -> Stages:
    """Returns the stages whose networks are kept in `folder`."""
    return Stages(config, networks_.Networks(config, store.Store(folder)), strategy)


def source_loss(
    config: configs.Config, prior: pose_prior.PosePrior
) -> source_step.SourceLoss:
    """Returns the labelled loss, of stage 3 and of the term `source`."""
    return source_step.SourceLoss(
        prior,
        joints_weight=config.source.joints_weight,
        latent_weight=config.source.latent_weight,
        points_weight=config.source.points_weight,
    )


def _in_limits(decoder: pose_autoencoder.PoseDecoder) -> float:
    """Share of joints inside the joint limits in poses decoded from random latents."""
    size = pose_autoencoder.LATENT_SIZE
    latent = np.random.default_rng(0).uniform(-1, 1, (_REPORTED, size))
    local = decoder(tf.constant(latent, tf.float32)).numpy()
    return float(limits.within(local, SKELETON).mean())
