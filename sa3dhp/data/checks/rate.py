"""Does time run at the stated rate? Gravity and gait know, many clips together.

* **Flights.** While both feet are off the floor the centre of mass falls at 9.81 m/s^2.
  On the genuine clips the median over the flights of a clip gives the rate to 10 % in
  four of five clips that seem to fly; the others (on tiptoe, cart-wheels, stairs) fall
  too slowly, scattered.
* **Gait.** People who take longer steps take them faster: steps per second over the
  distance of the ankles, both in units of the leg, is 0.73 for walks and 1.0 for runs,
  with a standard deviation of a quarter of an octave. Walk and run are told apart by
  how far the knee bends, which no frame rate changes.

Each person (gait) or clip (flight) votes for an octave, with a share of outliers;
the likelihoods decide. Of groups of genuine clips drawn at random, played at twice or
at half the speed, it names 44 of 50 of five clips, 47 of ten and all of twenty or more;
of the groups of one person's clips 21 of 50. It fails none of 188 groups that are right
(15 get a warning for one of their people, a dancer on tiptoe mostly). What it cannot
do: say anything of clips in which nobody walks, runs or jumps, find a rate that is
wrong by less than a third, or find the few clips of a set that differ from the rest.
The thresholds were set on these clips too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from sa3dhp.data.checks import axes, clips
from sa3dhp.data.checks.clips import FAIL, NONE, PASS, WARN, Clip, Finding

_GRAVITY = 9810.0  # mm / s^2
_GRID = np.linspace(-2.0, 2.0, 161)  # octaves
_FLIGHT = (0.12, 0.35)  # standard deviation in octaves, share of outliers
_GAIT = (0.3, 0.15)
_STEADY = 0.03  # share of outliers among people of three clips or more that agree
_WALK, _RUN = 0.73, 1.0  # steps per second over step length, dimensionless
_RUNNING_KNEE = np.radians(82)  # 95th percentile of the knee's bend
_IMPOSSIBLE = 2.3  # g; 1.96 is the most of 221 genuine pieces
_SURE, _LIKELY = 5.0, 3.0  # log likelihood ratios: fail, warn
# Shares of the body's mass, both sides together where there are two.
_MASSES = {
    ("pelvis", "neck"): 0.50,
    ("neck", "head_top"): 0.08,
    ("shoulder", "elbow"): 0.056,
    ("elbow", "wrist"): 0.044,
    ("hip", "knee"): 0.20,
    ("knee", "ankle"): 0.12,
}


def frame_rate(found: Sequence[Clip]) -> Finding:
    """Is the stated frame rate that of the movement?"""
    check = "frame rate"
    found = [c for c in found if c.fps and len(c.pose) > 8 and np.isfinite(c.leg)]
    votes = [(clip.person, *_votes(clip)) for clip in found]
    people = {
        person: _likelihood([vote for vote in votes if vote[0] == person])
        for person in dict.fromkeys(person for person, _, _ in votes)
    }
    flights = sum(np.isfinite(flight) for _, flight, _ in votes)
    gaits = sum(np.isfinite(gait) for _, _, gait in votes)
    seen = f"{flights} clips with flights, {gaits} with gait"
    if not flights + gaits:
        return Finding(check, NONE, "nobody walks, runs or jumps: it cannot be told")
    octave, ratio = _decision(_together(people.values()))
    factor = 2.0**octave
    odd = []
    for person, curve in people.items():
        apart, strength = _decision(curve)
        if abs(apart) > 0.5 and strength > _SURE:
            odd.append(person)
    twice = _repeats(found)
    if twice:
        text = f"{twice} of {len(found)} clips hold most of their frames twice"
        remedy = "drop the copies and state the real rate"
        return Finding(check, FAIL, text, "half the frame rate", remedy)
    text = f"time runs {factor:.2f} times as fast as gravity and gait want ({seen})"
    if abs(octave) < 0.5 and not odd:
        return Finding(check, PASS, text)
    fps = float(np.median([clip.fps for clip in found]))
    if abs(octave) < 0.5:  # some people only
        text += f"; not so for {clips.some(odd)}"
        octave = _decision(_together(people[person] for person in odd))[0]
        factor = 2.0**octave
        # Nothing falls faster than it should, but much that looks like a fall is none.
        ratio = _SURE + 1 if octave > 0 else _LIKELY
    if ratio < _LIKELY:
        return Finding(check, PASS, text + "; too few to tell")
    remedy = (
        f"the frames look like {fps / factor:.0f} per second, {fps:g} are stated: "
    ) + ("were frames left out?" if octave > 0 else "is the rate of the source halved?")
    status = FAIL if ratio > _SURE else WARN
    return Finding(check, status, text, _name(octave), remedy)


def _together(curves: Iterable[np.ndarray]) -> np.ndarray:
    """The log likelihood of independent people."""
    return np.sum([*curves], axis=0)


def _name(octave: float) -> str:
    if abs(abs(octave) - 1) < 0.35:
        return "half the frame rate" + ("" if octave > 0 else " stated")
    return "wrong frame rate"


def _likelihood(votes: list[tuple]) -> np.ndarray:
    """Log likelihood of the octaves of `_GRID` by one person's clips."""
    total = np.zeros_like(_GRID)
    for _, flight, _ in votes:
        if np.isfinite(flight):
            total += _mixture(flight, *_FLIGHT)
    gaits = np.array([gait for _, _, gait in votes])
    gaits = gaits[np.isfinite(gaits)]
    if len(gaits):  # a person's habit is one vote, however often it is seen
        steady = len(gaits) >= 3 and gaits.std() < 0.4
        outliers = _STEADY if steady else _GAIT[1]
        total += _mixture(float(np.median(gaits)), _GAIT[0], outliers)
    return total


def _mixture(value: float, deviation: float, outliers: float) -> np.ndarray:
    """Log of a normal density about `value`, with a share of outliers anywhere."""
    normal = np.exp(-0.5 * ((_GRID - value) / deviation) ** 2)
    normal /= deviation * np.sqrt(2 * np.pi)
    return np.log((1 - outliers) * normal + outliers / 4.0)


def _decision(curve: np.ndarray) -> tuple[float, float]:
    """The likeliest octave, and how much likelier it is than the right one."""
    best = int(curve.argmax())
    right = curve[np.abs(_GRID) < 0.06].max()
    return float(_GRID[best]), float(curve[best] - right)


def _votes(clip: Clip) -> tuple[float, float]:
    """Octaves by which a clip is too fast: by its flights and by its gait, or NaN."""
    return _flight(clip), _gait(clip)


def _flight(clip: Clip) -> float:
    """Half the octaves by which falls are too fast; NaN without any."""
    up = axes.floor(clip)[0]
    feet = [
        clip.part(f"{side}_{name}")
        for side in ("left", "right")
        for name in ("ankle", "foot")
    ]
    lowest = np.stack([foot @ up for foot in feet])
    if np.isnan(lowest[[0, 2]]).any():
        return float("nan")
    lift = np.nanmin(lowest, axis=0)
    lift = (lift - np.percentile(lift, 5)) / clip.leg
    height = _centre_of_mass(clip) @ up / clip.leg
    edges = np.diff(np.concatenate([[0], (lift > 0.04).astype(int), [0]]))
    falls = []
    for start, stop in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)):
        count = stop - start
        if start == 0 or stop == len(lift) or count < 3:
            continue
        time = np.arange(count) - (count - 1) / 2
        part = height[start:stop]
        if np.isnan(part).any():
            continue
        curve = np.polyfit(time, part, 2)
        rise = -curve[0] * count**2 / 4
        off = np.sqrt(np.mean((np.polyval(curve, time) - part) ** 2))
        high = lift[start:stop].max()
        if rise > max(0.01, 0.15 * high) and off < 0.12 * rise + 0.001:
            falls.append(-2 * curve[0] * clip.fps**2 * clip.leg / _GRAVITY)
    if not falls:  # too short to see, but nothing is ever pulled down like that
        falls = [a for a in [_pull(height, clip)] if a > _IMPOSSIBLE]
    return 0.5 * float(np.log2(np.median(falls))) if falls else float("nan")


def _pull(height: np.ndarray, clip: Clip) -> float:
    """The largest downward acceleration of the centre of mass over 5 frames, in g."""
    bend = np.convolve(height, np.array([2, -1, -2, -1, 2]) / 7.0, "valid")
    fall = -np.nan_to_num(bend) * clip.fps**2 * clip.leg / _GRAVITY
    return float(fall.max(initial=0.0))


def _centre_of_mass(clip: Clip) -> np.ndarray:
    """`[T, 3]`; limbs that are not there do not count."""
    total, mass = np.zeros((len(clip.pose), 3)), 0.0
    for (first, second), share in _MASSES.items():
        pairs = [(first, second)]
        if first not in ("pelvis", "neck"):
            pairs = [(f"{s}_{first}", f"{s}_{second}") for s in ("left", "right")]
        for a, b in pairs:
            middle = (clip.part(a) + clip.part(b)) / 2
            if not np.isnan(middle).all():
                total = total + share / len(pairs) * middle
                mass += share / len(pairs)
    return total / max(mass, 1e-9)


def _gait(clip: Clip) -> float:
    """Octaves by which steps are too fast for their length; NaN where none walks."""
    part = clip.part
    hips = part("left_hip") - part("right_hip")
    forward = clips.unit(np.cross(hips, part("neck") - part("pelvis")))
    apart = ((part("left_ankle") - part("right_ankle")) * forward).sum(-1) / clip.leg
    if np.isnan(apart).any():
        return float("nan")
    middle, spread = apart.mean(), apart.std()
    if np.sqrt(2) * spread < 0.4 or abs(middle) > 0.25:
        return float("nan")
    steps = np.diff(_crossings(apart - middle, spread / 2))
    if len(steps) < 2 or steps.std() > 0.25 * np.median(steps):
        return float("nan")
    rate = clip.fps / np.median(steps) * np.sqrt(clip.leg / _GRAVITY)
    bend = np.concatenate([_knee(clip, side) for side in ("left", "right")])
    usual = _RUN if np.nanpercentile(bend, 95) > _RUNNING_KNEE else _WALK
    return float(np.log2(rate / (np.sqrt(2) * spread) / usual))


def _crossings(values: np.ndarray, margin: float) -> np.ndarray:
    """Where a curve goes from beyond +-margin to beyond the other, in frames."""
    times, last = [], 0
    for t in np.flatnonzero(np.abs(values) > margin):
        if values[t] * values[last] < 0 and abs(values[last]) > margin:
            zero = last + np.flatnonzero(np.diff(np.sign(values[last : t + 1])))[0]
            first, second = values[zero : zero + 2]
            times.append(zero + first / (first - second))
        last = t
    return np.array(times)


def _knee(clip: Clip, side: str) -> np.ndarray:
    """How far a knee bends, `[T]`, radians."""
    hip, knee, ankle = (clip.part(f"{side}_{p}") for p in ("hip", "knee", "ankle"))
    thigh, shin = clips.unit(knee - hip), clips.unit(ankle - knee)
    return np.arccos(np.clip((thigh * shin).sum(-1), -1, 1))


def _repeats(found: Sequence[Clip]) -> int:
    """Clips that move, but stand still from one frame to the next in half of them."""
    count = 0
    for clip in found:
        steps = np.abs(np.diff(clip.pose, axis=0))
        same = np.nanmax(steps.reshape(len(steps), -1), axis=1) == 0
        count += bool(0.4 < same.mean() < 0.95)
    return count
