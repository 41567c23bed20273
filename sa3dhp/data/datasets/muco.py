"""MuCo-3DHP: pictures of one to four people, composed of MPI-INF-3DHP (Mehta et al.).

The input folder is MPI-INF-3DHP's training set as downloaded *with its masks*:
`S1/Seq1/{imageSequence,FGmasks,ChairMasks}/video_0.avi`, `annot.mat` and
`camera.calibration`, and so on; beside the subjects there may be a folder (or a link)
`backgrounds` of any `.jpg` and `.png`. People of one camera are cut out by their masks
and pasted at their own places, the farthest first, so that the nearer one covers the
farther and all joints stay true in the camera. Without `backgrounds` the studio behind
the farthest one is seen.

Of the masks, of which no genuine file was at hand: the data set's README says that the
green screen is told by the red channel of `FGmasks`, the chair by that of `ChairMasks`,
and that smoothing them may help; public readers of MuCo-3DHP take red above 100 for
whoever stands before the screen, and red below 32 for the chair, which covers like its
user. We take the same, and of the rest only what hangs together with the person's
joints; a frame whose mask does not look like a person is left out.

A record is a person: those of a picture share `clip`, the nearest is at `position` 0,
and each holds the whole picture. All cameras are brought to the one fixed camera of
`FOCAL`, whose axis goes through the middle. Ours [D], as the authors' program was not
at hand: how pictures are drawn (any number of people of different sequences, any
frames), that whoever is covered by four fifths is left out, that `val` has people of
its own, and how many pictures there are (theirs: 400,000).
"""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from collections.abc import Iterator, Sequence

import cv2
import numpy as np

from sa3dhp import errors
from sa3dhp.data import records
from sa3dhp.data.calibration import Camera
from sa3dhp.data.datasets import dataset, mpi_inf_3dhp
from sa3dhp.data.preparing import units
from sa3dhp.data.videos import video
from sa3dhp.geometry import crop
from sa3dhp.skeleton import skeleton as skeletons

SEED = 0
SKELETON = skeletons.get(mpi_inf_3dhp.TRAIN_SKELETON)
FOCAL = 0.75  # focal length of the pictures, sides of what the network sees [D]
PEOPLE = 4  # in a picture, at most
HELD_OUT = ("S7", "S8")  # whose pictures are `val` [D]
CLIPS = 32_000  # pictures of train, unless asked for otherwise
_VAL_SHARE = 20  # one picture of val for as many of train
_PICTURES = 500  # of a unit, at most
_FRAMES = 100  # of each sequence of a unit, cut out
_FOLDERS = ("imageSequence", "FGmasks", "ChairMasks")
_FOREGROUND, _CHAIR = 100, 32  # red above, and below
_AROUND = 0.3  # of a person's box, that a mask may reach beyond it
_SEEN = 0.2  # of a person, at least
_VAL_ROOMS = 5  # one background of as many is kept for val
_BACKGROUNDS = (".jpg", ".jpeg", ".png")
_TRIES = 20


@dataclasses.dataclass(frozen=True, eq=False)
class Cutout:
    """A person and the picture that they are cut out of.

    Attributes:
        image: `[S, S, 3]`, uint8, RGB.
        alpha: `[S, S]`, uint8, 255 where the person is.
        joints: `[28, 3]`, mm, camera frame.
        keypoints: `[28, 2]`, pixels of the image.
        projection: `[3, 3]`, camera frame -> pixels of the image.
        frame_number: as MPI-INF-3DHP counts.
        sequence: `S1_Seq1_Cam0`.
        subject: `S1`.
        action: `Seq1`.
    """

    image: np.ndarray
    alpha: np.ndarray
    joints: np.ndarray
    keypoints: np.ndarray
    projection: np.ndarray
    frame_number: int
    sequence: str
    subject: str
    action: str

    @property
    def depth(self) -> float:
        """Of the pelvis, mm."""
        return float(self.joints[SKELETON.root, 2])


def plan(root: pathlib.Path, settings: units.Settings) -> units.Plan:
    """A unit per `_PICTURES` pictures, of up to four sequences seen by one camera."""
    there = _there(root)
    rooms = _backgrounds(root)
    count = settings.clips or CLIPS
    made = []
    for split, total in (("train", count), ("val", -(-count // _VAL_SHARE))):
        cameras = [camera for camera, homes in there[split].items() if homes]
        least = min(len(cameras), total)
        number_of = max(-(-total // _PICTURES), least) if cameras else 0
        for number in range(number_of):
            share = (total + number) // number_of
            name, camera = f"{split}-{number:06d}", cameras[number % len(cameras)]
            homes = _cast(_rng(name, 0), there[split][camera])
            files = [file for home in homes for file in _files(home, camera)]
            made.append(units.unit(root, name, split, *files, part=f"{camera} {share}"))
    skeleton = {split: SKELETON.id for split in there if any(there[split].values())}
    listed = "".join(f"{path.name} {path.stat().st_size}\n" for path in rooms)
    digest = hashlib.sha256(listed.encode()).hexdigest()[:16] if rooms else "none"
    notes = (
        "a record is a person: those of a picture share its clip, the nearest first",
        f"one camera: focal length {FOCAL} sides, the axis through the middle",
        f"val: pictures of subjects {', '.join(HELD_OUT)}; train: of the others",
        f"backgrounds: {len(rooms)} pictures, sha256 of names and sizes {digest}",
    )
    return units.Plan(
        "frames", tuple(made), skeleton, 0.0, single=tuple(skeleton), notes=notes
    )


def _there(root: pathlib.Path) -> dict[str, dict[int, list[pathlib.Path]]]:
    """Split -> camera -> folders of the sequences that it filmed, with masks."""
    found: dict[str, dict[int, list[pathlib.Path]]] = {
        split: {camera: [] for camera in mpi_inf_3dhp.COMMON_CAMERAS}
        for split in ("train", "val")
    }
    homes = [file.parent for file in sorted(root.rglob("annot.mat"))]
    for home in homes:
        split = "val" if home.parent.name in HELD_OUT else "train"
        for camera, known in found[split].items():
            if all(file.is_file() for file in _files(home, camera)):
                known.append(home)
    if not homes:
        raise errors.InputError(
            f"{root}: no S*/Seq*/annot.mat below it, expected the training set of "
            "MPI-INF-3DHP"
        )
    if not any(known for split in found.values() for known in split.values()):
        raise errors.InputError(
            f"{root}: got {len(homes)} sequences of MPI-INF-3DHP, none with masks, "
            f"expected {', '.join(f'{x}/video_0.avi' for x in _FOLDERS)} and so on; "
            "set download_masks=1 in its conf.ig and run get_dataset.sh again"
        )
    return found


def _files(home: pathlib.Path, camera: int) -> list[pathlib.Path]:
    """What a sequence has of a camera; the annotation first."""
    movies = [home / folder / f"video_{camera}.avi" for folder in _FOLDERS]
    return [home / "annot.mat", home / "camera.calibration", *movies]


def _cast(rng: np.random.Generator, homes: list[pathlib.Path]) -> list[pathlib.Path]:
    """Up to four sequences, of different subjects as far as there are enough."""
    drawn = [homes[n] for n in rng.permutation(len(homes))]
    before = [
        [x.parent for x in drawn[:n]].count(h.parent) for n, h in enumerate(drawn)
    ]
    order = sorted(range(len(drawn)), key=lambda n: (before[n], n))
    return sorted(drawn[n] for n in order[:PEOPLE])


def _backgrounds(root: pathlib.Path) -> list[pathlib.Path]:
    """The pictures to paste people on; none without the folder."""
    paths = (root / "backgrounds").rglob("*")
    return sorted(path for path in paths if path.suffix.lower() in _BACKGROUNDS)


def _rng(name: str, use: int) -> np.random.Generator:
    """A generator of the unit's own, one per use."""
    digest = hashlib.sha256(name.encode()).digest()
    return np.random.default_rng([SEED, use, int.from_bytes(digest[:8], "big")])


def read(
    root: pathlib.Path, unit: units.Unit, settings: units.Settings
) -> Iterator[records.Frame]:
    """The people of a unit's pictures, picture by picture.

    Raises:
        InputError: if a file is of another form, or nobody can be cut out.
    """
    camera, count = map(int, unit.part.split())
    rng = _rng(unit.name, 1)
    homes = [(root / name).parent for name in unit.files if name.endswith("annot.mat")]
    known = [list(cutouts(home, camera, rng, settings)) for home in homes]
    known = [people for people in known if people]
    if not known:
        raise errors.InputError(
            f"{unit.name}: nobody can be cut out of {len(homes)} sequences: expected "
            "people where FGmasks are red and ChairMasks are not black; download the "
            "masks again"
        )
    rooms = _backgrounds(root)
    if len(rooms) >= _VAL_ROOMS:
        kept = rooms[::_VAL_ROOMS]
        others = [room for room in rooms if room not in kept]
        rooms = kept if unit.split == "val" else others
    for number in range(count):
        chosen = rng.permutation(len(known))[: int(rng.integers(1, PEOPLE + 1))]
        people = [known[n][rng.integers(len(known[n]))] for n in chosen]
        room = _room(rng, rooms, settings.stored_size) if rooms else None
        image, seen = compose(people, room)
        for position, person in enumerate(seen):
            yield records.Frame(
                image=image,
                skeleton=SKELETON.id,
                joints=person.joints,
                keypoints=person.keypoints,
                mask=np.ones(SKELETON.num_joints, bool),
                frame_number=person.frame_number,
                sequence=person.sequence,
                subject=person.subject,
                action=person.action,
                split=unit.split,
                label=-1,
                clip=f"{unit.name}+{number}",
                position=position,
                fps=0.0,
                projection=person.projection,
            )


def cutouts(
    home: pathlib.Path,
    camera: int,
    rng: np.random.Generator,
    settings: units.Settings,
) -> Iterator[Cutout]:
    """Cuts a person out of some frames of a sequence.

    Args:
        home: e.g. `S1/Seq1`.
        camera: which one filmed.
        rng: draws the frames.
        settings: gives the sizes.

    Raises:
        InputError: if a file is of another form.
        UnreadableError: if a video cannot be opened.
    """
    (frames,) = mpi_inf_3dhp.read_train_sequence(home, cameras=[camera])
    assert frames.camera and frames.joints is not None and frames.keypoints is not None
    chosen = rng.choice(len(frames), min(_FRAMES, len(frames)), replace=False)
    rows = set(chosen.tolist())
    movies = _files(home, camera)[2:]
    streams = [video.until(video.Source(x.name, x), rows) for x in movies]
    centre, side = square(frames.camera, settings)
    matrix = crop.matrix(centre, side, settings.stored_size)
    points = frames.keypoints @ matrix[:2, :2].T + matrix[:2, 2]
    projection = matrix @ frames.camera.matrix
    # As far as all three can be read.
    for (row, picture), (_, screen), (_, chair) in zip(*streams):
        if not picture.shape == screen.shape == chair.shape:
            raise errors.InputError(
                f"{home}: camera {camera}: masks of {screen.shape[:2]} and "
                f"{chair.shape[:2]} pixels, expected {picture.shape[:2]} as its "
                "pictures; download them again"
            )
        whole = np.uint8(255) * (
            (screen[..., 0] > _FOREGROUND) | (chair[..., 0] < _CHAIR)
        )
        image, mask = (
            crop.extract(x, centre, side, settings.stored_size)
            for x in (picture, whole[..., None])
        )
        alpha = silhouette(mask, points[row])
        if alpha is not None:
            yield Cutout(
                image,
                alpha,
                frames.joints[row],
                points[row].astype(np.float32),
                projection.astype(np.float32),
                int(frames.frame_numbers[row]),
                frames.name,
                frames.subject,
                frames.action,
            )


def square(camera: Camera, settings: units.Settings) -> tuple[np.ndarray, float]:
    """Returns centre and side, pixels of a camera, of what the fixed camera stores."""
    matrix = camera.matrix
    side = (matrix[0, 0] + matrix[1, 1]) / 2 / FOCAL
    stored = crop.stored_side(side, settings.stored_size, settings.image_size)
    return matrix[:2, 2], float(stored)


def silhouette(mask: np.ndarray, points: np.ndarray) -> np.ndarray | None:
    """Returns where the person is in a mask, `[S, S]`, uint8.

    Args:
        mask: `[S, S]`, uint8, 255 in front of the screen; its edges are soft, as it was
            shrunk by averaging.
        points: `[J, 2]`, pixels.

    Returns:
        What hangs together with the joints, near their box; None where less than half
        of the joints in the picture are in it, or where it fills the box.
    """
    size = len(mask)
    low, high = points.min(axis=0), points.max(axis=0)
    reach = _AROUND * (high - low).max()
    left, top = np.clip(np.floor(low - reach), 0, size).astype(int)
    right, bottom = np.clip(np.ceil(high + reach), 0, size).astype(int)
    near = np.zeros_like(mask)
    near[top:bottom, left:right] = mask[top:bottom, left:right]
    at = np.rint(points).astype(int)
    at = at[((at >= 0) & (at < size)).all(axis=1)]
    solid = near >= 128
    inside = solid[at[:, 1], at[:, 0]]
    box = max((bottom - top) * (right - left), 1)
    if not len(at) or inside.mean() < 0.5 or solid.sum() > 0.9 * box:
        return None
    _, labels = cv2.connectedComponents(solid.astype(np.uint8), connectivity=8)
    kept = np.isin(labels, np.unique(labels[at[inside, 1], at[inside, 0]]))
    soft = cv2.dilate(kept.astype(np.uint8), np.ones((3, 3), np.uint8))
    return np.where(soft > 0, near, 0).astype(np.uint8)


def compose(
    people: Sequence[Cutout], room: np.ndarray | None = None
) -> tuple[np.ndarray, list[Cutout]]:
    """Pastes people into one picture, the nearer over the farther.

    Args:
        people: of one size, in any order, at least one.
        room: uint8 `[S, S, 3]`, RGB, behind them; None for what is behind the farthest.

    Returns:
        uint8 `[S, S, 3]`, and who is in it, the nearest first: whoever is covered by
        more than four fifths is not.
    """
    seen: list[Cutout] = []
    free = np.ones(people[0].alpha.shape, np.float32)  # of the nearer ones
    for person in sorted(people, key=lambda x: x.depth):
        share = np.float32(person.alpha) / 255
        if (free * share).sum() >= _SEEN * share.sum():
            seen.append(person)
            free *= 1 - share
    picture = (seen[-1].image if room is None else room).astype(np.float32)
    for person in reversed(seen):
        share = np.float32(person.alpha[..., None]) / 255
        picture += share * (person.image - picture)
    return np.rint(picture).astype(np.uint8), seen


def _room(
    rng: np.random.Generator, rooms: Sequence[pathlib.Path], size: int
) -> np.ndarray:
    """A square out of one of some pictures, anywhere, as large as can be."""
    for _ in range(_TRIES):
        path = rooms[rng.integers(len(rooms))]
        picture = video.read_image(path)
        if picture is not None:
            height, width = picture.shape[:2]
            side = min(height, width)
            at = rng.integers(0, [width - side + 1, height - side + 1])
            return crop.extract(picture, at + side / 2 - 0.5, side, size)
    raise errors.InputError(
        f"{rooms[0].parent}: {_TRIES} pictures drawn from it cannot be decoded; remove "
        "the broken ones"
    )


DATASET = dataset.Dataset(
    plan,
    read,
    "composed of MPI-INF-3DHP, whose terms hold: non-commercial research only, no "
    "redistribution; cite it and MuCo-3DHP. Backgrounds keep the terms that they have",
    settings=("clips",),
    ending=r"_Cam\d+$",
)
