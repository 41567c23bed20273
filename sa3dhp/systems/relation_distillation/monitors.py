"""What can be seen of an adaptation without a label (design 7)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from sa3dhp.models import pose_prior
from sa3dhp.skeleton import limits
from sa3dhp.systems.relation_distillation import (
    energies,
    relation_network,
    rules,
    selection,
    views,
)
from sa3dhp.systems.relation_distillation.steps import adaptation, terms


class Monitors:
    """Reads G on target clips, as it is when asked; changes nothing.

    Attributes:
        rule_ids: the rules whose residuals are read.
        voters: of these the ones that turn the picture, which say how far the target is
            and which step to keep: a G that leans everybody the same way obeys the
            mirror and the clock, but not a turn. All, if none of them turns.
    """

    def __init__(
        self,
        prior: pose_prior.PosePrior,
        observer: terms.Observer,
        contrast: terms.Contrast,
        networks: Mapping[str, tuple[rules.Rule, relation_network.RelationNetwork]],
        *,
        seed: int,
    ):
        """Keeps what they look through.

        Args:
            prior: decodes what G says.
            observer: G, as the terms look through it.
            contrast: both parts of eq. 1.
            networks: rule and T by id.
            seed: of the change of light, the same at every call, so that the readings
                of two models can be compared.
        """
        self._prior, self._observer, self._contrast = prior, observer, contrast
        self._networks = dict(networks)
        self._light = tf.Variable([seed, 0], dtype=tf.int64, trainable=False)
        self.rule_ids = list(networks)
        turning = [name for name, (rule, _) in networks.items() if rule.view.angle]
        self.voters = turning or self.rule_ids

    @property
    def floor_keys(self) -> tuple[str, ...]:
        """The readings that a target is compared with its source by."""
        return (*self.rule_ids, selection.SPREAD)

    def restart(self, seed: int) -> None:
        """Takes another seed of the change of light."""
        self._light.assign([seed, 0])

    def read(
        self, clips: np.ndarray, videos: np.ndarray, size: int
    ) -> dict[str, float]:
        """Returns all readings of clips, means over groups of `size` of them.

        Args:
            clips: uint8 `[N, 60, S, S, 3]`, at the stored size.
            videos: `[N]`, which video each is of.
            size: clips at once; contrastive terms depend on it.

        Returns:
            The residual of each rule; `lcr`, `hcr` and their accuracies; `spread`, the
            standard deviation of z over all frames, mean over its coordinates; those of
            `plausibility`; and the implausibility that they come to.
        """
        read = [self._group(clips[r], videos[r]) for r in groups(len(clips), size)]
        found = {key: float(np.mean([one[key] for one in read])) for key in read[0]}
        found[selection.IMPLAUSIBILITY] = selection.implausibility(found, self.voters)
        return found

    def _group(self, clips: np.ndarray, videos: np.ndarray) -> dict[str, float]:
        scalars, latent = self._relations(tf.constant(clips), tf.constant(videos))
        found = {name: float(value) for name, value in scalars.items()}
        return {**found, **plausibility(self._prior, latent)}

    @tf.function(reduce_retracing=True, autograph=False)
    def _relations(self, clips: tf.Tensor, videos: tf.Tensor) -> tuple:
        """What rules and eq. 1 say of one group, and z `[V, 30, D]` of its frames."""
        clips, see = adaptation.checked_clips(clips), self._observer
        sides = {name: see.sides(rule) for name, (rule, _) in self._networks.items()}
        middle = (rules.PLAIN, views.MIDDLE)
        pairs = [side for pair in sides.values() for side in pair]
        needed = views.merged(middle, *pairs)
        latents = see.latents(clips, needed)
        anchor = latents.pick(*middle)
        relit = see.latents(clips, views.merged(middle), light=self._light)
        found = self._contrast.of_latents(anchor, relit.pick(*middle), videos)
        for name, (rule, network) in self._networks.items():
            first, second = (see.side(rule, latents, side) for side in sides[name])
            found[name] = energies.residual(network(first), second)
        spread = tf.math.reduce_std(tf.reshape(anchor, [-1, anchor.shape[-1]]), 0)
        return {**found, selection.SPREAD: tf.reduce_mean(spread)}, anchor


def groups(count: int, size: int) -> Iterator[np.ndarray]:
    """Yields row numbers in groups of one size, so that nothing is traced twice.

    Contrastive terms depend on the size: a rest is filled up with rows before it.
    """
    size = min(size, count)
    for start in range(0, count, size):
        first = min(start, count - size)
        yield np.arange(first, first + size)


def plausibility(prior: pose_prior.PosePrior, latent: tf.Tensor) -> dict[str, float]:
    """Returns how human the poses of clips are and move.

    Args:
        prior: decodes them.
        latent: z `[V, T, D]` of their frames.

    Returns:
        `within_limits`, share of joints inside the joint limits; `prior_distance`,
        |z - E_p D_p z|, which is small on the prior's manifold; `acceleration`, mm per
        frame squared, mean over joints.
    """
    flat = tf.reshape(latent, [-1, latent.shape[-1]])
    local = prior.decoder(flat)
    joints = prior.from_local(local).numpy()  # [V T, J, 3]
    moved = np.diff(joints.reshape(*latent.shape[:2], *joints.shape[1:]), n=2, axis=1)
    return {
        "within_limits": float(limits.within(local.numpy(), prior.skeleton).mean()),
        "prior_distance": float(prior.distance(flat, local)),
        "acceleration": float(np.linalg.norm(moved, axis=-1).mean()),
    }
