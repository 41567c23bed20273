"""A clip of a person doing squats, with what BlazePose said of it.

TensorFlow.js tests its pose models by it: `pose_squats.full.json` holds BlazePose's
landmarks of each frame in pixels, `pose_squats_3d.full.json` those in metres around the
middle of the hips (x right, y down, z away). They are predictions of another model and
*no* truth: upstream allows 31 px and 0.24 m of difference.

The pictures are the split `test`, one by one; the same pictures, each shown for as long
as it is in the film and without a label, are the clips of `train`.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator

import numpy as np

from sa3dhp import documents, errors
from sa3dhp.data import schema
from sa3dhp.data.datasets import dataset, real_multiview
from sa3dhp.data.preparing import cutting, units
from sa3dhp.data.videos import video
from sa3dhp.skeleton import skeleton as skeletons

SKELETON = real_multiview.SKELETON
# Clip -> BlazePose's landmarks in pixels, and in metres.
CLIPS = {
    "squats_tfjs.mp4": ("pose_squats.full.json", "pose_squats_3d.full.json"),
}
_LANDMARKS = 33


def read_landmarks(path: str | pathlib.Path) -> np.ndarray:
    """Returns BlazePose's landmarks of each frame, `[N, 33, 3]`, as in the file.

    Raises:
        InputError: if the file is missing or of another form.
    """
    with errors.reading(path, "landmarks"):
        data = pathlib.Path(path).read_bytes()
        found = np.asarray(
            documents.parse_json(data, f"{path}: no landmarks"), np.float64
        )
    if found.ndim != 3 or found.shape[1:] != (_LANDMARKS, 3):
        raise errors.InputError(
            f"{path}: got landmarks {found.shape}, expected [N, {_LANDMARKS}, 3]"
        )
    return found


def plan(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """Two units per clip: its pictures one by one, and as clips."""
    del settings
    made = []
    for split in ("test", "train"):
        for name, others in CLIPS.items():
            for movie in sorted(root.rglob(name)):
                files = (movie, *(movie.parent / other for other in others))
                title = f"{movie.stem} ({split})"
                made.append(units.unit(root, title, split, *files))
    if not made:
        raise errors.InputError(f"{root}: no {', '.join(CLIPS)} below it")
    note = (
        "reference: predictions of BlazePose, no truth; train: the same pictures as "
        "test, as clips without a label"
    )
    skeleton = {"test": SKELETON, "train": skeletons.SA3DHP17.id}
    return units.Plan("frames", tuple(made), skeleton, single=("test",), notes=(note,))


def read(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[dataset.Item]:
    """One clip with BlazePose's joints, around the middle of the hips."""
    del settings
    movie, flat, deep = (root / name for name in unit.files)
    chosen = list(real_multiview.LANDMARKS)
    keypoints = read_landmarks(flat)[:, chosen, :2]
    joints = 1000.0 * read_landmarks(deep)[:, chosen]
    hips = list(skeletons.get(SKELETON).indices("left_hip", "right_hip"))
    joints -= joints[:, hips].mean(axis=1, keepdims=True)  # a few mm
    if len(keypoints) != len(joints):
        raise errors.InputError(
            f"{deep}: got {len(joints)} frames, expected {len(keypoints)} as in {flat}"
        )
    frames = schema.Frames(
        movie.stem,
        SKELETON,
        np.arange(len(joints)),
        video=str(movie),
        video_indices=np.arange(len(joints)),
        joints=joints,
        keypoints=keypoints,
        fps=video.probe(video.Source(movie.name, movie)).fps,
        subject=movie.stem,
        split=unit.split,
        note="predicted by BlazePose",
    )
    yield frames if unit.split == "test" else cutting.without_labels(frames)


DATASET = dataset.Dataset(
    plan,
    read,
    "clip and predictions of tensorflow/tfjs-models: Apache-2.0",
    shared=frozenset({"sequences"}),  # the same pictures, with and without a label
)
