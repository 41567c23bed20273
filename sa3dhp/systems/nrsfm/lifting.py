"""What a trained teacher makes of points: shapes, and what a student learns from."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from sa3dhp.systems.nrsfm import points as points_
from sa3dhp.systems.nrsfm import teacher as teachers

_BATCH = 1024


class Lifted(NamedTuple):
    """The teacher's answer to points.

    Attributes:
        joints: `[N, P, 3]`, centred, camera frame, in the unit of the points.
        camera: M, `[N, 3, 2]`.
        code: phi_1, `[N, K_1]`.
        size: `[N, 1, 1]`, the unit of the teacher in that of the points.
    """

    joints: np.ndarray
    camera: np.ndarray
    code: np.ndarray
    size: np.ndarray


@dataclasses.dataclass(frozen=True)
class Lifter:
    """A teacher, with what its training points settled.

    Attributes:
        network: the teacher.
        reflection: +1, or -1 to turn all depths around, see `scoring.reflection`.
        unit: see `points.normalised`.
    """

    network: teachers.Teacher
    reflection: int = 1
    unit: float | None = None

    def lift(self, points: np.ndarray) -> Lifted:
        """Lifts points `[N, P, 2]`, of any unit where the teacher has none, to 3D.

        Raises:
            InputError: if there is another number of points than the network's, or
                they are not usable, see `points.check`.
        """
        expected = self.network.num_points
        points = points_.check(points, source="points", expected=expected)
        flat, _, size = points_.normalised(points, self.unit)
        parts = [
            self.network(tf.constant(flat[i : i + _BATCH]))
            for i in range(0, len(flat), _BATCH)
        ]
        joints, camera, code = (
            np.concatenate([part[key].numpy() for part in parts])
            for key in ("joints", "camera", "code")
        )
        joints = (joints - joints.mean(axis=1, keepdims=True)) * size
        return Lifted(joints * [1, 1, self.reflection], camera, code, size)
