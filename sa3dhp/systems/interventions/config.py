"""The configuration of this system: what a run depends on, with units and sources.

Of the paper only the supplementary is at hand: a default is its value [C] where it
gives one, and our own decision [D] everywhere else. Only `sources.py`, `networks.py`,
`stages.py`, `job.py`, the experiments and the tools read this.
"""

from __future__ import annotations

import dataclasses
import os
import typing
from collections.abc import Sequence
from typing import Literal

from sa3dhp import config as loader
from sa3dhp import errors
from sa3dhp.config import changeable, positive, share

# In their order: a stage, and a network that it leaves behind.
STAGES = {
    "vae": "vae_encoder",
    "source": "estimator_source",
    "reader": "code_reader",
    "generator": "generator",
    "estimator": "estimator",
}
READS = dict.fromkeys(STAGES, "pictures")  # what `sources.check` looks at
SHIPPED = "configs/interventions_world.yaml"
MEASURED = "of pictures that never trained"  # over the numbers of a stage
NEXT = "python tools/evaluate.py --system=interventions --workdir={workdir}"
EXPORTS = {"estimator": "saved_model"}  # stage -> SavedModel in the workdir
SIZES = (32, 64, 128, 256)  # of pictures: E halves them down to 4 x 4, f needs 32
Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
PRECISIONS: tuple[str, ...] = typing.get_args(Precision)
Method = Literal["source", "ddc", "dan", "dann", "counterfactual"]
METHODS: tuple[str, ...] = typing.get_args(Method)


@dataclasses.dataclass(frozen=True)
class Data:
    """Which pictures are labelled, which are not, and where it is measured.

    A place is a domain of the embedded world (`studio`, `street`, `studio+noise`) or a
    folder of prepared pictures.
    """

    kind: Literal["world", "prepared"] = "world"
    source: str = "studio"  # the place with labels: SD
    # Places without labels: the target (SD + TD, adaptation) or others (SD + UD, SD +
    # Multi-UDs, generalisation).
    unlabelled: tuple[str, ...] = ("street",)
    target: str = "street"  # the place it is measured in
    # Of the table `interventions`: the places of its rows SD + UD (the first) and SD +
    # Multi-UDs (all).
    others: tuple[str, ...] = changeable(("hall", "night", "park"))
    split: str = "train"  # of prepared pictures, that trains
    pictures: int = positive(4000)  # of each place of the embedded world, that train
    # Pictures of each place that measure while it trains, at most; of a prepared target
    # all do at the end [D].
    unseen: int = positive(500, may_change=True)
    image_size: int = positive(256)  # px, one of `SIZES` ([C] Table 1)
    stored_size: int = positive(320)  # px, of prepared pictures, with their margin
    augmentation: float = share(0.5)  # strength of the changes of light and colour [D]
    evaluation_card: str = changeable("procedural")  # the protocol of the results


@dataclasses.dataclass(frozen=True)
class Vae:
    """E and M ([C] Table 1)."""

    code_size: int = positive(256)  # ([C] Tables 1 and 3)
    divergence_weight: float = 1.0  # beside the squared error of a picture [D]
    steps: int = positive(50_000, may_change=True)  # [D]
    batch_size: int = positive(64)  # [D]
    learning_rate: float = 1e-3  # Adam [D]


@dataclasses.dataclass(frozen=True)
class Generator:
    """g and D ([C] Table 1)."""

    noise_size: int = positive(128)  # [D]
    pose_weight: float = 100.0  # of the pose that is read back [D]
    apart_weight: float = 0.1  # of the reward for listening to the noise [D]
    steps: int = positive(30_000, may_change=True)  # [D]
    batch_size: int = positive(64)  # [D]
    learning_rate: float = 5e-4  # Adam [D]
    reader_steps: int = positive(20_000, may_change=True)  # of the stage `reader` [D]
    reader_rate: float = 1e-3  # Adam, of R [D]


@dataclasses.dataclass(frozen=True)
class Estimator:
    """f and h ([C] 1), and how they are adapted."""

    # 'imagenet', 'none', a Keras weights file or an .npz, as for the image encoder.
    weights: str = "imagenet"
    strides: tuple[int, ...] = positive((1, 2, 2))  # of the deconvolutions [D]
    # What of f keeps the weights that it came with, from the first layer on; its
    # statistics are then theirs as well, and folded into the convolutions [D].
    frozen_up_to: Literal["nothing", "res2", "res3"] = "nothing"
    channels: int = positive(256)  # of each deconvolution (Sun et al.)
    depth_cells: int = positive(64)  # of a volume (Sun et al.)
    source_steps: int = positive(100_000, may_change=True)  # of the stage `source` [D]
    # Of how far volumes are from normal ones around the labels, see
    # `integral.heat_error`, beside the difference of the poses [D].
    heat_weight: float = 0.0
    # What the stage `estimator` adds to the labels of the source.
    method: Method = "counterfactual"
    method_weight: float = 1.0  # of that [D]
    agreement_weight: float = 0.1  # of two interventions on one pose [D]
    steps: int = positive(50_000, may_change=True)  # of the stage `estimator` [D]
    batch_size: int = positive(32)  # labelled pictures [D]
    learning_rate: float = 1e-4  # Adam [D]
    clip_norm: float = 0.0  # largest norm of the gradient; 0 for no limit [D]


@dataclasses.dataclass(frozen=True)
class Training:
    """What all stages share."""

    seed: int = 0
    precision: Precision = "auto"
    log_every: int = positive(100, may_change=True)  # steps a logged mean is over
    checkpoint_every: int = positive(1000, may_change=True)  # steps


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything a run depends on, but the code and the data."""

    data: Data = Data()
    vae: Vae = Vae()
    generator: Generator = Generator()
    estimator: Estimator = Estimator()
    training: Training = Training()

    def check(self) -> None:
        """Checks what ties values to each other.

        Raises:
            InputError: if nothing is unlabelled, a stride is not 1 or 2, what keeps its
                weights has none, pictures are of no size that E halves, or the stored
                ones smaller than what the network sees.
        """
        data, frozen = self.data, self.estimator.frozen_up_to
        if not data.unlabelled:
            raise errors.InputError(
                "data.unlabelled: got [], expected a place or more, such as "
                f"[{data.target}]"
            )
        if not self.estimator.strides or max(self.estimator.strides) > 2:
            raise errors.InputError(
                f"estimator.strides: got {list(self.estimator.strides)}, expected a 1 "
                "or a 2 for each deconvolution, such as [1, 2, 2]"
            )
        if frozen != "nothing" and self.estimator.weights == "none":
            raise errors.InputError(
                f"estimator.frozen_up_to: got {frozen}, expected nothing where "
                "estimator.weights is none: they would stay as they were drawn"
            )
        if data.image_size not in SIZES:
            raise errors.InputError(
                f"data.image_size: got {data.image_size}, expected one of "
                f"{', '.join(map(str, SIZES))}: the auto-encoder halves a picture down "
                "to 4 x 4"
            )
        if data.stored_size < data.image_size:
            raise errors.InputError(
                f"data.stored_size: got {data.stored_size}, expected at least "
                f"data.image_size = {data.image_size}"
            )


dump = loader.dump
begin = loader.begin


def load(
    path: str | os.PathLike[str] | None = None, overrides: Sequence[str] = ()
) -> Config:
    """Reads a YAML file of differences, then `section.key=value` overrides.

    Raises:
        InputError: as `sa3dhp.config.load`.
    """
    return loader.load(Config, path, overrides)


def of_run(workdir: str | os.PathLike[str]) -> Config:
    """Returns the configuration of a run; InputError if there is none."""
    return loader.of_run(Config, workdir, "interventions")
