"""What a model sees in one video: 3D poses of every person in every frame, as a file.

`poses.npz` holds N poses, one per person and frame, sorted by frame, then person. It
loads with `numpy.load(path)`; nothing in it is pickled. Its arrays:

* `joints` `[N, J, 3]` float32, mm, relative to the pelvis, in the frame of a camera
  that looks at the person: x to the right in the picture, y down, z away from it;
* `names` `[J]` text and `parents` `[J]` int: the joints, and where each hangs (the
  pelvis on itself); `skeleton`: the id of this order;
* `frame` `[N]` int, from 0, of the video, and `time` `[N]` seconds from its start;
* `person` `[N]` int: the same number is the same track, from 0, the best first;
* `box` `[N, 4]` float32: x1 y1 x2 y2 of the person, pixels of the video's picture; it
  is smoothed over time and may reach beyond the picture;
* `confidence` `[N]` float32, 0 to 1: of the detector that there is a person, **not** of
  the pose; 1 for given boxes;
* `bridged` `[N]` bool: in a gap, of a second at most, in which the detector missed the
  person: the box lies between those before and after, `confidence` falls to 0;
* `root` `[N, 3]` float32, mm, the pelvis in the camera's space, and `points`
  `[N, J, 2]`, pixels of the video's picture: of a model of several people alone, which
  knows where they stand;
* `smoothing`: how the poses were smoothed over time, `none`, `zero_lag` or, live,
  `one_euro`;
* `fps` (0 for a single picture), `source`, `size` `[2]` (width and height, pixels);
* `model` (its name), `model_hash` (of its weights) and `version` (of sa3dhp).

`tools/evaluate.py --predictions=` reads the same file.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Mapping

import numpy as np

import sa3dhp
from sa3dhp import errors, files
from sa3dhp.data.videos import screening
from sa3dhp.skeleton import skeleton as skeletons

NAME = "poses.npz"
# Of length N.
ROWS = ("joints", "frame", "time", "person", "box", "confidence", "bridged")
PLACES = ("root", "points")  # the same, of models that know them


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """Poses of the people in one video, see the arrays in the module's text.

    Attributes:
        joints: `[N, J, 3]`, mm.
        frame: `[N]`.
        time: `[N]`, seconds.
        person: `[N]`.
        box: `[N, 4]`, pixels.
        confidence: `[N]`.
        skeleton: id.
        fps: of the video; 0 for a picture.
        size: width and height of its pictures, pixels.
        source: name of the video.
        model: name of the model.
        model_hash: of its weights.
        smoothing: of the poses over time, see `smoothing.METHODS`.
        tracks: who was followed; not in the file.
        dropped: tracks that are no person; not in the file.
        notes: what had to be assumed or was left out; not in the file.
        bridged: `[N]`; nowhere if None.
        root: `[N, 3]`, mm, or None where the model knows no places.
        points: `[N, J, 2]`, pixels, or None.
        length: how many frames were looked at; not in the file.
        pictures: small JPEG files of some frames, by their number; not in the file.
        interrupted: whether a user stopped it before the end; not in the file.
    """

    joints: np.ndarray
    frame: np.ndarray
    time: np.ndarray
    person: np.ndarray
    box: np.ndarray
    confidence: np.ndarray
    skeleton: str
    fps: float
    size: tuple[int, int]
    source: str
    model: str
    model_hash: str
    smoothing: str = "none"
    tracks: tuple[screening.Track, ...] = ()
    dropped: tuple[screening.Track, ...] = ()
    notes: tuple[str, ...] = ()
    bridged: np.ndarray | None = None
    root: np.ndarray | None = None
    points: np.ndarray | None = None
    length: int = 0
    pictures: Mapping[int, bytes] = dataclasses.field(default_factory=dict)
    interrupted: bool = False

    def __post_init__(self) -> None:
        """Fills in what was not bridged."""
        if self.bridged is None:
            object.__setattr__(self, "bridged", np.zeros(len(self.frame), bool))

    @property
    def num_people(self) -> int:
        """How many tracks there are."""
        return len(np.unique(self.person))

    def rows(self, person: int) -> np.ndarray:
        """Which rows are of a person, in the order of frames."""
        return np.flatnonzero(self.person == person)

    def save(self, path: str | os.PathLike) -> None:
        """Writes the file, whole or not at all."""
        skeleton = skeletons.get(self.skeleton)
        known = [name for name in PLACES if getattr(self, name) is not None]
        with files.atomic(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(
                file,
                **{name: getattr(self, name) for name in (*ROWS, *known)},
                names=np.array(skeleton.joint_names),
                parents=np.array(skeleton.parents),
                skeleton=np.array(self.skeleton),
                fps=np.array(self.fps),
                size=np.array(self.size),
                source=np.array(self.source),
                model=np.array(self.model),
                model_hash=np.array(self.model_hash),
                smoothing=np.array(self.smoothing),
                version=np.array(sa3dhp.__version__),
            )


def load(path: str | os.PathLike) -> Prediction:
    """Reads what `Prediction.save` wrote.

    Raises:
        InputError: if it is no such file.
    """
    path = pathlib.Path(path)
    remedy = f"give the {NAME} that tools/predict.py wrote"
    with errors.reading(f"prediction {path}", "readable", remedy):
        archive = files.load_npz(path)
        width, height = archive["size"].tolist()
        return Prediction(
            joints=archive["joints"],
            frame=archive["frame"],
            time=archive["time"],
            person=archive["person"],
            box=archive["box"],
            confidence=archive["confidence"],
            skeleton=str(archive["skeleton"]),
            fps=float(archive["fps"]),
            size=(width, height),
            source=str(archive["source"]),
            model=str(archive["model"]),
            model_hash=str(archive["model_hash"]),
            # Files of 0.2 say neither: all is taken for seen, and not smoothed.
            bridged=archive.get("bridged"),
            root=archive.get("root"),
            points=archive.get("points"),
            smoothing=str(archive.get("smoothing", "none")),
        )
