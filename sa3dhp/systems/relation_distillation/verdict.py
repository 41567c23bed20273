"""Can the poses be used? Words on a scale, from what is seen without a label.

A model answers every picture with a pose, where it guesses as well. Four readings of
the monitors tell a guess from an answer, and each says it in words of its own:

* `spread`: different pictures get nearly one pose;
* `prior_distance`, in units of the spread: the poses are unlike those of people;
* `acceleration`, in units of the spread: the joints tremble;
* `lcr`: the poses change with the light.

`SCALE` and `_PEOPLE` are the one place of the numbers. `calibration.calibrate` makes
another from held-out material whose error is known; it belongs to the networks it was
read from, and to the size of a group of clips that `lcr` is read from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from sa3dhp import errors

BAD, ROUGH, GOOD = "do not use these poses", "rough: trunk and legs", "good"
WORDS = (GOOD, ROUGH, BAD)  # from best to worst
# What the words promise of the mean error of a joint, mm. BlazePose, which people use,
# errs by 108-155 mm from one view of `real_multiview`.
GOOD_MM, ROUGH_MM = 100.0, 150.0
_SPREAD = "spread"
# What speaks against poses with a bad reading.
REASONS = {
    _SPREAD: "different pictures get nearly the same pose",
    "prior_distance": "many poses are unlike those of people",
    "acceleration": "the joints tremble from frame to frame",
    "lcr": "the poses change with the light",
}
MEASURES = tuple(REASONS)
_RELATIVE = ("prior_distance", "acceleration")  # shrink as all poses become one
# Of one measure's badness, to either side: none outvotes all others.
_BEST, _WORST = -1.0, 3.0
_NOTHING = 1e-6  # eq. 1 where there is but one video, and nobody to be told apart


@dataclasses.dataclass(frozen=True)
class Scale:
    """Where readings lie that are known to be good, and bad.

    Attributes:
        good: measure -> median reading where poses err by less than `GOOD_MM`.
        bad: the same where they err by more than `ROUGH_MM`. A measure that does not
            tell the two apart is in neither.
        cuts: of the badness, 0 at `good` and 1 at `bad`: up to the first poses are
            good, beyond the second not to be used.
    """

    good: Mapping[str, float]
    bad: Mapping[str, float]
    cuts: tuple[float, float]


# By `calibration.calibrate` for the networks in checkpoints/procedural, of 15 groups of
# 7 or 8 clips: `studio`, `studio` with each dial of `street`, `street`, and the real
# clips of `real_multiview` and `person_clips` (97 to 624 mm). It says of 12 what they
# deserve, is a word too strict with 2 and too kind with 1 (125 mm, called good). `lcr`
# does not tell these apart.
SCALE = Scale(
    good={"spread": 0.3245, "prior_distance": 0.21994, "acceleration": 83.94},
    bad={"spread": 0.1610, "prior_distance": 0.63515, "acceleration": 446.54},
    cuts=(0.0021, 0.4343),
)

# The same for checkpoints/people, of 11 groups of four rendered clips of unseen people,
# sorted by their error (76 to 484 mm), and three of real ones (138 and 317 mm). It says
# of 11 what they deserve, is a word too kind with 2 and too strict with 1; the scale
# above is too kind with 10. Only how the joints tremble tells these apart.
_PEOPLE = Scale(
    good={"acceleration": 133.85}, bad={"acceleration": 268.11}, cuts=(0.0, 0.6114)
)
_SCALES = {"procedural": SCALE, "prepared": _PEOPLE}  # by `data.source` of the networks


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What is to be said of poses.

    Attributes:
        words: one of `WORDS`.
        reason: what speaks against them most, a clause; "" for good ones.
        badness: 0 as the good ones of the scale, 1 as the bad ones.
    """

    words: str
    reason: str
    badness: float

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.words} ({self.reason})" if self.reason else self.words

    def entry(self) -> dict[str, str | float]:
        """Returns it as result files hold it."""
        return dataclasses.asdict(self)


def scale_of(config: object) -> Scale:
    """Returns the scale for networks of a configuration, nested dicts.

    It goes by `data.source`, what G^s learnt from; `SCALE` where that is not said.
    """
    data = config.get("data") if isinstance(config, Mapping) else None
    source = data.get("source") if isinstance(data, Mapping) else None
    return _SCALES.get(str(source), SCALE)


def measures(readings: Mapping[str, float]) -> dict[str, float]:
    """Returns those of `MEASURES` that readings hold, by name, above 0.

    Args:
        readings: of `monitors.Monitors`, or some of them; others are ignored, and so is
            `lcr` of a single video, where it is 0.

    Raises:
        InputError: if `spread` is missing, or is all there is.
    """
    known = [name for name in MEASURES if name in readings]
    if abs(readings.get("lcr", 0.0)) < _NOTHING:
        known = [name for name in known if name != "lcr"]
    if _SPREAD not in known or len(known) < 2:
        raise errors.InputError(
            f"verdict: got {', '.join(sorted(readings)) or 'no readings'}, expected "
            f"{_SPREAD} and some of {', '.join(MEASURES[1:])}"
        )
    spread = max(readings[_SPREAD], 1e-9)
    unit = {name: spread if name in _RELATIVE else 1.0 for name in known}
    return {name: max(readings[name], 1e-9) / unit[name] for name in known}


def badness(readings: Mapping[str, float], scale: Scale = SCALE) -> dict[str, float]:
    """Returns for each measure where it lies: 0 at the good ones, 1 at the bad ones.

    Logarithms in between and beyond, from `_BEST` to `_WORST`; what is not finite is
    as bad as can be.

    Raises:
        InputError: as `measures`, or if the scale knows none of them.
    """
    found = {}
    for name, value in measures(readings).items():
        if name not in scale.good:
            continue
        place = np.log(value / scale.good[name]) / np.log(
            scale.bad[name] / scale.good[name]
        )
        place = place if np.isfinite(place) else _WORST
        found[name] = float(np.clip(place, _BEST, _WORST))
    if not found:
        raise errors.InputError(
            f"verdict: the scale knows {', '.join(scale.good) or 'nothing'}, got "
            f"{', '.join(sorted(readings))}"
        )
    return found


def of(readings: Mapping[str, float], scale: Scale = SCALE) -> Verdict:
    """Returns the verdict on poses.

    Args:
        readings: see `measures`; the mean of their badness decides, so that some of
            them will do.
        scale: another one than the shipped networks'.

    Raises:
        InputError: as `badness`.
    """
    found = badness(readings, scale)
    total = float(np.mean(list(found.values())))
    words = WORDS[int(np.searchsorted(scale.cuts, total, side="left"))]
    worst = max(found, key=lambda name: found[name])
    return Verdict(words, "" if words == GOOD else REASONS[worst], round(total, 3))


def deserved(error_mm: float) -> str:
    """Returns the words that an error deserves, mm MPJPE: see `GOOD_MM`, `ROUGH_MM`."""
    limits = (GOOD_MM, ROUGH_MM)
    return WORDS[int(np.searchsorted(limits, error_mm, side="left"))]
