"""How fast the whole way from a video to poses is, beside MediaPipe's own solution.

Both decode the same file by the same reader, in one process, in turn. Ours finds all
people, follows and predicts them, and smooths; MediaPipe's `Pose` (its full model,
tracking, its own smoothing) one person. The second work draws and writes too: ours all
that `tools/predict.py` leaves, MediaPipe's its landmarks as JSON and drawn by its own
drawing, encoded as ours are. Loading is in neither.
"""

from __future__ import annotations

import importlib
import pathlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from sa3dhp import files
from sa3dhp.data.videos import blazepose, detection, video
from sa3dhp.experiments import benchmark
from sa3dhp.prediction import film, job, predictor
from sa3dhp.progress import silent

MEDIAPIPE = "MediaPipe"
ROUNDS = 3  # of a whole video, at most: a call takes seconds
COUNT = 2  # works


def works(
    model: predictor.Model,
    source: video.Source,
    folder: pathlib.Path,
    detector: str = detection.AUTO,
) -> Iterator[benchmark.Work]:
    """Yields the way to the poses, then that to all files; MediaPipe where it is.

    Args:
        model: such as `sa3dhp.load` returns.
        source: a video.
        folder: is written to, below.
        detector: of people, ours; see `detection.make`.

    Raises:
        UnreadableError: if the video cannot be decoded.
    """
    chosen, _ = detection.choose(detector)
    find = detection.make(chosen)
    frames = sum(1 for _ in _pictures(source))
    peer, note = _mediapipe(source, folder / "peer")
    about = f"{frames} frames, {chosen} finds the people"
    options = job.Options(detector=chosen)
    ours: dict[str, Callable[[], Any]] = {
        f"a video to poses, {about}": lambda: predictor.predict_video(
            model, source, detector=find
        ),
        "a video to poses, files and drawings": lambda: job.run(
            model, [source], folder / "ours", options
        ),
    }
    for (name, run), drawn in zip(ours.items(), (False, True)):
        runs: dict[str, Callable[[], Any]] = {"ours": run}
        if peer is not None:
            runs[MEDIAPIPE] = lambda drawn=drawn: peer(drawn)  # type: ignore[misc]
        yield benchmark.Work(name, frames, "frames", runs, note, ROUNDS)


def _mediapipe(
    source: video.Source, folder: pathlib.Path
) -> tuple[Callable[[bool], int] | None, str]:
    """What runs MediaPipe's solution over a video, or None and why not.

    Returns:
        Called with whether to draw and write too, it returns in how many frames there
        was a person; and a note.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own dependencies
            solutions = importlib.import_module("mediapipe").solutions
            with silent():
                pose = solutions.pose.Pose()
                pose.process(np.zeros((64, 64, 3), np.uint8))  # its threads have begun
    except (ImportError, AttributeError) as error:
        way = f"{blazepose.REMEDY} attrs"
        return None, f"no {MEDIAPIPE} here ({error}); for it: {way}"

    def run(drawn: bool) -> int:
        with warnings.catch_warnings(), silent():
            warnings.simplefilter("ignore")
            pose.reset()  # another video, as far as it knows
            return _followed(solutions, pose, source, folder if drawn else None)

    return run, ""


def _followed(
    solutions: Any, pose: Any, source: video.Source, folder: pathlib.Path | None
) -> int:
    """Runs the solution over a video; returns in how many frames it found a person."""
    found, writer, path = [], None, None
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "overlay.mp4"
    fps = video.probe(source).fps
    for picture in _pictures(source):
        seen = pose.process(picture)
        if seen.pose_world_landmarks is not None:
            points = seen.pose_world_landmarks.landmark
            found.append([[point.x, point.y, point.z] for point in points])
        if path is None:
            continue
        drawn = picture.copy()
        joined = solutions.pose.POSE_CONNECTIONS
        solutions.drawing_utils.draw_landmarks(drawn, seen.pose_landmarks, joined)
        drawn = drawn[: drawn.shape[0] // 2 * 2, : drawn.shape[1] // 2 * 2]
        if writer is None:
            writer = film.Film(path, fps, (drawn.shape[1], drawn.shape[0]))
        writer.write(drawn)
    if writer is not None:
        writer.close()
    if folder is not None:
        files.write_json(folder / "poses.json", found)
    return len(found)


def _pictures(source: video.Source) -> Iterator[Any]:
    """Every frame that can be decoded, `[H, W, 3]` uint8 RGB."""
    for _, picture in video.frames(source, lambda index: True):
        if picture is not None:
            yield picture
