"""A prediction drawn over its video, with the poses from the front and from the side.

The drawing over the picture is the 3D pose without perspective, fitted to the person's
box (`crop.project_track`): it is no detection of joints in the picture, and what does
not lie on the person there may be wrong in the pose or in the fit. Beside it stand the
poses as the camera sees them and from the side, the pelvis always in the same place.
Of a model that knows where people stand the drawing is its own projection, and a top
view takes the first place beside the picture.
"""

from __future__ import annotations

import os

import cv2
import numpy as np

from sa3dhp import files
from sa3dhp.data.videos import video
from sa3dhp.geometry import crop
from sa3dhp.prediction import film, prediction, predictor
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.visualisation import grids, skeleton_plot

VIDEO, PICTURE = "overlay.mp4", "overlay.png"
MOST_BESIDE = 3  # people whose poses stand beside the picture
_LONGEST = 960  # pixels, longer side of the drawn picture
_VIEWS = (("front", (0, 1)), ("side", (2, 1)))  # axes to the right and downwards
_FONT, _AA = cv2.FONT_HERSHEY_SIMPLEX, cv2.LINE_AA
_GREY = (110, 110, 110)
_METRES = (1, 2, 5, 10, 20, 50)  # what a top view may reach to
_PAPER = 205  # grey level: boxes and numbers are white


class Drawing:
    """Draws the frames of one prediction."""

    def __init__(self, made: prediction.Prediction) -> None:
        """Places all poses in the picture."""
        self._made = made
        self._skeleton = skeletons.get(made.skeleton)
        longer = max(*made.size, 1)
        self._scale = min(1.0, _LONGEST / longer)
        # Even: video codecs ask for it.
        width, height = (max(8, 2 * round(v * self._scale / 2)) for v in made.size)
        self.size = width, height
        fps = made.fps or video.ASSUMED_FPS
        self._flat = np.zeros((*made.joints.shape[:2], 2), np.float32)
        if made.points is not None:
            self._flat = made.points
        for person in np.unique(made.person) if made.points is None else ():
            rows = made.rows(person)
            squares = crop.square_boxes(made.box[rows], fps)
            self._flat[rows] = crop.project_track(made.joints[rows], *squares, fps)
        counts = np.unique(made.frame, return_counts=True)[1]
        self._side = self.size[1] // 4 * 2
        self._columns = min(MOST_BESIDE, int(counts.max(initial=0)))
        reach = np.abs(made.joints - made.joints[:, self._skeleton.root, None])
        self._reach = 1.1 * float(np.percentile(reach, 99.9)) if reach.size else 1.0

    def __call__(self, frame: int, picture: np.ndarray) -> np.ndarray:
        """Returns `[h, w, 3]` uint8 RGB, one size for all frames.

        Args:
            frame: its number.
            picture: of the video, `[H, W, 3]` uint8 RGB.
        """
        made, scale = self._made, self._scale
        rows = np.flatnonzero(made.frame == frame)
        drawn = np.asarray(cv2.resize(picture, self.size, interpolation=cv2.INTER_AREA))
        for row in rows:
            low, high = (made.box[row].reshape(2, 2) * scale).astype(int).tolist()
            cv2.rectangle(drawn, low, high, (255, 255, 255), 1)
            flat = self._flat[row] * scale
            drawn = skeleton_plot.overlay(drawn, flat, self._skeleton)
            label = f"{made.person[row]}"
            at = (max(low[0], 0) + 4, max(low[1], 0) + 18)
            for colour, width in (((60, 60, 60), 3), ((255, 255, 255), 1)):  # a rim
                cv2.putText(drawn, label, at, _FONT, 0.5, colour, width, _AA)
        top = [] if made.root is None else [self._top(rows)]
        return np.concatenate([drawn, *top, *self._beside(rows)], axis=1)

    def _top(self, rows: np.ndarray) -> np.ndarray:
        """Where people stand, seen from above, the camera in the middle below."""
        roots = self._made.root
        assert roots is not None  # or there is no such view
        height, side = self.size[1], self._side
        far = float(np.percentile(roots[:, 2], 99)) if len(roots) else 1e3
        reach = 1e3 * next((m for m in _METRES if 1e3 * m > far), _METRES[-1])
        scale = (height - 20) / reach
        cell = np.full((height, side, 3), 255, np.uint8)
        for metres in range(1, int(reach / 1e3) + 1):
            y = int(height - 10 - 1e3 * metres * scale)
            cv2.line(cell, (0, y), (side, y), (225, 225, 225), 1)
        label = f"from above, {reach / 1e3:g} m"
        cv2.putText(cell, label, (6, 16), _FONT, 0.42, _GREY, 1, _AA)
        for row in rows:
            joints = self._made.joints[row] + roots[row]
            flat = joints[:, [0, 2]] * [scale, -scale] + [side / 2, height - 10]
            cell = skeleton_plot.overlay(cell, flat, self._skeleton)
            x, y = (int(v) for v in flat[self._skeleton.root])
            number = f"{self._made.person[row]}"
            cv2.putText(cell, number, (x + 6, y - 6), _FONT, 0.42, _GREY, 1, _AA)
        return cell

    def _beside(self, rows: np.ndarray) -> list[np.ndarray]:
        """The columns of poses, `[h, h / 2, 3]` each."""
        height = self.size[1]
        side = self._side
        columns = []
        for number in range(self._columns):
            column = np.full((height, side, 3), 255, np.uint8)
            if number < len(rows):
                row = rows[number]
                for k, (view, axes) in enumerate(_VIEWS):
                    cell = self._cell(self._made.joints[row], axes, side)
                    label = f"{self._made.person[row]}: {view}"
                    cv2.putText(cell, label, (6, 16), _FONT, 0.42, _GREY, 1, _AA)
                    column[k * side : (k + 1) * side] = cell
            columns.append(column)
        return columns

    def _cell(self, joints: np.ndarray, axes: tuple[int, int], side: int) -> np.ndarray:
        """One pose from one side."""
        flat = (joints - joints[self._skeleton.root])[:, list(axes)]
        flat = flat * (side / 2 / self._reach) + side / 2
        cell = np.full((side, side, 3), 255, np.uint8)
        return skeleton_plot.overlay(cell, flat, self._skeleton)


def write(
    folder: str | os.PathLike,
    source: video.Source,
    made: prediction.Prediction,
    progress: predictor.Progress = lambda stage, done, total: None,
    *,
    frames: bool = True,
) -> str:
    """Writes the drawn video, or the drawn picture, whole or not at all.

    Args:
        folder: gets the file.
        source: that the prediction is of; it is decoded once more.
        made: the prediction.
        progress: told how many frames are drawn, and how many there seem to be.
        frames: whether the pictures are shown; else the poses alone are, on paper.

    Returns:
        The file's name.

    Raises:
        InputError: if nothing here can write videos.
        UnreadableError: if the source cannot be decoded.
    """
    total = video.probe(source).declared_frames
    if not made.fps:
        ((_, still),) = video.until(source, [0])
        paper = still if frames else np.full_like(still, _PAPER)
        grids.save(os.path.join(folder, PICTURE), Drawing(made)(0, paper))
        return PICTURE
    draw, writer = None, None
    with files.atomic(os.path.join(folder, VIDEO)) as temporary:
        try:
            for index, picture in video.frames(source, lambda index: True):
                if picture is None:
                    continue
                draw = draw or Drawing(made)
                paper = picture if frames else np.full_like(picture, _PAPER)
                drawn = draw(index, paper)
                if writer is None:
                    height, width = drawn.shape[:2]
                    writer = film.Film(temporary, made.fps, (width, height))
                writer.write(drawn)
                progress("drawing", index + 1, total)
        finally:
            if writer is not None:
                writer.close()
    return VIDEO
