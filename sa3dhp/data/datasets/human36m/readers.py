"""Human3.6M: h36m-fetch's `annot.h5`, the original CDF files, VideoPose3D's `.npz`.

Frame numbers start at 1. "Every 64th frame" of the protocols is a matter of these
numbers, not of rows: h36m-fetch keeps only frames in which the person moved.

Of the formats, cameras and 17-joint poses were checked on genuine files; the layout of
the others is that of their public readers.
"""

from __future__ import annotations

import dataclasses
import pathlib
import re
from typing import Any

import numpy as np

from sa3dhp import errors
from sa3dhp.data import actions, calibration, schema
from sa3dhp.data.datasets.human36m import cameras as cameras_file
from sa3dhp.data.formats import hdf5, restricted_pickle

SKELETON = "h36m32"
SKELETON_2D = "h36m17"  # of VideoPose3D's key-points
FPS = 50.0
TRAIN_SUBJECTS = ("S1", "S5", "S6", "S7", "S8")
TEST_SUBJECTS = ("S9", "S11")
ACTIONS = actions.HUMAN36M  # by the data set's own number, from 1


def action_name(file_name: str) -> str:
    """The official action of a file's name: `Photo 1` -> `TakingPhoto`.

    Raises:
        InputError: if there is no such action.
    """
    name = actions.normalise(file_name)
    if name not in ACTIONS:
        raise errors.InputError(
            f"action: {file_name!r} expected one of {', '.join(ACTIONS)}"
        )
    return name


def split_of(subject: str) -> str:
    """`train`, `test`, or "" for a subject whose poses were not published."""
    if subject in TRAIN_SUBJECTS:
        return "train"
    return "test" if subject in TEST_SUBJECTS else ""


def read_annot(
    path: str | pathlib.Path, universal: bool = False
) -> list[schema.Frames]:
    """Reads one `annot.h5` of h36m-fetch.

    Args:
        path: `<subject>/<action>-<subaction>/annot.h5`, beside `imageSequence/`.
        universal: poses at the height of the universal skeleton (`pose/3d-univ`)
            rather than the person's own.

    Returns:
        `h36m32`, mm; one item per camera, whose pinhole is h36m-fetch's own fit.

    Raises:
        InputError: if it is not such a file.
    """
    path = pathlib.Path(path)
    suffix = "-univ" if universal else ""
    with hdf5.opened(path, "an annot.h5") as file:
        rows = {
            key: hdf5.numbers(file, key)
            for key in ("pose/2d", f"pose/3d{suffix}", "camera", "frame")
        }
        shapes = [(32, 2), (32, 3), (), ()]
        count = len(rows["frame"])
        if [x.shape for x in rows.values()] != [(count, *x) for x in shapes]:
            raise ValueError(f"shapes {[x.shape for x in rows.values()]}")
        if not all(np.isfinite(value).all() for value in rows.values()):
            raise ValueError("numbers that are not finite")
        person, number, subaction = (
            int(np.ravel(hdf5.numbers(file, key))[0])
            for key in ("subject", "action", "subaction")
        )
        subject = f"S{person}"
        if not 1 <= number <= len(ACTIONS):
            raise ValueError(f"action {number}, expected 1 to {len(ACTIONS)}")
        action = ACTIONS[number - 1]
        group = file[f"intrinsics{suffix}"]
        intrinsics = {key: np.ravel(hdf5.numbers(group, key)) for key in group}
        for name in map(str, set(rows["camera"])):
            known = name in cameras_file.SIZES
            if not known or intrinsics[name].shape != (4,):
                raise ValueError(f"camera {name}: expected four intrinsics")
    items = []
    for name in map(str, sorted(set(rows["camera"]))):
        mine = rows["camera"] == int(name)
        numbers = rows["frame"][mine]
        fx, cx, fy, cy = intrinsics[name]  # in this order
        folder = path.parent / "imageSequence" / name
        items.append(
            schema.Frames(
                f"{subject}_{action}-{subaction}.{name}",
                SKELETON,
                numbers,
                images=tuple(str(folder / f"img_{n:06d}.jpg") for n in numbers),
                joints=rows[f"pose/3d{suffix}"][mine],
                keypoints=rows["pose/2d"][mine],
                camera=calibration.Camera(
                    name,
                    calibration.pinhole(fx, fy, cx, cy),
                    cameras_file.SIZES[name],
                ),
                fps=FPS,
                subject=subject,
                action=action,
                split=split_of(subject),
                note=f"h36m-fetch, pose/3d{suffix}",
            )
        )
    return items


def read_cdf(path: str | pathlib.Path) -> np.ndarray:
    """Reads the poses of one CDF file: `[N, 32, 3]` mm, or `[N, 32, 2]` pixels."""
    try:
        import cdflib
    except ImportError:
        raise errors.InputError(
            f"{path}: reading CDF files needs cdflib: pip install cdflib"
        ) from None
    with errors.reading(path, "a CDF file with Pose"):
        poses = np.asarray(cdflib.CDF(str(path)).varget("Pose"))
    axes = 2 if "D2_Positions" in pathlib.Path(path).parent.name else 3
    if poses.shape[-1:] != (32 * axes,) or poses.dtype.kind != "f":
        raise errors.InputError(
            f"{path}: Pose expected (1, N, {32 * axes}), got {poses.shape}"
        )
    return poses.reshape(-1, 32, axes)


def original_files(
    path: str | pathlib.Path, universal: bool = False
) -> list[pathlib.Path]:
    """The CDF files of 3D poses below a folder, one per video.

    Args:
        path: holds `S1/MyPoseFeatures/D3_Positions_mono/*.cdf` as distributed, or
            `S1/Poses_D3_Positions_mono/*.cdf` as h36m-fetch unpacks them.
        universal: those of `D3_Positions_mono_universal`.

    Raises:
        InputError: if there is none.
    """
    folder = "D3_Positions_mono" + ("_universal" if universal else "")
    files = sorted(
        file
        for file in pathlib.Path(path).rglob("*.cdf")
        if file.parent.name.endswith(folder)
    )
    if not files:
        raise errors.InputError(f"{path}: no {folder}/*.cdf below it")
    return files


def flat_file(file: pathlib.Path) -> pathlib.Path:
    """The CDF file of 2D poses that belongs to one of 3D poses."""
    name = re.sub(r"D3_Positions_mono(_universal)?$", "D2_Positions", file.parent.name)
    return file.parent.with_name(name) / file.name


def subject_of(path: pathlib.Path) -> str:
    """The subject in whose folder a file lies."""
    found = [part for part in path.parts if re.fullmatch(r"S\d+", part)]
    if not found:
        raise errors.InputError(f"{path}: expected a folder S1 ... S11 above it")
    return found[-1]


def read_video(
    file: pathlib.Path, subject: str, cameras: cameras_file.Cameras | None
) -> schema.Frames:
    """Reads one of `original_files`, the `D2_Positions` beside it included.

    Args:
        file: of 3D poses.
        subject: in whose folder it lies, beside `Videos`.
        cameras: their calibration; a pinhole is fitted to the poses without it.

    Returns:
        `h36m32`, mm, camera frame; all frames of the video.

    Raises:
        InputError: if cdflib is missing, or the file is of another form.
    """
    name, _, camera = file.stem.rpartition(".")
    joints, keypoints = read_cdf(file), read_cdf(flat_file(file))
    count = min(len(joints), len(keypoints))
    joints, keypoints = joints[:count], keypoints[:count]
    known = (cameras or {}).get((subject, camera))
    if known is None:
        with errors.reading(file, "poses that a camera fits"):
            matrix = calibration.fit_pinhole(joints, keypoints)
        known = calibration.Camera(camera, matrix, cameras_file.SIZES[camera])
    root = next(p for p in file.parents if p.name == subject)
    return schema.Frames(
        f"{subject}_{name}.{camera}",
        SKELETON,
        np.arange(1, count + 1),
        video=str(root / "Videos" / f"{file.stem}.mp4"),
        video_indices=np.arange(count),
        joints=joints,
        keypoints=keypoints,
        camera=known,
        fps=FPS,
        subject=subject,
        action=action_name(name),
        split=split_of(subject),
        note=f"CDF, {file.parent.name}",
    )


def load_object(path: str | pathlib.Path, key: str) -> dict:
    """Returns the dictionary that VideoPose3D wraps into an array without axes."""
    data = restricted_pickle.load_npz(path)
    if key not in data or data[key].shape != ():
        raise errors.InputError(f"{path}: expected {key}, got {', '.join(data)}")
    value = data[key].item() if data[key].size == 1 else None
    if not isinstance(value, dict) or not all(map(_named, [value, *value.values()])):
        raise errors.InputError(
            f"{path}: {key} expected subjects with actions, got {value!r:.80}"
        )
    return value


def _named(value: Any) -> bool:
    """Whether it is a dictionary of names; those of several kinds have no order."""
    return isinstance(value, dict) and all(isinstance(key, str) for key in value)


def seen(
    subject: str,
    action: str,
    world: np.ndarray,
    camera: calibration.Camera,
    detected: np.ndarray | None,
) -> schema.Frames:
    """Returns an action of VideoPose3D as a camera sees it.

    Args:
        subject: who acts.
        action: as the files name it.
        world: `[N, 32, 3]`, metres.
        camera: with its place in the world.
        detected: `[N or more, 17, 2]`, pixels, key-points of `data_2d_h36m_*.npz`.

    Returns:
        mm, camera frame, named as in the original layout; `h36m32` with key-points by
        projection, or with `detected` its 17 joints, `h36m17`.
    """
    with errors.reading(f"{subject}/{action}", "positions [N, 32, 3]"):
        world = np.asarray(world, np.float64).reshape(-1, 32, 3)
        joints = camera.from_world(1000.0 * world)
    count = len(joints)
    frames = schema.Frames(
        f"{subject}_{action}.{camera.name}",
        SKELETON,
        np.arange(1, count + 1),
        video=f"{subject}/Videos/{action}.{camera.name}.mp4",
        video_indices=np.arange(count),
        joints=joints,
        keypoints=camera.project(joints),
        camera=camera,
        fps=FPS,
        subject=subject,
        action=action_name(action),
        split=split_of(subject),
        note="VideoPose3D",
    )
    if detected is None:
        return frames
    # A video runs on for a few frames after the motion capture.
    frames = frames.as_skeleton(SKELETON_2D)
    return dataclasses.replace(frames, keypoints=detected[:count])


def motion(subject: str, action: str, world: np.ndarray) -> schema.Sequence:
    """Returns an action (`[N, 32, 3]`, metres, z up) as a motion."""
    with errors.reading(f"{subject}/{action}", "positions [N, 32, 3]"):
        world = np.asarray(world, np.float64).reshape(-1, 32, 3)
    return schema.Sequence(
        f"{subject}_{action}",
        SKELETON,
        schema.y_down(1000.0 * world, "z"),
        "world",
        FPS,
        subject,
        action_name(action),
        split_of(subject),
        note="VideoPose3D",
    )
