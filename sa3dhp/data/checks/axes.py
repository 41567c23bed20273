"""Which way is up, which side is left, is the world level and the camera a camera?

Left and right: cross(left hip - right hip, upwards) points forwards; feet do so too and
knees bend to that side, whatever the axes are. "Upwards" is along the limb itself, so
that those who kneel or lie count as well. Up: people have their heads above their
ankles. Level: feet stand on a floor, and a floor is level; where it is tilted, the
joints are in the frame of a camera that looks up or down.

Measured on 221 pieces of genuine clips: sides are right in all of them (score 0.9 and
more, by the knees alone 0.14; a swap negates it), no clip stands on its head, and the
floor of the whole set is level to half a degree, climbers and stairs apart.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sa3dhp.data.checks import clips
from sa3dhp.data.checks.clips import FAIL, NONE, PASS, WARN, Clip, Finding
from sa3dhp.skeleton import skeleton as skeletons

_SURE = 0.1  # score of the sides below which a clip says nothing
_ALONG = 0.75  # cosine by which a body points along an axis
_AXES = ("x", "y", "z")
_TILT = (2.0, 4.0)  # degrees of the floor: warn, fail
_PRECISE = 2.5  # degrees, standard deviation, for a direction to count
_LEAN, _BODIES = 6.0, 10  # degrees, clips: where no floor is seen
_SIDEWAYS, _FORWARDS = 0.08, 0.3  # lean of a body that walks or runs, radians
_FLOOR_MM = 25.0  # how well feet stay on a floor
_STILL = 0.25  # leg lengths per second, of a foot that stands
_TOGETHER = 0.12  # leg lengths that both feet may differ in height and stand


def sides_score(body: np.ndarray) -> float:
    """How far feet point and knees bend forwards, -2 to 2; NaN where none is seen.

    Args:
        body: `[T, 17, 3]`, `sa3dhp17`, right-handed axes.
    """
    part = _parts(body)
    across = part("left_hip") - part("right_hip")
    feet, knees = [], []
    for side in ("left", "right"):
        hip, knee, ankle, foot = (
            part(f"{side}_{name}") for name in ("hip", "knee", "ankle", "foot")
        )
        ahead_of_shin = clips.unit(np.cross(across, knee - ankle))
        ahead_of_thigh = clips.unit(np.cross(across, hip - knee))
        feet.append((clips.unit(foot - ankle) * ahead_of_shin).sum(-1))
        knees.append((clips.unit(knee - ankle) * ahead_of_thigh).sum(-1))
    scores = [np.concatenate(values) for values in (feet, knees)]
    scores = [values[np.isfinite(values)] for values in scores]
    seen = [float(values.mean()) for values in scores if len(values)]
    return sum(seen) if seen else float("nan")


def _parts(body: np.ndarray):
    """A function from a joint's name to `[T, 3]`."""
    return lambda name: body[:, clips.BODY.index(name)]


def body_up(clip: Clip) -> np.ndarray:
    """Median direction from the ankles (or the pelvis) to the neck, `[3]`."""
    ankles = (clip.part("left_ankle") + clip.part("right_ankle")) / 2
    below = np.where(np.isfinite(ankles), ankles, clip.part("pelvis"))
    direction = clips.unit(clip.part("neck") - below)
    direction = direction[np.isfinite(direction).all(-1)]
    return np.median(direction, axis=0) if len(direction) else np.full(3, np.nan)


def up(found: Sequence[Clip]) -> tuple[Finding, list[Clip]]:
    """Does y point down? Returns clips in which it does, too."""
    directions = np.array([body_up(clip) for clip in found])
    main = np.nan_to_num(directions)[
        np.arange(len(found)), np.abs(np.nan_to_num(directions)).argmax(1)
    ]
    axes = np.abs(np.nan_to_num(directions)).argmax(1)
    decided = np.abs(main) > _ALONG
    if not decided.any():
        return Finding("up", NONE, "nobody stands or sits upright"), list(found)
    others = decided & (axes != 1)
    if others.sum() > decided.sum() / 2:
        return _other_axis(found, axes, main, others, int(decided.sum()))
    odd = decided & (axes == 1) & (main > 0)
    level = np.degrees(np.arccos(np.clip(-directions[decided, 1], -1, 1)))
    names = [clip.name for clip, flag in zip(found, odd) if flag]
    if not names:
        text = f"bodies point up within {np.median(level):.0f} degrees (median)"
        return Finding("up", PASS, text), list(found)
    signs = [_flip(clip) for clip, flag in zip(found, odd) if flag]
    turned = sum(sign[2] < 0 for sign in signs) > len(names) / 2
    sign = np.array([1.0, -1.0, -1.0 if turned else 1.0])
    most = len(names) > decided.sum() / 2  # then those who lie are wrong as well
    return (
        Finding(
            "up",
            clips.verdict(len(names), int(decided.sum())),
            f"{len(names)} of {decided.sum()} clips ({clips.some(names)}): heads have "
            "a larger y than feet",
            "y up for y down",
            "negate y and z" if turned else "negate y alone: the axes are left-handed",
        ),
        [
            clip.changed(scale=sign) if most or flag else clip
            for clip, flag in zip(found, odd)
        ],
    )


def _flip(clip: Clip) -> np.ndarray:
    """Signs `[3]` that put a body on its feet and its sides right."""
    turned = np.array([1.0, -1.0, -1.0])
    score = sides_score(clip.body)
    in_front = clip.frame == "camera" and _share_in_front(clip) > 0.99
    mirrored = score < -_SURE if abs(score) > _SURE else in_front
    return np.array([1.0, -1.0, 1.0]) if mirrored else turned


def _other_axis(found, axes, main, others, decided) -> tuple[Finding, list[Clip]]:
    """Most bodies point along x or z."""
    axis = int(np.bincount(axes[others]).argmax())
    sign = 1.0 if main[others & (axes == axis)].mean() > 0 else -1.0
    matrix = np.eye(3)
    matrix[[axis, 1]] = matrix[[1, axis]]
    matrix[1] *= -sign
    matrix[axis] *= np.linalg.det(matrix)  # right-handed again
    name = f"{'' if sign > 0 else '-'}{_AXES[axis]}"
    return (
        Finding(
            "up",
            FAIL,
            f"{others.sum()} of {decided} clips: bodies point along {name}",
            f"{name} up for y down",
            f"turn the axes: y = {'-' if sign > 0 else ''}{_AXES[axis]} "
            "(schema.y_down)",
        ),
        [clip.turned(matrix) for clip in found],
    )


def sides(found: Sequence[Clip]) -> tuple[Finding, list[Clip]]:
    """Is left where left is? Returns clips in which it is, too."""
    scores = np.array([sides_score(clip.body) for clip in found])
    decided = np.abs(np.nan_to_num(scores)) > _SURE
    odd = decided & (scores < 0)
    if not decided.any():
        return Finding("left and right", NONE, "no bent knee, no foot"), list(found)
    if not odd.any():
        text = f"feet and knees point forwards in {decided.sum()} of {len(found)} clips"
        return Finding("left and right", PASS, text), list(found)
    names = [clip.name for clip, flag in zip(found, odd) if flag]
    most = len(names) > decided.sum() / 2  # then those who stand stiff are, too
    repaired = [
        clip.changed(order=skeletons.get(clip.skeleton).flip_indices)
        if flag or most
        else clip
        for clip, flag in zip(found, odd)
    ]
    return (
        Finding(
            "left and right",
            clips.verdict(len(names), int(decided.sum())),
            f"{len(names)} of {decided.sum()} clips ({clips.some(names)}): feet and "
            "knees point backwards",
            "swapped left and right",
            "exchange left and right in the reader, or undo the mirroring of an axis",
        ),
        repaired,
    )


def in_front(found: Sequence[Clip]) -> Finding:
    """Are the joints of a camera's frame in front of it?"""
    found = [clip for clip in found if clip.frame == "camera"]
    if not found:
        return Finding("in front of the camera", NONE, "world frame")
    check = "in front of the camera"
    rooted = [clip for clip in found if _at_origin(clip)]
    if len(rooted) > len(found) / 2:
        return Finding(
            check,
            WARN,
            f"{len(rooted)} of {len(found)} clips: the pelvis is always at zero",
            "root-relative joints",
            "keep the root's place: projection and the floor cannot be checked",
        )
    behind = [clip.name for clip in found if _share_in_front(clip) < 0.99]
    if not behind:
        return Finding(check, PASS, f"z > 0 in {len(found)} clips")
    return Finding(
        check,
        clips.verdict(len(behind), len(found)),
        f"{len(behind)} of {len(found)} clips ({clips.some(behind)}): joints behind "
        "the camera",
        "world for camera frame",
        "apply the camera's rotation and translation, or state the world frame",
    )


def _at_origin(clip: Clip) -> bool:
    """The root was subtracted."""
    pelvis = clip.part("pelvis")
    pelvis = pelvis[np.isfinite(pelvis)]
    return bool(len(pelvis)) and float(np.abs(pelvis).max()) < 1.0


def _share_in_front(clip: Clip) -> float:
    depth = clip.pose[..., 2]
    return float((depth[np.isfinite(depth)] > 0).mean())


def level(found: Sequence[Clip]) -> Finding:
    """Is the floor of a world level?"""
    check = "level world"
    found = [clip for clip in found if clip.frame == "world" and clip.fps]
    if not found:
        return Finding(check, NONE, "camera frame or single pictures")
    measured: list[float] = []
    clip_names: list[str] = []
    people: dict[str, list[float]] = {}
    for clip in found:
        mine = [abs(tilt) for tilt, sd in floor(clip)[1] if sd < _PRECISE]
        measured += mine
        clip_names += [clip.name] * len(mine)
        if mine:
            people.setdefault(clip.person, []).append(max(mine))
    if not measured:
        return _level_by_bodies(found)
    tilts = np.array(measured)
    typical = float(np.median(tilts))
    count = len(set(clip_names))
    text = f"floors are tilted by {typical:.1f} degrees (median of {count} clips)"
    leaning = [
        p for p, t in people.items() if len(t) >= 3 and np.median(t) > 1.25 * _TILT[1]
    ]
    steep = tilts > 1.5 * _TILT[1]
    if typical <= _TILT[0] and not leaning and steep.sum() <= max(2, 0.1 * len(tilts)):
        return Finding(check, PASS, text)
    sure = count >= 3 and typical > _TILT[1]  # one person's may be the place
    odd = leaning or list(
        dict.fromkeys(n for n, t in zip(clip_names, tilts) if t > _TILT[1])
    )
    if odd:
        text += f"; beyond {_TILT[1]:.0f} degrees: {clips.some(odd)}"
    return Finding(
        check,
        FAIL if sure else WARN,
        text,
        "camera for world frame",
        "undo the camera's rotation, or state the camera frame (stairs and slopes "
        "look the same in single clips)",
    )


def _level_by_bodies(found: Sequence[Clip]) -> Finding:
    """Without a floor to see: how bodies lean, many together.

    People lean forwards, whatever they face; what they lean by towards one direction of
    the data, all together, is the data's. A camera that looks up or down, if not always
    by the same angle, scatters the lean along z and not along x.
    """
    check = "level world"
    up_directions = np.array([body_up(clip) for clip in found])
    facing = np.array([_facing(clip) for clip in found])
    usable = np.isfinite(np.concatenate([up_directions, facing], 1)).all(1)
    usable &= -up_directions[:, 1] > 0.7
    up_directions, facing = up_directions[usable], facing[usable]
    if len(facing) < _BODIES:
        return Finding(check, NONE, "no floor seen, and too few who stand upright")
    leans = up_directions[:, [0, 2]] / -up_directions[:, 1:2]  # [N, 2]
    ahead = float((leans * facing).sum() / np.maximum((facing**2).sum(), 1e-9))
    leans = np.degrees(np.arctan(leans - ahead * facing))
    together = np.median(leans, axis=0)
    noise = 1.5 * np.median(np.abs(leans - together), axis=0) / np.sqrt(len(leans))
    tilt = float(np.linalg.norm(together))
    x, z = np.median(np.abs(leans), axis=0)
    text = (
        f"no floor seen; {len(leans)} bodies lean by {tilt:.0f} degrees together, by "
        f"{x:.0f} along x and {z:.0f} along z each (medians)"
    )
    scattered = z > _LEAN and z > 2.5 * x and len(leans) >= 2 * _BODIES
    if scattered or (tilt > _LEAN and tilt > 4 * np.linalg.norm(noise)):
        remedy = "undo the camera's rotation, or state the camera frame"
        return Finding(check, FAIL, text, "camera for world frame", remedy)
    return Finding(check, PASS, text)


def _facing(clip: Clip) -> np.ndarray:
    """The mean direction a person faces, on the plane of x and z, `[2]`."""
    hips = clip.part("left_hip") - clip.part("right_hip")
    forward = clips.unit(np.cross(hips, [0.0, -1.0, 0.0]))[:, [0, 2]]
    forward = forward[np.isfinite(forward).all(-1)]
    return forward.mean(0) if len(forward) else np.full(2, np.nan)


def floor(clip: Clip) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """The upward normal of the floor a clip stands on, and how far it tilts.

    Places where a foot stands still are fitted by a plane, robustly; how the body leans
    serves as a prior, tight sideways and loose in the direction it faces.

    Returns:
        `[3]`, unit length; and (tilt against -y, standard deviation), degrees, in the
        direction that is known best and the one across it.
    """
    lean = body_up(clip)
    if not np.isfinite(lean).all():
        return np.array([0.0, -1.0, 0.0]), []
    lean = clips.unit(lean)
    hips = clip.part("left_hip") - clip.part("right_hip")
    forward = clips.unit(np.cross(hips, np.broadcast_to(lean, hips.shape)))
    forward = forward[np.isfinite(forward).all(-1)]
    facing = forward.T @ forward / max(len(forward), 1)  # [3, 3]
    prior = np.eye(3) / _SIDEWAYS**2
    prior -= facing * (1 / _SIDEWAYS**2 - 1 / _FORWARDS**2)
    places = _stances(clip, lean)
    normal, fitted = lean, np.zeros((3, 3))
    if len(places) > 1:
        weights = np.ones(len(places))
        for _ in range(15):
            middle = weights @ places / weights.sum()
            offsets = places - middle
            fitted = (offsets.T * weights) @ offsets / _FLOOR_MM**2
            normal = clips.unit(np.linalg.solve(fitted + prior, prior @ lean))
            heights = np.abs(offsets @ normal)
            width = max(1.5 * float(np.median(heights)), _FLOOR_MM)
            weights = 1 / (1 + (heights / width) ** 2)
    across = np.eye(3) - np.outer(normal, normal)
    values, axes = np.linalg.eigh(across @ np.linalg.inv(fitted + prior) @ across)
    tilts = np.degrees(np.arcsin(np.clip(-axes[1, 1:], -1, 1)))
    return normal, list(zip(tilts, np.degrees(np.sqrt(values[1:]))))


def _stances(clip: Clip, up_direction: np.ndarray) -> np.ndarray:
    """Where feet stand still, `[K, 3]`, once per stance."""
    feet = []
    for side in ("left", "right"):
        foot, ankle = clip.part(f"{side}_foot"), clip.part(f"{side}_ankle")
        feet.append(ankle if np.isnan(foot).all() else foot)
    if _at_origin(clip) or len(feet[0]) < 4:
        return np.zeros((0, 3))
    heights = np.stack([foot @ up_direction for foot in feet])  # [2, T]
    low = heights <= np.nanmin(heights, axis=0) + _TOGETHER * clip.leg
    places = []
    for foot, down in zip(feet, low):
        speed = np.linalg.norm(np.diff(foot, axis=0), axis=-1) * clip.fps
        slow = speed < _STILL * clip.leg
        still = down & np.append(slow, slow[-1]) & np.append(slow[0], slow)
        edges = np.diff(np.concatenate([[0], still.astype(int), [0]]))
        for start, stop in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)):
            if stop - start >= 3:
                places.append(foot[start:stop].mean(0))
    return np.array(places).reshape(-1, 3)
