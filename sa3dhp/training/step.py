"""What the training loop asks of a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import tensorflow as tf


class Step(Protocol):
    """One training step; the loop asks no more of it."""

    @property
    def models(self) -> Mapping[str, tf.keras.Model]:
        """The networks that it trains, by name."""

    @property
    def trackables(self) -> Mapping[str, Any]:
        """All that a checkpoint must hold: models, optimizers, variables."""

    def terms(self, batch: Any, training: bool = False) -> dict[str, tf.Tensor]:
        """Returns the unweighted terms of a batch, by name; changes nothing."""

    def __call__(self, batch: Any) -> dict[str, tf.Tensor]:
        """Runs one iteration; returns the terms before it."""
