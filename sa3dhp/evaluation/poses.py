"""Poses in files: `.npz` with `joints [N, J, 3]` in mm and the id of their skeleton."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from sa3dhp import errors, files
from sa3dhp.data import actions
from sa3dhp.evaluation import metrics
from sa3dhp.skeleton import skeleton as skeletons

LABELS = ("action", "sequence", "subject", "frame_number")
UNITS_MM = {"mm": 1.0, "centimetres": 10.0, "inches": 25.4, "metres": 1000.0}
_BODY_SIZE_MM = 450.0  # mean distance of the joints from their middle, standing adult
_FARTHEST = 1e9  # mm of anything that a camera sees
_PERSON = 3.0  # no person is larger or smaller than that by more than this factor


@dataclasses.dataclass(frozen=True)
class Poses:
    """The poses of `N` frames.

    Attributes:
        joints: `[N, J, 3]` float64, mm, camera frame (x right, y down, z away).
        skeleton: id of the skeleton that names the `J` joints.
        mask: `[N, J]`, True = valid, or None.
        labels: of `action`, `sequence`, `subject` (texts) and `frame_number` (integers)
            those that are known, `[N]` each.
        target_information: class of the method, one of `protocol.TARGET_INFORMATION`,
            or None.
        source: where they come from, for messages.
        keypoints: `[N, J, 2]` float64, pixels of the picture, or None. `mask` holds for
            them as well.
        flat: True if the key-points are all that is known: `joints` then repeat them.
    """

    joints: np.ndarray
    skeleton: str
    mask: np.ndarray | None = None
    labels: dict[str, np.ndarray] = dataclasses.field(default_factory=dict)
    target_information: str | None = None
    source: str = "poses"
    keypoints: np.ndarray | None = None
    flat: bool = False


def from_keypoints(
    keypoints: np.ndarray,
    skeleton: str,
    mask: np.ndarray | None = None,
    labels: dict[str, np.ndarray] | None = None,
    *,
    source: str = "key-points",
) -> Poses:
    """Returns what is known in 2D alone; key-points `[N, J, 2]`, pixels."""
    points = np.asarray(keypoints, np.float64)
    deep = np.concatenate([points, np.zeros_like(points[..., :1])], axis=-1)
    return Poses(
        deep,
        skeleton,
        mask,
        labels or {},
        source=source,
        keypoints=points,
        flat=True,
    )


def read_arrays(path: str | pathlib.Path, what: str) -> dict[str, np.ndarray]:
    """Returns the arrays of an `.npz` file; nothing in it is ever unpickled.

    Args:
        path: the file.
        what: its role, for messages: `predictions`, `reference`, `dataset`.

    Raises:
        errors.InputError: if the file is missing, truncated, no `.npz`, or holds
            pickled objects.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise errors.InputError(f"{what}: no file {path}; check the path")
    with path.open("rb") as file:
        if file.read(6) == b"\x93NUMPY":
            raise errors.InputError(
                f"{what} {path}: holds one array, expected an .npz with the arrays "
                "`joints` and `skeleton`; write it with numpy.savez"
            )
    with errors.reading(f"{what} {path}", "readable", "write it with numpy.savez"):
        return files.load_npz(path)


def read(path: str | pathlib.Path, what: str) -> Poses:
    """Returns the poses of an `.npz` file.

    Keys: `joints [N, J, 3]` in mm, `skeleton` (an id); optional `mask [N, J]`,
    and `action`, `sequence`, `subject`, `frame_number` (or `frame`) of `[N]`, and
    `target_information`.

    Raises:
        errors.InputError: as `read_arrays`, and if a key is missing or has a wrong
            shape or type.
    """
    return from_arrays(read_arrays(path, what), f"{what} {path}")


def from_arrays(arrays: dict[str, np.ndarray], source: str) -> Poses:
    """Returns the poses in a dict of arrays with the keys that `read` documents."""
    for key in ("joints", "skeleton"):
        if key not in arrays:
            raise errors.InputError(
                f"{source}: the array `{key}` is missing, got "
                f"{', '.join(sorted(arrays)) or 'nothing'}; save joints [N, J, 3] in "
                f"mm and skeleton, one of {', '.join(skeletons.ALL)}"
            )
    joints = _joints(arrays["joints"], source)
    skeleton = skeletons.get(_text(arrays["skeleton"], "skeleton", source))
    if joints.shape[1] != skeleton.num_joints:
        same = [s.id for s in skeletons.ALL.values() if s.num_joints == joints.shape[1]]
        raise errors.InputError(
            f"{source}: joints have shape {joints.shape}, expected [N, "
            f"{skeleton.num_joints}, 3] for the skeleton {skeleton.id}"
            + (f"; {joints.shape[1]} joints have {', '.join(same)}" if same else "")
        )
    information = arrays.get("target_information")
    return Poses(
        joints=joints,
        skeleton=skeleton.id,
        mask=_mask(arrays.get("mask"), joints, source),
        labels=_labels(arrays, len(joints), source),
        target_information=None
        if information is None
        else _text(information, "target_information", source),
        source=source,
    )


def _joints(value: np.ndarray, source: str) -> np.ndarray:
    """`[N, J, 3]` float64."""
    if value.dtype.kind not in "fiu" or value.ndim != 3 or value.shape[-1] != 3:
        raise errors.InputError(
            f"{source}: joints have shape {value.shape} of {value.dtype}, expected "
            "[N, J, 3] numbers in mm"
        )
    if not len(value):
        raise errors.InputError(
            f"{source}: joints are empty, expected at least a frame"
        )
    joints = value.astype(np.float64)
    if (np.abs(joints[np.isfinite(joints)]) > _FARTHEST).any():
        raise errors.InputError(
            f"{source}: a joint is beyond {_FARTHEST:g} mm; the file may be damaged"
        )
    return joints


def _text(value: np.ndarray, key: str, source: str) -> str:
    """One text out of a 0-d or one-element array of texts."""
    if value.dtype.kind not in "US" or value.size != 1:
        raise errors.InputError(
            f"{source}: {key} has shape {value.shape} of {value.dtype}, expected a text"
        )
    item = value.reshape(-1)[0]
    return item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)


def _mask(
    value: np.ndarray | None, joints: np.ndarray, source: str
) -> np.ndarray | None:
    """`[N, J]` bool; also from a `[J]` mask that holds for all frames."""
    if value is None:
        return None
    if value.dtype.kind not in "biuf" or value.shape not in (
        joints.shape[:2],
        joints.shape[1:2],
    ):
        raise errors.InputError(
            f"{source}: mask has shape {value.shape}, expected {joints.shape[:2]}"
        )
    odd = value[(value != 0) & (value != 1)]
    if odd.size:  # confidences, which every threshold would turn into another mask
        raise errors.InputError(
            f"{source}: mask has the value {odd[0]:.4g}, expected True or False; "
            "choose which joints count, such as confidence > 0.5"
        )
    return np.broadcast_to(value.astype(bool), joints.shape[:2])


def _labels(
    arrays: dict[str, np.ndarray], num: int, source: str
) -> dict[str, np.ndarray]:
    """The labels of the frames; `frame` is another name of `frame_number`."""
    labels: dict[str, np.ndarray] = {}
    for key in LABELS:
        value = arrays.get(key)
        if value is None and key == "frame_number":
            value = arrays.get("frame")
        if value is None:
            continue
        if value.shape == ():
            value = np.broadcast_to(value, (num,))
        if value.shape != (num,):
            raise errors.InputError(
                f"{source}: {key} has shape {value.shape}, expected ({num},): one for "
                "each frame of `joints`"
            )
        if key == "frame_number":
            if value.dtype.kind not in "iuf" or (value != np.floor(value)).any():
                raise errors.InputError(
                    f"{source}: {key} is {value.dtype}, expected whole numbers"
                )
            labels[key] = value.astype(np.int64)
        elif value.dtype.kind == "S":
            texts = [item.decode("utf-8", "replace") for item in value]
            labels[key] = np.array(texts, dtype=str)
        else:
            labels[key] = value.astype(str)
    return labels


def body_size(side: Poses) -> float:
    """Returns the mean distance of valid joints from their middle, in their own unit.

    Frames and joints that are not valid or not finite do not count; 0 if none does.
    """
    known = metrics.finite_joints(side.joints)
    if side.mask is not None:
        known &= side.mask
    if not known.any():
        return 0.0
    joints = np.where(known[..., None], side.joints, 0.0)
    counts = np.maximum(known.sum(axis=1), 1)
    middle = joints.sum(axis=1) / counts[:, None]
    return float(metrics.joint_errors(joints, middle[:, None])[known].mean())


def unit_of(size: float) -> str:
    """Returns the unit of `UNITS_MM` in which a size is nearest to a person's.

    Args:
        size: of `body_size`; `mm` is the answer where it says nothing.
    """
    if not np.isfinite(size) or size <= 0:
        return "mm"
    ratios = {name: size * unit / _BODY_SIZE_MM for name, unit in UNITS_MM.items()}
    return min(ratios, key=lambda name: abs(np.log(ratios[name])))


def check_units(pred: Poses, target: Poses, *, any_size: bool = False) -> None:
    """Raises InputError where a side is visibly in another unit than mm.

    The truth has the size of a person. Predictions need not: a model that learnt
    nothing gives all joints at one place. They are refused only where they have the
    size of a person in metres.

    Args:
        pred: the predictions.
        target: the truth.
        any_size: whether predictions may have any: a card that scales them by the
            bones is made for such.
    """
    for side in (target,) if any_size else (target, pred):
        size = body_size(side)
        unit = unit_of(size)
        ratio = size * UNITS_MM[unit] / _BODY_SIZE_MM
        person = 1 / _PERSON < ratio < _PERSON
        if side is pred and not (unit == "metres" and person):
            continue
        if unit != "mm":
            raise errors.InputError(
                f"{side.source}: the joints lie {size:.3g} from the body's middle on "
                f"average, which looks like {unit}, expected mm; multiply by "
                f"{UNITS_MM[unit]:g}"
            )


def check_same_frames(pred: Poses, target: Poses) -> None:
    """Raises InputError where two lists of frames are visibly not the same frames."""
    if len(pred.joints) != len(target.joints):
        raise errors.InputError(
            f"{pred.source}: got {len(pred.joints)} frames, expected "
            f"{len(target.joints)} as in {target.source}; give both the same frames in "
            "the same order"
        )
    for key in sorted(set(pred.labels) & set(target.labels)):
        mine, theirs = pred.labels[key], target.labels[key]
        if key == "action":
            mine, theirs = actions.normalised(mine), actions.normalised(theirs)
        differ = np.flatnonzero(mine != theirs)
        if differ.size:
            row = differ[0]
            raise errors.InputError(
                f"{pred.source}: {key} of frame {row} is {pred.labels[key][row]!s}, "
                f"expected {target.labels[key][row]!s} as in {target.source} "
                f"({differ.size} frames differ); bring both into the same order"
            )
