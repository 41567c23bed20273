"""Human movement as joint angles over time, drawn from a seed.

Every activity is a function `(rng, t) -> {angle name: degrees [T]}` of smooth curves;
`sample` picks activities, mixes them, adds posture and sway, and clips everything to
the anatomical limits of `body.LIMITS`.
"""

from __future__ import annotations

from typing import Callable

import numpy as np

from sa3dhp.synthetic import body

Angles = dict  # angle name -> degrees, [T] or a number

_SWAY_TERMS = 3


def _wave(t: np.ndarray, hertz: float, phase: float) -> np.ndarray:
    return np.sin(2 * np.pi * (hertz * t + phase))


def _bump(t: np.ndarray, hertz: float, phase: float, power: float = 1.0) -> np.ndarray:
    """A smooth 0..1 pulse train; a higher power makes the pulses narrower."""
    return (0.5 - 0.5 * np.cos(2 * np.pi * (hertz * t + phase))) ** power


def _keyframes(
    rng: np.random.Generator, t: np.ndarray, low: float, high: float, seconds: float
) -> np.ndarray:
    """A smooth random curve through a new random value every few seconds."""
    u = (t - t[0]) / seconds + rng.uniform()
    values = rng.uniform(low, high, int(np.floor(u[-1])) + 2)
    i = np.floor(u).astype(int)
    w = u - i
    w = w * w * w * (w * (6 * w - 15) + 10)
    return values[i] * (1 - w) + values[i + 1] * w


def _both(angles: Angles) -> Angles:
    """The same angles for the left and the right side."""
    return {f"{side}_{k}": v for k, v in angles.items() for side in ("l", "r")}


def _either(rng: np.random.Generator) -> tuple:
    """The two sides in random order: the acting one first."""
    return ("l", "r") if rng.uniform() < 0.5 else ("r", "l")


def _stand(rng: np.random.Generator, t: np.ndarray) -> Angles:
    arms = rng.choice(["down", "hips", "crossed", "free"], p=[0.4, 0.15, 0.15, 0.3])
    pose = {"shoulder_abduction": rng.uniform(3, 15), "elbow_flexion": 12.0}
    if arms == "hips":
        pose = {
            "shoulder_abduction": 42.0,
            "shoulder_flexion": -15.0,
            "elbow_flexion": 95.0,
            "shoulder_twist": 55.0,
        }
    if arms == "crossed":
        pose = {
            "shoulder_flexion": 35.0,
            "elbow_flexion": 105.0,
            "shoulder_twist": 60.0,
        }
    out = _both(pose)
    if arms == "free":
        for side in ("l", "r"):
            out[f"{side}_shoulder_flexion"] = _keyframes(rng, t, -15, 80, 1.2)
            out[f"{side}_elbow_flexion"] = _keyframes(rng, t, 10, 110, 1.0)
            out[f"{side}_shoulder_abduction"] = _keyframes(rng, t, 0, 50, 1.4)
            out[f"{side}_shoulder_twist"] = _keyframes(rng, t, -30, 60, 1.3)
    for side in ("l", "r"):
        out[f"{side}_hip_abduction"] = rng.uniform(0, 12)
        out[f"{side}_knee_flexion"] = rng.uniform(0, 12)
        out[f"{side}_hip_flexion"] = rng.uniform(-4, 10)
    out["spine_twist"] = _keyframes(rng, t, -15, 15, 1.5)
    return out


def _gait(rng: np.random.Generator, t: np.ndarray, run: bool) -> Angles:
    """Walking and running: legs in antiphase, arms against the legs."""
    hertz = rng.uniform(1.2, 1.6) if run else rng.uniform(0.65, 1.05)
    stride = rng.uniform(30, 48) if run else rng.uniform(16, 30)
    lift = rng.uniform(70, 105) if run else rng.uniform(45, 65)
    swing = rng.uniform(25, 50) if run else rng.uniform(8, 32)
    elbow = rng.uniform(70, 105) if run else rng.uniform(8, 35)
    phase = rng.uniform()
    out = {
        "pitch": rng.uniform(4, 16) if run else rng.uniform(-2, 6),
        "spine_twist": (10 if run else 5) * _wave(t, hertz, phase + 0.5),
        "yaw": rng.uniform(-40, 40) * (t - t.mean()) * (rng.uniform() < 0.3),
    }
    for side, shift in (("l", 0.0), ("r", 0.5)):
        p = phase + shift
        flexion = stride * _wave(t, hertz, p) + (18 if run else 6)
        out[f"{side}_hip_flexion"] = flexion
        out[f"{side}_knee_flexion"] = 10 + lift * _bump(t, hertz, p + 0.12, 2.0)
        out[f"{side}_ankle_flexion"] = -12 * _wave(t, hertz, p - 0.2)
        out[f"{side}_shoulder_flexion"] = -swing * _wave(t, hertz, p) + 2
        out[f"{side}_elbow_flexion"] = elbow - 0.4 * swing * _wave(t, hertz, p)
        out[f"{side}_shoulder_abduction"] = rng.uniform(2, 15)
    return out


def _walk(rng: np.random.Generator, t: np.ndarray) -> Angles:
    return _gait(rng, t, run=False)


def _run(rng: np.random.Generator, t: np.ndarray) -> Angles:
    return _gait(rng, t, run=True)


def _greet(rng: np.random.Generator, t: np.ndarray) -> Angles:
    out = _stand(rng, t)
    hertz, phase = rng.uniform(0.9, 2.0), rng.uniform()
    sides = ("l", "r") if rng.uniform() < 0.2 else _either(rng)[:1]
    for side in sides:
        out[f"{side}_shoulder_abduction"] = rng.uniform(70, 150)
        out[f"{side}_shoulder_flexion"] = rng.uniform(-5, 30)
        out[f"{side}_shoulder_twist"] = -60 + 20 * _wave(t, hertz, phase)
        out[f"{side}_elbow_flexion"] = rng.uniform(40, 80) + 30 * _wave(t, hertz, phase)
    return out


def _squat(rng: np.random.Generator, t: np.ndarray) -> Angles:
    down = _bump(t, rng.uniform(0.3, 0.6), rng.uniform(), 0.8)
    depth = rng.uniform(0.6, 1.0)
    hip = depth * 110 * down
    out = _both(
        {
            "hip_flexion": hip,
            "knee_flexion": depth * 125 * down,
            "ankle_flexion": 20 * down,
            "hip_abduction": rng.uniform(5, 25),
            "hip_twist": rng.uniform(5, 25),
            "shoulder_flexion": rng.uniform(0, 90) * down + rng.uniform(0, 20),
            "elbow_flexion": rng.uniform(5, 90),
        }
    )
    out["pitch"] = depth * 40 * down
    return out


def _sit(rng: np.random.Generator, t: np.ndarray) -> Angles:
    rising = rng.uniform() < 0.35
    rate = rng.uniform(0.25, 0.45)
    seated = 1 - _bump(t, rate, rng.uniform(), 0.6) if rising else np.ones_like(t)
    out = _both({"shoulder_abduction": rng.uniform(3, 20)})
    for side in ("l", "r"):
        out[f"{side}_hip_flexion"] = rng.uniform(75, 100) * seated
        out[f"{side}_knee_flexion"] = rng.uniform(65, 105) * seated
        out[f"{side}_hip_abduction"] = rng.uniform(0, 22)
        out[f"{side}_shoulder_flexion"] = _keyframes(rng, t, 0, 60, 1.5)
        out[f"{side}_elbow_flexion"] = _keyframes(rng, t, 15, 110, 1.3)
        out[f"{side}_shoulder_twist"] = _keyframes(rng, t, -10, 60, 1.5)
    out["pitch"] = rng.uniform(-10, 15) + 30 * seated * (1 - seated) * 4 * rising
    out["neck_flexion"] = _keyframes(rng, t, -10, 30, 1.2)
    return out


def _jump(rng: np.random.Generator, t: np.ndarray) -> Angles:
    hertz, phase = rng.uniform(0.7, 1.3), rng.uniform()
    up = _bump(t, hertz, phase)
    if rng.uniform() < 0.5:  # a jumping jack
        return _both(
            {
                "shoulder_abduction": 15 + rng.uniform(110, 150) * up,
                "hip_abduction": rng.uniform(15, 30) * up,
                "knee_flexion": 8 + 15 * _bump(t, 2 * hertz, 2 * phase),
                "hip_flexion": 4 + 8 * _bump(t, 2 * hertz, 2 * phase),
            }
        )
    crouch = _bump(t, hertz, phase + 0.35, 1.5)
    out = _both(
        {
            "hip_flexion": 75 * crouch + 5,
            "knee_flexion": 90 * crouch + 5 + 25 * up,
            "ankle_flexion": 20 * crouch - 30 * up,
            "shoulder_flexion": 150 * up - 35 * crouch,
            "elbow_flexion": 25.0,
        }
    )
    out["pitch"] = 32 * crouch
    return out


def _throw(rng: np.random.Generator, t: np.ndarray) -> Angles:
    arm, other = _either(rng)
    sign = 1.0 if arm == "r" else -1.0
    hertz, phase = rng.uniform(0.35, 0.7), rng.uniform()
    swing = _wave(t, hertz, phase) + 0.25 * _wave(t, 2 * hertz, 2 * phase + 0.2)
    return {
        f"{arm}_shoulder_flexion": 85 + 75 * swing,
        f"{arm}_shoulder_abduction": rng.uniform(15, 50),
        f"{arm}_elbow_flexion": 55 - 45 * swing,
        f"{arm}_shoulder_twist": -25.0,
        f"{other}_shoulder_flexion": 35 - 30 * swing,
        f"{other}_elbow_flexion": rng.uniform(15, 60),
        f"{other}_shoulder_abduction": rng.uniform(5, 30),
        "spine_twist": sign * 28 * swing,
        "spine_flexion": 8 + 12 * swing,
        f"{other}_hip_flexion": rng.uniform(10, 40) + 10 * swing,
        f"{other}_knee_flexion": rng.uniform(10, 40),
        f"{arm}_hip_flexion": rng.uniform(-20, 5),
        f"{arm}_knee_flexion": rng.uniform(5, 30),
    }


def _kick(rng: np.random.Generator, t: np.ndarray) -> Angles:
    leg, other = _either(rng)
    swing = _wave(t, rng.uniform(0.4, 0.9), rng.uniform())
    height = rng.uniform(0.5, 1.2)
    out = _both({"shoulder_abduction": rng.uniform(10, 60), "elbow_flexion": 30.0})
    out[f"{leg}_hip_flexion"] = height * (25 + 50 * swing)
    out[f"{leg}_knee_flexion"] = 45 - 40 * swing
    out[f"{leg}_hip_abduction"] = rng.uniform(0, 30)
    out[f"{other}_knee_flexion"] = rng.uniform(5, 20)
    out[f"{other}_shoulder_flexion"] = 30 * swing
    out["pitch"] = -8 * swing
    return out


def _bend(rng: np.random.Generator, t: np.ndarray) -> Angles:
    """Bends down, to the ground or to tie a shoe, and comes up again."""
    down = _bump(t, rng.uniform(0.25, 0.5), rng.uniform(), 0.8)
    pitch = rng.uniform(35, 75) * down
    knee = rng.uniform(0, 60) * down
    out = _both(
        {
            "hip_flexion": pitch + 0.5 * knee,
            "knee_flexion": knee,
            "elbow_flexion": rng.uniform(5, 35),
        }
    )
    for side in ("l", "r"):
        out[f"{side}_shoulder_flexion"] = rng.uniform(40, 100) * down
    out["pitch"] = pitch
    out["spine_flexion"] = rng.uniform(10, 45) * down
    return out


def _dance(rng: np.random.Generator, t: np.ndarray) -> Angles:
    """A smooth walk through random poses within most of the limits."""
    out = {
        "yaw": _keyframes(rng, t, -60, 60, 1.2),
        "roll": _keyframes(rng, t, -8, 8, 1),
    }
    for name in ("spine_flexion", "spine_bend", "spine_twist", "neck_bend"):
        out[name] = _keyframes(rng, t, -18, 18, 0.9)
    ranges = {
        "shoulder_flexion": (-30, 150),
        "shoulder_abduction": (0, 120),
        "shoulder_twist": (-50, 60),
        "elbow_flexion": (5, 125),
        "hip_flexion": (-15, 65),
        "hip_abduction": (-5, 35),
        "hip_twist": (-15, 30),
        "knee_flexion": (3, 75),
        "ankle_flexion": (-25, 15),
    }
    for name, (low, high) in ranges.items():
        for side in ("l", "r"):
            seconds = rng.uniform(0.5, 1.1)
            out[f"{side}_{name}"] = _keyframes(rng, t, low, high, seconds)
    return out


def _kneel(rng: np.random.Generator, t: np.ndarray) -> Angles:
    leg, other = _either(rng)
    out = _stand(rng, t)
    out[f"{leg}_hip_flexion"] = rng.uniform(0, 15)
    out[f"{leg}_knee_flexion"] = rng.uniform(90, 110)
    out[f"{leg}_ankle_flexion"] = -30.0
    both = rng.uniform() < 0.4
    out[f"{other}_hip_flexion"] = rng.uniform(0, 15) if both else rng.uniform(80, 100)
    out[f"{other}_knee_flexion"] = rng.uniform(90, 110)
    return out


def _floor(rng: np.random.Generator, t: np.ndarray) -> Angles:
    """Lying, push-ups and crawling: the trunk is level."""
    prone = rng.uniform() < 0.6
    work = _bump(t, rng.uniform(0.3, 0.7), rng.uniform())
    out: Angles = {"pitch": rng.uniform(65, 95) if prone else -rng.uniform(60, 95)}
    lean = 1.0 if prone else 0.6
    for side in ("l", "r"):
        out[f"{side}_shoulder_flexion"] = lean * rng.uniform(60, 95) + 15 * work
        out[f"{side}_elbow_flexion"] = 8 + rng.uniform(40, 85) * work
        out[f"{side}_shoulder_abduction"] = rng.uniform(5, 30)
        bent = 0.0 if rng.uniform() < 0.5 else rng.uniform(30, 90)
        out[f"{side}_hip_flexion"] = bent * (0.6 + 0.4 * work)
        out[f"{side}_knee_flexion"] = bent
    return out


ACTIVITIES: dict[str, tuple[Callable, float]] = {
    "stand": (_stand, 0.14),
    "walk": (_walk, 0.16),
    "run": (_run, 0.09),
    "greet": (_greet, 0.08),
    "squat": (_squat, 0.07),
    "sit": (_sit, 0.10),
    "jump": (_jump, 0.08),
    "throw": (_throw, 0.07),
    "kick": (_kick, 0.05),
    "bend": (_bend, 0.05),
    "dance": (_dance, 0.06),
    "kneel": (_kneel, 0.03),
    "floor": (_floor, 0.02),
}

_ARM = ("shoulder_", "elbow_", "shrug")


def _table(angles: Angles, t: np.ndarray) -> np.ndarray:
    """Named degrees -> radians `[T, A]`."""
    out = np.zeros((len(t), len(body.ANGLES)), np.float32)
    for name, value in angles.items():
        out[:, body.INDEX[name]] = np.deg2rad(value)
    return out


def _is_arm(name: str) -> bool:
    return name[:2] in ("l_", "r_") and name[2:].startswith(_ARM)


def _sway(rng: np.random.Generator, t: np.ndarray) -> np.ndarray:
    """Posture and slow unrest: a few degrees on every angle, `[T, A]` radians."""
    n = len(body.ANGLES)
    offset = rng.normal(0, 4.0, n)
    amplitude = rng.normal(0, 1.6, (_SWAY_TERMS, n))
    hertz = rng.uniform(0.15, 0.9, (_SWAY_TERMS, n))
    phase = rng.uniform(0, 1, (_SWAY_TERMS, n))
    waves = np.sin(2 * np.pi * (t[:, None, None] * hertz + phase))
    return np.deg2rad(offset + (amplitude * waves).sum(1)).astype(np.float32)


def sample(
    rng: np.random.Generator, t: np.ndarray, activity: str | None = None
) -> tuple[np.ndarray, str]:
    """Draws a movement.

    Args:
        rng: the source of randomness.
        t: `[T]`, seconds.
        activity: one of `ACTIVITIES`; None draws one, or a mixture of two.

    Returns:
        Angles `[T, A]` in radians within `body.LIMITS`, of random heading, and the
        activity's name (`arms+legs` for a mixture).
    """
    names = list(ACTIVITIES)
    odds = [weight for _, weight in ACTIVITIES.values()]
    mixed = activity is None and rng.uniform() < 0.2
    name = activity or names[rng.choice(len(names), p=odds)]
    angles = _table(ACTIVITIES[name][0](rng, t), t)
    if mixed:  # the arms of one activity, everything else of another
        other = names[rng.choice(len(names), p=odds)]
        arms = _table(ACTIVITIES[other][0](rng, t), t)
        columns = [i for n, i in body.INDEX.items() if _is_arm(n)]
        angles[:, columns] = arms[:, columns]
        name = f"{other}+{name}"
    angles += _sway(rng, t)
    angles[:, body.INDEX["yaw"]] += rng.uniform(0, 2 * np.pi)
    return np.clip(angles, body.LIMITS[:, 0], body.LIMITS[:, 1]), name
