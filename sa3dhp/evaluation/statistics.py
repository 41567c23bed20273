"""Is a difference between two models more than chance? Over seeds and sequences.

Frames of one sequence are no independent samples, so that whole sequences are drawn.
A seed is a run of its own, so that seeds are drawn as well. Both models are measured on
the same sequences, so that their differences are drawn and not their errors.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from sa3dhp import errors

RESAMPLES = 10_000
LEVEL = 0.95  # of the interval
MIN_SEQUENCES = 6  # of fewer, all point one way by chance more often than LEVEL allows


@dataclasses.dataclass(frozen=True)
class Interval:
    """A mean change and where it lies with a probability of `LEVEL`; mm.

    Attributes:
        mean: of the change.
        low, high: the ends of the interval.
        count: sequences, over all seeds.
    """

    mean: float
    low: float
    high: float
    count: int

    @property
    def verdict(self) -> str:
        """`improves` or `worsens` only where the interval excludes zero."""
        if self.low == self.high == 0.0:
            return "unchanged"
        if self.count < MIN_SEQUENCES:
            return "too few sequences"
        if self.high < 0.0:
            return "improves"
        return "worsens" if self.low > 0.0 else "not significant"

    def told(self, more_is_better: bool) -> str:
        """The verdict of an error, or of a measure of which more is better."""
        turned = {"improves": "worsens", "worsens": "improves"}
        verdict = self.verdict
        return turned.get(verdict, verdict) if more_is_better else verdict


@dataclasses.dataclass(frozen=True)
class Spread:
    """Median and extremes over seeds."""

    median: float
    low: float
    high: float


def paired_change(
    before: Sequence[np.ndarray],
    after: Sequence[np.ndarray],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Returns the mean change of an error with its bootstrap interval.

    Seeds are drawn with replacement, sequences within each drawn seed, and their means
    averaged: what varies is which runs were made, and which people were filmed.

    Args:
        before: for each seed `[N]`, the error of each sequence.
        after: the same of the other model, in the same order.
        resamples: draws.
        seed: of the draws.

    Raises:
        InputError: if the two do not hold the same sequences, or there are none.
    """
    sizes = [[len(errors_) for errors_ in side] for side in (before, after)]
    if sizes[0] != sizes[1] or not sizes[0] or not min(sizes[0]):
        raise errors.InputError(
            f"paired change: got {sizes[0]} sequences before and {sizes[1]} after, "
            "expected the same, at least one"
        )
    changes = [
        np.asarray(new, np.float64) - np.asarray(old, np.float64)
        for old, new in zip(before, after)
    ]
    rng = np.random.default_rng(seed)
    drawn = np.zeros(resamples)
    for _ in changes:
        seeds = rng.integers(len(changes), size=resamples)
        for number, change in enumerate(changes):
            here = np.flatnonzero(seeds == number)
            rows = rng.integers(len(change), size=(len(here), len(change)))
            drawn[here] += change[rows].mean(axis=1) / len(changes)
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(drawn, [tail, 100 - tail])
    count = sum(sizes[0])
    mean = float(np.mean([change.mean() for change in changes]))
    return Interval(mean, float(low), float(high), count)


def spread(values: Sequence[float]) -> Spread:
    """Returns the median of a few numbers, the least and the greatest."""
    return Spread(float(np.median(values)), float(min(values)), float(max(values)))
