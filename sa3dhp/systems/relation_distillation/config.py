"""The configuration of this system: what a run depends on, with units and sources.

A default is the paper's value where the papers give one ([M], [S], [P]; [W] the public
code they build on), and our own decision ([D]) where they are silent. What we *added*
to the paper is off by default: the YAML file that wants it says so, and why. Only
`networks.py`, `stages.py`, `sources.py`, `job.py`, the experiments, the library and the
tools read this; networks, losses and steps get plain arguments.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import typing
from collections.abc import Sequence
from typing import Literal

from sa3dhp import config as loader
from sa3dhp import errors
from sa3dhp.config import changeable, positive, share, signed

# Algorithm 1, steps 1-6, in its order: a stage, and a network that it leaves behind.
STAGES = {
    "pose_autoencoder": "pose_encoder",
    "motion_autoencoder": "motion_encoder",
    "source": "image_encoder",
    "relations": "relation",
}
# What of the data each reads, see `sources.check`.
READS = dict.fromkeys(STAGES, "unpaired") | {"source": "source"}
SHIPPED = "configs/procedural.yaml"
MEASURED = "on data never trained on"  # over the numbers of a stage
NEXT = "python tools/adapt.py --config={config} --checkpoints={folder}"
TRAINED = "trained"  # a value of `image_encoder.weights`
EXPORTS: dict[str, str] = {}  # stage -> SavedModel in the workdir; adaptations export
Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
PRECISIONS: tuple[str, ...] = typing.get_args(Precision)
STRATEGIES = ("none", "mirrored", "multi_worker")  # see `training.replicas`


@dataclasses.dataclass(frozen=True)
class Data:
    """What is learnt from, and on which side of the domain gap it lies."""

    # Poses that belong to no image: the embedded world's, CMU's files, or prepared.
    unpaired: Literal["procedural", "cmu", "prepared"] = "cmu"
    unpaired_path: str = ""  # folder of the motion capture; unused if procedural
    held_out_subjects: tuple[str, ...] = ()  # of it: kept from the priors, to test
    views: int = positive(4)  # cameras that each captured motion is seen from [D]
    mixed: float = share(0.0)  # ours: of captured limbs, taken from another motion
    bent: float = share(0.0)  # ours: deviation of captured limbs, held otherwise
    mirrored: float = share(0.0)  # ours: of captured motions, seen in a mirror
    rolled: float = share(0.0)  # ours: of unpaired bodies, seen by a rolled camera
    turned: float = share(0.0)  # ours: of captured ones, seen at any roll, upside down
    source: Literal["procedural", "prepared"] = "procedural"  # labelled images
    source_paths: tuple[str, ...] = ()  # prepared folders, drawn from equally [D]
    # Unlabelled clips.
    target: Literal["procedural", "videos", "prepared"] = "procedural"
    target_path: str = ""  # folder of videos, or a prepared one
    labelled_subjects: tuple[str, ...] = ()  # of a prepared target: semi-supervised
    evaluation_path: str = ""  # prepared folder whose test split measures; or none
    evaluation_card: str = changeable("procedural")  # the protocol of the results
    source_domain: str = "studio"  # of the embedded world (design 9)
    target_domain: str = "street"
    image_size: int = positive(224)  # px, what the network sees ([S])
    stored_size: int = positive(320)  # px, with the margin that turns bring in [D]
    clip_frames: int = positive(30)  # T ([S] 5b)
    fps: float = positive(30.0)  # Hz ([M] 4)
    labelled: float = share(0.0)  # of the target clips, if no subjects are named
    # Of the embedded world only, all [D].
    unpaired_clips: int = positive(4000)  # motions in the unpaired set
    target_clips: int = positive(200)  # unlabelled, to adapt to
    evaluation_clips: int = positive(50)  # labelled, only ever measured on


@dataclasses.dataclass(frozen=True)
class ImageEncoder:
    """G ([S] Fig. 1A)."""

    # What G^s begins with. Of the backbone: 'imagenet' ([S]), 'none', a Keras weights
    # file, or an .npz of arrays named `<layer of ResNet-50>/kernel` and so on; of all
    # of it: 'trained', that of --checkpoints or --start, to train on.
    weights: str = "imagenet"
    # The backbone's statistics while G^s trains: of each batch; fixed at those that
    # came with the weights; or fixed at those of source pictures, estimated once before
    # the first step. Fixed ones fold into the convolutions [D]. The head's, which is
    # new, are of each batch.
    batch_norm: Literal["train", "frozen", "reestimated"] = "train"
    head_stride: int = positive(2)  # of the first 3x3 convolution [D]
    head_channels: tuple[int, ...] = positive((256, 256, 128))  # [D]
    head_units: int = positive(512)  # of the dense blocks [D]
    # What the dense blocks read: all values of the last convolution, or (ours) where
    # the joints are, by integral regression.
    head: Literal["flat", "points"] = "flat"


@dataclasses.dataclass(frozen=True)
class PoseAutoencoder:
    """E_p, D_p and the discriminator ([P] eq. 1)."""

    steps: int = positive(300_000, may_change=True)  # [D]
    batch_size: int = positive(32)  # poses ([P])
    learning_rate: float = 1e-4  # Adam ([P])
    cycle_weight: float = 100.0  # ([W])
    local_weight: float = 0.0  # ours: of the local vectors in the cycle
    adversarial_weight: float = 5.0  # ([W])
    # Accuracy that ends the discriminator's turn, and share of fooled judgements that
    # ends the auto-encoder's ([W]).
    right_enough: float = share(0.95)
    fooled_enough: float = share(0.8)
    # Ours: of normal noise on all local vectors that the discriminator sees; without
    # it hips and neck, rigid in every captured pose, give each decoded one away.
    discriminator_noise: float = 0.0


@dataclasses.dataclass(frozen=True)
class MotionAutoencoder:
    """E_m, D_m and the discriminator ([S] 5b)."""

    steps: int = positive(100_000, may_change=True)  # [D]
    batch_size: int = positive(32)  # clips [D]
    learning_rate: float = 1e-4  # Adam [D]
    latent_weight: float = 1.0  # of the sequence of latents [D]
    joints_weight: float = 1.0  # of the decoded joints, in 250 mm [D]
    adversarial_weight: float = 0.0  # 0 is reconstruction alone ([S] 5b)


@dataclasses.dataclass(frozen=True)
class Source:
    """G^s, the supervised source model ([M] Alg. 1, step 3)."""

    steps: int = positive(200_000, may_change=True)  # [D]
    batch_size: int = positive(32)  # images [D]
    learning_rate: float = 1e-4  # Adam [D]
    # Ours: learning rate of the backbone, whose weights are not new; 0: as the head's.
    backbone_rate: float = 0.0
    # Ours: what keeps the weights that it came with, from the first layer on. Cheaper,
    # and low features of real pictures stay those of real pictures.
    frozen_up_to: Literal["nothing", "res2", "res3"] = "nothing"
    joints_weight: float = 1.0  # of the distance of the joints, in 100 mm
    latent_weight: float = 0.0  # ours: of |G(x) - E_p(y)|
    # Ours: of where the joints are in the picture; for the head `points`.
    points_weight: float = 0.0
    augmentation: float = 1.0  # strength of the changes of light and colour [D]
    rolled: float = share(0.0)  # ours: of pictures, turned as a whole
    mirrored: float = share(0.0)  # ours: of prepared pictures, seen in a mirror
    clip_norm: float = 0.0  # ours: largest norm of the gradient; 0 for no limit
    ema: float = share(0.0)  # ours: momentum of the weights' average; 0 for none


@dataclasses.dataclass(frozen=True)
class ComposedRule:
    """A rule made of named pieces; what is left out does not happen."""

    id: str = ""  # its name in `relations.rules` and `adaptation.terms`
    flip: bool = False  # the partner is mirrored
    angle_deg: float = signed(0.0)  # and then turned in the image plane
    backward: bool = False  # its time is reversed
    slow: bool = False  # it runs at half the anchor's speed
    space: Literal["auto", "pose", "motion"] = "auto"  # auto: motion if time changes


@dataclasses.dataclass(frozen=True)
class Relations:
    """T_3^z, T_2^v, T_3^v ([M] 3.3)."""

    rules: tuple[str, ...] = ("z3", "v2", "v3")  # ([M] 3.3), or ids of `custom`
    custom: tuple[ComposedRule, ...] = ()  # rules of your own; see tools/rules.py
    theta_deg: float = 50.0  # in-plane angle, degrees ([S] Table 2)
    pairs: int = positive(50_000)  # latent pairs, encoded once for each rule [D]
    steps: int = positive(20_000, may_change=True)  # for each rule [D]
    batch_size: int = positive(256)  # pairs [D]
    learning_rate: float = 1e-3  # Adam [D]
    pose_widths: tuple[int, ...] = positive((256, 256, 256, 32))  # [D]
    motion_widths: tuple[int, ...] = positive((512, 512, 512, 128))  # [D]


@dataclasses.dataclass(frozen=True)
class Adaptation:
    """Part B: only one block of G moves ([M] Alg. 1, step 7)."""

    terms: tuple[str, ...] = ("cr", "z3", "v2", "v3")  # ([M] eq. 1-3)
    steps: int = positive(2_000, may_change=True)  # updates, all terms together [D]
    clips_per_batch: int = positive(8)  # videos x 30 frames ([S])
    pose_frames: int = positive(30)  # of these, that pose rules look at [D]
    # Ours: of more, G sees so many at a time, with the gradient of all: memory
    # for time. A term of 8 clips has 480 at most.
    pictures_at_once: int = positive(480)
    learning_rate: float = 1e-5  # one Adam for each term [D]
    contrastive_rate: float = 0.0  # ours: learning rate of L_CR; 0: as the others
    # T of the terms: the networks; ours: decode, transform, encode, as a bound.
    relations: Literal["networks", "exact"] = "networks"
    temperature: float = positive(1.0)  # of the softmax in [M] eq. 1 [D]
    normalise: bool = False  # ours: cosine, not the dot product of [M] eq. 1
    trainable_block: Literal["res2", "res3", "res4", "all", "batch_norm"] = (
        "res3"  # ([S] Alg. 1)
    )
    augmentation: float = 0.5  # strength of A(x) in [M] eq. 1 [D]
    teacher_momentum: float = share(0.0)  # ours: of a slow copy of G; 0: there is none
    # Updates between two readings of the label-free monitors, and the share of the
    # target clips that only they see (40 clips at most) [D].
    evaluate_every: int = positive(40, may_change=True)
    held_out: float = share(0.2, inside=True)
    # The step that is kept: the last, as the paper; ours: by the monitors; by the
    # labels of the test, for research.
    select: Literal["label_free", "oracle", "last"] = "last"


@dataclasses.dataclass(frozen=True)
class Training:
    """What all stages share."""

    seed: int = 0
    precision: Precision = "auto"
    schedule: Literal["constant", "cosine"] = "constant"  # of learning rates
    log_every: int = positive(50, may_change=True)  # steps a logged mean is over
    checkpoint_every: int = positive(500, may_change=True)  # steps


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything a run depends on, but the code and the data."""

    data: Data = Data()
    image_encoder: ImageEncoder = ImageEncoder()
    pose_autoencoder: PoseAutoencoder = PoseAutoencoder()
    motion_autoencoder: MotionAutoencoder = MotionAutoencoder()
    source: Source = Source()
    relations: Relations = Relations()
    adaptation: Adaptation = Adaptation()
    training: Training = Training()

    def check(self) -> None:
        """Checks what ties values to each other.

        Raises:
            InputError: if the stored pictures are smaller than what the network sees,
                blocks are frozen whose batch norm is not, or points are weighed that
                the head does not find.
        """
        data = self.data
        frozen, norm = self.source.frozen_up_to, self.image_encoder.batch_norm
        if frozen != "nothing" and norm == "train":
            raise errors.InputError(
                f"source.frozen_up_to: got {frozen}, expected nothing where "
                "image_encoder.batch_norm is train: statistics would move; set that "
                "to frozen or reestimated"
            )
        if self.source.points_weight and self.image_encoder.head != "points":
            raise errors.InputError(
                f"source.points_weight: got {self.source.points_weight}, expected 0 "
                "where image_encoder.head is flat: it finds no points; set that to "
                "points"
            )
        if data.stored_size < data.image_size:
            raise errors.InputError(
                f"data.stored_size: got {data.stored_size}, expected at least "
                f"data.image_size = {data.image_size}"
            )


dump = loader.dump
begin = loader.begin
differences = loader.differences
to_yaml = loader.to_yaml


def load(
    path: str | os.PathLike[str] | None = None, overrides: Sequence[str] = ()
) -> Config:
    """Reads a YAML file of differences, then `section.key=value` overrides.

    Args:
        path: the file; None for the defaults.
        overrides: such as `"training.seed=3"`; the value is YAML.

    Raises:
        InputError: as `sa3dhp.config.load`.
    """
    return loader.load(Config, path, overrides)


def of_run(workdir: str | os.PathLike[str]) -> Config:
    """Returns the configuration of a finished run; InputError if there is none."""
    path = pathlib.Path(workdir) / "config.yaml"
    if not path.is_file():
        raise errors.InputError(f"{path} is missing: give the folder of an adaptation")
    return load(path)


def with_rule(config: Config, path: str | os.PathLike[str]) -> Config:
    """Adds the composed rule of a YAML file, see `ComposedRule`, and adapts by it.

    Raises:
        InputError: as `load`, or if the file gives no id or one that is taken.
    """
    relations, rule = config.relations, loader.load(ComposedRule, path)
    taken = {*relations.rules, *(other.id for other in relations.custom)}
    if not rule.id or rule.id in taken:
        raise errors.InputError(
            f"{path}: id: got {rule.id!r}, expected a name that is not "
            f"{' or '.join(sorted(taken))}"
        )
    relations = dataclasses.replace(
        relations,
        rules=(*relations.rules, rule.id),
        custom=(*relations.custom, rule),
    )
    adaptation = dataclasses.replace(
        config.adaptation, terms=(*config.adaptation.terms, rule.id)
    )
    return dataclasses.replace(config, relations=relations, adaptation=adaptation)
