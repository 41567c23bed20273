"""How an exported file compares with the model that it was made of."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.export import serving as servings

CHECKED = 32  # pictures
Run = Callable[[np.ndarray], Mapping[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Parity:
    """A file beside its model, on the same pictures.

    Attributes:
        error_mm: mean distance of the joints.
        worst_mm: the same of the picture that differs most. (Where limbs point straight
            at the camera the decoder turns fast.)
        limit_mm: that it may reach.
        milliseconds: for one picture, median, one thread.
        size: bytes of the file.
    """

    error_mm: float
    worst_mm: float
    limit_mm: float
    milliseconds: float
    size: int

    def __str__(self) -> str:
        """One line for people."""
        return (
            f"{self.error_mm:.3f} mm from the model (limit {self.limit_mm:g}; at worst "
            f"{self.worst_mm:.3f}), "
            f"{self.milliseconds:.1f} ms for a picture on one thread, "
            f"{self.size / 1e6:.1f} MB"
        )


def noise(size: int) -> np.ndarray:
    """Returns what is compared where there are no pictures."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (CHECKED, size, size, 3), np.uint8)


def compare(
    run: Run,
    serving: servings.Serving,
    pictures: np.ndarray,
    *,
    what: str,
    limit_mm: float,
    size: int,
) -> Parity:
    """Runs a file and the model on the same pictures, some of those that are given.

    Args:
        run: from a picture, uint8 `[1, S, S, 3]`, to `joints` `[1, J, 3]`.
        serving: the model.
        pictures: uint8 `[N, S, S, 3]`.
        what: the file, for messages.
        limit_mm: mean distance of the joints that is allowed.
        size: bytes of the file.

    Raises:
        InputError: if the poses differ by more than the limit.
    """
    chosen = np.linspace(0, len(pictures) - 1, min(CHECKED, len(pictures)))
    chosen = np.unique(chosen.round().astype(int))
    apart, seconds = [], []
    for picture in pictures[chosen]:
        began = time.perf_counter()
        joints = run(picture[None])["joints"]
        seconds.append(time.perf_counter() - began)
        expected = serving.serve(tf.constant(picture[None]))["joints"].numpy()
        apart.append(float(np.linalg.norm(joints - expected, axis=-1).mean()))
    found = Parity(
        error_mm=float(np.mean(apart)),
        worst_mm=max(apart),
        limit_mm=limit_mm,
        milliseconds=1e3 * float(np.median(seconds)),
        size=size,
    )
    if not found.error_mm <= found.limit_mm:
        raise errors.InputError(
            f"{what}: poses are {found.error_mm:.2f} mm from the model's, "
            f"expected {found.limit_mm:g} at most; use another kind"
        )
    return found
