"""Pictures with their 2D and 3D labels, whole in one object: prepared, or drawn.

What systems need whose truth lies in the picture itself; `prepared.py` and
`pipeline.py` feed those that learn root-relative poses.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np

from sa3dhp import errors
from sa3dhp.data import pipeline, prepared, records, shards
from sa3dhp.geometry import pictures
from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import domain, world

Images = Callable[[np.ndarray], np.ndarray]  # row numbers -> uint8 [n, S, S, 3]
UNSEEN = 1 << 20  # the first chunk of people of the embedded world who never train
_CHUNK = 50  # people of the embedded world that are drawn from one seed


@dataclasses.dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures and what is known of them.

    Attributes:
        images: from row numbers to the pictures, uint8 `[n, S, S, 3]`.
        points: `[N, P, 2]`, pixels, the centre of the first is 0; or None.
        joints: `[N, P, 3]`, mm, camera frame; or None.
        skeleton: id.
        subjects: `[N]` texts.
        sequences: `[N]` texts.
        clips: `[N]` ids of the clips that they are of, or of the picture that several
            people are in, see `records.Frame`.
        source: where they come from, for messages.
        bare: how many of them have no 2D labels.
    """

    images: Images
    points: np.ndarray | None
    joints: np.ndarray | None
    skeleton: str
    subjects: np.ndarray
    sequences: np.ndarray
    clips: np.ndarray
    source: str
    bare: int = 0

    def __len__(self) -> int:
        return len(self.subjects)

    def take(self, rows: np.ndarray) -> Pictures:
        """Returns some of the rows."""
        images = self.images
        return dataclasses.replace(
            self,
            images=lambda chosen: images(rows[chosen]),
            points=None if self.points is None else self.points[rows],
            joints=None if self.joints is None else self.joints[rows],
            subjects=self.subjects[rows],
            sequences=self.sequences[rows],
            clips=self.clips[rows],
        )

    def evenly(self, count: int) -> Pictures:
        """Returns at most `count` rows, evenly taken."""
        last = len(self) - 1
        return self.take(np.unique(np.linspace(0, last, count).astype(int)))


@functools.lru_cache(maxsize=8)  # rows of a table share them
def of_world(
    place: str, seed: int, *, count: int, size: int, first: int = 0
) -> Pictures:
    """Returns people of the embedded world, upright, each in a picture of their own.

    Args:
        place: the domain, see `domain.get`.
        seed: of the run.
        count: of pictures.
        size: side of the pictures, pixels.
        first: number of the first chunk of people; `UNSEEN` for those that measure.

    Returns:
        Pictures that are drawn when they are first asked for, and then kept: the same
        object for the same arguments.
    """
    look = domain.get(place)

    def chunks(draw: Callable[..., tuple]) -> tuple[np.ndarray, ...]:
        parts = [
            draw(
                look,
                pipeline.rng(seed, "cast", first + number),
                count=_CHUNK,
                size=size,
                rolled=0.0,
            )
            for number in range(-(-count // _CHUNK))
        ]
        return tuple(np.concatenate(part)[:count] for part in zip(*parts))

    points, joints = chunks(world.keypoints)
    drawn = functools.lru_cache(maxsize=1)(lambda: chunks(world.frames)[0])
    people = np.array([f"person_{n:06d}" for n in range(count)])
    return Pictures(
        images=lambda rows: drawn()[rows],
        points=points.astype(np.float64),
        joints=joints.astype(np.float64),
        skeleton=skeletons.SA3DHP17.id,
        subjects=people,
        sequences=people,
        clips=people,
        source=f"the embedded world ({place})",
    )


def of_prepared(
    folder: str,
    name: str,
    sizes: prepared.Sizes,
    skeleton: str = "",
    complete: bool = True,
) -> Pictures:
    """Returns the pictures of a split of a prepared data set.

    Args:
        folder: as tools/prepare_data.py wrote it.
        name: of the split.
        sizes: of the pictures that are shown, and as they are stored.
        skeleton: id that labels are converted to; "" for the data set's own.
        complete: whether all joints of the skeleton are asked for. Else it is the
            project's own, and joints that the data set cannot tell are NaN, see
            `prepared.present`.

    Returns:
        Pictures in the middle of the stored ones; 2D or 3D labels are None unless all
        have them. A joint that is not labelled is NaN.

    Raises:
        InputError: if the split is empty, or its pictures lack joints of the skeleton.
    """
    part = prepared.split(folder, name, sizes)
    frames = part.frames(range(len(part)), image=False)
    if not frames:
        raise errors.InputError(f"{folder}: {name} is empty, expected pictures in it")
    skeleton = skeleton or frames[0].skeleton
    points = _labels(frames, "keypoints", skeleton, complete)
    margin = (sizes.stored - sizes.image) // 2

    def images(rows: np.ndarray) -> np.ndarray:
        shown = [frame.image for frame in part.frames(rows)]
        return pictures.center_crop(np.stack(shown), sizes.image)

    return Pictures(
        images=images,
        points=None if points is None else points - margin,
        joints=_labels(frames, "joints", skeleton, complete),
        skeleton=skeleton,
        subjects=np.array([frame.subject for frame in frames]),
        sequences=np.array([frame.sequence for frame in frames]),
        clips=np.array([frame.clip for frame in frames]),
        source=f"{folder} ({name})",
        bare=sum(frame.keypoints is None for frame in frames),
    )


def unseen_split(folder: str) -> str:
    """Returns the name of the split that a data set keeps for measuring."""
    has = shards.manifest(folder).splits
    return next((name for name in prepared.UNSEEN if name in has), "test")


def _labels(
    frames: Sequence[records.Frame], kind: str, skeleton: str, complete: bool
) -> np.ndarray | None:
    """Labels in a skeleton; what is missing is NaN; None if a picture has none."""
    found = []
    for frame in frames:
        values = getattr(frame, kind)
        if values is None:
            return None
        given = np.where(frame.mask[:, None], values, np.nan).astype(np.float64)
        if skeleton != frame.skeleton:
            given, valid = conversion.convert(given, frame.skeleton, skeleton)
            given[~(valid if complete else prepared.present(frame.skeleton))] = np.nan
            if complete and not valid.all():
                names = skeletons.get(skeleton).joint_names
                lacking = [name for name, good in zip(names, valid) if not good]
                raise errors.InputError(
                    f"data.skeleton: got {skeleton!r}, whose {', '.join(lacking)} the "
                    f"pictures ({frame.skeleton}) do not have; expected '' for their "
                    "own points"
                )
        found.append(given)
    return np.stack(found)
