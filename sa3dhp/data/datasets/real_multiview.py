"""Pose2Sim's demonstration: one man, filmed by calibrated cameras at 60 fps.

Its reference is *no* marker motion capture. It was triangulated from what BlazePose,
another pose estimator, found in four views: `SinglePerson_triangulated_blazepose.npz`
holds `X [N, 12, 3]` in metres in the world of the calibration, `J` the ids of
BlazePose's landmarks, and `frames`, the places in the videos. Limbs of it are constant
to 14-29 mm. The man is cut out by the box of his projected reference.

The pictures with a reference are the split `test`, one by one; the same pictures,
without it, are the clips of `train`, for an adaptation that sees no label.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from xml.etree import ElementTree

import numpy as np

from sa3dhp import errors, files
from sa3dhp.data import calibration, schema
from sa3dhp.data.datasets import dataset
from sa3dhp.data.preparing import cutting, units
from sa3dhp.data.videos import video
from sa3dhp.skeleton import skeleton as skeletons

SKELETON = "blazepose12"
LANDMARKS = (11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)  # in BlazePose's order
PERSON = "SinglePerson"
_CALIBRATION, _REFERENCE = "Calib.qca.txt", f"{PERSON}_triangulated_blazepose.npz"
_SUBPIXELS = 64.0  # units of Qualisys in a pixel
_AXES = np.diag([1.0, -1.0, -1.0])  # Qualisys looks along -z, with y up


def read_calibration(path: str | pathlib.Path) -> dict[str, calibration.Camera]:
    """Reads a Qualisys `.qca.txt`: serial -> camera, with its place in mm.

    The tangential part of the lens is taken as `calibration.Camera` does, half of
    OpenCV's: with these lenses (7e-4) that is a tenth of a pixel.

    Raises:
        InputError: if it is not such a file.
    """
    with errors.reading(path, "a Qualisys calibration"):
        text = pathlib.Path(path).read_bytes()
        if b"<!DOCTYPE" in text or b"<!ENTITY" in text:  # which can stand for anything
            raise ValueError("it declares entities")
        nodes = ElementTree.fromstring(text).findall("cameras/camera")
        found = {str(node.attrib["serial"]): _camera(node) for node in nodes}
    if not found:
        raise errors.InputError(f"{path}: no Qualisys calibration: no camera in it")
    return found


def _camera(node: ElementTree.Element) -> calibration.Camera:
    def numbers(tag: str, *keys: str) -> list[float]:
        child = node.find(tag)
        if child is None:
            raise KeyError(tag)
        return [float(child.attrib[key]) for key in keys]

    lens = numbers(
        "intrinsic", "focalLengthU", "focalLengthV", "centerPointU", "centerPointV"
    )
    radial = numbers("intrinsic", *(f"radialDistortion{n}" for n in (1, 2, 3)))
    bend = numbers("intrinsic", "tangentalDistortion1", "tangentalDistortion2")
    left, right, top, bottom = numbers("fov_video", "left", "right", "top", "bottom")
    turn = numbers("transform", *(f"r{i}{j}" for i in (1, 2, 3) for j in (1, 2, 3)))
    rotation = _AXES @ np.reshape(turn, (3, 3))
    return calibration.Camera(
        node.attrib["serial"],
        calibration.pinhole(*(value / _SUBPIXELS for value in lens)),
        (round(right - left) + 1, round(bottom - top) + 1),
        distortion=(radial[0], radial[1], *bend, radial[2]),
        rotation=rotation,
        translation=-rotation @ np.array(numbers("transform", "x", "y", "z")),
    )


def read_reference(path: str | pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Returns the joints `[N, 12, 3]`, mm, world, and the frames `[N]` they are of.

    Raises:
        InputError: if the file is missing or of another form.
    """
    with errors.reading(path, "a reference"):
        file = files.load_npz(path)
        joints, ids, numbers = file["X"], file["J"].ravel(), file["frames"].ravel()
    if tuple(ids) != LANDMARKS or joints.shape != (len(numbers), len(ids), 3):
        raise errors.InputError(
            f"{path}: got joints {joints.shape} of the landmarks {tuple(ids)}, "
            f"expected [{len(numbers)}, 12, 3] of {LANDMARKS}"
        )
    if joints.dtype.kind != "f" or numbers.dtype.kind not in "iuf":
        raise errors.InputError(
            f"{path}: X is {joints.dtype}, frames {numbers.dtype}, expected numbers"
        )
    return 1000.0 * joints, numbers.astype(np.int64)


def plan(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """Two units per camera that filmed: its pictures one by one, and as clips."""
    del settings
    found = sorted(root.rglob(_REFERENCE))
    if not found or not (found[0].parent / _CALIBRATION).is_file():
        raise errors.InputError(
            f"{root}: expected {_REFERENCE} and {_CALIBRATION} in it; give the folder "
            "of the videos with their reference"
        )
    home = found[0].parent
    made = []
    for split in ("test", "train"):
        for serial in sorted(read_calibration(home / _CALIBRATION)):
            movie = home / f"{PERSON}_{serial}.mp4"
            if movie.is_file():
                files = (movie, home / _CALIBRATION, found[0])
                name = f"{movie.stem} ({split})"
                made.append(units.unit(root, name, split, *files, part=serial))
    note = (
        "reference: triangulated by BlazePose in four views, no marker motion capture; "
        "train: the same pictures as test, as clips without a label"
    )
    skeleton = {"test": SKELETON, "train": skeletons.SA3DHP17.id}
    return units.Plan("frames", tuple(made), skeleton, single=("test",), notes=(note,))


def read(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[dataset.Item]:
    """What one camera saw of the frames with a reference."""
    del settings
    movie, cameras, reference = (root / name for name in unit.files)
    camera = read_calibration(cameras)[unit.part]
    world, numbers = read_reference(reference)
    joints = camera.from_world(world)
    steps = np.unique(np.diff(numbers))
    if len(steps) != 1:
        raise errors.InputError(f"{reference}: frames expected in equal steps")
    rate = video.probe(video.Source(movie.name, movie)).fps / int(steps[0])
    frames = schema.Frames(
        movie.stem,
        SKELETON,
        numbers,
        video=str(movie),
        video_indices=numbers,
        joints=joints,
        keypoints=camera.project(joints),
        camera=camera,
        fps=rate,
        subject="man",
        split=unit.split,
        note="triangulated by BlazePose in four views",
    )
    yield frames if unit.split == "test" else cutting.without_labels(frames)


DATASET = dataset.Dataset(
    plan,
    read,
    "Pose2Sim's demonstration data: BSD-3-Clause; keep its notice",
    shared=frozenset({"sequences"}),  # the same pictures, with and without a label
)
