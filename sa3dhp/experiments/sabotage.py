"""What can go wrong with a target or with a rule, on purpose: for the table `harm`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import body, domain, mesh, render
from sa3dhp.systems.relation_distillation import rules

WRONG_FLIP = "wrong_flip"  # of networks; all others are of clips


def empty(clips: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The places without the people, uint8 like `clips` `[N, T, S, S, 3]`."""
    num, length, size = clips.shape[:3]
    rest = np.zeros((1, len(body.ANGLES)), np.float32)
    surface = mesh.vertices(body.joints(rest, body.mean_lengths()), np.ones(1))
    surface = np.repeat(surface, length, axis=0)
    outside = np.full((*surface.shape[:2], 2), -4.0 * size)
    return np.stack(
        [
            render.scene(surface, outside, domain.sample(domain.STREET, rng), size, rng)
            for _ in range(num)
        ]
    )


def noise(clips: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Nothing but noise."""
    return rng.integers(0, 256, clips.shape, np.uint8)


def still(clips: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The first picture of each clip all the time."""
    return np.repeat(clips[:, :1], clips.shape[1], axis=1)


def on_its_side(clips: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Videos filmed with a phone held upright and never turned back."""
    return np.ascontiguousarray(np.rot90(clips, axes=(2, 3)))


CLIPS = {f.__name__: f for f in (empty, noise, still, on_its_side)}


@dataclasses.dataclass(frozen=True)
class WrongFlip(rules.View):
    """A view that mirrors a pose and leaves left and right where they were."""

    def joints(self, joints: tf.Tensor, skeleton: skeletons.Skeleton) -> tf.Tensor:
        """As `View`, with the joints of one side taken for those of the other."""
        shown = super().joints(joints, skeleton)
        return tf.gather(shown, skeleton.flip_indices, axis=-2) if self.flip else shown


def wrong_flips(rules_by_id: Mapping[str, rules.Rule]) -> dict[str, rules.Rule]:
    """Returns the rules with a wrong flip map in those that mirror."""
    return {
        name: dataclasses.replace(rule, view=WrongFlip(**dataclasses.asdict(rule.view)))
        for name, rule in rules_by_id.items()
    }
