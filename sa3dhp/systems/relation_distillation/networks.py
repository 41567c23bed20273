"""The networks of one configuration, new or trained, in one folder."""

from __future__ import annotations

import dataclasses
import functools
import math

import tensorflow as tf

from sa3dhp import errors
from sa3dhp.models import (
    image_encoder,
    motion_autoencoder,
    pose_autoencoder,
    pose_model,
)
from sa3dhp.models import pose_prior as priors
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.relation_distillation import config as configs
from sa3dhp.systems.relation_distillation import relation_network, rules
from sa3dhp.training import precision, store

SKELETON = skeletons.SA3DHP17
POSE = ("pose_encoder", "pose_decoder")
MOTION = ("motion_encoder", "motion_decoder")
_RELATION = "relation_"
_MAKE = {
    "pose_encoder": pose_autoencoder.PoseEncoder,
    "pose_decoder": pose_autoencoder.PoseDecoder,
    "pose_discriminator": pose_autoencoder.PoseDiscriminator,
    "motion_encoder": motion_autoencoder.MotionEncoder,
    "motion_decoder": motion_autoencoder.MotionDecoder,
    "motion_discriminator": motion_autoencoder.MotionDiscriminator,
}


def relation_name(rule: str) -> str:
    """Returns the name of a rule's network, and of its file."""
    return f"{_RELATION}{rule}"


class Networks:
    """Makes networks, and loads those that are trained.

    Attributes:
        rules: the rules of the configuration, by id.
        store: where the trained networks are, and go.
    """

    def __init__(self, config: configs.Config, networks: store.Store) -> None:
        """Keeps what everything is built from.

        Raises:
            InputError: if `relations.rules` names a rule that there is not.
        """
        self._config, self.store = config, networks
        self.rules = _rules(config)

    def new(self, name: str, bare: bool = False) -> tf.keras.Model:
        """Returns a new network; its initial weights are a function of the seed.

        Args:
            name: of the file it is kept in.
            bare: without ImageNet's weights, as others are about to be loaded.
        """
        config = self._config
        precision.set_seed(config.training.seed, name)
        if name == "image_encoder":
            g = config.image_encoder
            empty = bare or g.weights in ("none", configs.TRAINED)
            return image_encoder.ImageEncoder(
                image_size=config.data.image_size,
                weights=None if empty else g.weights,
                head_stride=g.head_stride,
                head_channels=g.head_channels,
                head_units=g.head_units,
                head=g.head,
            )
        if name.startswith(_RELATION):
            rule = self.rules[name[len(_RELATION) :]]
            r = config.relations
            widths = r.pose_widths if rule.space == "pose" else r.motion_widths
            return relation_network.RelationNetwork(widths, name)
        return _MAKE[name]()

    def source_start(self) -> tf.keras.Model:
        """Returns what the training of G^s begins with, by `image_encoder.weights`.

        Raises:
            InputError: if a trained one is asked for and there is none.
        """
        name = "image_encoder"
        if self._config.image_encoder.weights != configs.TRAINED:
            return self.new(name)
        if not self.store.has(name):
            raise errors.InputError(
                f"image_encoder.weights: got {configs.TRAINED}, but "
                f"{self.store.folder} holds no {name}.npz; give --start=NAME, a folder "
                "or shipped model with one"
            )
        network = self.load(name)
        network.trainable = True
        return network

    def load(self, name: str) -> tf.keras.Model:
        """Returns a trained network, frozen.

        Raises:
            InputError: if its file is missing or damaged, fits another configuration,
                or was trained on other predecessors than those in the folder.
        """
        network = self.new(name, bare=True)
        expected: dict[str, object] = {"image_size": self._config.data.image_size}
        if name.startswith(_RELATION):
            expected.update(self.made_of(self.rules[name[len(_RELATION) :]]))
        self.store.load(name, network, **expected)
        return network

    def measured(self, name: str) -> dict[str, float]:
        """Returns what a trained network was measured at when it was saved."""
        return dict(self.store.meta(name).get("measured", {}))

    @functools.cached_property
    def pose_prior(self) -> priors.PosePrior:
        """The trained prior of poses, frozen; loaded once."""
        encoder, decoder = map(self.load, POSE)
        bones = self.store.bones(SKELETON)
        return priors.PosePrior(encoder, decoder, SKELETON, bones)

    @functools.cached_property
    def motion_prior(self) -> priors.MotionPrior:
        """The trained prior of motions, frozen; loaded once."""
        encoder, decoder = map(self.load, MOTION)
        return priors.MotionPrior(encoder, decoder, self.pose_prior)

    def pose_model(self) -> pose_model.PoseModel:
        """Returns the trained G with its prior: pictures to joints."""
        return pose_model.PoseModel(self.load("image_encoder"), self.pose_prior)

    def prior_of(self, rule: rules.Rule) -> priors.Prior:
        """Returns the prior whose latents a rule ties together."""
        return self.pose_prior if rule.space == "pose" else self.motion_prior

    def made_of(self, rule: rules.Rule) -> dict[str, object]:
        """Returns what tells two networks of one rule's name apart."""
        if rule.id in rules.table():
            theta = self._config.relations.theta_deg
            return {"theta_deg": theta, "pieces": rule.pieces}
        return {"pieces": rule.pieces}


def _rules(config: configs.Config) -> dict[str, rules.Rule]:
    table = rules.table(math.radians(config.relations.theta_deg))
    for composed in config.relations.custom:
        rule = rules.compose(**dataclasses.asdict(composed))
        if rule.id in table:
            raise errors.InputError(f"relations.custom: two rules have id {rule.id!r}")
        table[rule.id] = rule
    for name in config.relations.rules:
        if name not in table:
            raise errors.InputError(
                f"relations.rules: got {name!r}, expected some of {', '.join(table)}"
            )
    return {name: table[name] for name in config.relations.rules}
