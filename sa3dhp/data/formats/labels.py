"""Labels of one's own pictures, as a table (`.csv`) or as arrays (`.npz`).

The form that this project offers to data it has never heard of; README, "Your own
labels". A table has a row for each joint of each picture:

    image,joint,u,v,x,y,z,subject,sequence,frame,split
    a/0001.jpg,left_wrist,211.5,96.0,-143.2,310.0,2950.1,anna,walk,1,train

`u, v`: pixels, the centre of the first is 0; `x, y, z`: mm, camera frame (x right, y
down, z away); an empty cell is unknown. `image`, `joint`, `u` and `v` are needed.

Arrays: `images [N]`, `keypoints [N, J, 2]` and `skeleton` (an id), and, where there are
any, `joints [N, J, 3]`, `subjects`, `sequences`, `frames` and `splits`, `[N]` each, and
`fps`. NaN is unknown.
"""

from __future__ import annotations

import csv
import dataclasses
import difflib
import io
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from sa3dhp import errors
from sa3dhp.data import schema
from sa3dhp.data.formats import plain_text, restricted_pickle
from sa3dhp.skeleton import skeleton as skeletons

TABLE_SKELETON = skeletons.SA3DHP17
ENDINGS = (".csv", ".npz")
_NEEDED = ("image", "joint", "u", "v")
_TEXTS = {"subject": "", "sequence": "pictures", "split": "train"}  # and defaults
_COLUMNS = (*_NEEDED, "x", "y", "z", "frame", *_TEXTS)


@dataclasses.dataclass(frozen=True, eq=False)
class Labels:
    """The labels of a file, a row for each picture.

    Attributes:
        images: `[N]` paths, relative to the file's folder.
        skeleton: id, which gives `J`.
        keypoints: `[N, J, 2]`, pixels; unknown = NaN.
        joints: `[N, J, 3]`, mm, camera frame, or None; unknown = NaN.
        subjects: `[N]` texts.
        sequences: `[N]` texts.
        frames: `[N]`, integers, that count time within a sequence.
        splits: `[N]` texts.
        fps: at which `frames` count; 0 for pictures that are no videos.
    """

    images: np.ndarray
    skeleton: str
    keypoints: np.ndarray
    joints: np.ndarray | None
    subjects: np.ndarray
    sequences: np.ndarray
    frames: np.ndarray
    splits: np.ndarray
    fps: float

    def rows(self) -> dict[tuple[str, str], np.ndarray]:
        """Returns the rows of each split and sequence, in the order of their frames."""
        found: dict[tuple[str, str], list[int]] = {}
        for row, key in enumerate(zip(self.splits, self.sequences)):
            found.setdefault((str(key[0]), str(key[1])), []).append(row)
        return {
            key: np.array(own)[np.argsort(self.frames[own], kind="stable")]
            for key, own in sorted(found.items())
        }

    def select(
        self, rows: np.ndarray, name: str, folder: pathlib.Path
    ) -> schema.Frames:
        """Returns some rows, of one sequence, as pictures with labels.

        Args:
            rows: numbers.
            name: of the sequence.
            folder: that the pictures are relative to.
        """
        flat = self.keypoints[rows]
        known = np.isfinite(flat).all(axis=-1)
        deep = None if self.joints is None else self.joints[rows]
        if deep is not None:
            known &= np.isfinite(deep).all(axis=-1)
            deep = np.where(known[..., None], deep, 0.0)
        return schema.Frames(
            name,
            self.skeleton,
            self.frames[rows],
            images=tuple(str(folder / str(x)) for x in self.images[rows]),
            joints=deep,
            keypoints=np.where(known[..., None], flat, 0.0),
            mask=known,
            fps=self.fps,
            subject=str(self.subjects[rows[0]]),
            split=str(self.splits[rows[0]]),
            note="own labels",
        )


def read(path: str | pathlib.Path) -> Labels:
    """Reads a file of labels.

    Raises:
        InputError: if it is no such file: a column or an array is missing or misshapen,
            a joint is unknown or labelled twice, a cell is no number; a row is named.
    """
    path = pathlib.Path(path)
    with errors.reading(path, "labels of pictures"):
        if path.suffix.lower() == ".npz":
            return _of_arrays(path, restricted_pickle.load_npz(path))
        return _of_table(path, plain_text.read(path))


def _of_arrays(path: pathlib.Path, data: Mapping[str, np.ndarray]) -> Labels:
    if missing := sorted({"images", "keypoints", "skeleton"} - set(data)):
        raise errors.InputError(
            f"{path}: lacks {', '.join(missing)}, has {', '.join(sorted(data))}"
        )
    skeleton = str(data["skeleton"])
    count, joints = len(data["images"]), skeletons.get(skeleton).num_joints
    shapes: dict[str, tuple[int, ...]] = {
        "keypoints": (count, joints, 2),
        "joints": (count, joints, 3),
    }
    shapes |= dict.fromkeys(("subjects", "sequences", "frames", "splits"), (count,))
    for name, shape in shapes.items():
        if name in data and data[name].shape != shape:
            raise errors.InputError(
                f"{path}: {name} expected {list(shape)} (of {count} images, {skeleton} "
                f"has {joints} joints), got {list(data[name].shape)}"
            )
    numbers = {
        name: np.asarray(data[name], np.float64)
        for name in ("keypoints", "joints")
        if name in data
    }
    texts = {
        f"{name}s": np.asarray(data.get(f"{name}s", np.full(count, default))).astype(
            str
        )
        for name, default in _TEXTS.items()
    }
    frames = np.asarray(data.get("frames", np.arange(count)), np.int64)
    return Labels(
        images=np.asarray(data["images"]).astype(str),
        skeleton=skeleton,
        keypoints=numbers["keypoints"],
        joints=numbers.get("joints"),
        frames=frames,
        fps=float(data.get("fps", 0.0)),
        **texts,
    )


def _of_table(path: pathlib.Path, text: str) -> Labels:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = [str(name).strip() for name in reader.fieldnames or ()]
    reader.fieldnames = columns
    _check_columns(path, columns)
    pictures: dict[str, int] = {}
    facts: list[dict[str, str]] = []
    values: dict[tuple[int, int], list[float]] = {}
    deep = {"x", "y", "z"} <= set(columns)
    wanted = ("u", "v", "x", "y", "z") if deep else ("u", "v")
    for line in reader:
        where = f"{path}, line {reader.line_num}"
        image = (line["image"] or "").strip()
        row = pictures.setdefault(image, len(pictures))
        told = {key: (line.get(key) or "").strip() for key in (*_TEXTS, "frame")}
        if row == len(facts):
            facts.append(told)
        elif told != facts[row]:
            key = next(key for key in told if told[key] != facts[row][key])
            raise errors.InputError(
                f"{where}: {image} has {key} {told[key]!r}, and had "
                f"{facts[row][key]!r} before; expected one"
            )
        place = row, _joint(where, (line["joint"] or "").strip())
        if place in values:
            raise errors.InputError(f"{where}: {line['joint']} of {image} came before")
        values[place] = [_number(where, name, line.get(name)) for name in wanted]
    found = np.full((len(facts), TABLE_SKELETON.num_joints, len(wanted)), np.nan)
    for place, cells in values.items():
        found[place] = cells
    numbers = [_frame(path, told["frame"], n) for n, told in enumerate(facts)]
    texts = {
        f"{key}s": np.array([told[key] or default for told in facts], dtype=str)
        for key, default in _TEXTS.items()
    }
    return Labels(
        images=np.array(list(pictures), dtype=str),
        skeleton=TABLE_SKELETON.id,
        keypoints=found[..., :2],
        joints=found[..., 2:] if deep else None,
        frames=np.array(numbers, np.int64),
        fps=0.0,
        **texts,
    )


def _check_columns(path: pathlib.Path, columns: Sequence[str]) -> None:
    missing = [name for name in _NEEDED if name not in columns]
    part = {"x", "y", "z"} & set(columns)
    if missing or len(part) in (1, 2):
        missing += [name for name in ("x", "y", "z") if part and name not in part]
        raise errors.InputError(
            f"{path}: lacks the columns {', '.join(missing)}, has "
            f"{', '.join(columns) or 'none'}; expected some of {', '.join(_COLUMNS)}, "
            "with commas between them"
        )


def _joint(where: str, name: str) -> int:
    names = TABLE_SKELETON.joint_names
    if name in names:
        return TABLE_SKELETON.index(name)
    near = difflib.get_close_matches(name, names, 1, 0.0)
    raise errors.InputError(
        f"{where}: joint {name!r}; did you mean {near[0] if near else names[0]}? They "
        f"are {', '.join(names)}"
    )


def _number(where: str, name: str, cell: str | None) -> float:
    text = (cell or "").strip()
    if not text:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        raise errors.InputError(
            f"{where}: {name}: got {text!r}, expected a number with a decimal point, "
            "or nothing where it is unknown"
        ) from None


def _frame(path: pathlib.Path, text: str, default: int) -> int:
    try:
        return int(text) if text else default
    except ValueError:
        raise errors.InputError(
            f"{path}: frame: got {text!r}, expected a whole number"
        ) from None
