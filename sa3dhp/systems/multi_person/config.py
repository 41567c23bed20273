"""The configuration of this system: what a run depends on, with units and sources.

A default is the paper's value [P] where it gives one, and our own decision [D] where
not. Only `sources.py`, `networks.py`, `stages.py`, `job.py`, the experiments and the
tools read this.
"""

from __future__ import annotations

import dataclasses
import os
import typing
from collections.abc import Sequence
from typing import Literal

from sa3dhp import config as loader
from sa3dhp import errors
from sa3dhp.config import positive, share

# In their order: a stage, and a network that it leaves behind.
STAGES = {
    "poses": "canonical_decoder",
    "teacher": "teacher_maps",
    "alignment": "student_aligned",
    "equivariance": "student",
    "refinement": "refiner",
}
READS = {
    "poses": "poses",
    "teacher": "teacher",  # pictures too
    "alignment": "pictures",
    "equivariance": "pictures",
    "refinement": "pictures",
}
SHIPPED = "configs/multi_person_world.yaml"
MOST = 144  # people in a scene, one for each of 12 x 12 cells
MEASURED = "of pictures and poses that never trained"  # over the numbers of a stage
NEXT = "python tools/evaluate.py --system=multi_person --workdir={workdir}"
# Stage -> SavedModel in the workdir; the second looks at each person again.
EXPORTS = {"equivariance": "saved_model", "refinement": "saved_model_refined"}
Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
PRECISIONS: tuple[str, ...] = typing.get_args(Precision)


@dataclasses.dataclass(frozen=True)
class Data:
    """Crowds: where the teacher learns, where nobody labels, where it is measured.

    A place is a domain of the embedded world or a folder: prepared crowds (`muco`), or,
    as a target that nobody has labelled, any other prepared or plain pictures.
    """

    kind: Literal["world", "folders"] = "world"
    source: str = "studio"  # the place of the teacher's 2D labels
    target: str = "street"  # the place of D_I
    pictures: int = positive(3000)  # of each domain, that train; of a folder all do
    unseen: int = positive(200)  # of each place, that measure, at most
    image_size: int = positive(224)  # px ([P] 4)
    people: int = positive(4)  # in a picture or scene, at most ([P] 3.2)
    # Focal length, sides of the picture [D]; of prepared crowds, what they have.
    focal: float = positive(1.2)
    near_mm: float = positive(2500.0)  # of the nearest pelvis [D]
    far_mm: float = positive(9000.0)  # of the farthest [D]
    # Joint limits sampled independently (Psi_arti), or captured motion (Psi_mocap).
    poses: Literal["artificial", "captured"] = "artificial"
    # Of captured poses: prepared motion capture; "" for that of the embedded world.
    motions: str = ""
    held_out_subjects: tuple[str, ...] = ()  # of `motions`, that measure
    pool: int = positive(20_000)  # canonical poses that train; 1M in [P] 3.1.1
    augmentation: float = share(0.5)  # strength of the changes of light and colour [D]


@dataclasses.dataclass(frozen=True)
class Poses:
    """E_c and Psi, the view-free auto-encoder ([P] 3.1.1)."""

    steps: int = positive(100_000, may_change=True)  # [D]
    batch_size: int = positive(32)  # ([P] 4)
    learning_rate: float = 1e-4  # ([P] 4)
    cycle_weight: float = 10.0  # [D]
    local_weight: float = 0.0  # ours: of local vectors beside joints
    adversarial_weight: float = 1.0  # [D]
    discriminator_noise: float = 0.0  # ours
    right_enough: float = share(0.8)  # see `Turns` [D]
    fooled_enough: float = share(0.35)  # [D]


@dataclasses.dataclass(frozen=True)
class Teacher:
    """E and F, trained on the source's 2D labels and then frozen.

    A published one, a frozen graph (`.pb`, see `frozen`), is taken as it is.
    """

    # 'imagenet', 'none', a Keras weights file or an .npz, as for the image encoder; or
    # a frozen graph of both E and F.
    weights: str = "imagenet"
    features: int = positive(1024)  # channels of v ([P] 3.1.2)
    width: int = positive(128)  # of F's convolutions (Cao et al.)
    steps: int = positive(50_000, may_change=True)  # [D]
    batch_size: int = positive(8)  # [D]
    learning_rate: float = 1e-3  # [D]

    @property
    def published(self) -> bool:
        """Whether nothing of it trains here."""
        return self.weights.endswith(".pb")


@dataclasses.dataclass(frozen=True)
class Student:
    """G and H."""

    # Ours: a folder of networks or a shipped model, whose G and H phase 1 begins with.
    start: str = ""
    width: int = positive(128)  # of H's innermost map ([P] suppl. 2)
    map_width: int = positive(128)  # of G's first four convolutions [D]
    scenes: bool = True  # whether D_syn is used (L_recon and L_adapt)
    adapt: bool = True  # whether L_adapt is minimised
    # Labels of the pictures: none (Us), in 2D (Ws), in 2D and 3D (Fs).
    labels: Literal["none", "2d", "3d"] = "none"
    first_steps: int = positive(15_000, may_change=True)  # of L_distl alone ([P] 4)
    # Of phase 1, the first in it: 450k iterations, two to a step ([P] suppl. 2.2).
    steps: int = positive(225_000, may_change=True)
    drop_steps: int = positive(50_000)  # after which its rate is a tenth ([P] 4)
    # Of phase 2 (L_recon and L_ss; G stays): what is left of 600k iterations ([P] 4).
    equivariance_steps: int = positive(75_000, may_change=True)
    # Of H', which sees people one by one ([P] suppl.) [D].
    refinement_steps: int = positive(100_000, may_change=True)
    batch_size: int = positive(8)  # ([P] 4); people, of H'
    learning_rate: float = 1e-4  # of each Adam ([P] 4), of H' too
    map_rate: float = 1e-4  # of G ([P] 4); a larger one makes its 7 x 7 layers a blur
    equivariance_rate: float = 1e-5  # of phase 2 ([P] 4)
    turn_deg: float = 20.0  # of T_s, at most either way [D]
    # Ours: errors in the sizes and distances of the people, not in pixels and mm.
    sized: bool = False
    distils: bool = False  # ours: L_distl in phase 2 too
    decays: bool = False  # ours: each rate falls along a cosine, to a hundredth


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
    poses: Poses = Poses()
    teacher: Teacher = Teacher()
    student: Student = Student()
    training: Training = Training()

    def check(self) -> None:
        """Checks what ties values to each other.

        Raises:
            InputError: if pictures are of no size that E takes, more people are asked
                for than cells, nobody can stand between `near_mm` and `far_mm`,
                subjects are held out of no motions, or phase 1 ends before its first
                steps.
        """
        data, student = self.data, self.student
        sizes = tuple(28 << n for n in range(1, 7))
        if data.image_size not in sizes and not self.teacher.published:
            raise errors.InputError(
                f"data.image_size: got {data.image_size}, expected one of "
                f"{', '.join(map(str, sizes))}: maps have 28 cells or twice as many"
            )
        if data.people > MOST:
            raise errors.InputError(
                f"data.people: got {data.people}, expected at most {MOST}: a cell of s "
                "speaks of one person, and those at the border of nobody"
            )
        if data.near_mm >= data.far_mm:
            raise errors.InputError(
                f"data.near_mm: got {data.near_mm}, expected less than data.far_mm = "
                f"{data.far_mm}"
            )
        if data.held_out_subjects and not data.motions:
            raise errors.InputError(
                "data.held_out_subjects: they are those of data.motions, which is not "
                "given"
            )
        if student.first_steps > student.steps:
            raise errors.InputError(
                f"student.first_steps: got {student.first_steps}, expected at most "
                f"student.steps = {student.steps}, of which they are the first"
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
    return loader.of_run(Config, workdir, "multi_person")
