"""Is it a human body? The order of joints, their unit, limb lengths and joint limits.

Measured on 221 pieces of the 205 CMU clips at hand, four of another laboratory and
genuine frames of SURREAL, Human3.6M and MPI-INF-3DHP: limbs differ from those of the
average adult by 8-25 % (mean over the limbs, sizes made equal); with the joints' rows
moved by any number, or read in the order of another skeleton, by 29-90 %.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from sa3dhp.data.checks import clips
from sa3dhp.data.checks.clips import BODY, FAIL, NONE, PASS, WARN, Clip, Finding
from sa3dhp.skeleton import conversion, kinematics, limits
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import body as bodies

_ODD = 0.32  # mean |log| of limb lengths against the average adult's
_FITS = 0.28  # a rearrangement has to reach this
_FRAMES = 200  # of a clip, for proportions
_LEG = (500.0, 1200.0)  # thigh and shin, mm: from a child of six to a giant
_UNITS = {
    "metres": 1000.0,
    "decimetres": 100.0,
    "ASF units": 56.444,
    "inches": 25.4,
    "centimetres": 10.0,
}
_SPREAD = (0.06, 0.15)  # of the worst limb, relative: warn, fail
_INSIDE = (0.95, 0.90)  # of the limbs' directions: warn, fail
_CHUNK = 65536


def order(found: Sequence[Clip]) -> tuple[Finding, list[Clip]]:
    """Are the rows the joints that the skeleton says? Returns repaired clips, too."""
    repaired, odd, errors, shift = [], [], [], 0
    words: dict[str, list[str]] = {}
    for clip in found:
        error = _oddness(clip.pose, clip.skeleton)
        errors.append(error)
        if error > _ODD:
            odd.append(clip.name)
            reason, clip, shift = _reordered(clip, error, shift)
            words.setdefault(reason, []).append(clip.name)
        repaired.append(clip)
    share = f"limbs differ from an adult's by {100 * np.median(errors):.0f} %"
    if not odd:
        return Finding("joint order", PASS, share), repaired
    reason = max(words, key=lambda key: len(words[key]))
    return (
        Finding(
            "joint order",
            clips.verdict(len(odd), len(found)),
            f"{len(odd)} of {len(found)} clips ({clips.some(odd)}): limbs of no "
            f"person; {reason}",
            "shifted joint order",
            "put the joints in the order of the skeleton that the reader states",
        ),
        repaired,
    )


def _oddness(joints: np.ndarray, skeleton: str) -> float:
    """Mean |log| of limb lengths against the average adult's, whatever the size."""
    step = max(1, len(joints) // _FRAMES)
    points, valid = conversion.convert(joints[::step], skeleton, BODY)
    template = bodies.mean_lengths().astype(np.float64)
    ratios = []
    for parent, child in BODY.limbs:
        length = np.linalg.norm(points[:, child] - points[:, parent], axis=-1)
        length = length[np.isfinite(length)]
        if valid[parent] and valid[child] and len(length):
            ratios.append(np.log(max(np.median(length), 1e-9) / template[child]))
    return float(np.mean(np.abs(ratios - np.median(ratios)))) if ratios else 0.0


def _reordered(clip: Clip, error: float, likely: int) -> tuple[str, Clip, int]:
    """Words, the clip under the arrangement that makes a person of it, and its shift.

    The shift that was right for another clip is tried first.
    """
    count = skeletons.get(clip.skeleton).num_joints
    limit = min(_FITS, 0.7 * error)
    for shifts in ([likely] if 0 < likely < count else [], range(1, count)):
        tried = {n: _oddness(_rolled(clip.pose, n), clip.skeleton) for n in shifts}
        best = min(tried, key=lambda shift: tried[shift], default=0)
        if best and tried[best] < limit:
            up = best <= count // 2  # `best` moves them back down
            by = best if up else count - best
            words = f"the rows are moved {'up' if up else 'down'} by {by}"
            order = np.roll(np.arange(count), best)
            return words, clip.changed(order=order), best
    # Last, for a skeleton that shares few limbs fits easily.
    for skeleton in skeletons.ALL.values():
        if skeleton.num_joints == count and skeleton.id != clip.skeleton:
            if _oddness(clip.pose, skeleton.id) < limit:
                words = f"the rows are those of {skeleton.id}, not {clip.skeleton}"
                return words, clip.changed(skeleton=skeleton.id), likely
    return "no known order helps", clip, likely


def _rolled(joints: np.ndarray, shift: int) -> np.ndarray:
    """Some frames with their rows moved down."""
    step = max(1, len(joints) // _FRAMES)
    return np.roll(joints[::step], shift, axis=1)


def unit(found: Sequence[Clip]) -> tuple[Finding, list[Clip]]:
    """Are these millimetres? Returns clips in millimetres, too."""
    repaired, odd = [], []
    units: dict[str, int] = {}
    legs = np.array([clip.leg for clip in found])
    for clip, leg in zip(found, legs):
        if np.isfinite(leg) and not _LEG[0] <= leg <= _LEG[1]:
            odd.append(clip.name)
            name, factor = _unit_of(leg)
            units[name] = units.get(name, 0) + 1
            clip = clip.changed(scale=factor)
        repaired.append(clip)
    legs = legs[np.isfinite(legs)]
    if not len(legs):
        return Finding("unit", NONE, "no leg to measure"), repaired
    if not odd:
        return Finding("unit", PASS, f"a leg is {np.median(legs):.0f} mm"), repaired
    name = max(units, key=lambda word: units[word])
    return (
        Finding(
            "unit",
            clips.verdict(len(odd), len(legs)),
            f"{len(odd)} of {len(legs)} clips ({clips.some(odd)}): a leg of "
            f"{np.median(legs):.3g} mm",
            f"{name} for millimetres",
            f"multiply the joints by {_UNITS[name]:g}"
            if name in _UNITS
            else "find out what the reader multiplies by",
        ),
        repaired,
    )


def _unit_of(leg: float) -> tuple[str, float]:
    """The unit in which a leg is as long as a leg, and its millimetres."""
    for name, factor in _UNITS.items():
        if _LEG[0] <= leg * factor <= _LEG[1]:
            return name, factor
    return "an unknown unit", 840.0 / max(leg, 1e-9)


def spread(found: Sequence[Clip]) -> Finding:
    """Do limbs keep their length, in each clip and from clip to clip of a person?"""
    worst, limb_names = [], []
    people: dict[str, list[float]] = {}
    for clip in found:
        people.setdefault(clip.person, []).append(clip.leg)
        if len(clip.pose) < 5 or not (clip.fps or clip.subject):
            continue
        values = _variation(clip)
        if values:
            name = max(values, key=lambda limb: values[limb])
            worst.append(values[name])
            limb_names.append(name)
    if not worst:
        return Finding("bone lengths", NONE, "no person seen more than a few times")
    typical = float(np.median(worst))
    at = int(np.argmax(worst))
    legs = [np.array(v)[np.isfinite(v)] for v in people.values()]
    change = max([np.ptp(v) / np.median(v) for v in legs if len(v) > 1], default=0.0)
    text = (
        f"the worst limb of a clip varies by {100 * typical:.1f} % (median; at most "
        f"{100 * worst[at]:.1f} %, {limb_names[at]}); legs of a person by "
        f"{100 * change:.0f} % from clip to clip"
    )
    status = FAIL if typical > _SPREAD[1] else PASS
    if status == PASS and (typical > _SPREAD[0] or change > 0.1):
        status = WARN
    if status == PASS:
        return Finding("bone lengths", PASS, text)
    remedy = "look for jumps and for subjects or persons that are mixed up"
    return Finding("bone lengths", status, text, "bones change their length", remedy)


def _variation(clip: Clip) -> dict[str, float]:
    """Standard deviation over mean of each limb of the native skeleton."""
    skeleton = skeletons.get(clip.skeleton)
    out = {}
    for parent, child in skeleton.limbs:
        length = np.linalg.norm(clip.pose[:, child] - clip.pose[:, parent], axis=-1)
        length = length[np.isfinite(length)]
        if len(length) >= 5 and length.mean() > 0.06 * clip.leg:  # not a duplicate
            out[skeleton.joint_names[child]] = float(length.std() / length.mean())
    return out


def joint_limits(found: Sequence[Clip]) -> Finding:
    """What share of the limbs points where a human joint can reach?"""
    joints = np.concatenate([clip.body for clip in found]).astype(np.float32)
    joints = joints[np.isfinite(joints[:, list(_TORSO)]).all((1, 2))]
    if not len(joints):
        return Finding("joint limits", NONE, "no torso to measure from")
    inside = np.zeros(BODY.num_joints)
    known = np.zeros(BODY.num_joints)
    for start in range(0, len(joints), _CHUNK):
        part = joints[start : start + _CHUNK]
        local = kinematics.to_local(part, BODY).numpy()
        measured = np.isfinite(local).all(-1) & np.isfinite(part).all(-1)
        inside += (limits.within(local, BODY) & measured).sum(0)
        known += measured.sum(0)
    limited = [
        j for j, name in enumerate(BODY.joint_names) if j not in _TORSO and known[j]
    ]
    if not limited:
        return Finding("joint limits", NONE, "no limb to measure")
    share = inside[limited].sum() / known[limited].sum()
    worst = min(limited, key=lambda j: inside[j] / known[j])
    text = (
        f"{100 * share:.2f} % of the limbs inside; least {BODY.joint_names[worst]}, "
        f"{100 * inside[worst] / known[worst]:.1f} %"
    )
    if share >= _INSIDE[0]:
        return Finding("joint limits", PASS, text)
    return Finding(
        "joint limits",
        WARN if share >= _INSIDE[1] else FAIL,
        text,
        "limbs where no joint can reach",
        "look at the sheet: sides, joint order and noise come to mind",
    )


_TORSO = BODY.indices("pelvis", "neck", "left_hip", "right_hip")


def only_joints(found: Sequence[Clip]) -> list[Clip]:
    """The clips that have 3D joints, without frames that have none at all."""
    kept = []
    for clip in found:
        if clip.joints is None:
            continue
        seen = np.isfinite(clip.joints).any((1, 2))
        if seen.all():
            kept.append(clip)
        elif seen.any():
            pick: dict[str, Any] = {
                field: None
                if getattr(clip, field) is None
                else getattr(clip, field)[seen]
                for field in ("joints", "keypoints", "projections", "rows")
            }
            kept.append(dataclasses.replace(clip, **pick))
    return kept
