"""The networks of one configuration, new or trained, in one folder."""

from __future__ import annotations

import os

from sa3dhp import errors
from sa3dhp.models import integral
from sa3dhp.systems.nrsfm import config as configs
from sa3dhp.systems.nrsfm import lifting
from sa3dhp.systems.nrsfm import teacher as teachers
from sa3dhp.training import precision, store

_STAGES = {"teacher": "teacher", "student": "student"}
_COMMAND = "python tools/pretrain.py --system=nrsfm"


class Networks:
    """Makes teacher and student, and loads them.

    Attributes:
        store: where the trained networks are, and go.
    """

    def __init__(self, config: configs.Config, folder: str | os.PathLike) -> None:
        """Keeps what everything is built from."""
        self._config = config
        self.store = store.Store(folder, _COMMAND, _STAGES)

    def new_teacher(self, num_points: int) -> teachers.Teacher:
        """Returns a teacher whose initial weights are a function of the seed."""
        precision.set_seed(self._config.training.seed, "teacher")
        c = self._config.teacher
        return teachers.Teacher(
            num_points, c.atoms, hypotheses=c.hypotheses, sparsity=c.sparsity
        )

    def new_student(
        self, num_points: int, bare: bool = False
    ) -> integral.IntegralRegressor:
        """Returns a student whose initial weights are a function of the seed.

        Args:
            num_points: P.
            bare: without ImageNet's weights, as others are about to be loaded.
        """
        c = self._config.student
        precision.set_seed(self._config.training.seed, "student")
        return integral.IntegralRegressor(
            num_points,
            self._config.data.image_size,
            weights=None if bare or c.weights == "none" else c.weights,
            strides=c.strides,
            channels=c.channels,
            depth_cells=c.depth_cells,
        )

    def lifter(self) -> lifting.Lifter:
        """Returns the trained teacher, frozen, with its reflection and unit.

        Raises:
            InputError: if its file is missing or damaged, or of another configuration.
        """
        network = self.new_teacher(self._points("teacher"))
        self.store.load("teacher", network)
        meta = self.store.meta("teacher")
        return lifting.Lifter(network, meta["reflection"], meta["unit"] or None)

    def student(self) -> integral.IntegralRegressor:
        """Returns the trained student, frozen; raises `InputError` as `lifter`."""
        network = self.new_student(self._points("student"), bare=True)
        size = self._config.data.image_size
        self.store.load("student", network, image_size=size)
        return network

    def _points(self, name: str) -> int:
        meta = self.store.meta(name)
        if "num_points" not in meta:
            raise errors.InputError(
                f"{self.store.folder / name}.npz: of another system; give the "
                "--checkpoints of a run of --system=nrsfm"
            )
        return int(meta["num_points"])
