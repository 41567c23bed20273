"""A person before a camera: drawn, cropped by the project's rule, and developed.

A picture is rendered straight into the camera of its crop: a part of the plane of the
whole picture, at the stored size. As with every other data set nothing is turned
towards the person, so that whoever stands off the middle is seen as a lens shows them,
and joints are in the frame of the whole camera.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from sa3dhp.geometry import crop
from sa3dhp.synthetic.people import motion, person, picture, rasteriser, scene, shot

AROUND = 2  # frames before and after a picture, of which it may be blurred
_BLURRED = 0.3  # share of cameras with a long exposure
_STILL = 1.2  # pixels of 192: what moves less is not blurred,
_FAST = 5.0  # and what moves more in the finest steps there are


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Of crops.

    Attributes:
        stored: side, pixels.
        image: side of the middle that a network sees, pixels.
        flesh: how far a body reaches beyond its joints, metres.
    """

    stored: int
    image: int
    flesh: float


@dataclasses.dataclass(frozen=True, eq=False)  # arrays do not compare
class Taken:
    """A picture and its labels.

    Attributes:
        image: `[S, S, 3]`, uint8, RGB.
        joints: `[17, 3]`, `sa3dhp17`, mm, camera frame, not root-relative.
        keypoints: `[17, 2]`, pixels of the picture.
        projection: `[3, 3]`, from the camera frame to those pixels.
    """

    image: np.ndarray
    joints: np.ndarray
    keypoints: np.ndarray
    projection: np.ndarray


class Stage:
    """A camera, a room and things, drawn at random around a person who moves.

    The person has to be in the renderer's memory (`rasteriser.renderer().load`).
    """

    def __init__(
        self,
        rng: np.random.Generator,
        posed: motion.Posed,
        places: Sequence[int],
        panorama: scene.Panorama,
        sizes: Sizes,
    ) -> None:
        """Draws everything that is the same for all pictures.

        Args:
            rng: the source of randomness.
            posed: the person's frames; those `AROUND` a picture are there as well.
            places: the frames of which pictures are to be taken.
            panorama: the room.
            sizes: of the crops.
        """
        self._posed, self._places, self._sizes = posed, list(places), sizes
        joints = posed.joints[self._places]
        self._camera = shot.draw_camera(rng, joints)
        place = joints.mean(axis=(0, 1)) * [1.0, 0.0, 1.0]
        self._room = shot.draw_room(rng, panorama, place, self._camera.eye)
        self._gain = shot.draw_gain(rng, panorama)
        self._things = shot.draw_things(rng, joints[len(joints) // 2], self._camera)
        self._film = picture.draw(rng)
        long = rng.uniform() < _BLURRED
        self._exposure = int(rng.integers(1, AROUND + 1)) if long else 0

    def take(self, rng: np.random.Generator) -> Iterator[Taken]:
        """Yields the pictures; crops follow the person, their side stays."""
        camera, size = self._camera, self._sizes.stored
        seen = camera.seen(self._posed.joints[self._places])  # [T, 17, 3], m
        points = seen @ camera.intrinsics.T
        points = points[..., :2] / points[..., 2:]
        depth = np.median(seen[..., 2], axis=1, keepdims=True)
        flesh = self._sizes.flesh * camera.intrinsics[0, 0] / depth  # [T, 1]
        boxes = np.concatenate([points.min(1) - flesh, points.max(1) + flesh], axis=1)
        centres, side = crop.square_box(boxes)
        scale = size / crop.stored_side(side, size, self._sizes.image)
        for n, place in enumerate(self._places):
            shift = (size - 1) / 2 - scale * centres[n]
            matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]], [0, 0, 1]])
            yield Taken(
                self._image(matrix, int(place), rng),
                1000.0 * seen[n],
                scale * points[n] + shift,
                matrix @ camera.intrinsics,
            )

    def _image(
        self, matrix: np.ndarray, place: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Draws a frame, averages it over its exposure, and ends it where it ended."""
        camera, size = self._camera, self._sizes.stored
        view = rasteriser.View(
            matrix @ camera.intrinsics, camera.rotation, camera.eye, size, self._gain
        )
        times: Sequence[int] = [place]
        moved = self._moves(view, place) * 192 / size
        if moved > _STILL:
            step = self._exposure if moved < _FAST else 1
            times = range(place - self._exposure, place + self._exposure + 1, step)
        drawn = [
            rasteriser.renderer().draw(
                person.bone_matrices(self._posed, time),
                view,
                self._room,
                spheres=shot.spheres(self._posed.joints[time]),
                things=self._things,
            )
            for time in times
        ]
        image = drawn[0]
        if len(drawn) > 1:
            image = np.mean(drawn, axis=0, dtype=np.float32)
        return picture.develop(cut_off(image, matrix, camera.size), self._film, rng)

    def _moves(self, view: rasteriser.View, place: int) -> float:
        """Pixels by which the fastest joint moves during the exposure."""
        ends = self._posed.joints[[place - self._exposure, place + self._exposure]]
        flat = self._camera.seen(ends) @ view.intrinsics.T
        flat = flat[..., :2] / flat[..., 2:]
        return float(np.linalg.norm(flat[1] - flat[0], axis=-1).max())


def cut_off(image: np.ndarray, matrix: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Repeats the edge of a whole picture where a crop reaches beyond it.

    Args:
        image: `[S, S, C]`, the crop.
        matrix: `[3, 3]`, pixels of the whole picture -> of the crop.
        size: (width, height) of the whole picture, pixels.

    Returns:
        `[S, S, C]`, as `crop.extract` would have cut it.
    """
    last = len(image) - 1
    scale, shift = matrix[0, 0], matrix[:2, 2]
    low = np.clip(np.ceil(shift - scale / 2), 0, last).astype(int)
    high = np.floor(shift + scale * (np.array(size) - 0.5))
    high = np.clip(high, low, last).astype(int)
    if not low.any() and (high == last).all():
        return image
    columns, rows = (np.clip(np.arange(last + 1), low[n], high[n]) for n in (0, 1))
    return image[rows][:, columns]
