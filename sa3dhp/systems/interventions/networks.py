"""The networks of one configuration, new or trained, in one folder."""

from __future__ import annotations

import os

from sa3dhp.models import integral
from sa3dhp.systems.interventions import config as configs
from sa3dhp.systems.interventions import generator, sources, vae
from sa3dhp.training import precision, store

_COMMAND = "python tools/pretrain.py --system=interventions"
_SKELETON = sources.SKELETON
_POINTS = _SKELETON.num_joints
SOURCE = "estimator_source"  # f and h before they are adapted
_STAGES = {
    "vae_encoder": "vae",
    "vae_decoder": "vae",
    SOURCE: "source",
    "code_reader": "reader",
    "generator": "generator",
    "discriminator": "generator",
    "estimator": "estimator",
}
FEATURES = 1024  # channels of f


class Networks:
    """Makes the networks of all stages, and loads them.

    Attributes:
        store: where the trained networks are, and go.
    """

    def __init__(self, config: configs.Config, folder: str | os.PathLike) -> None:
        """Keeps what everything is built from."""
        self._config = config
        self.store = store.Store(folder, _COMMAND, _STAGES)

    def new_vae(self) -> tuple[vae.Encoder, vae.Decoder]:
        """Returns E and M whose initial weights are a function of the seed."""
        self._seed("vae")
        sizes = (self._config.data.image_size, self._config.vae.code_size)
        return vae.Encoder(*sizes), vae.Decoder(*sizes)

    def new_generator(self) -> generator.Generator:
        """Returns g."""
        self._seed("generator")
        c = self._config
        return generator.Generator(_POINTS, c.generator.noise_size, c.vae.code_size)

    def new_reader(self) -> generator.CodeReader:
        """Returns R."""
        self._seed("reader")
        return generator.CodeReader(_POINTS, self._config.vae.code_size)

    def new_discriminator(self) -> generator.Discriminator:
        """Returns D."""
        self._seed("discriminator")
        return generator.Discriminator(self._config.vae.code_size)

    def new_classifier(self) -> generator.Discriminator:
        """Returns DANN's classifier of domains, on the features of f."""
        self._seed("domain_classifier")
        return generator.Discriminator(FEATURES, name="domain_classifier")

    def new_estimator(self, bare: bool = False) -> integral.IntegralRegressor:
        """Returns f and h.

        Args:
            bare: without ImageNet's weights, as others are about to be loaded.
        """
        self._seed("estimator")
        c = self._config.estimator
        return integral.IntegralRegressor(
            _POINTS,
            self._config.data.image_size,
            weights=None if bare or c.weights == "none" else c.weights,
            strides=c.strides,
            channels=c.channels,
            depth_cells=c.depth_cells,
            name="estimator",
        )

    def vae(self) -> tuple[vae.Encoder, vae.Decoder]:
        """Returns the trained E and M; raises `InputError` if they are not there."""
        encoder, decoder = self.new_vae()
        self.store.load("vae_encoder", encoder, image_size=encoder.image_size)
        self.store.load("vae_decoder", decoder, image_size=decoder.image_size)
        return encoder, decoder

    def reader(self) -> generator.CodeReader:
        """Returns the trained R; raises `InputError` if it is not there."""
        network = self.new_reader()
        self.store.load("code_reader", network)
        return network

    def generator(self) -> generator.Generator:
        """Returns the trained g; raises `InputError` if it is not there."""
        network = self.new_generator()
        self.store.load("generator", network)
        return network

    def estimator(self, name: str = "estimator") -> integral.IntegralRegressor:
        """Returns f and h, adapted or, as `SOURCE`, before; raises `InputError`."""
        network = self.new_estimator(bare=True)
        self.store.load(name, network, image_size=network.image_size)
        return network

    def limbs(self, name: str = "estimator") -> sources.Limbs:
        """Returns the limbs that an estimator was trained on."""
        meta = self.store.meta(name)
        every = [_SKELETON.joint_names[end] for _, end in _SKELETON.limbs]
        return sources.Limbs(float(meta["limb_mm"]), tuple(meta.get("limbs", every)))

    def _seed(self, use: str) -> None:
        precision.set_seed(self._config.training.seed, use)
