"""The mean of what a model says of a picture and of its mirror image."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from sa3dhp.geometry import pictures
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.skeleton import transforms


class Model(Protocol):
    """What predicts poses of crops."""

    def predict(self, images: np.ndarray) -> np.ndarray:
        """From uint8 `[N, S, S, 3]` to `[N, J, 3]`, mm."""


class Mirrored:
    """A model that looks twice: at a picture, and at its mirror image.

    Ours, and known of the field as a flip test: untrained, for twice the time. Joints
    are averaged, so that bones come out a little shorter than either look has them.

    Attributes:
        skeleton: of the joints.
        motion: the model's, where it has one.
    """

    def __init__(self, model: Model, skeleton: skeletons.Skeleton = skeletons.SA3DHP17):
        """Keeps the model.

        Args:
            model: predicts poses of crops.
            skeleton: of its joints, which says what is left and right.
        """
        self._model, self.skeleton = model, skeleton
        self.motion = getattr(model, "motion", None)

    @property
    def description(self) -> Mapping:
        """What the model says about itself, and that it looks twice."""
        return {**getattr(self._model, "description", {}), "mirrored": True}

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Returns the joints of pictures.

        Args:
            images: uint8 `[N, S, S, 3]`, as the model takes them.

        Returns:
            `[N, J, 3]`, mm, camera frame, root-relative.

        Raises:
            InputError: as the model.
        """
        plain = self._model.predict(images)
        turned = self._model.predict(np.ascontiguousarray(pictures.flip(images)))
        return (plain + transforms.flip(turned, self.skeleton).numpy()) / 2
