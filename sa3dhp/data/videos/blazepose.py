"""BlazePose's person detector, a TFLite file run by TensorFlow's own interpreter.

The network (Bazarevsky et al., BlazePose, 2020) sees a square of 224 pixels and marks
the middle of a person's hips and a point on the circle about it that holds the whole
body. A person is seen where the circle takes 30 to 100 % of the square, and the circle
is right to a few per cent from 40 to 80 %. So a picture is searched in squares of
several sizes, and each person found is looked at again in a square of his own.
"""

from __future__ import annotations

import importlib.metadata
import math
import os
import pathlib

import cv2
import numpy as np

from sa3dhp import errors, progress

PACKAGE, VERSION = "mediapipe", "0.10.14"
REMEDY = f"pip install --no-deps {PACKAGE}=={VERSION}"
SIZE = 224  # pixels, side of the network's input
LAYERS = ((8, 2), (16, 2), (32, 6))  # stride in pixels, anchors in each cell
SURE = 0.5  # score of a person, as in MediaPipe
FOLLOWED = 0.3  # the same for one who was there a moment ago
SHARES = (0.55, 0.85)  # of the square of his own that a person's circle takes
RENEW = 4  # pictures from one search for people not yet known to the next
MOST = 10  # people followed at once, the largest
FILE = "pose_detection.tflite"
_WIDTHS = {12: "boxes", 1: "scores"}  # of the network's outputs
_SAME = 0.5  # overlap of the circles' squares from which two are one person
_THREADS = 4  # at most


def find(name: str = FILE) -> pathlib.Path | None:
    """Returns the detector's file inside an installed `mediapipe`, or None.

    The package is not imported: its files are enough, and its other requirements,
    which are many, need not be there.

    Args:
        name: of another file of it.
    """
    try:
        held = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in held:
        if file.as_posix().endswith(f"/{name}"):
            path = pathlib.Path(os.fspath(file.locate()))
            return path if path.is_file() else None
    return None


def anchors() -> np.ndarray:
    """Returns the centres of the anchors, `[2254, 2]`, x y in 0..1 of the input."""
    parts = []
    for stride, count in LAYERS:
        cells = SIZE // stride
        y, x = np.mgrid[:cells, :cells]
        centres = (np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) / cells
        parts.append(np.repeat(centres, count, axis=0))
    return np.concatenate(parts)


def decode(boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Turns the network's outputs into people, best first, each once.

    Args:
        boxes: `[2254, 12]`, pixels from the anchor: centre and size of the face, then
            four points x y: the middle of the hips, a point on the circle that holds
            the body, and two of the upper body.
        scores: `[2254]`, logits.

    Returns:
        `[M, 4]`: x, y and radius of the circle, in 0..1 of the input, and a confidence
        of `FOLLOWED` or more. Neighbouring anchors that mark one person are averaged.
    """
    chance = 1 / (1 + np.exp(-np.clip(scores.astype(np.float64), -50, 50)))
    good = chance >= FOLLOWED
    points = boxes[good, 4:8].astype(np.float64).reshape(-1, 2, 2) / SIZE
    centres, rims = np.moveaxis(points + anchors()[good, None], 1, 0)
    radius = np.linalg.norm(rims - centres, axis=1, keepdims=True)
    marked = np.concatenate([centres, radius, chance[good, None]], axis=1)
    marked = marked[radius[:, 0] > 0]
    people = once(marked)
    for one in people:
        same = marked[_overlap(marked, one) >= _SAME]
        one[:3] = np.average(same[:, :3], axis=0, weights=same[:, 3])
    return people


def once(people: np.ndarray) -> np.ndarray:
    """Leaves the best circle of each person, of `[M, 4]`; best first."""
    left, best = people[np.argsort(-people[:, 3], kind="stable")], []
    while len(left):
        best.append(left[0])
        left = left[_overlap(left, left[0]) < _SAME]
    return np.array(best).reshape(-1, 4)


def _overlap(people: np.ndarray, one: np.ndarray) -> np.ndarray:
    """Intersection over union `[M]` of the squares about circles with those of one."""
    reach = people[:, 2] + one[2]
    apart = np.abs(people[:, :2] - one[:2])
    sides = np.minimum(reach[:, None] - apart, 2 * np.minimum(people[:, 2:3], one[2]))
    common = np.prod(np.clip(sides, 0, None), axis=1)
    return common / (4 * people[:, 2] ** 2 + 4 * one[2] ** 2 - common)


def tiles(width: int, height: int) -> list[list[tuple[float, float, float]]]:
    """Returns the squares (left, top, side) a picture is searched in, level by level.

    The whole picture; squares of its shorter side; squares of half of that. Those of a
    level overlap by half, so that whoever fits into half of one is whole in another.
    """
    longer, shorter = max(width, height), min(width, height)
    levels = [[((width - longer) / 2, (height - longer) / 2, float(longer))]]
    for side in (shorter, shorter / 2):
        xs, ys = _starts(width, side), _starts(height, side)
        levels.append([(x, y, float(side)) for y in ys for x in xs])
    return levels if len(levels[1]) > 1 else [levels[0], levels[2]]


def _starts(length: int, side: float) -> np.ndarray:
    """Where squares of a side begin that cover a length, overlapping by half or more.

    Squares of nearly the whole length are one.
    """
    steps = math.ceil((length - side) / (side / 2) - 0.2)
    return np.linspace(0, length - side, steps + 1) if steps > 0 else np.zeros(1)


def _stacked(parts: list[np.ndarray]) -> np.ndarray:
    """People `[M, 4]` of several arrays, of none too."""
    return np.concatenate([np.zeros((0, 4)), *parts])


class BlazePose:
    """A detector, see `detection.Detector`, for pictures that follow one another.

    In the first picture of a call all squares are searched; in the others those who
    are known are looked for where they were, and new people in the larger squares now
    and then. The box of a person is the square about his circle.
    """

    def __init__(self, path: pathlib.Path) -> None:
        """Loads the network.

        Raises:
            InputError: if the file is not BlazePose's detector.
        """
        import tensorflow as tf  # the other detectors do without

        try:
            with progress.silent():
                threads = min(_THREADS, len(os.sched_getaffinity(0)))
                self._network = tf.lite.Interpreter(str(path), num_threads=threads)
                self._network.allocate_tensors()
            (given,) = self._network.get_input_details()
            outputs = self._network.get_output_details()
        except (ValueError, RuntimeError):
            raise errors.InputError(
                f"detector: {path} does not load as TFLite; give BlazePose's "
                f"{FILE}, or install it: {REMEDY}"
            ) from None
        shapes = {tuple(output["shape"]) for output in outputs}
        count = len(anchors())
        wanted = {(1, count, width) for width in _WIDTHS}
        if tuple(given["shape"]) != (1, SIZE, SIZE, 3) or shapes != wanted:
            raise errors.InputError(
                f"detector: {path} takes {tuple(given['shape'])} and gives "
                f"{sorted(shapes)}; expected {(1, SIZE, SIZE, 3)} and "
                f"{sorted(wanted)}: give BlazePose's {FILE}"
            )
        self._input = given["index"]
        self._outputs = {_WIDTHS[o["shape"][-1]]: o["index"] for o in outputs}

    def __call__(self, frames: np.ndarray) -> list[np.ndarray]:
        """Returns the boxes `[M, 5]` of each picture of `[N, H, W, 3]`."""
        found: list[np.ndarray] = []
        people = np.zeros((0, 4))
        for number, frame in enumerate(frames):
            people = self._people(frame, people, number)
            x, y, radius, score = people.T
            box = np.stack([x - radius, y - radius, x + radius, y + radius, score], -1)
            found.append(box.astype(np.float32))
        return found

    def _people(self, frame: np.ndarray, before: np.ndarray, number: int) -> np.ndarray:
        """The people `[M, 4]` in a picture, pixels; those of the last one are given."""
        known = [self._again(frame, one, FOLLOWED) for one in before]
        people = _stacked(known)
        levels = tiles(frame.shape[1], frame.shape[0])
        if number:
            lost = len(people) < max(1, len(before))
            levels = levels[:2] if lost or number % RENEW == 0 else []
        found = _stacked([self._search(frame, level) for level in levels])
        for one in once(found):
            if (_overlap(people, one) < _SAME).all():
                people = _stacked([people, self._again(frame, one, SURE, one)])
        people = once(people)
        largest = np.sort(np.argsort(-people[:, 2], kind="stable")[:MOST])
        return people[largest]

    def _search(self, frame: np.ndarray, squares: list) -> np.ndarray:
        """The people `[M, 4]` seen whole in any of the squares."""
        return once(_stacked([self._whole(frame, *square) for square in squares]))

    def _whole(
        self, frame: np.ndarray, left: float, top: float, side: float
    ) -> np.ndarray:
        """The people `[M, 4]` whom a square does not cut.

        Who is cut is whole in another square, unless the picture ends there too.
        """
        people = self._look(frame, left, top, side)
        people = people[people[:, 3] >= SURE]
        corner, slack = np.array([left, top]), 0.75 * people[:, 2:3]
        cut = (people[:, :2] - slack < corner) & (corner > 0)
        end = corner + side
        cut |= (people[:, :2] + slack > end) & (end < frame.shape[1::-1])
        return people[~cut.any(axis=1)]

    def _again(
        self,
        frame: np.ndarray,
        one: np.ndarray,
        least: float,
        otherwise: np.ndarray | None = None,
    ) -> np.ndarray:
        """Looks at one person in squares of his own; `[1, 4]`, or `[0, 4]` if gone.

        Where only others are seen there (the network marks those that stand out), what
        is known `otherwise` stays.
        """
        others = False
        for share in SHARES:
            side = 2 * one[2] / share
            left, top = one[:2] - side / 2
            seen = self._look(frame, left, top, side)
            near = np.linalg.norm(seen[:, :2] - one[:2], axis=1) <= 0.6 * one[2]
            others |= bool((~near).any())
            mine = seen[near & (seen[:, 3] >= least)]
            if len(mine):
                return mine[(_overlap(mine, one) * mine[:, 3]).argmax()][None]
        return _stacked([] if otherwise is None or not others else [otherwise[None]])

    def _look(
        self, frame: np.ndarray, left: float, top: float, side: float
    ) -> np.ndarray:
        """Runs the network on one square; returns people `[M, 4]` in pixels."""
        scale = SIZE / side
        place = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
        if scale < 0.5:  # bilinear reading would skip pixels: shrink by areas first
            small = (max(1, round(v * scale)) for v in frame.shape[1::-1])
            frame = cv2.resize(frame, tuple(small), interpolation=cv2.INTER_AREA)
            place[:, :2] = np.eye(2)
        view = cv2.warpAffine(frame, place, (SIZE, SIZE), flags=cv2.INTER_LINEAR)
        image = view[None].astype(np.float32) / 127.5 - 1
        self._network.set_tensor(self._input, image)
        self._network.invoke()
        boxes, scores = (
            self._network.get_tensor(self._outputs[name])[0]
            for name in ("boxes", "scores")
        )
        people = decode(boxes, scores[:, 0])
        people[:, :3] *= side
        people[:, :2] += [left, top]
        return people
