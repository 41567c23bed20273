"""The pose doctor: finds out what is wrong between predictions and a reference.

Axes, sides, units, the root and the order of joints are tried in all combinations; the
simplest combination that explains the error is put into words.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from sa3dhp import errors
from sa3dhp.evaluation import evaluator, metrics, poses, protocol
from sa3dhp.geometry import procrustes
from sa3dhp.skeleton import skeleton as skeletons

_MAX_FRAMES = 64  # of the search; the numbers that are told are of all frames
_MIN_JOINTS = 6  # an order that keeps fewer joints says nothing
# A simpler explanation wins if it is this near to the best one.
_RATIO, _SLACK_MM = 1.25, 5.0
# The noise of a root is in all joints: another root is better by up to 1.4 by chance.
_ROOT_DOUBT = 2.0
_ROOTS = ("pelvis", "neck", "left_hip", "right_hip", "head_top")


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """What the doctor found.

    Attributes:
        as_given: MPJPE as the protocol takes it, in the files' own numbers; NaN where
            the skeletons as stated share too few joints.
        repaired: MPJPE after `changes`, mm; `as_given` where there are none.
        changes: what to change, in words; empty if nothing helps.
        aligned: PA-MPJPE after the changes, mm.
        rotation: words on one rotation for all frames that explains the rest, or "".
    """

    as_given: float
    repaired: float
    changes: tuple[str, ...]
    aligned: float
    rotation: str = ""

    def text(self) -> str:
        """Returns the finding in a sentence or two."""
        line = f"{self.as_given:.4g} mm as given; "
        if self.changes:
            line += f"{self.repaired:.4g} mm with {_listed(self.changes)}"
        else:
            line += (
                "no change of axes, sides, unit, root or joint order makes it clearly "
                "better"
            )
        line += f" ({self.aligned:.4g} mm after a similarity per frame)"
        return line + (f"; {self.rotation}" if self.rotation else "")


@dataclasses.dataclass(frozen=True)
class _View:
    """One reading of the files: both sides in the card's skeleton, scored joints last.

    `pred` and `target` are `[N, J, 3]` with the origin at the root, `mask` `[N, J]`;
    `doubt` multiplies the error when explanations are compared.
    """

    words: tuple[str, ...]
    pred: np.ndarray
    target: np.ndarray
    mask: np.ndarray
    doubt: float


def diagnose(pred: poses.Poses, target: poses.Poses, card: protocol.Card) -> Diagnosis:
    """Returns what is wrong between predictions and reference.

    Args:
        pred: the predictions.
        target: the reference, row by row the same frames.
        card: gives joints, root and the frames that count.

    Raises:
        errors.InputError: if frames do not match, or the sides share too few joints.
    """
    poses.check_same_frames(pred, target)
    labels = {**pred.labels, **target.labels}
    rows, _ = evaluator.select_frames(card, labels, len(target.joints))
    few = rows[np.linspace(0, len(rows) - 1, min(len(rows), _MAX_FRAMES)).astype(int)]
    unit = _unit_of(target, card, few)
    axes = list(_signed_axes())
    found = []
    for view in _views(pred, target, card, few):
        table = view.doubt * _search(view, unit, axes)  # [axes, units]
        found += [
            (len(view.words) + count + (scale != "mm"), table[a, u], view.words, a, u)
            for a, (_, _, count) in enumerate(axes)
            for u, scale in enumerate(poses.UNITS_MM)
        ]
    if not found:
        raise errors.InputError(
            f"{pred.source}: shares fewer than {_MIN_JOINTS} joints with "
            f"{target.source} under the protocol {card.name}; nothing to compare"
        )
    best = min(entry[1] for entry in found)
    good = [e for e in found if e[1] <= _RATIO * best + _SLACK_MM]
    _, _, words, a, u = min(good)
    # The choice is made on a few frames and measured on all.
    (view,) = _views(pred, target, card, rows, only=words)
    given = [
        metrics.mpjpe(v.pred, v.target, v.mask).mean()
        for v in _views(pred, target, card, rows, only=())
    ]
    as_given = float(given[0]) if given else float("nan")
    return _told(view, as_given, axes[a], list(poses.UNITS_MM)[u], unit)


def _told(
    view: _View,
    as_given: float,
    axes: tuple[np.ndarray, tuple[str, ...], int],
    scale: str,
    unit: str,
) -> Diagnosis:
    """The chosen explanation: axes and units of both sides, measured and in words."""
    matrix, axis_words, _ = axes
    repaired = view.pred @ matrix.T * poses.UNITS_MM[scale]
    truth = view.target * poses.UNITS_MM[unit]
    words = _unit_words(scale, unit) + axis_words + view.words
    error = metrics.mpjpe(repaired, truth, view.mask).mean()
    aligned = metrics.pa_mpjpe(repaired, truth, view.mask).mean()
    return Diagnosis(
        as_given=as_given,
        repaired=float(error),
        changes=words,
        aligned=float(aligned),
        rotation=_rotation_words(repaired, truth, view.mask, error, aligned),
    )


def _views(
    pred: poses.Poses,
    target: poses.Poses,
    card: protocol.Card,
    rows: np.ndarray,
    only: tuple[str, ...] | None = None,
) -> Iterator[_View]:
    """All readings of the files that have enough joints, or `only` one of them."""
    flip = list(skeletons.get(card.skeleton).flip_indices)
    for order_words, first, second in _orders(pred, target):
        a, known_a = evaluator.converted(first, card, rows)
        b, known_b = evaluator.converted(second, card, rows)
        for swap_words, order in (
            ((), slice(None)),
            (("left and right swapped",), flip),
        ):
            words = order_words + swap_words
            if only is not None and words != only[: len(words)]:
                continue
            yield from _rooted(
                words, (a[:, order], b), known_a[:, order] & known_b, card, only
            )


def _rooted(
    words: tuple[str, ...],
    sides: tuple[np.ndarray, np.ndarray],
    known: np.ndarray,
    card: protocol.Card,
    only: tuple[str, ...] | None,
) -> Iterator[_View]:
    """One reading under each possible root."""
    skeleton = skeletons.get(card.skeleton)
    joints = [j for j in card.joint_indices if known[:, j].any()]
    if len(joints) < _MIN_JOINTS:
        return
    root = "" if card.alignment == "none" else " and ".join(card.root)
    others = [name for name in _ROOTS if name in skeleton.joint_names]
    for name in dict.fromkeys([root, *others, ""]):
        changed = () if name == root else (_root_words(name),)
        if only not in (None, words + changed):
            continue
        indices = skeleton.indices(*(name.split(" and ") if name else ()))
        usable = known[:, list(indices)].all(axis=1) & known[:, joints].any(axis=1)
        if not usable.any():
            continue
        origin = [np.zeros(3) for _ in sides]
        if name:
            origin = [s[usable][:, list(indices)].mean(1, keepdims=True) for s in sides]
        moved = [side[usable] - o for side, o in zip(sides, origin)]
        first, second = (np.nan_to_num(side[:, joints]) for side in moved)
        mask = known[usable][:, joints]
        doubt = 1.0 if name in (root, " and ".join(card.root)) else _ROOT_DOUBT
        yield _View(words + changed, first, second, mask, doubt)


def _root_words(name: str) -> str:
    if not name:
        return "no root subtracted from either"
    return f"{name} as the root of both"


def _orders(
    pred: poses.Poses, target: poses.Poses
) -> Iterator[tuple[tuple[str, ...], poses.Poses, poses.Poses]]:
    """Both sides as stated, then each side with its rows in another order."""
    yield (), pred, target
    for who, side in (("predictions", pred), ("reference", target)):
        for words, other in _reordered(side):
            if side is target and other.skeleton == side.skeleton == pred.skeleton:
                continue  # one row up here is one row down there
            sides = (other, target) if side is pred else (pred, other)
            yield (f"the joints of the {who} {words}",), *sides


def _reordered(side: poses.Poses) -> Iterator[tuple[str, poses.Poses]]:
    """The rows under every named skeleton of as many joints, and shifted by one."""
    num = side.joints.shape[1]
    for skeleton in skeletons.ALL.values():
        if skeleton.num_joints == num and skeleton.id != side.skeleton:
            words = f"read in the order of {skeleton.id}, not {side.skeleton}"
            yield words, dataclasses.replace(side, skeleton=skeleton.id)
    for shift, words in ((1, "moved down by one row"), (-1, "moved up by one row")):
        mask = None if side.mask is None else np.roll(side.mask, shift, axis=1)
        joints = np.roll(side.joints, shift, axis=1)
        yield words, dataclasses.replace(side, joints=joints, mask=mask)


def _signed_axes() -> Iterator[tuple[np.ndarray, tuple[str, ...], int]]:
    """The 48 signed permutations: matrix, words, number of changes."""
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            matrix = np.zeros((3, 3))
            matrix[range(3), order] = signs
            words = []
            moved = [i for i in range(3) if order[i] != i]
            if len(moved) == 2:
                words.append(f"{'xyz'[moved[0]]} and {'xyz'[moved[1]]} exchanged")
            elif moved:
                words.append(
                    f"the axes in the order {', '.join('xyz'[i] for i in order)}"
                )
            negated = ["xyz"[i] for i in range(3) if signs[i] < 0]
            if negated:
                then = "then " if moved else ""
                words.append(f"{then}{_listed(negated)} negated")
            yield matrix, tuple(words), bool(moved) + len(negated)


def _search(view: _View, unit: str, axes: Sequence) -> np.ndarray:
    """MPJPE of a reading under all axes and units, `[axes, units]`.

    |s A p - t|^2 = s^2 |p|^2 - 2 s (A p . t) + |t|^2, and A p . t is linear in the nine
    products p_a t_b: 48 axes cost one product of matrices.
    """
    target = view.target * poses.UNITS_MM[unit]
    matrices = np.stack([matrix for matrix, _, _ in axes])  # [axes, out, in]
    products = target[..., :, None] * view.pred[..., None, :]  # [N, J, out, in]
    dots = products.reshape(-1, 9) @ matrices.reshape(-1, 9).T  # [N J, axes]
    p2 = np.sum(view.pred**2, -1).reshape(-1, 1)
    t2 = np.sum(target**2, -1).reshape(-1, 1)
    weights = (view.mask / view.mask.sum(1, keepdims=True) / len(view.mask)).reshape(-1)
    columns = []
    for scale in poses.UNITS_MM.values():
        square = scale**2 * p2 - 2 * scale * dots + t2
        columns.append(weights @ np.sqrt(np.maximum(square, 0.0)))
    return np.stack(columns, axis=1)


def _unit_of(target: poses.Poses, card: protocol.Card, rows: np.ndarray) -> str:
    """The unit in which the reference is as large as a person."""
    joints, known = evaluator.converted(target, card, rows)
    side = poses.Poses(joints, card.skeleton, known)
    return poses.unit_of(poses.body_size(side))


def _unit_words(scale: str, unit: str) -> tuple[str, ...]:
    if scale == unit != "mm":
        return (f"predictions and reference in {unit}",)
    words = []
    if scale != "mm":
        words.append(f"the predictions in {scale}")
    if unit != "mm":
        words.append(f"the reference in {unit}")
    return tuple(words)


def _rotation_words(
    pred: np.ndarray,
    target: np.ndarray,
    mask: np.ndarray,
    error: float,
    aligned: float,
) -> str:
    """Words where one similarity for all frames explains most of what is left."""
    if error < 2 * aligned + _SLACK_MM:
        return ""
    scale, rotation, shift = procrustes.fit(pred[mask], target[mask])
    moved = scale * pred @ rotation.T + shift
    left = metrics.mpjpe(moved, target, mask).mean()
    angle = np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1)))
    if left > error / 2:
        return "most of the rest is rotation or scale that differs from frame to frame"
    return (
        f"one rotation by {angle:.0f} degrees and a scale of {scale:.2f} for all "
        f"frames leave {left:.4g} mm: is one in the camera, the other in the world?"
    )


def _listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
