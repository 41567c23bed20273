"""Config in, networks and training steps out: here the configuration ends."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.models import image_encoder, motion_autoencoder, pose_autoencoder
from sa3dhp.skeleton import limits
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.relation_distillation import config as configs
from sa3dhp.systems.relation_distillation import (
    non_localness,
    pairs,
    relation_network,
    rules,
)
from sa3dhp.systems.relation_distillation import sources as datasets
from sa3dhp.systems.relation_distillation.steps import relations as relation_step
from sa3dhp.training import loop, precision, store
from sa3dhp.training.steps import motion_autoencoder as motion_step
from sa3dhp.training.steps import pose_autoencoder as pose_step
from sa3dhp.training.steps import source as source_step

SKELETON = skeletons.SA3DHP17
STAGES = ("pose_autoencoder", "motion_autoencoder", "source", "relations")
_POSE = ("pose_encoder", "pose_decoder")
_MOTION = ("motion_encoder", "motion_decoder")
_REPORTED = 512  # unseen pairs or images that a network is measured on
_CHUNK = 64


@dataclasses.dataclass(frozen=True)
class Stage:
    """One thing to train.

    Attributes:
        name: of the stage; `relation_z3` and so on for the parts of `relations`.
        step: its training step.
        batches: from the first step to an iterator of batches.
        num_steps: updates in all.
        networks: what is kept of it, by file name.
        measure: quality by name on data it does not train on.
        trained_on: names of the frozen networks in use.
        meta: kept with each network.
    """

    name: str
    step: Any
    batches: Callable[[int], Iterator]
    num_steps: int
    networks: dict[str, tf.keras.Model]
    measure: Callable[[], dict[str, float]]
    trained_on: tuple[str, ...] = ()
    meta: dict = dataclasses.field(default_factory=dict)


class Builder:
    """Makes the stages and networks of one configuration."""

    def __init__(self, config: configs.Config, networks: store.Store) -> None:
        """Keeps what everything is built from.

        Args:
            config: of the run.
            networks: where the trained ones are, and go.
        """
        self._config = config
        self._store = networks
        self._seed = config.training.seed
        self.rules = _rules(config)

    def stages(self, name: str) -> Iterator[Stage]:
        """Yields the parts of a stage; train and `save` each before asking for more."""
        if name == "relations":
            for rule in self.rules.values():
                yield self._relation(rule)
        else:
            make = {
                "pose_autoencoder": self._pose_autoencoder,
                "motion_autoencoder": self._motion_autoencoder,
                "source": self._source,
            }
            yield make[name]()

    def network(self, name: str, bare: bool = False) -> tf.keras.Model:
        """Returns a new network; its initial weights are a function of the seed.

        Args:
            name: of the file it is kept in.
            bare: without ImageNet's weights, as others are about to be loaded.
        """
        config = self._config
        precision.set_seed(self._seed, name)
        if name == "image_encoder":
            g = config.image_encoder
            return image_encoder.ImageEncoder(
                image_size=config.data.image_size,
                weights=None if bare or g.weights == "none" else g.weights,
                head_stride=g.head_stride,
                head_channels=g.head_channels,
                head_units=g.head_units,
            )
        if name.startswith("relation_"):
            rule = self.rules[name[len("relation_") :]]
            r = config.relations
            widths = r.pose_widths if rule.space == "pose" else r.motion_widths
            return relation_network.RelationNetwork(widths, name)
        return {
            "pose_encoder": pose_autoencoder.PoseEncoder,
            "pose_decoder": pose_autoencoder.PoseDecoder,
            "pose_discriminator": pose_autoencoder.PoseDiscriminator,
            "motion_encoder": motion_autoencoder.MotionEncoder,
            "motion_decoder": motion_autoencoder.MotionDecoder,
            "motion_discriminator": motion_autoencoder.MotionDiscriminator,
        }[name]()

    def load(self, name: str) -> tf.keras.Model:
        """Returns a trained network, frozen.

        Raises:
            InputError: if its file is missing or damaged, fits another configuration,
                or was trained on other predecessors than those in the folder.
        """
        network = self.network(name, bare=True)
        expected = {"image_size": self._config.data.image_size}
        if name.startswith("relation_"):
            expected.update(self._made_of(self.rules[name[len("relation_") :]]))
        self._store.load(name, network, **expected)
        return network

    def measured(self, name: str) -> dict[str, float]:
        """Returns what a trained network was measured at when it was saved."""
        return dict(self._store.meta(name).get("measured", {}))

    def train(self, name: str, workdir: str | os.PathLike) -> list[tuple]:
        """Trains all parts of a stage, or goes on with it, and saves its networks.

        Args:
            name: one of `STAGES`.
            workdir: where the resumable state and the logs go.

        Returns:
            Rows of part, name of a measure, and its value on unseen data.
        """
        training, rows = self._config.training, []
        for stage in self.stages(name):
            loop.run(
                stage.step,
                stage.batches,
                num_steps=stage.num_steps,
                workdir=workdir,
                name=stage.name,
                log_every=training.log_every,
                checkpoint_every=training.checkpoint_every,
                eval_fn=lambda _, stage=stage: stage.measure(),
                eval_every=max(1, stage.num_steps // 10),
            )
            rows += [(stage.name, *item) for item in self.save(stage).items()]
        return rows

    def save(self, stage: Stage) -> dict[str, float]:
        """Measures a trained stage, writes what is kept of it, returns the measures."""
        if hasattr(stage.step, "finalise"):
            stage.step.finalise()
        measured = stage.measure()
        if stage.name == "pose_autoencoder":
            self._store.save_bones(SKELETON, self._unpaired.bone_lengths)
        self._store.save(
            stage.networks,
            trained_on=stage.trained_on,
            stage=stage.name,
            steps=stage.num_steps,
            seed=self._seed,
            measured=measured,
            **stage.meta,
        )
        return measured

    @property
    def bone_lengths(self) -> np.ndarray:
        """`[J]`, mm: of the poses the decoder was trained on; root 0."""
        return self._store.bones(SKELETON)

    @functools.cached_property
    def _unpaired(self) -> datasets.Unpaired:
        return datasets.unpaired(self._config)

    @functools.cached_property
    def _unseen(self) -> list:
        return datasets.unpaired(self._config, held_out=True).motions

    def _rate(self, section: Any) -> Any:
        """The learning rate of a stage, by the schedule that all share."""
        if self._config.training.schedule == "constant":
            return section.learning_rate
        return tf.keras.optimizers.schedules.CosineDecay(
            section.learning_rate, section.steps, alpha=0.01
        )

    def _pose_autoencoder(self) -> Stage:
        c = self._config.pose_autoencoder
        names = (*_POSE, "pose_discriminator")
        networks = {name: self.network(name) for name in names}
        step = pose_step.PoseAutoencoderStep(
            *networks.values(),
            SKELETON,
            self._unpaired.bone_lengths,
            learning_rate=self._rate(c),
            cycle_weight=c.cycle_weight,
            local_weight=c.local_weight,
            adversarial_weight=c.adversarial_weight,
            seed=self._seed,
        )
        unseen = loop.measure(
            step, lambda: datasets.pose_batches(self._config, self._unseen)(0)
        )
        return Stage(
            "pose_autoencoder",
            step,
            datasets.pose_batches(self._config, self._unpaired.motions),
            c.steps,
            {name: networks[name] for name in _POSE},
            lambda: {**unseen(), "random_in_limits": _in_limits(step)},
        )

    def _motion_autoencoder(self) -> Stage:
        c = self._config.motion_autoencoder
        names = (*_MOTION, "motion_discriminator")
        networks = {name: self.network(name) for name in names}
        step = motion_step.MotionAutoencoderStep(
            *networks.values(),
            *map(self.load, _POSE),
            SKELETON,
            self.bone_lengths,
            learning_rate=self._rate(c),
            latent_weight=c.latent_weight,
            joints_weight=c.joints_weight,
            adversarial_weight=c.adversarial_weight,
            seed=self._seed,
        )
        return Stage(
            "motion_autoencoder",
            step,
            datasets.motion_batches(self._config, self._unpaired.motions),
            c.steps,
            {name: networks[name] for name in _MOTION},
            loop.measure(
                step, lambda: datasets.motion_batches(self._config, self._unseen)(0)
            ),
            _POSE,
        )

    def _source_loss(self) -> source_step.SourceLoss:
        return source_step.SourceLoss(
            *map(self.load, _POSE),
            SKELETON,
            self.bone_lengths,
            joints_weight=self._config.source.joints_weight,
            latent_weight=self._config.source.latent_weight,
        )

    def _source(self) -> Stage:
        c = self._config.source
        loss = self._source_loss()
        network = self.network("image_encoder")
        step = source_step.SourceStep(
            network,
            loss,
            learning_rate=self._rate(c),
            clip_norm=c.clip_norm or None,
            ema=c.ema,
        )
        return Stage(
            "source",
            step,
            datasets.source_batches(self._config),
            c.steps,
            {"image_encoder": network},
            loop.measure(step, self._unseen_images),
            _POSE,
            {"image_size": self._config.data.image_size},
        )

    def _relation(self, rule: rules.Rule) -> Stage:
        c, name = self._config.relations, f"relation_{rule.id}"
        frozen = _POSE + (_MOTION if rule.space == "motion" else ())
        loaded = {other: self.load(other) for other in frozen}
        encoders = (loaded["pose_encoder"], loaded.get("motion_encoder"))
        anchors, partners = pairs.encode(
            rule,
            self._clips(self._unpaired.motions, rule, c.pairs),
            SKELETON,
            *encoders,
        )
        network = self.network(name)
        return Stage(
            name,
            relation_step.RelationStep(network, learning_rate=self._rate(c)),
            pairs.batches(anchors, partners, seed=self._seed, batch_size=c.batch_size),
            c.steps,
            {name: network},
            pairs.measure(
                rule,
                network,
                self._clips(self._unseen, rule, min(c.pairs, _REPORTED)),
                SKELETON,
                self.bone_lengths,
                encode_pose=encoders[0],
                encode_motion=encoders[1],
                decode=_decoder(loaded, rule),
            ),
            frozen,
            self._made_of(rule),
        )

    def _made_of(self, rule: rules.Rule) -> dict:
        """What tells two networks of one name apart."""
        if rule.id in rules.table():
            return {
                "theta_deg": self._config.relations.theta_deg,
                "pieces": rule.pieces,
            }
        return {"pieces": rule.pieces}

    def non_localness(self, rule: rules.Rule) -> float:
        """Returns a rule's latent distance over unseen motions ([M] 3.3.3)."""
        motion = rule.space == "motion"
        anchors, partners = pairs.encode(
            rule,
            self._clips(self._unseen, rule, _REPORTED),
            SKELETON,
            self.load("pose_encoder"),
            self.load("motion_encoder") if motion else None,
        )
        return float(non_localness.latent_distance(anchors, partners))

    def _clips(self, motions: list, rule: rules.Rule, count: int) -> np.ndarray:
        """Unpaired clips to make pairs of: `[N, J, 3]`, of motions `[N, T, J, 3]`."""
        length = rule.clip_length
        clips = datasets.motion_pairs(self._config, motions, length, count)
        return clips[:, 0] if rule.space == "pose" else clips

    def _unseen_images(self) -> Iterator:
        images, joints = datasets.source_test(self._config, _REPORTED)
        for i in range(0, len(images), _CHUNK):
            yield (
                images[i : i + _CHUNK].astype(np.float32) / 255,
                joints[i : i + _CHUNK],
            )


def _in_limits(step: pose_step.PoseAutoencoderStep) -> float:
    """Share of joints inside the joint limits in poses decoded from random latents."""
    decoder, size = step.models["pose_decoder"], pose_autoencoder.LATENT_SIZE
    latent = np.random.default_rng(0).uniform(-1, 1, (_REPORTED, size))
    local = decoder(tf.constant(latent, tf.float32)).numpy()
    return float(limits.within(local, SKELETON).mean())


def _rules(config: configs.Config) -> dict[str, rules.Rule]:
    table = rules.table(math.radians(config.relations.theta_deg))
    for composed in config.relations.custom:
        rule = rules.compose(**dataclasses.asdict(composed))
        if rule.id in table:
            raise errors.InputError(f"relations.custom: two rules have id {rule.id!r}")
        table[rule.id] = rule
    for rule in config.relations.rules:
        if rule not in table:
            raise errors.InputError(
                f"relations.rules: got {rule!r}, expected some of {', '.join(table)}"
            )
    return {rule: table[rule] for rule in config.relations.rules}


def _decoder(loaded: dict[str, tf.keras.Model], rule: rules.Rule) -> Callable:
    """Latents of a rule's space to local vectors, one row for each frame."""
    decode_pose = loaded["pose_decoder"]
    if rule.space == "pose":
        return decode_pose

    def decode(motion_latent: tf.Tensor) -> tf.Tensor:
        z = loaded["motion_decoder"](motion_latent)  # [B, T, D]
        return decode_pose(tf.reshape(z, [-1, z.shape[-1]]))

    return decode
