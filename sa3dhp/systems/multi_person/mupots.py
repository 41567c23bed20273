"""The card of MuPoTS-3D: who is matched with whom, and how well ([P] 4.3); NumPy.

As the official evaluation is described (Mehta et al., 3DV 2018, and readers of it):

* a prediction is matched with a person in 2D, by joints 2 to 14 within 40 px;
* poses relative to the pelvis are held against `univ_annot3`, after the prediction's
  bones have been given the lengths of the truth's; 14 joints, 3DPCK at 150 mm, AUC over
  0:5:150 mm;
* a person without a match counts as wrong in every joint ("all"), or not ("matched").

Ours [D], as the official program was not at hand (no number here claims to equal its):

* joints count from 1, as in MATLAB: 2 to 14 are the 14 joints without the head's top;
* pairs are taken greedily: most joints that are nearer than 40 px first, at least one,
  and of equals the pair whose joints are nearer on average;
* bones are those between the 14 joints and the pelvis, so that the spine, which the
  project's skeleton lacks, is one bone from the pelvis to the neck;
* 3DPCK_abs (Moon et al., ICCV 2019, [P] 4.3): the 14 joints in the camera against
  `annot3` at 250 mm, nothing rescaled;
* an annotated person with `isValidFrame` 0 is no person, and whoever is predicted there
  is neither right nor invented; people whom nobody annotated are invented, and lower
  the precision;
* the overall is the mean over sequences; one in which nobody is matched has 0 there.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Mapping, Sequence

import numpy as np

from sa3dhp import errors
from sa3dhp.data.datasets import mupots
from sa3dhp.evaluation import metrics, protocol, tables
from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons

NAME = "mupots_3d"
NEAR_PX = 40.0  # within which a joint speaks for a match
ABS_MM = 250.0  # of 3DPCK_abs ([P] 4.3)
SKELETON = skeletons.get(mupots.SKELETON)
_PELVIS = SKELETON.index("pelvis")
_BLIND = "head_top"  # the joint of the 14 that matches nobody
_OF_JOINT = ("pck", "auc", "pck_abs")
_COLUMNS = {
    "pck": "3DPCK",
    "auc": "AUC",
    "pck_abs": "3DPCK abs",
    "matched_pck": "matched 3DPCK",
    "recall": "recall",
    "precision": "precision",
}
# The columns of [P] Table 4.
_GROUPS = {
    "head": ("head_top",),
    "neck": ("neck",),
    **{
        f"{part}s": (f"right_{part}", f"left_{part}")
        for part in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
    },
}


@dataclasses.dataclass(frozen=True, eq=False)
class People:
    """Whoever is predicted in a picture.

    Attributes:
        joints: `[n, 17, 3]`, mm, camera frame, in `SKELETON`.
        points: `[n, 17, 2]`, pixels.
    """

    joints: np.ndarray
    points: np.ndarray


@functools.cache
def card() -> protocol.Card:
    """Returns the card whose 14 joints and thresholds count here too."""
    return protocol.load("mpi_inf_3dhp")


@functools.cache
def card_hash() -> str:
    """Returns twelve hex digits over what can change a number."""
    content = [NAME, card().hash, NEAR_PX, ABS_MM, "greedy, bones of the truth"]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def check_skeleton(source: skeletons.Skeleton) -> None:
    """Raises InputError for a skeleton without one of the 14 joints or the pelvis."""
    _, valid = conversion.matrix(source, SKELETON)
    needed = (*card().joints, *card().root)
    if lacking := [name for name in needed if not valid[SKELETON.index(name)]]:
        raise errors.InputError(
            f"skeleton {source.id}: has no {', '.join(lacking)}, expected a model of "
            f"all joints of the protocol {NAME}"
        )


def people(
    joints: np.ndarray, points: np.ndarray, source: skeletons.Skeleton
) -> People:
    """Returns what a model says of a picture in the skeleton of MuPoTS-3D.

    Args:
        joints: `[n, J, 3]`, mm, camera frame.
        points: `[n, J, 2]`, pixels.
        source: of the joints, see `check_skeleton`.
    """
    there = [conversion.convert(x, source, SKELETON)[0] for x in (joints, points)]
    return People(there[0].astype(np.float64), there[1].astype(np.float64))


def placed(found: People, focal: float, matrix: np.ndarray) -> People:
    """Returns people where the true camera must have them [D].

    A model tells distances for the focal length that it assumes; with another one the
    same picture is that of somebody farther or nearer. The pelvis is moved along the
    ray of its pixel to its distance times the true focal length over the assumed one;
    the pose stays as it is.

    Args:
        found: of one picture, as the model's camera has them.
        focal: what the model assumes, pixels of this picture.
        matrix: `[3, 3]`, the true camera, pixels.
    """
    true = np.diag(matrix)[:2]  # focal lengths along x and y
    root = found.joints[:, _PELVIS]  # [n, 3]
    along = root[:, 2:] * np.sqrt(true.prod()) / focal
    across = (found.points[:, _PELVIS] - matrix[:2, 2]) / true * along
    moved = np.concatenate([across, along], axis=-1)
    return dataclasses.replace(found, joints=found.joints + (moved - root)[:, None])


def match(
    pred: np.ndarray, target: np.ndarray, valid: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Returns who is who in a picture, rows of `pred` and of `target`.

    Whoever does not count is matched after all who do: their partners are among the
    pairs and to be left out.

    Args:
        pred: `[n, 17, 2]`, pixels.
        target: `[m, 17, 2]`, pixels.
        valid: `[m]`, who counts.
    """
    names = [name for name in card().joints if name != _BLIND]
    joints = list(SKELETON.indices(*names))
    with np.errstate(invalid="ignore", over="ignore"):  # of those who do not count
        away = np.linalg.norm(pred[:, None] - target[None], axis=-1)[..., joints]
    near = (away < NEAR_PX).sum(axis=-1)  # [n, m]
    late = np.broadcast_to(~valid, near.shape)
    order = np.lexsort((away.mean(axis=-1).ravel(), -near.ravel(), late.ravel()))
    pairs: dict[int, int] = {}
    for row, column in zip(*np.unravel_index(order, near.shape)):
        free = row not in pairs and column not in pairs.values()
        if free and near[row, column]:
            pairs[int(row)] = int(column)
    return np.array([*pairs], int), np.array([*pairs.values()], int)


@functools.cache
def _bones() -> tuple[tuple[int, int], ...]:
    """(parent, child) pairs between the 14 joints and the pelvis, parents first."""
    known = {*card().joint_indices, _PELVIS}
    bones = []
    for joint in sorted(known - {_PELVIS}, key=lambda j: SKELETON.depths[j]):
        parent = SKELETON.parents[joint]
        while parent not in known:
            parent = SKELETON.parents[parent]
        bones.append((parent, joint))
    return tuple(bones)


def rescaled(pred: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Returns predictions whose bones have the lengths of the truth's.

    Each bone keeps its direction, from the pelvis on; one without a length has none,
    and its joint lies on its parent.

    Args:
        pred: `[K, 17, 3]`, mm.
        target: `[K, 17, 3]`, mm.

    Returns:
        `[K, 17, 3]`, relative to the pelvis; joints that are not among the 14 are 0.
    """
    made = np.zeros_like(pred)
    for parent, child in _bones():
        bone = pred[:, child] - pred[:, parent]
        length = np.linalg.norm(bone, axis=-1, keepdims=True)
        true = np.linalg.norm(
            target[:, child] - target[:, parent], axis=-1, keepdims=True
        )
        made[:, child] = made[:, parent] + bone * true / np.maximum(length, 1e-6)
    return made


def measure(sequence: mupots.Sequence, found: Sequence[People]) -> dict:
    """Returns the numbers of a sequence.

    Args:
        sequence: the truth.
        found: of each of its frames.

    Returns:
        Of everybody who counts `pck` (3DPCK_rel), `auc` and `pck_abs` (3DPCK_abs), %,
        and of whom a prediction is matched with `matched_pck`, `matched_auc` and
        `matched_pck_abs`; `recall` and `precision` of people, %; `people` who count;
        `per_joint`, name -> the first three.
    """
    pairs, invented = _pairs(sequence, found)
    count = int(sequence.valid.sum())
    shares = _shares(sequence, found, pairs)
    every = {key: values.sum(axis=0) / count for key, values in shares.items()}
    own = max(len(pairs), 1)
    numbers = {key: float(values.mean()) for key, values in every.items()}
    for key, values in shares.items():
        numbers[f"matched_{key}"] = float(values.sum(axis=0).mean() / own)
    return {
        **numbers,
        "recall": 100.0 * len(pairs) / count,
        "precision": 100.0 * len(pairs) / max(len(pairs) + invented, 1),
        "people": count,
        "per_joint": {
            name: {key: float(every[key][n]) for key in _OF_JOINT}
            for n, name in enumerate(card().joints)
        },
    }


def _pairs(
    sequence: mupots.Sequence, found: Sequence[People]
) -> tuple[list[tuple[int, int, int]], int]:
    """(frame, predicted, true) of all matches; how many are predicted for nothing."""
    if len(found) != len(sequence.valid):
        raise ValueError(f"got {len(found)} frames, expected {len(sequence.valid)}")
    pairs, invented = [], 0
    for frame, seen in enumerate(found):
        valid = sequence.valid[frame]
        rows, columns = match(seen.points, sequence.points[frame], valid)
        invented += len(seen.points) - len(rows)
        pairs += [(frame, i, j) for i, j in zip(rows, columns) if valid[j]]
    return pairs, invented


def _shares(
    sequence: mupots.Sequence,
    found: Sequence[People],
    pairs: Sequence[tuple[int, int, int]],
) -> dict[str, np.ndarray]:
    """`_OF_JOINT` of each joint of each match, `[K, 14]`, %."""
    frames, rows, people = np.array(pairs, int).reshape(-1, 3).T
    seen = [found[frame].joints[row] for frame, row in zip(frames, rows)]
    pred = np.array(seen, np.float64).reshape(-1, SKELETON.num_joints, 3)
    absolute, universal = (
        x[frames, people] for x in (sequence.joints, sequence.universal)
    )
    joints = list(card().joint_indices)
    target = metrics.root_relative(universal, card().root_indices)
    apart = metrics.joint_errors(rescaled(pred, universal), target)[:, joints]
    away = metrics.joint_errors(pred, absolute)[:, joints]
    values = (
        metrics.hits(apart, card().pck_threshold_mm),
        metrics.share_of_thresholds(apart, card().thresholds),
        metrics.hits(away, ABS_MM),
    )
    return dict(zip(_OF_JOINT, values))


def result(measured: Mapping[str, Mapping], information: str) -> dict:
    """Returns all sequences as one result, ready for JSON, see `results.read`.

    Args:
        measured: name of a sequence -> what `measure` says of it.
        information: class of target information, see `protocol`.
    """
    per_sequence = {
        name: {key: value for key, value in numbers.items() if key != "per_joint"}
        for name, numbers in measured.items()
    }
    keys = [key for key in next(iter(per_sequence.values())) if key != "people"]
    missing = [name for name in mupots.NAMES if name not in measured]
    notes = [f"a mean without {', '.join(missing)}: no number of the whole test set"]
    return {
        "protocol": NAME,
        "protocol_hash": card_hash(),
        "headline": "pck",
        "target_information": information,
        "num_samples": sum(numbers["people"] for numbers in per_sequence.values()),
        "num_skipped": 0,
        "notes": notes if missing else [],
        "overall": {
            key: float(np.mean([n[key] for n in per_sequence.values()])) for key in keys
        },
        "per_sequence": per_sequence,
        "per_joint": {
            name: {
                key: float(
                    np.mean([n["per_joint"][name][key] for n in measured.values()])
                )
                for key in _OF_JOINT
            }
            for name in card().joints
        },
    }


def table(found: Mapping) -> str:
    """Returns a result as text: a row per sequence, their mean, and the joints."""
    rows = [["sequence", *(f"{title} [%]" for title in _COLUMNS.values()), "people"]]
    for name, numbers in found["per_sequence"].items():
        cells = [tables.number(numbers[key]) for key in _COLUMNS]
        rows.append([name, *cells, str(numbers["people"])])
    mean = [tables.number(found["overall"][key]) for key in _COLUMNS]
    rows.append(["mean", *mean, str(found["num_samples"])])
    joints = [
        f"{group} "
        + tables.number(float(np.mean([found["per_joint"][n]["pck"] for n in names])))
        for group, names in _GROUPS.items()
    ]
    information = found["target_information"]
    lines = [
        f"protocol {found['protocol']} ({found['protocol_hash']}): MuPoTS-3D, "
        f"{len(card().joints)} joints; bones get the truth's lengths but for abs; our "
        "own program, not the official one",
        f"target information {information}: {protocol.TARGET_INFORMATION[information]}",
        *(f"note: {note}" for note in found["notes"]),
    ]
    return "\n\n".join(
        ["\n".join(lines), tables.align_columns(rows), f"3DPCK: {', '.join(joints)}"]
    )
