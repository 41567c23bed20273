"""Protocol cards: what a number means, in a small file with a hash.

A card names joints, root, alignment, thresholds, the frames that count and the way they
are averaged. Results carry the hash of their card, and results with different hashes
are not compared.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import json
import pathlib
from typing import Any

import numpy as np

from sa3dhp import documents, errors, files
from sa3dhp.evaluation import metrics
from sa3dhp.skeleton import skeleton as skeletons

_LARGEST, _MOST_THRESHOLDS = 1e12, 10_000
_CARDS = pathlib.Path(__file__).parent / "cards"

_TORSO_SHARE = metrics.TORSO_SHARE  # a card's `metrics` hide the module

# What a method was told about the target; numbers of two classes are not compared.
UNSTATED = "unstated"
TARGET_INFORMATION = {
    "R": "raw RGB of the target, no annotation",
    "E": "estimated 2D key-points of the target",
    "G": "ground-truth 2D key-points of the target",
    "L": "3D labels of the target",
    "N": "nothing of the target",
    UNSTATED: "not stated",
}
_CHOICES = {
    "alignment": ("root", "none"),
    "averaging": ("frame", "action", "sequence"),
    "scale": ("given", "bones"),
}
# Words about the numbers, and what is refused, change none of them: not in the hash.
_PROSE = ("name", "title", "citation", "note", "refused", "reference")


@dataclasses.dataclass(frozen=True)
class Card:
    """How predictions are scored.

    Attributes:
        name: the card's file name without its ending.
        title: one line for people.
        skeleton: id of the skeleton in which both sides are compared.
        joints: names of the joints that are averaged.
        root: the mean of these joints is the origin (alignment `root`).
        alignment: `root`, or `none` for camera coordinates; MPJPE, PCK and AUC use it
            (N-MPJPE adds a scale, PA-MPJPE a similarity).
        metrics: the metrics that the card reports.
        headline: the metric that stands for the whole result.
        pck_threshold_mm: a joint counts when strictly nearer than this.
        auc_thresholds_mm: first, last and step of the thresholds averaged by AUC.
        frame_stride: frames count whose number is `first_frame` plus a multiple of it.
        first_frame: number of the first frame of a sequence.
        averaging: `frame`: every frame weighs the same; `action` or `sequence`: the
            mean of the means of each.
        citation: where the protocol is written down.
        note: what a reader should know.
        subjects: only these subjects count (empty: all).
        sequences: only sequences whose names start so count (empty: all).
        groups: name -> sequences whose frames are also reported together.
        action_names: names of actions that files give as numbers.
        scale: `given`: predictions are in mm; `bones`: each is first scaled so that the
            mean length of its limbs is the truth's, for methods that know no unit.
        refused: skeletons of references whose joints share names with the card's and
            lie elsewhere on the body.
        reference: where the truth comes from, where it is not plain motion capture; it
            stands beside every result.
        pck_2d_torso: a joint counts in the picture when strictly nearer than this share
            of the trunk's length, see `flat.torso`.
    """

    name: str
    title: str
    skeleton: str
    joints: tuple[str, ...]
    root: tuple[str, ...]
    alignment: str
    metrics: tuple[str, ...]
    headline: str
    pck_threshold_mm: float
    auc_thresholds_mm: tuple[float, float, float]
    frame_stride: int
    first_frame: int
    averaging: str
    citation: str
    note: str = ""
    subjects: tuple[str, ...] = ()
    sequences: tuple[str, ...] = ()
    groups: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    action_names: dict[str, str] = dataclasses.field(default_factory=dict)
    refused: tuple[str, ...] = ()
    scale: str = "given"
    reference: str = ""
    pck_2d_torso: float = _TORSO_SHARE

    @functools.cached_property
    def hash(self) -> str:
        """Twelve hex digits over everything that can change a number."""
        content = dataclasses.asdict(self)
        for key in _PROSE if self.flat_metrics else (*_PROSE, "pck_2d_torso"):
            del content[key]
        if content["scale"] == "given":  # cards are older than this key
            del content["scale"]
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def thresholds(self) -> np.ndarray:
        """The thresholds of AUC, mm."""
        start, stop, step = self.auc_thresholds_mm
        return np.arange(start, stop + step / 2, step)

    @property
    def flat_metrics(self) -> tuple[str, ...]:
        """Those of `metrics` that compare in the picture."""
        return tuple(name for name in self.metrics if metrics.METRICS[name].flat)

    @property
    def joint_indices(self) -> tuple[int, ...]:
        """Indices of `joints` in the skeleton."""
        return skeletons.get(self.skeleton).indices(*self.joints)

    @property
    def root_indices(self) -> tuple[int, ...]:
        """Indices of `root` in the skeleton."""
        return skeletons.get(self.skeleton).indices(*self.root)

    @property
    def limbs(self) -> tuple[tuple[int, int], ...]:
        """(parent, child) pairs among `joints` and `root`, indices in the skeleton."""
        known = {*self.joint_indices, *self.root_indices}
        limbs = skeletons.get(self.skeleton).limbs
        return tuple(limb for limb in limbs if known >= set(limb))

    def describe(self) -> str:
        """Returns the card as one line for the head of a table."""
        count = len(self.joints)
        where = f"relative to {' + '.join(self.root)}"
        if self.alignment == "none":
            where = "in camera coordinates"
        if self.scale == "bones":
            where += ", scaled by the mean length of the limbs"
        if self.flat_metrics == self.metrics:
            where = "in the picture"
        return f"{self.name} {self.hash}: {self.title}; {count} joints {where}"


def names() -> list[str]:
    """Returns the names of the cards that come with the package."""
    return sorted(path.stem for path in _CARDS.glob("*.yaml"))


def load(name: str) -> Card:
    """Returns a card by name, or from a YAML file of the user.

    Raises:
        errors.InputError: if there is no such card, or it has an unknown key, a missing
            key, a wrong type, or a joint that its skeleton does not have.
    """
    path = pathlib.Path(name)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise errors.InputError(f"protocol: no file {name}")
    else:
        path = _CARDS / f"{name}.yaml"
        if name not in names():
            near = difflib.get_close_matches(name, names(), 1, 0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise errors.InputError(
                f"protocol: unknown card {name!r}, expected one of {', '.join(names())}"
                f" or a .yaml file{hint}"
            )
    with errors.reading(path, "a protocol"):
        text = files.read_bounded(path, documents.YAML_BYTES).decode("utf-8")
    return from_dict(path.stem, documents.parse_yaml(text, f"protocol {path}"))


def from_dict(name: str, content: Any) -> Card:
    """Returns the card of a parsed YAML file; raises InputError as `load` does."""
    if not isinstance(content, dict):
        raise errors.InputError(
            f"protocol {name}: got a {type(content).__name__}, expected `key: value` "
            "lines; copy one of the package's cards"
        )
    fields = {f.name: f for f in dataclasses.fields(Card) if f.name != "name"}
    unknown = sorted(set(content) - set(fields), key=str)
    if unknown:
        raise errors.InputError(
            f"protocol {name}: unknown key {unknown[0]!r}, expected {', '.join(fields)}"
        )
    for key, field in fields.items():
        required = (field.default, field.default_factory) == (dataclasses.MISSING,) * 2
        if required and key not in content:
            raise errors.InputError(f"protocol {name}: the key {key!r} is missing")
    values = {key: _typed(name, fields[key], value) for key, value in content.items()}
    card = Card(name=name, **values)
    _validate(card)
    return card


def _typed(name: str, field: dataclasses.Field, value: Any) -> Any:
    """One value as its field's type; numbers and texts are not mixed up."""
    kind = str(field.type)
    good = {
        "str": lambda v: isinstance(v, str),
        "float": _is_number,
        "int": lambda v: isinstance(v, int) and not isinstance(v, bool),
        "tuple[str, ...]": _are_texts,
        "tuple[float, float, float]": lambda v: (
            isinstance(v, list) and len(v) == 3 and all(map(_is_number, v))
        ),
        "dict[str, str]": lambda v: (
            isinstance(v, dict) and _are_texts(list(v.values()))
        ),
        "dict[str, tuple[str, ...]]": lambda v: (
            isinstance(v, dict) and all(map(_are_texts, v.values()))
        ),
    }[kind](value)
    if not good:
        raise errors.InputError(
            f"protocol {name}: {field.name} is {value!r}, expected {kind}"
        )
    if kind == "float":
        return float(value)
    if isinstance(value, list):
        return tuple(float(v) if _is_number(v) else v for v in value)
    if isinstance(value, dict):
        lists = {k: tuple(v) if isinstance(v, list) else v for k, v in value.items()}
        return {str(k): v for k, v in lists.items()}
    return value


def _is_number(value: Any) -> bool:
    whole = isinstance(value, (int, float)) and not isinstance(value, bool)
    return whole and abs(value) <= _LARGEST  # no NaN


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _validate(card: Card) -> None:
    """Raises InputError where a value is of the right type and yet wrong."""
    known = tuple(metrics.METRICS)
    for key, choices in {**_CHOICES, "headline": known}.items():
        if getattr(card, key) not in choices:
            raise errors.InputError(
                f"protocol {card.name}: {key} is {getattr(card, key)!r}, expected one "
                f"of {', '.join(choices)}"
            )
    wrong = [metric for metric in card.metrics if metric not in known]
    if wrong or card.headline not in card.metrics:
        raise errors.InputError(
            f"protocol {card.name}: metrics are {list(card.metrics)}, expected some of "
            f"{', '.join(known)}, the headline {card.headline!r} among them"
        )
    start, stop, step = card.auc_thresholds_mm
    positive = card.pck_threshold_mm > 0 and card.frame_stride > 0 and step > 0
    positive &= card.pck_2d_torso > 0
    many = positive and (stop - start) / step > _MOST_THRESHOLDS
    if not positive or many or stop < start or not card.joints or not card.root:
        raise errors.InputError(
            f"protocol {card.name}: thresholds, stride and the lists of joints and "
            "root must not be empty, zero or negative, thresholds at most "
            f"{_MOST_THRESHOLDS} steps"
        )
    try:
        _ = card.joint_indices, card.root_indices
    except errors.InputError as error:
        raise errors.InputError(f"protocol {card.name}: {error}") from None
    if card.scale == "bones" and not card.limbs:
        raise errors.InputError(
            f"protocol {card.name}: scale is 'bones', expected joints that are the two "
            "ends of a limb; add some to `joints`"
        )


def restricted(card: Card, joints: tuple[str, ...]) -> Card:
    """Returns the card with only some of its joints: another name and another hash."""
    if joints == card.joints:
        return card
    name = f"{card.name} ({len(joints)} of {len(card.joints)} joints)"
    return dataclasses.replace(card, name=name, joints=joints)
