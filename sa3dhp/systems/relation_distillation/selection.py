"""Do no harm: which step of an adaptation to keep, without a label (design 7).

People do not tremble, a pose does not change with the light, it is one that a human
can take, and it turns with the picture. A prediction that fails this is a guess; the
kept step is the one that guesses least while its latents stay apart. Over 219 readings
in 135 runs this went with the error by a rank correlation of 0.77; the residuals alone,
in units of the latents' spread, by 0.73, and without that unit by 0.32.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from sa3dhp import errors

# A step is out if the latents' spread has lost more than this share of its start: G is
# on the way to giving everyone the same pose. Turns of 100 degrees and more, which G^s
# never saw, cost 4 to 16 % and 10 to 109 mm; where Res-3 gained it was 3.5 % at most.
MAX_SPREAD_LOSS = 0.05
# The target's latents must spread over this share of the source's, or the model tells
# the pictures hardly apart; and on its own source the source model must miss a relation
# by no more than this times what T itself errs by, or the rule does not hold at all.
MIN_SPREAD = 0.5
MAX_MISS = 3.0
# A target whose relations hold within this of the source's own (a mean logarithm, so a
# tenth) is no other place to the model: there is nothing to come nearer by. Other clips
# of the source, and of targets that cost it a few mm, lie at 0.01 to 0.05, `street` at
# 0.6.
MIN_DISTANCE = 0.1
# The implausibility must shrink by this share, or the source model stays.
MIN_GAIN = 0.02
# Readings whose gain is within this share of the greatest are equally good: on a few
# dozen clips of the target it is no better known. The latest of them is kept: the
# learning rates fall, and with them the noise.
TIE = 0.2
# Less is nothing: mm per frame squared, the loss of eq. 1, in units of z.
LEAST = {"acceleration": 1.0, "lcr": 0.1, "prior_distance": 0.01}
SPREAD, IMPLAUSIBILITY = "spread", "implausibility"


@dataclasses.dataclass(frozen=True)
class Choice:
    """The step that is kept.

    Attributes:
        step: updates done; 0 is the source model.
        adapted: whether it is another model than the source model.
        verdict: one sentence for the user.
        label_free: whether monitors alone chose it.
    """

    step: int
    adapted: bool
    verdict: str
    label_free: bool = True


def distance(monitors: Mapping[str, float], floor: Mapping[str, float]) -> float:
    """Returns how far the residuals are from the floor: mean |log(residual / floor)|.

    Args:
        monitors: residuals by rule, of target clips; other keys are ignored.
        floor: residuals by rule, of the source model on source clips. With `spread`,
            both sides are divided by their spread.

    Raises:
        InputError: if a rule of the floor is missing in the monitors.
    """
    missing = sorted(set(floor) - set(monitors))
    rules = [rule for rule in floor if rule != SPREAD]
    if missing or not rules:
        raise errors.InputError(
            f"monitors: got {', '.join(sorted(monitors))}; expected the rules of the "
            f"floor, {', '.join(sorted(floor)) or 'which has none'}"
        )
    unit = 1.0
    if SPREAD in floor:
        unit = max(monitors[SPREAD], 1e-9) / max(floor[SPREAD], 1e-9)
    ratios = [max(monitors[r], 1e-9) / max(floor[r], 1e-9) / unit for r in rules]
    return float(np.mean(np.abs(np.log(ratios))))


def doubt(
    start: Mapping[str, float],
    source: Mapping[str, float],
    relation_errors: Mapping[str, float],
) -> str:
    """Returns why no adaptation to this target can be trusted, "" if it can.

    Args:
        start: monitors of the source model on target clips.
        source: the same of source clips, the floor and `spread`.
        relation_errors: residuals of T on poses it never saw, by rule; what is not
            known is left out.
    """
    for rule, own in relation_errors.items():
        if rule in source and source[rule] > MAX_MISS * max(own, 1e-9):
            return (
                f"on its own source it misses the relation {rule} by {source[rule]:.2f}"
                f" where T errs by {own:.2f}: the rule does not hold for these pictures"
            )
    if SPREAD in source and start[SPREAD] < MIN_SPREAD * source[SPREAD]:
        return (
            f"its latents spread by {start[SPREAD]:.2f} over the target and by "
            f"{source[SPREAD]:.2f} over its source: its poses there are guesses, too "
            "alike to learn by"
        )
    return ""


def alike(start: Mapping[str, float], floor: Mapping[str, float]) -> str:
    """Returns why there is nothing to adapt to, "" if there is.

    Args:
        start: monitors of the source model on target clips.
        floor: see `distance`.
    """
    if distance(start, floor) < MIN_DISTANCE:
        return "on the target its relations hold as on its source: nothing to adapt to"
    return ""


def implausibility(monitors: Mapping[str, float], rules: Sequence[str]) -> float:
    """Returns how unlike a person predictions are, of meaning only beside another's.

    Args:
        monitors: of target clips: `acceleration` of the joints, mm per frame squared;
            `prior_distance`, |z - E_p D_p z|; the residuals of `rules`; and `lcr` (eq.
            1), how badly a picture is told from others once its light has changed. All
            but the last shrink as poses come nearer to the mean, and are taken in units
            of `spread`.
        rules: those that turn the picture.

    Returns:
        The geometric mean of them all.

    Raises:
        InputError: if one of them or `spread` is missing.
    """
    names = (*LEAST, *rules)
    missing = sorted({*names, SPREAD} - set(monitors))
    if missing:
        got = ", ".join(sorted(monitors))
        raise errors.InputError(f"monitors: got {got}; expected {missing[0]} as well")
    spread = max(monitors[SPREAD], 1e-9)
    faults = [
        max(monitors[name], LEAST.get(name, 1e-9)) / (1.0 if name == "lcr" else spread)
        for name in names
    ]
    return float(np.exp(np.mean(np.log(faults))))


def choose(
    history: Sequence[Mapping[str, float]], rules: Sequence[str], objection: str = ""
) -> Choice:
    """Returns the step to keep, from monitors of held-out target clips alone.

    Args:
        history: readings of the monitors in their order, each with its `step` and what
            `implausibility` needs; the first is the source model's, step 0.
        rules: see `implausibility`.
        objection: see `doubt` and `alike`; the source model stays whatever steps did.
    """
    if objection:
        return Choice(0, False, f"kept the source model: {objection}")
    start = history[0]
    finite = [h for h in history if all(np.isfinite(v) for v in h.values())]
    sound = [h for h in finite if h[SPREAD] >= (1 - MAX_SPREAD_LOSS) * start[SPREAD]]
    before = implausibility(start, rules)
    gains = {
        h["step"]: np.log(before / implausibility(h, rules)) for h in sound if h["step"]
    }
    better = {step: x for step, x in gains.items() if x > -np.log(1 - MIN_GAIN)}
    if not better:
        why = "every step lost the spread of the latents"
        if len(sound) > 1 or len(history) == 1:
            why = "no step made its predictions on the target more plausible"
        return Choice(0, False, f"kept the source model: {why}")
    greatest = max(better.values())
    step = [step for step, x in better.items() if x >= (1 - TIE) * greatest][-1]
    text = (
        f"kept step {int(step)}: its predictions on the target are "
        f"{100 * (1 - np.exp(-better[step])):.0f} % more plausible"
    )
    return Choice(int(step), True, text)


def choose_last(history: Sequence[Mapping[str, float]]) -> Choice:
    """Returns the last step, whatever the monitors say."""
    step = int(history[-1]["step"])
    return Choice(
        step, step > 0, f"kept the last step, {step}, unseen by any monitor", False
    )


def choose_oracle(history: Sequence[Mapping[str, float]], key: str) -> Choice:
    """Returns the step of least test error: research only, it looks at labels."""
    best = min(history, key=lambda h: h[key])
    step = int(best["step"])
    return Choice(
        step, step > 0, f"oracle: step {step} by the labels of the test", False
    )
