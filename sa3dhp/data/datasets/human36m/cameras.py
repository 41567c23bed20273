"""Human3.6M's 44 calibrated cameras, in the three files in which people share them."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

from sa3dhp import documents, errors
from sa3dhp.data import calibration
from sa3dhp.data.formats import hdf5, restricted_pickle

# Camera -> (width, height); this is also the order of cameras 1 to 4.
SIZES = {
    "54138969": (1000, 1002),
    "55011271": (1000, 1000),
    "58860488": (1000, 1000),
    "60457274": (1000, 1002),
}

Cameras = dict[tuple[str, str], calibration.Camera]


def read(path: str | pathlib.Path) -> Cameras:
    """Reads cameras: (subject, camera), e.g. `("S1", "54138969")` -> camera.

    Args:
        path: `camera-parameters.json` (karfly/human36m-camera-parameters),
            `cameras.h5` (3d-pose-baseline) or `cameras.pkl` (MMPose).

    Raises:
        InputError: for a file of another kind.
    """
    path = pathlib.Path(path)
    readers = {".json": _read_json, ".h5": _read_h5, ".pkl": _read_pickle}
    if path.suffix not in readers:
        raise errors.InputError(f"{path}: expected one of {', '.join(readers)}")
    with errors.reading(path, "a file of cameras"):
        return readers[path.suffix](path)


def _camera(
    name: str,
    place: tuple[np.ndarray, np.ndarray],
    *,
    fx_fy: Any,
    cx_cy: Any,
    distortion: Any,
) -> calibration.Camera:
    """A camera from arrays of whatever shape.

    Args:
        name: one of `SIZES`.
        place: rotation and translation (mm), as `calibration.Camera` has them.
        fx_fy: focal lengths, pixels.
        cx_cy: the principal point, pixels.
        distortion: (k1, k2, p1, p2, k3).
    """
    rotation, translation = (np.asarray(part, np.float64) for part in place)
    if rotation.shape != (3, 3) or translation.size != 3:
        raise ValueError(f"camera {name}: expected R [3, 3] and t [3]")
    numbers = [
        np.ravel(np.asarray(value, np.float64)) for value in (fx_fy, cx_cy, distortion)
    ]
    if not all(np.isfinite(x).all() for x in (rotation, translation, *numbers)):
        raise ValueError(f"camera {name}: numbers that are not finite")
    return calibration.Camera(
        name,
        calibration.pinhole(*numbers[0], *numbers[1]),
        SIZES[name],
        tuple(map(float, numbers[2])),
        np.asarray(rotation, np.float64),
        np.ravel(translation).astype(np.float64),
    )


def _read_json(path: pathlib.Path) -> Cameras:
    """`x_camera = R x_world + t`, t in mm."""
    data = documents.parse_json(path.read_bytes(), str(path))
    cameras = {}
    for subject, places in data["extrinsics"].items():
        for name, place in places.items():
            matrix = np.array(data["intrinsics"][name]["calibration_matrix"])
            cameras[subject, name] = _camera(
                name,
                (place["R"], place["t"]),
                fx_fy=(matrix[0, 0], matrix[1, 1]),
                cx_cy=matrix[:2, 2],
                distortion=data["intrinsics"][name]["distortion"],
            )
    return cameras


def _read_h5(path: pathlib.Path) -> Cameras:
    """R is stored transposed; `x_camera = R (x_world - T)`, T in mm."""
    cameras = {}
    with hdf5.opened(path, "a file of cameras") as file:
        for group in filter(lambda key: key.startswith("subject"), file):
            for item in file[group].values():
                name = "".join(
                    chr(int(c)) for c in np.ravel(hdf5.numbers(item, "Name"))[:99]
                )
                k1, k2, k3 = np.ravel(hdf5.numbers(item, "k"))
                rotation = hdf5.numbers(item, "R").T
                cameras[group.replace("subject", "S"), name] = _camera(
                    name,
                    (rotation, -rotation @ np.ravel(hdf5.numbers(item, "T"))),
                    fx_fy=hdf5.numbers(item, "f"),
                    cx_cy=hdf5.numbers(item, "c"),
                    distortion=(k1, k2, *np.ravel(hdf5.numbers(item, "p")), k3),
                )
    return cameras


def _read_pickle(path: pathlib.Path) -> Cameras:
    """`x_camera = R^T (x_world - T)`, T in metres."""
    cameras = {}
    for (subject, name), item in restricted_pickle.load(path).items():
        k1, k2, k3 = np.ravel(item["k"])
        cameras[subject, name] = _camera(
            name,
            (item["R"].T, -1000.0 * item["R"].T @ np.ravel(item["T"])),
            fx_fy=item["f"],
            cx_cy=item["c"],
            distortion=(k1, k2, *np.ravel(item["p"]), k3),
        )
    return cameras
