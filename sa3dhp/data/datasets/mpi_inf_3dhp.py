"""MPI-INF-3DHP: `annot.mat` with 14 videos per sequence; `annot_data.mat` of the test.

Both hold two versions of the 3D joints. `annot3` is true to the image: its projection
is where the person is, and training takes it by default. `univ_annot3` has everybody
at one height; the official evaluation uses it, and so does the test set by default.

The layout is that of public readers and of the official notes; poses, cameras and the
table of sequences were checked on genuine files.
"""

from __future__ import annotations

import pathlib
from collections.abc import Collection, Iterator

import numpy as np

from sa3dhp import errors
from sa3dhp.data import calibration, schema
from sa3dhp.data.datasets import dataset
from sa3dhp.data.formats import matlab
from sa3dhp.data.preparing import units
from sa3dhp.skeleton import skeleton as skeletons

TRAIN_SKELETON = "mpi_inf_3dhp28"
TEST_SKELETON = "mpi_inf_3dhp17"
POSES = ("annot3", "univ_annot3")
# The cameras at chest height that papers train on; the others look from the ceiling.
COMMON_CAMERAS = (0, 1, 2, 4, 5, 6, 7, 8)
TRAIN_SIZE = (2048, 2048)
OUTDOOR_SIZE = (1920, 1080)  # TS5 and TS6; the other test scenes as the training
# Sequence -> (frames per second, frames of use).
SEQUENCES = {
    "S1/Seq1": (25, 6416),
    "S1/Seq2": (50, 12430),
    "S2/Seq1": (25, 6502),
    "S2/Seq2": (25, 6081),
    "S3/Seq1": (50, 12488),
    "S3/Seq2": (50, 12283),
    "S4/Seq1": (25, 6171),
    "S4/Seq2": (25, 6675),
    "S5/Seq1": (50, 12820),
    "S5/Seq2": (50, 12312),
    "S6/Seq1": (25, 6188),
    "S6/Seq2": (25, 6145),
    "S7/Seq1": (25, 6239),
    "S7/Seq2": (25, 6320),
    "S8/Seq1": (25, 6468),
    "S8/Seq2": (25, 6054),
}
ACTIVITIES = (
    "Standing/Walking",
    "Exercising",
    "Sitting",
    "Reaching/Crouching",
    "On The Floor",
    "Sports",
    "Miscellaneous",
)
# Key-points of these differ from their projected joints by up to 2 px.
LOOSE = ("right_hip", "left_hip", "spine")


def read_calibration(path: str | pathlib.Path) -> dict[int, calibration.Camera]:
    """Reads a `camera.calibration`: camera number -> camera, with its place.

    Raises:
        InputError: if it is not such a file.
    """
    cameras: dict[int, calibration.Camera] = {}
    fields: dict[str, list[str]] = {}
    with errors.reading(path, "a camera.calibration"):
        text = pathlib.Path(path).read_text(encoding="latin-1")
        for words in map(str.split, text.splitlines()):
            if words:
                fields[words[0]] = words[1:]
            if words and words[0] == "extrinsic":
                number = int(fields["name"][0])
                cameras[number] = _camera(number, fields)
    if not cameras:
        raise errors.InputError(
            f"{path}: no cameras in it; is it a camera.calibration?"
        )
    return cameras


def _camera(number: int, fields: dict[str, list[str]]) -> calibration.Camera:
    """One camera from the words that follow `intrinsic`, `extrinsic` and `size`."""
    intrinsic, extrinsic = (
        np.array(fields[key], np.float64).reshape(4, 4)
        for key in ("intrinsic", "extrinsic")
    )
    width, height = map(int, fields["size"])
    if not np.isfinite([intrinsic, extrinsic]).all() or min(width, height) < 1:
        raise ValueError(f"camera {number}: numbers that are not finite, or no size")
    return calibration.Camera(
        str(number),
        intrinsic[:3, :3],
        (width, height),
        rotation=extrinsic[:3, :3],
        translation=extrinsic[:3, 3],
    )


def _check_poses(poses: str) -> None:
    if poses not in POSES:
        raise errors.InputError(f"poses: expected one of {POSES}, got {poses!r}")


def read_train_sequence(
    path: str | pathlib.Path,
    poses: str = "annot3",
    cameras: Collection[int] = COMMON_CAMERAS,
) -> list[schema.Frames]:
    """Reads one training sequence as each of several cameras sees it.

    Args:
        path: e.g. `.../S1/Seq1`, which holds `annot.mat`, `camera.calibration` and
            `imageSequence/video_<camera>.avi`.
        poses: `annot3` or `univ_annot3`.
        cameras: which of 0 to 13.

    Returns:
        `mpi_inf_3dhp28`, mm. Frame numbers start at 1, as people's extracted images do.

    Raises:
        InputError: if a file is missing or of another form.
    """
    _check_poses(poses)
    path = pathlib.Path(path)
    subject, sequence = path.parts[-2:]
    file, what = path / "annot.mat", "a training annotation"
    data = matlab.read(file, ["annot2", poses], what)
    if {"annot2", poses} - set(data):
        raise errors.InputError(f"{path}/annot.mat: no annot2 or no {poses} in it")
    calibrated = read_calibration(path / "camera.calibration")
    fps, of_use = SEQUENCES.get(f"{subject}/{sequence}", (25, None))
    items = []
    for camera in cameras:
        with errors.reading(file, what):
            keypoints, joints = (
                np.asarray(data[key][camera, 0], np.float64)
                for key in ("annot2", poses)
            )
            keypoints = keypoints.reshape(-1, 28, 2)[:of_use]
            joints = joints.reshape(-1, 28, 3)[:of_use]
        if camera not in calibrated:
            raise errors.InputError(
                f"{path}/camera.calibration: has no camera {camera}, expected 0 to 13"
            )
        video = path / "imageSequence" / f"video_{camera}.avi"
        items.append(
            schema.Frames(
                f"{subject}_{sequence}_Cam{camera}",
                TRAIN_SKELETON,
                np.arange(1, len(joints) + 1),
                video=str(video),
                video_indices=np.arange(len(joints)),
                joints=joints,
                keypoints=keypoints,
                camera=calibrated[camera],
                fps=float(fps),
                subject=subject,
                action=sequence,
                split="train",
                note=f"MPI-INF-3DHP, {poses}",
            )
        )
    return items


def read_test_scene(
    path: str | pathlib.Path, poses: str = "univ_annot3", valid_only: bool = True
) -> schema.Frames:
    """Reads one test scene.

    Args:
        path: `.../TS1` ... `.../TS6`, which holds `annot_data.mat` and
            `imageSequence/img_<number>.jpg`.
        poses: `univ_annot3` (official) or `annot3`.
        valid_only: leaves out frames that do not count (`valid_frame` 0).

    Returns:
        `mpi_inf_3dhp17`, mm; `labels` are the activities, 1 to 7 (`ACTIVITIES`). The
        camera is fitted to `annot3` and `annot2`, as the file holds none.

    Raises:
        InputError: if it is not such a file.
    """
    _check_poses(poses)
    path = pathlib.Path(path)
    file, what = path / "annot_data.mat", "a test annotation"
    wanted = {"annot2", "annot3", poses, "valid_frame", "activity_annotation"}
    with errors.reading(file, what):
        data = matlab.read(file, wanted, what)
        keypoints = data["annot2"].T.reshape(-1, 17, 2)
        true = data["annot3"].T.reshape(-1, 17, 3)
        joints = data[poses].T.reshape(-1, 17, 3)
        valid = np.ravel(data["valid_frame"]) == 1
        activity = np.ravel(data["activity_annotation"]).astype(np.int64)
        counts = {len(x) for x in (keypoints, true, joints, valid, activity)}
        if len(counts) != 1 or not valid.any():
            raise ValueError(f"lengths {sorted(counts)}, {int(valid.sum())} valid")
        if not all(np.isfinite(x[valid]).all() for x in (keypoints, true, joints)):
            raise ValueError("numbers that are not finite in valid frames")
    size = OUTDOOR_SIZE if path.name in ("TS5", "TS6") else TRAIN_SIZE
    skeleton = skeletons.get(TEST_SKELETON)
    firm = [n for n, name in enumerate(skeleton.joint_names) if name not in LOOSE]
    with errors.reading(file, what):
        matrix = calibration.fit_pinhole(
            true[valid][:, firm], keypoints[valid][:, firm]
        )
    numbers = np.arange(1, len(joints) + 1)
    folder = path / "imageSequence"
    frames = schema.Frames(
        path.name,
        TEST_SKELETON,
        numbers,
        images=tuple(str(folder / f"img_{n:06d}.jpg") for n in numbers),
        joints=joints,
        keypoints=keypoints,
        camera=calibration.Camera(path.name, matrix, size),
        labels=activity,
        subject=path.name,
        action=path.name,
        split="test",
        note=f"MPI-INF-3DHP, {poses}",
    )
    return frames.select(valid) if valid_only else frames


def plan(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit per training video of the common cameras, and per test scene."""
    del settings
    train = sorted(root.rglob("annot.mat"))
    test = sorted(root.rglob("annot_data.mat"))
    if not train and not test:
        raise errors.InputError(
            f"{root}: neither S*/Seq*/annot.mat nor TS*/annot_data.mat below it"
        )
    made = []
    for file in train:
        name = "/".join(file.parts[-3:-1])
        home = file.parent
        for camera in COMMON_CAMERAS:
            movie = home / f"imageSequence/video_{camera}.avi"
            files = (file, home / "camera.calibration", movie)
            part = str(camera)
            made.append(units.unit(root, f"{name} {part}", "train", *files, part=part))
    made += [units.unit(root, file.parent.name, "test", file) for file in test]
    skeleton = {"train": TRAIN_SKELETON} if train else {}
    skeleton |= {"test": TEST_SKELETON} if test else {}
    note = (
        "train: annot3, true to the pictures, of the cameras at chest height; test: "
        "univ_annot3 of the valid frames, which the official evaluation uses"
    )
    return units.Plan("frames", tuple(made), skeleton, single=("test",), notes=(note,))


def read(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[schema.Frames]:
    """One camera's video, or a test scene."""
    del settings
    home = (root / unit.files[0]).parent
    if unit.split == "test":
        yield read_test_scene(home)
    else:
        yield from read_train_sequence(home, cameras=[int(unit.part)])


DATASET = dataset.Dataset(
    plan,
    read,
    "MPI-INF-3DHP: non-commercial research only, no redistribution; cite it",
    published={
        "train": dataset.Published(
            sequences=16, subjects=tuple(f"S{n}" for n in range(1, 9))
        ),
        "test": dataset.Published(
            pictures=(2929,),
            sequences=6,
            per_sequence=dict(TS1=603, TS2=540, TS3=505, TS4=553, TS5=276, TS6=452),
        ),
    },
    ending=r"_Cam\d+$",
)
