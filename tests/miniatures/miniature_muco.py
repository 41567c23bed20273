"""A small MPI-INF-3DHP with masks, in the genuine format, to compose MuCo-3DHP of.

    miniature_muco.muco(folder)  # three sequences to train on, two held out

Of two cameras, as far as people know the format: see `sa3dhp.data.datasets.muco`. One
person sits before a yellow chair, which the masks of the screen leave out.
"""

import pathlib

import cv2
import miniature
import miniature_people as people
import numpy as np

from sa3dhp.data import calibration

CAMERAS = (0, 4)
FRAMES = 6
SEQUENCES = {  # folder -> mm aside and from the camera
    "S1/Seq1": (250.0, 3800.0),
    "S2/Seq1": (-250.0, 3000.0),
    "S3/Seq2": (900.0, 4600.0),
    "S7/Seq1": (0.0, 3400.0),
    "S8/Seq2": (500.0, 4200.0),
}
SEATED = "S3/Seq2"
YELLOW = (240, 220, 10)
_FAR_ASIDE = np.array([1e5, 0.0, 0.0])


def muco(folder) -> pathlib.Path:
    """Writes the sequences; returns the folder for `--input`."""
    folder = pathlib.Path(folder)
    pinhole = calibration.Camera("a", miniature.MPI_MATRIX, miniature.MPI_SIZE)
    for number, (name, place) in enumerate(SEQUENCES.items()):
        home = folder / name
        filmed = miniature.mpi_sequence(home, 60 + number, FRAMES, CAMERAS, place)
        for camera, (joints, images) in filmed.items():
            empty = people.film(
                joints + _FAR_ASIDE, pinhole.project, pinhole.size, camera
            )
            person = np.abs(images.astype(int) - empty).max(axis=-1) > 0
            chair = np.zeros_like(person)
            if name == SEATED:
                images = images.copy()
                pelvis = np.rint(pinhole.project(joints[:, 0])).astype(int)
                for n, (x, y) in enumerate(pelvis):
                    chair[n, y : y + 12, x - 6 : x + 6] = True
                images[chair] = YELLOW
                movie = home / f"imageSequence/video_{camera}.avi"
                people.write_video(movie, images, 25.0)
            # What the other channels say is of no use here: clothes.
            clothes = np.uint8(90 * (number % 2))
            for part, red in (("FGmasks", person & ~chair), ("ChairMasks", ~chair)):
                mask = np.full((*red.shape, 3), clothes, np.uint8)
                mask[..., 0] = 255 * red
                people.write_video(home / part / f"video_{camera}.avi", mask, 25.0)
    return folder


def backgrounds(folder, color=(0, 0, 160), count: int = 6) -> None:
    """Writes pictures of one colour to `backgrounds`, no two of one size."""
    for n in range(count):
        picture = np.full((60 + 9 * n, 90, 3), color, np.uint8)
        path = pathlib.Path(folder) / "backgrounds" / f"wall{n}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(path), picture[..., ::-1])
