"""The configuration of this system: what a run depends on, with units and sources.

A default is the value of the paper [N] where it gives one, or that of the public code
of Deep-NRSfM [K], and our own decision [D] where both are silent. Only `sources.py`,
`networks.py`, `stages.py`, `job.py`, the experiments and the tools read this.
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
STAGES = {"teacher": "teacher", "student": "student"}
READS = {"teacher": "points", "student": "pictures"}  # what `sources.check` looks at
SHIPPED = "configs/nrsfm.yaml"
MEASURED = "own: trained on; unseen: never"  # over the numbers of a stage
NEXT = "python tools/evaluate.py --system=nrsfm --workdir={workdir}"
# Stage -> SavedModel in the workdir.
EXPORTS = {"teacher": "teacher_model", "student": "saved_model"}
Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
PRECISIONS: tuple[str, ...] = typing.get_args(Precision)


@dataclasses.dataclass(frozen=True)
class Data:
    """Which 2D points are lifted, and which pictures the student sees."""

    # Motion capture under random orthographic cameras; prepared pictures with their 2D
    # labels; the embedded world; or the points of an .npz file.
    source: Literal["motions", "pictures", "world", "npz"] = "pictures"
    path: str = ""  # the prepared folder, or the .npz file; unused for the world
    skeleton: str = ""  # id; the points are converted to it; "": the data set's own
    split: str = "train"  # of prepared pictures, that trains
    subjects: tuple[str, ...] = ()  # only these; () for all
    held_out_subjects: tuple[str, ...] = ()  # kept from the training of both networks
    # Of motion capture: `any` is uniform over all rotations ([K]); `level` any heading,
    # up to 20 degrees up or down, as cameras of people stand [D].
    cameras: Literal["any", "level"] = "any"
    views: int = positive(1)  # cameras that each captured pose is seen from [D]
    # Each frame by its own box ([N] 5.1), or all by one number: where cameras are known
    # to be orthographic a short limb then says that it points away ([K]).
    scale: Literal["frame", "one"] = "frame"
    domain: str = "studio"  # of the embedded world
    pictures: int = positive(4000)  # of the embedded world, that train
    unseen: int = positive(1000)  # poses or pictures that measure, at most [D]
    image_size: int = positive(256)  # px, what the student sees ([N] 5.1)
    stored_size: int = positive(320)  # px, of prepared pictures, with their margin
    evaluation_card: str = changeable("nrsfm")  # the protocol of the results


@dataclasses.dataclass(frozen=True)
class Teacher:
    """Deep-NRSfM ([N] 3)."""

    atoms: tuple[int, ...] = positive((256, 128, 64, 32, 16, 8))  # ([N] 5.1)
    steps: int = positive(200_000, may_change=True)  # ([K])
    batch_size: int = positive(32)  # frames ([K])
    learning_rate: float = 1e-3  # Adam ([K])
    sparsity: float = 0.01  # lambda of eq. 4 ([N] 5.1)
    # Ours: cameras tried for each sample, the cheapest by eq. 4 is kept; 1 is [N].
    hypotheses: int = positive(1)
    turned: bool = False  # ours: each batch turned in its plane by any angle


@dataclasses.dataclass(frozen=True)
class Student:
    """Integral regression ([N] 4.4, Sun et al., ECCV 2018)."""

    # 'imagenet', 'none', a Keras weights file or an .npz, as for the image encoder.
    weights: str = "imagenet"
    # Ours: the backbone stays as it came, and sees each picture once, before training.
    frozen: bool = False
    strides: tuple[int, ...] = positive((1, 2, 2))  # of the deconvolutions [D]
    channels: int = positive(256)  # of each deconvolution (Sun et al.)
    depth_cells: int = positive(64)  # of a volume (Sun et al.)
    # What depth learns from: the distilling loss (eq. 14), the teacher's depth
    # (Weaksup-bs) or the true one (the bound).
    depth: Literal["distilled", "teacher", "truth"] = "distilled"
    l1_weight: float = 0.3  # of the regulariser in eq. 14 ([N] 4.4)
    steps: int = positive(150_000, may_change=True)  # [D]
    batch_size: int = positive(32)  # pictures ([N] 5.1)
    learning_rate: float = 1e-3  # Adam ([N] 5.1)
    last_rate: float = 1e-5  # of the last quarter: when the loss saturates ([N] 5.1)
    augmentation: float = share(0.5)  # strength of the changes of light and colour [D]


@dataclasses.dataclass(frozen=True)
class Training:
    """What both stages share."""

    seed: int = 0
    precision: Precision = "auto"
    log_every: int = positive(100, may_change=True)  # steps a logged mean is over
    checkpoint_every: int = positive(1000, may_change=True)  # steps


@dataclasses.dataclass(frozen=True)
class Classical:
    """The references beside the teacher [D]."""

    rank: int = positive(5)  # ways to change of the low-rank shape
    iterations: int = positive(60)


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything a run depends on, but the code and the data."""

    data: Data = Data()
    teacher: Teacher = Teacher()
    student: Student = Student()
    classical: Classical = Classical()
    training: Training = Training()

    def check(self) -> None:
        """Checks what ties values to each other.

        Raises:
            InputError: if a dictionary is empty or its codes are no bottleneck, the
                stored pictures are smaller than what the network sees, or light is to
                change in pictures that are seen once.
        """
        atoms, data = self.teacher.atoms, self.data
        if len(atoms) < 2 or any(a <= b for a, b in zip(atoms, atoms[1:])):
            raise errors.InputError(
                f"teacher.atoms: got {list(atoms)}, expected at least two sizes, each "
                "smaller than the one before, such as [256, 128, 64, 32, 16, 8]"
            )
        if not self.student.strides or max(self.student.strides) > 2:
            raise errors.InputError(
                f"student.strides: got {list(self.student.strides)}, expected a 1 or a "
                "2 for each deconvolution, such as [1, 2, 2]"
            )
        if self.student.frozen and self.student.augmentation:
            raise errors.InputError(
                f"student.augmentation: got {self.student.augmentation:g}, expected 0 "
                "with student.frozen, whose backbone sees each picture once"
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
    return loader.of_run(Config, workdir, "nrsfm")
