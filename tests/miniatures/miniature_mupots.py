"""A small MuPoTS-3D in the genuine format: two sequences, pictures of one grey each.

A picture's grey says which one it is: `shade(sequence, frame)`. Joints and points are
those of cameras like the genuine ones, of which no file tells.
"""

import pathlib

import miniature_people
import numpy as np
import scipy.io

from sa3dhp.data import calibration

FRAMES, PEOPLE = 3, 2
CAMERAS = {  # name -> matrix and (width, height)
    "TS1": (calibration.pinhole(1498.0, 1500.0, 1030.0, 1044.0), (2048, 2048)),
    "TS6": (calibration.pinhole(1684.0, 1683.0, 955.0, 547.0), (1920, 1080)),
}
UNIVERSAL = 1.05  # times the true size


def shade(sequence: int, frame: int) -> int:
    """Grey of a picture."""
    return 20 + 30 * (FRAMES * sequence + frame)


def people(sequence: int) -> np.ndarray:
    """Who stands where: `[F, P, 17, 3]`, mm, camera frame, `mpi_inf_3dhp17`."""
    found = []
    for who in range(PEOPLE):
        moves = miniature_people.person(40 + 10 * sequence + who, FRAMES)
        seen = miniature_people.towards(moves, 4000.0 + 700.0 * who)
        aside = np.array([900.0 * (2 * who - 1), 100.0 * who, 0.0])
        found.append(miniature_people.expand(seen + aside, "mpi_inf_3dhp17"))
    return np.stack(found, axis=1)


def mupots(folder) -> pathlib.Path:
    """Writes `MultiPersonTestSet/{TS1,TS6}`, TS1 with `occlusion.mat`; returns it."""
    home = pathlib.Path(folder) / "MultiPersonTestSet"
    for number, (name, (matrix, size)) in enumerate(CAMERAS.items()):
        for frame in range(FRAMES):
            grey = np.full((size[1], size[0], 3), shade(number, frame), np.uint8)
            path = home / name / f"img_{frame:06d}.jpg"
            miniature_people.write_image(path, grey)
        joints = people(number)
        points = calibration.Camera(name, matrix, size).project(joints)
        annotate(home / name, joints, points)
    hidden = np.empty((FRAMES, PEOPLE), object)
    for frame, who in np.ndindex(*hidden.shape):
        hidden[frame, who] = (np.arange(17) == frame + who)[None].astype(float)
    scipy.io.savemat(home / "TS1/occlusion.mat", {"occlusion_labels": hidden})
    return home


def annotate(folder: pathlib.Path, joints, points, valid=None) -> None:
    """Writes `annot.mat`.

    Args:
        folder: of the sequence.
        joints: `[F, P, 17, 3]`, mm.
        points: `[F, P, 17, 2]`, pixels.
        valid: `[F, P]`; None for all.
    """
    cells = np.empty(joints.shape[:2], object)
    valid = np.ones(cells.shape) if valid is None else valid
    for index in np.ndindex(*cells.shape):
        cells[index] = {
            "annot2": points[index].T,
            "annot3": joints[index].T,
            "univ_annot3": UNIVERSAL * joints[index].T,
            "isValidFrame": float(valid[index]),
        }
    scipy.io.savemat(folder / "annot.mat", {"annotations": cells}, do_compression=True)
