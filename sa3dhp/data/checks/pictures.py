"""Do joints fall on key-points, and do key-points look like a person?

A key-point belongs to the joint of the same row. Where they do not meet, the usual
mistakes are tried one by one: sides, axes, order of the rows, another crop, and joints
in the frame of the world (a rigid motion per picture then brings them back).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from sa3dhp.data.checks import clips
from sa3dhp.data.checks.clips import NONE, PASS, WARN, Clip, Finding
from sa3dhp.skeleton import skeleton as skeletons

_OFF = 0.02  # of a picture's side; lenses and 3DHP's hips take less than 0.005
_OFF_UNKNOWN = 0.08  # the same where no camera is known: a weak perspective is fitted
_FRAMES = 24  # of a clip, for the search
_TURN = np.radians(2)  # by which a world's axes differ from a camera's at least
_POINTS = 6  # for a rigid motion
_FAR = 9.0  # error of what cannot be projected


def world_given(found: Sequence[Clip]) -> tuple[Finding | None, list[Clip]]:
    """Are joints in the world's frame, where a camera's is stated?

    Returns:
        A finding, or None for no such clip, and the clips in their cameras' frames.
    """
    repaired, odd, turned = [], [], 0
    for clip in found:
        if _has_all(clip) and error_of(clip) > _OFF:
            moved, angle = _rigidly(clip)
            if moved is not None:
                odd.append(clip.name)
                turned += angle > _TURN
                clip = dataclasses.replace(clip, joints=moved)
        repaired.append(clip)
    if not odd:
        return None, repaired
    rotated = turned >= len(odd) / 2
    return (
        Finding(
            "frame",
            clips.verdict(len(odd), len(found)),
            f"{len(odd)} of {len(found)} clips ({clips.some(odd)}): joints meet their "
            f"key-points after a {'rotation and a ' if rotated else ''}translation",
            "world for camera frame" if rotated else "translation left out",
            "apply the camera's rotation and translation in the reader"
            if rotated
            else "keep the root's place: joints relative to it cannot be projected",
        ),
        repaired,
    )


def _has_all(clip: Clip) -> bool:
    known = (clip.joints, clip.keypoints, clip.projections)
    return clip.size > 0 and all(value is not None for value in known)


def _rigidly(clip: Clip) -> tuple[np.ndarray | None, float]:
    """Joints moved onto their key-points, and by what angle; None if that fails.

    A body is nearly a plane: seen from behind it looks like one with its sides swapped.
    So nothing is moved where a simpler mistake explains as much.
    """
    some = _fewer(clip)
    tried = [*_simple(some), ("", some.pose, _another_crop(some))]
    simple = [_error(j, k, some.projections, some.size) for _, j, k in tried]
    moved = np.full_like(clip.pose, np.nan)
    errors, angles = [], []
    for t, (joints, points, matrix) in enumerate(
        zip(clip.pose, clip.pixels, clip.cameras)
    ):
        known = np.isfinite(joints).all(-1) & np.isfinite(points).all(-1)
        pose = None
        if known.sum() >= _POINTS:
            pose = _pose(joints[known], points[known], matrix)
        if pose is None:
            continue
        moved[t] = joints @ pose[0].T + pose[1]
        errors.append(_error(moved[t : t + 1], points[None], matrix[None], clip.size))
        angles.append(np.arccos(np.clip((np.trace(pose[0]) - 1) / 2, -1, 1)))
        if t == 3 and np.median(errors) > _OFF / 2:
            break
    error = np.median(errors) if errors else np.inf
    if error > min(_OFF / 2, 0.5 * min(simple)):
        return None, 0.0
    return moved, float(np.median(angles))


def _pose(
    joints: np.ndarray, points: np.ndarray, matrix: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Rotation and translation that put joints onto points; None if none is found."""
    middle = joints.mean(0)
    scale = 1000.0  # keeps the solver's numbers near 1
    found, turn, shift = cv2.solvePnP(
        (joints - middle) / scale,
        points,
        matrix,
        np.zeros(4),  # no distortion
        flags=cv2.SOLVEPNP_SQPNP,
    )
    if not found or shift[2, 0] <= 0:
        return None
    rotation = cv2.Rodrigues(turn)[0]
    return rotation, shift[:, 0] * scale - rotation @ middle


def error_of(clip: Clip) -> float:
    """Median distance of joints from key-points over the picture's side."""
    clip = _fewer(clip)
    error = min(_pair_errors(clip, clip.pose).values())
    return error if np.isfinite(error) else 0.0  # nothing is annotated in both


def _fewer(clip: Clip) -> Clip:
    """Some frames of a clip, evenly."""
    keep = np.unique(np.linspace(0, len(clip.pose) - 1, _FRAMES).astype(int))
    return dataclasses.replace(
        clip,
        joints=clip.pose[keep],
        keypoints=clip.pixels[keep],
        projections=None if clip.projections is None else clip.projections[keep],
    )


def _pair_errors(clip: Clip, joints: np.ndarray) -> dict[str, float]:
    """Errors with the key-points in their order, and in that of the repaired rows."""
    pairs = {"": clip.pixels}
    if clip.order is not None:
        pairs["too"] = clip.pixels[:, clip.order]
    return {
        name: _error(joints, points, clip.projections, clip.size)
        for name, points in pairs.items()
    }


def _error(
    joints: np.ndarray, points: np.ndarray, projections: np.ndarray | None, size: int
) -> float:
    """Median over the frames of the mean distance, in sides of the picture.

    Infinite if there is nothing to compare.
    """
    flat = joints[..., :2]
    if projections is None:
        flat = _weakly(flat, points)
    else:
        homogeneous = np.einsum("tij,tnj->tni", projections, joints)
        depth = homogeneous[..., 2:]
        flat = np.where(depth > 0, homogeneous[..., :2], np.inf)
        flat = flat / np.where(depth > 0, depth, 1.0)
    off = np.linalg.norm(flat - points, axis=-1) / size
    known = np.isfinite(points).all(-1) & ~np.isnan(joints).any(-1)
    rows = known.any(1)
    if not rows.any():
        return np.inf
    off = np.where(known, np.minimum(np.nan_to_num(off, nan=_FAR), _FAR), 0.0)
    return float(np.median(off.sum(1)[rows] / known.sum(1)[rows]))


def _weakly(flat: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points `[T, J, 2]` scaled (by a positive number) and moved onto others."""
    known = (np.isfinite(flat) & np.isfinite(points)).all(-1, keepdims=True)
    count = np.maximum(known.sum(1, keepdims=True), 1)
    first = np.where(known, flat, 0.0)
    second = np.where(known, points, 0.0)
    middles = [v.sum(1, keepdims=True) / count for v in (first, second)]
    first, second = (np.where(known, v - m, 0) for v, m in zip((flat, points), middles))
    top = (first * second).sum((1, 2), keepdims=True)
    scale = np.maximum(top / np.maximum((first**2).sum((1, 2), keepdims=True), 1e-9), 0)
    return (flat - middles[0]) * scale + middles[1]


def projection(found: Sequence[Clip]) -> Finding:
    """Do joints fall on their key-points?"""
    check = "projection"
    found = [
        clip
        for clip in found
        if clip.joints is not None and clip.keypoints is not None and clip.size
    ]
    if not found:
        return Finding(check, NONE, "no pictures with joints and key-points")
    errors = np.array([error_of(clip) for clip in found])
    known = [clip.projections is not None for clip in found]
    odd = errors > np.where(known, _OFF, _OFF_UNKNOWN)
    text = f"{100 * np.median(errors):.2f} % of the picture's side apart (median)"
    if not all(known):
        text += f"; {known.count(False)} clips have no camera: roughly checked"
    if not odd.any():
        return Finding(check, PASS, text)
    reasons: dict[str, int] = {}
    for clip, flag in zip(found, odd):
        if flag:
            reason = _reason(_fewer(clip))
            reasons[reason] = reasons.get(reason, 0) + 1
    names = [clip.name for clip, flag in zip(found, odd) if flag]
    reason = max(reasons, key=lambda text: reasons[text])
    fault, _, hint = reason.partition(": ")
    return Finding(
        check,
        clips.verdict(len(names), len(found)),
        f"{len(names)} of {len(found)} clips ({clips.some(names)}): "
        f"{100 * np.median(errors[odd]):.0f} % of the picture's side apart; {hint}",
        fault,
        "correct the joints or the key-points in the reader, whichever is wrong",
    )


def _reason(clip: Clip) -> str:
    """`fault: in words` of the change that brings joints and key-points together."""
    given = min(_pair_errors(clip, clip.pose).values())
    limit = min(0.4 * given, 2 * _OFF if clip.projections is not None else given)
    best, reason = limit, "joints and key-points apart: no known mistake explains it"
    for words, joints, points in _mistakes(clip):
        error = _error(joints, points, clip.projections, clip.size)
        if error < best:
            best, reason = 0.5 * error, words  # what comes first is simpler
    return reason


Attempts = Iterator[tuple[str, np.ndarray, np.ndarray]]


def _simple(clip: Clip) -> Attempts:
    """Words, joints and key-points with sides or signs changed."""
    joints, points = clip.pose, clip.pixels
    flip = list(skeletons.get(clip.skeleton).flip_indices)
    yield (
        "swapped left and right: of the joints or of the key-points, not of both",
        joints[:, flip],
        points,
    )
    for signs, fault in (
        ((1, -1, 1), "y up for y down: y negated in one of them"),
        ((1, -1, -1), "y up for y down: y and z negated in one of them"),
        ((-1, 1, 1), "swapped left and right: the picture or the joints mirrored"),
    ):
        yield fault, joints * np.array(signs, np.float64), points
    mirrored = points * [-1, 1] + [clip.size - 1, 0]
    yield "swapped left and right: the key-points mirrored", joints, mirrored
    below = points * [1, -1] + [0, clip.size - 1]
    yield "y up for y down: the key-points count from below", joints, below


def _mistakes(clip: Clip) -> Attempts:
    """The same with other rows, and another crop."""
    yield from _simple(clip)
    joints, points = clip.pose, clip.pixels
    for shift in range(1, points.shape[1]):
        yield (
            "shifted joint order: the rows of one of them are moved",
            joints,
            np.roll(points, shift, axis=1),
        )
    if clip.projections is not None:
        words = "projection of another crop: up to scale and place they agree"
        yield words, joints, _another_crop(clip)


def _another_crop(clip: Clip) -> np.ndarray:
    """Key-points scaled and moved onto the projected joints; NaN behind the camera."""
    homogeneous = np.einsum("tij,tnj->tni", clip.cameras, clip.pose)
    depth = np.where(homogeneous[..., 2:] > 0, homogeneous[..., 2:], np.nan)
    return _weakly(clip.pixels, homogeneous[..., :2] / depth)


def keypoints_alone(found: Sequence[Clip]) -> Finding:
    """Without 3D: do key-points stand upright, and is their order a person's?"""
    check = "key-points"
    found = [c for c in found if c.joints is None and c.keypoints is not None]
    if not found:
        return Finding(check, NONE, "3D joints, or none at all")
    skeleton = skeletons.get(found[0].skeleton)
    points = np.concatenate([c.pixels for c in found if c.skeleton == skeleton.id])
    size = _extent(points)
    lengths = [
        np.nanmedian(_limb_sum(np.roll(points, shift, axis=1), skeleton) / size)
        for shift in range(skeleton.num_joints)
    ]
    best = int(np.argmin(lengths))
    text = f"{len(points)} pictures, limbs {lengths[0]:.2f} of the person's size"
    if lengths[best] < 0.85 * lengths[0]:
        text += f", {lengths[best]:.2f} with the rows moved by {best}"
        remedy = "put the key-points in the order of the skeleton that is stated"
        return Finding(check, clips.FAIL, text, "shifted joint order", remedy)
    ankles = np.nanmean(points[:, list(skeleton.indices(*_ANKLES))], axis=1)
    tops = np.nanmean(points[:, list(skeleton.indices(*_SHOULDERS))], axis=1)
    down = (ankles - tops)[:, 1]
    share = float((down[np.isfinite(down)] > 0).mean())
    text += f"; feet are below shoulders in {100 * share:.0f} %"
    if share < 0.5:
        remedy = "count y of the key-points from above"
        return Finding(check, clips.FAIL, text, "y up for y down", remedy)
    status = PASS if share > 0.7 else WARN
    return Finding(check, status, text + "; left and right cannot be told in 2D")


_ANKLES = ("left_ankle", "right_ankle")
_SHOULDERS = ("left_shoulder", "right_shoulder")


def _extent(points: np.ndarray) -> np.ndarray:
    """`[N]`, the diagonal of each person's box."""
    low, high = np.nanmin(points, axis=1), np.nanmax(points, axis=1)
    return np.maximum(np.linalg.norm(high - low, axis=-1), 1e-9)


def _limb_sum(points: np.ndarray, skeleton: skeletons.Skeleton) -> np.ndarray:
    """`[N]`, the mean length of a person's limbs."""
    limbs = np.stack([points[:, c] - points[:, p] for p, c in skeleton.limbs], axis=1)
    return np.nanmean(np.linalg.norm(limbs, axis=-1), axis=1)
