"""Predictions and a protocol card in, one result out."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping

import numpy as np

from sa3dhp import errors
from sa3dhp.data import actions as labels_of_actions
from sa3dhp.evaluation import in_picture, metrics, poses
from sa3dhp.evaluation import protocol as protocols
from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons

_NO_LABEL = ""
# The mask of the truth alone says what counts; predictions may not choose.
_UNANNOTATED = "remove these samples or mark the joints in the reference's `mask`"


@dataclasses.dataclass(frozen=True)
class _Batch:
    """The frames of one call: metric -> `[n, J]`, which joints count, labels `[n]`.

    `trunk` is that of `in_picture.Seen`, where the card looks at pictures.
    """

    values: dict[str, np.ndarray]
    mask: np.ndarray
    labels: dict[str, np.ndarray]
    trunk: np.ndarray | None = None


class Evaluator:
    """Accumulates the errors of predictions under one protocol card.

    Args:
        card: what counts and how.
        target_information: class of the method, one of `protocols.TARGET_INFORMATION`.
        shared_joints: score the joints that both sides have where the card names more;
            the result then carries another protocol name and hash. Without it such
            predictions are refused.
    """

    def __init__(
        self,
        card: protocols.Card,
        target_information: str = protocols.UNSTATED,
        *,
        shared_joints: bool = False,
    ) -> None:
        if target_information not in protocols.TARGET_INFORMATION:
            raise errors.InputError(
                f"target_information: got {target_information!r}, expected one of "
                f"{', '.join(protocols.TARGET_INFORMATION)}"
            )
        self.card = card
        self._information = target_information
        self._shared_joints = shared_joints
        self._batches: list[_Batch] = []
        self._skipped = 0
        self._wanted = self._given = 0  # joints: of the truth, and of these predicted
        self._notes = [f"reference: {card.reference}"] if card.reference else []

    def add(self, pred: poses.Poses, target: poses.Poses) -> None:
        """Scores frames: row `i` of both is the same frame.

        Args:
            pred: the predictions.
            target: the truth; its labels count, those of `pred` where it has none.

        Raises:
            errors.InputError: if the two are not the same frames, a valid joint is not
                finite, the truth's skeleton is one that the card refuses, a skeleton
                lacks joints of the card, or no frame is left.
        """
        poses.check_same_frames(pred, target)
        if target.skeleton in self.card.refused:
            raise errors.InputError(
                f"{target.source}: got the skeleton {target.skeleton}, whose joints "
                "lie elsewhere on the body than those of the protocol "
                f"{self.card.name}, expected {self.card.skeleton}; choose a protocol "
                "made for these joints"
            )
        self._check_dimensions(target)
        labels = {**pred.labels, **target.labels}
        keep, notes = select_frames(self.card, labels, len(target.joints))
        self._notes += [note for note in notes if note not in self._notes]
        self._skipped += len(target.joints) - len(keep)
        sides = [
            converted(pred, self.card, keep),
            converted(target, self.card, keep, _UNANNOTATED),
        ]
        self._settle_joints(sides, (pred, target))
        joints, roots = list(self.card.joint_indices), list(self.card.root_indices)
        known = sides[0][1] & sides[1][1]
        mask = known[:, joints]
        usable, true = mask.any(axis=1), sides[1][1][:, joints].copy()
        seen = in_picture.look(target, self.card, keep, known)
        if seen is not None:
            usable &= seen.torso > 0
            there = in_picture.look(target, self.card, keep, sides[1][1])
            true &= there.torso[:, None] > 0 if there is not None else False
        if self.card.alignment == "root":
            usable &= known[:, roots].all(axis=1)
            true &= sides[1][1][:, roots].all(axis=1)[:, None]
        self._wanted += int(true.sum())
        self._given += int((mask & usable[:, None]).sum())
        self._skipped += len(keep) - int(usable.sum())
        if not usable.any():
            raise errors.InputError(
                f"{target.source}: no frame has valid joints for the protocol "
                f"{self.card.name}; check `mask`"
            )
        first, second = (np.nan_to_num(side[0][usable]) for side in sides)
        seen = None if seen is None else seen.take(usable)
        self._batches.append(
            _Batch(
                _values(first, second, known[usable], self.card, seen),
                mask[usable],
                {key: value[keep][usable] for key, value in labels.items()},
                None if seen is None else seen.trunk(first),
            )
        )

    def _check_dimensions(self, target: poses.Poses) -> None:
        """Refuses a truth without what the card measures in."""
        in_2d = self.card.flat_metrics
        if in_2d and target.keypoints is None:
            raise errors.InputError(
                f"{target.source}: has no key-points in 2D, which the protocol "
                f"{self.card.name} needs for {', '.join(in_2d)}; choose another one"
            )
        if target.flat and in_2d != self.card.metrics:
            number = len(target.joints)
            raise errors.InputError(
                f"{target.source}: {number} of {number} pictures have no 3D joints "
                f"(skeleton: {target.skeleton}), which the protocol {self.card.name} "
                "needs; give a data set in 3D, or a protocol in 2D such as lsp_2d"
            )

    def _settle_joints(
        self,
        sides: list[tuple[np.ndarray, np.ndarray]],
        sources: tuple[poses.Poses, poses.Poses],
    ) -> None:
        """Refuses skeletons that lack joints of the card, or takes those they share."""
        card = self.card
        names = skeletons.get(card.skeleton).joint_names
        lacking: dict[str, str] = {}
        for (_, known), source in zip(sides, sources):
            for index in np.flatnonzero(~known.any(axis=0)):
                lacking.setdefault(names[index], f"{source.source} ({source.skeleton})")
        # A joint that a file's mask hides everywhere is as good as not there.
        roots = card.root if card.alignment == "root" else ()
        joints = tuple(name for name in card.joints if name not in lacking)
        missing = [n for n in (*card.joints, *roots) if n in lacking]
        if not missing:
            return
        unusable = len(joints) < 3 or any(name in lacking for name in roots)
        if unusable or not self._shared_joints:
            raise errors.InputError(
                f"{lacking[missing[0]]}: has no {', '.join(dict.fromkeys(missing))}, "
                f"which the protocol {card.name} needs; "
                + (
                    "choose a protocol of its joints"
                    if unusable
                    else "choose another protocol or --shared_joints"
                )
            )
        if self._batches:
            raise errors.InputError(
                f"{lacking[missing[0]]}: shares other joints than the frames before; "
                "evaluate it by itself"
            )
        self.card = protocols.restricted(card, joints)

    def result(self) -> dict:
        """Returns the result of everything added, ready for JSON.

        Returns:
            `protocol`, `protocol_hash`, `target_information`, `num_samples`,
            `num_skipped`, `coverage` (share of the truth's joints that were predicted:
            what a method hides is no merit of it), `headline`, `notes`, `overall`
            (metric -> number), `mean_over_actions` (the same of the means of each
            action; empty for fewer than two), and `per_joint`, `per_action`,
            `per_sequence`, `per_group` (name -> metrics, with `num_samples` but for
            joints; empty where the files name none). With a card that looks at
            pictures also `trunk`, see `in_picture`.

        Raises:
            errors.InputError: if nothing was added, or the card averages over labels
                that the files do not give.
        """
        if not self._batches:
            raise errors.InputError("evaluation: no frames were given")
        mask = np.concatenate([batch.mask for batch in self._batches])
        values = {
            metric: np.concatenate([batch.values[metric] for batch in self._batches])
            for metric in self.card.metrics
        }
        samples = {k: metrics.mean_over_valid(v, mask) for k, v in values.items()}
        actions = labels_of_actions.normalised(self._label("action"))
        sequences = self._label("sequence")
        groups = {
            key: _starts_with(sequences, members)
            for key, members in self.card.groups.items()
        }
        per = {
            "per_action": _means(samples, _members(actions, self.card.action_names)),
            "per_sequence": _means(samples, _members(sequences, {})),
            "per_group": _means(samples, groups),
        }
        return {
            "protocol": self.card.name,
            "protocol_hash": self.card.hash,
            "headline": self.card.headline,
            "target_information": self._information,
            "num_samples": len(mask),
            "num_skipped": self._skipped,
            "coverage": self.coverage,
            "notes": [*self._notes, *self._uncovered()],
            "overall": self._overall(samples, per),
            "mean_over_actions": _mean_of_means(per["per_action"], samples),
            "per_joint": _per_joint(values, mask, self.card.joints),
            **per,
            **self._trunk(),
        }

    @property
    def coverage(self) -> float:
        """Share of the joints that the truth scores which were predicted."""
        return self._given / self._wanted if self._wanted else 1.0

    def _uncovered(self) -> list[str]:
        """What is to be said where predictions leave joints out."""
        missing = self._wanted - self._given
        if not missing:
            return []
        share = 100 * self.coverage
        return [
            f"coverage {share:.1f} %: {missing} of the {self._wanted} joints of the "
            "reference have no prediction and count in no number"
        ]

    def _trunk(self) -> dict[str, dict[str, float]]:
        found = [batch.trunk for batch in self._batches if batch.trunk is not None]
        return {"trunk": in_picture.trunk_summary(found)} if found else {}

    def _label(self, key: str) -> np.ndarray:
        """A label of all frames, `[N]` texts; empty where a file does not give it."""
        return np.concatenate(
            [
                batch.labels.get(key, np.full(len(batch.mask), _NO_LABEL))
                for batch in self._batches
            ]
        )

    def _overall(self, samples: dict[str, np.ndarray], per: dict) -> dict[str, float]:
        """The card's average: of frames, or of the means of actions or sequences."""
        if self.card.averaging == "frame":
            return {key: float(value.mean()) for key, value in samples.items()}
        parts = per[f"per_{self.card.averaging}"]
        if not parts:
            raise errors.InputError(
                f"protocol {self.card.name}: averages over each {self.card.averaging}, "
                f"and the files name none; add the array `{self.card.averaging}` [N]"
            )
        return _mean_of_means(parts, samples, least=1)


def evaluate(
    pred: poses.Poses,
    target: poses.Poses,
    card: protocols.Card,
    target_information: str | None = None,
    *,
    shared_joints: bool = False,
) -> dict:
    """Returns the result of one set of predictions; `Evaluator` documents it."""
    stated = target_information or pred.target_information or protocols.UNSTATED
    evaluator = Evaluator(card, stated, shared_joints=shared_joints)
    evaluator.add(pred, target)
    return evaluator.result()


def evaluate_arrays(
    pred: np.ndarray,
    truth: np.ndarray,
    protocol: str = "procedural",
    *,
    skeleton: str = skeletons.SA3DHP17.id,
    mask: np.ndarray | None = None,
    labels: Mapping[str, np.ndarray] | None = None,
    target_information: str = protocols.UNSTATED,
) -> dict:
    """Returns the result of predicted joints in arrays; row `i` of both is one frame.

    Args:
        pred: `[N, J, 3]`, mm, camera frame (x right, y down, z away).
        truth: `[N, J, 3]`, the same frames in the same unit and frame.
        protocol: name of a card, or a `.yaml` file.
        skeleton: id of the skeleton that names the `J` joints of both.
        mask: `[N, J]` or `[J]`, True = valid, or None for all: that of the truth.
            Joints that do not count may hold anything, NaN included.
        labels: of `action`, `sequence`, `subject` and `frame_number` those that are
            known, `[N]` each; cards choose and average frames by them.
        target_information: class of the method, one of `protocol.TARGET_INFORMATION`.

    Returns:
        As `Evaluator.result`.

    Raises:
        errors.InputError: on wrong shapes, on a valid joint that is not finite, on
            joints that are visibly not in mm, on unknown names, and as `Evaluator.add`.
    """
    card = protocols.load(protocol)
    labels = dict(labels or {})
    unknown = sorted(set(labels) - set(poses.LABELS))
    if unknown:
        raise errors.InputError(
            f"labels: got {unknown[0]!r}, expected some of {', '.join(poses.LABELS)}"
        )
    more = {"skeleton": skeleton, **labels}
    if mask is not None:
        more["mask"] = mask
    arrays = {key: np.asarray(value) for key, value in more.items()}
    first, second = (
        poses.from_arrays({**arrays, "joints": np.asarray(joints)}, name)
        for name, joints in (("pred", pred), ("truth", truth))
    )
    poses.check_units(first, second)
    return evaluate(first, second, card, target_information)


def select_frames(
    card: protocols.Card, labels: dict[str, np.ndarray], num: int
) -> tuple[np.ndarray, list[str]]:
    """Returns the rows of the frames that the card counts, and what was not checked.

    Raises:
        errors.InputError: if no frame is left.
    """
    stride = card.frame_stride
    filters: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {}
    if card.subjects:
        text = ", ".join(card.subjects)
        filters["subject"] = text, lambda v: np.isin(v, card.subjects)
    if card.sequences:
        text = ", ".join(card.sequences)
        filters["sequence"] = text, lambda v: _starts_with(v, card.sequences)
    if stride > 1:
        text = f"{card.first_frame} plus a multiple of {stride}"
        filters["frame_number"] = text, lambda v: (v - card.first_frame) % stride == 0
    keep, notes = np.ones(num, bool), []
    for key, (text, accepts) in filters.items():
        if key not in labels:
            notes.append(f"no `{key}` in the files: not checked that it is {text}")
            continue
        keep &= accepts(labels[key])
        if not keep.any():
            raise errors.InputError(
                f"{key}: got {labels[key][0]!s} and the like, expected {text} for "
                f"the protocol {card.name}; give its test frames"
            )
    return np.flatnonzero(keep), notes


def converted(
    side: poses.Poses,
    card: protocols.Card,
    rows: np.ndarray,
    remedy: str = "give a number for every joint that the reference has",
) -> tuple[np.ndarray, np.ndarray]:
    """Returns joints in the card's skeleton and which of them are known, `[n, J]`.

    A masked joint is NaN on its way through the conversion: what is made of it is then
    unknown by itself.

    Raises:
        errors.InputError: if a valid joint is not finite.
    """
    joints = side.joints[rows]
    given = np.ones(joints.shape[:2], bool) if side.mask is None else side.mask[rows]
    bad = np.argwhere(~metrics.finite_joints(joints) & given)
    if bad.size:
        name = skeletons.get(side.skeleton).joint_names[bad[0, 1]]
        raise errors.InputError(
            f"{side.source}: sample {rows[bad[0, 0]]}, joint {name} is not a finite "
            f"number ({len(np.unique(bad[:, 0]))} of {len(joints)} samples); {remedy}"
        )
    joints = np.where(given[..., None], joints, np.nan)
    if side.skeleton == card.skeleton:
        return joints, given
    joints, valid = conversion.convert(joints, side.skeleton, card.skeleton)
    return joints, metrics.finite_joints(joints) & valid


def _values(
    pred: np.ndarray,
    target: np.ndarray,
    known: np.ndarray,
    card: protocols.Card,
    seen: in_picture.Seen | None,
) -> dict[str, np.ndarray]:
    """Every metric of the card at every joint, `[n, J]` each; see `metrics.METRICS`.

    Both poses, and which of their joints are known, are of the card's whole skeleton.
    """
    joints, roots = list(card.joint_indices), card.root_indices
    mask = known[:, joints]
    if card.scale == "bones":
        pred = metrics.bones_aligned(pred, target, card.limbs, known)
    plain = pred[:, joints], target[:, joints]
    rooted = (
        metrics.root_relative(pred, roots)[:, joints],
        metrics.root_relative(target, roots)[:, joints],
    )
    thresholds = metrics.Thresholds(
        card.pck_threshold_mm,
        tuple(card.thresholds),
        None if seen is None else card.pck_2d_torso * seen.torso,
    )
    pairs = {"plain": plain, "rooted": rooted}
    if seen is not None:
        pairs["flat"] = plain[0], seen.flat(joints)
    checked = functools.cache(lambda kind: metrics.check(*pairs[kind], mask))
    values = {}
    for name in card.metrics:
        metric = metrics.METRICS[name]
        moved = card.alignment == "root" or metric.always_rooted
        kind = "rooted" if moved else "plain"
        kind = "flat" if metric.flat and seen is not None else kind
        values[name] = metric.per_joint(*checked(kind), thresholds)
    return values


def _starts_with(values: np.ndarray, prefixes: tuple[str, ...]) -> np.ndarray:
    """True where a name starts with one of the prefixes (`TS1`, `TS1/person_0`)."""
    return np.array([str(value).startswith(prefixes) for value in values], bool)


def _members(labels: np.ndarray, names: dict[str, str]) -> dict[str, np.ndarray]:
    """Name -> which samples bear it."""
    return {
        names.get(label, label): labels == label
        for label in map(str, np.unique(labels))
        if label != _NO_LABEL
    }


def _means(samples: dict[str, np.ndarray], members: dict[str, np.ndarray]) -> dict:
    """Name -> mean of each metric over its samples, and their number."""
    return {
        name: {
            **{key: float(value[rows].mean()) for key, value in samples.items()},
            "num_samples": int(rows.sum()),
        }
        for name, rows in members.items()
        if rows.any()
    }


def _mean_of_means(
    parts: dict, samples: dict[str, np.ndarray], least: int = 2
) -> dict[str, float]:
    """The mean of the means of actions or sequences; empty for fewer than `least`."""
    if len(parts) < least:
        return {}
    return {k: float(np.mean([part[k] for part in parts.values()])) for k in samples}


def _per_joint(
    values: dict[str, np.ndarray], mask: np.ndarray, names: tuple[str, ...]
) -> dict:
    """Joint -> mean of each metric over the samples in which it is valid."""
    return {
        name: {k: float(v[mask[:, j], j].mean()) for k, v in values.items()}
        for j, name in enumerate(names)
        if mask[:, j].any()
    }
