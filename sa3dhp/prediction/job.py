"""Predictions of several videos in one folder, written whole or not at all."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import pathlib
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import sa3dhp
from sa3dhp import errors, files, provenance
from sa3dhp.data.videos import boxes_file, detection, track_sheet, video
from sa3dhp.prediction import (
    animation,
    overlay,
    prediction,
    predictor,
    report,
    smoothing,
    tables,
)
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.visualisation import page

RESULT = "prediction.json"  # tells such a folder from others
FORMATS = ("json", "csv", "bvh", "html")  # beside `poses.npz`


@dataclasses.dataclass(frozen=True)
class Options:
    """How people are found and what is written.

    Attributes:
        detector: see `detection.make`.
        boxes: a boxes file in its place.
        frames_fps: rate of folders of frames.
        smooth: over time, see `smoothing.METHODS`.
        formats: what is written beside `poses.npz`, of `FORMATS`.
        draw: whether to write the drawn videos.
        frames: whether any output may show pixels of people.
    """

    detector: str | os.PathLike = detection.AUTO
    boxes: str | os.PathLike | None = None
    frames_fps: float = video.ASSUMED_FPS
    smooth: str = smoothing.ZERO_LAG
    formats: tuple[str, ...] = FORMATS
    draw: bool = True
    frames: bool = True


def run(
    model: predictor.Described,
    sources: Sequence[video.Source],
    output: str | os.PathLike,
    options: Options,
    *,
    name: str = "",
    everybody: Callable[..., prediction.Prediction] | None = None,
    progress: Callable[[str, str, int, int], None] = lambda *told: None,
) -> dict[str, Any]:
    """Predicts every source and writes a folder.

    It holds `tracks.png`, every track that was found, `report.html`, to turn the poses
    and look at them, and `prediction.json`; and for each source, of several in a folder
    of its own, `poses.npz`, the same as `poses.json` and `poses.csv`, a
    `person_<number>.bvh` for each person of a video, and `overlay.mp4` (of a picture
    `overlay.png`). An interrupt keeps what is done; the video it fell into is not
    drawn.

    Args:
        model: such as `sa3dhp.load` returns, or what `everybody` takes.
        sources: see `video.discover`.
        output: of an earlier prediction, which is replaced, or new.
        options: see there.
        name: of the model, for the record.
        everybody: in the place of detector, tracking and `predictor.predict_video`, of
            models that see all people at once; called with the model, a source, and by
            name with `name`, `frames_fps`, `smooth`, `pictures` and `progress`.
        progress: told the source, a stage, how much is done, and of how much.

    Returns:
        What `prediction.json` holds.

    Raises:
        InputError: if the output holds other things, or no source can be read.
    """
    if everybody is not None:
        chosen, advice, predict = "none: the model sees everybody", "", everybody
    else:
        chosen, advice = detection.choose(options.detector)
        predict = functools.partial(
            predictor.predict_video,
            detector=chosen if options.boxes else detection.make(chosen),
            boxes=options.boxes,
        )
    began, pictured = time.monotonic(), options.frames and "html" in options.formats
    with files.replaced_folder(output, RESULT) as new:
        told = begun(model, name, "boxes" if options.boxes else chosen)
        told["notes"] = [advice] if advice and not options.boxes else []
        found: list[prediction.Prediction] = []
        for source, folder in zip(sources, _folders(sources)):
            tell = functools.partial(progress, source.name)
            try:
                made = predict(
                    model,
                    source,
                    name=name,
                    frames_fps=options.frames_fps,
                    smooth=options.smooth,
                    pictures=report.budget(len(sources)) if pictured else 0,
                    progress=tell,
                )
                entry = {"folder": folder, **written(new / folder, made, options)}
                told["sources"][source.name] = entry
                found.append(made)
                if options.draw and not made.interrupted:
                    entry["drawn"] = overlay.write(
                        new / folder, source, made, tell, frames=options.frames
                    )
            except (video.UnreadableError, OSError) as error:
                told["sources"][source.name] = {"skipped": _why(error, source)}
                continue
            except KeyboardInterrupt:
                if not found:
                    raise
                told["interrupted"] = True
            if made.interrupted or "interrupted" in told:
                told["interrupted"] = True
                break
        for source in sources[len(told["sources"]) :]:
            told["sources"][source.name] = {"skipped": "interrupted before it"}
        if not found:
            reasons = [f"{n}: {e['skipped']}" for n, e in told["sources"].items()]
            raise errors.InputError(
                f"nothing can be read ({'; '.join(reasons)}); give other videos"
            )
        finish(new, found, told, options, time.monotonic() - began)
    return told


def _why(error: Exception, source: video.Source) -> str:
    """Why a source is left out; raises what is no word on a source."""
    if isinstance(error, video.UnreadableError):
        return str(error)
    names = map(str, (source.path, *source.images))
    if isinstance(error, OSError) and error.filename and error.strerror:
        if str(error.filename) in names:
            return f"cannot be read ({error.strerror})"
    raise error


def begun(model: predictor.Described, name: str, detector: str) -> dict[str, Any]:
    """What `prediction.json` holds before anything is predicted."""
    about = model.description.get("run", {})
    return {
        "model": name,
        "version": sa3dhp.__version__,
        "detector": detector,
        "notes": [],
        "sources": {},
        "poses": about.get("poses", ""),  # of an adapted model, on its own target
        "command": " ".join(["python", *sys.argv]),
        "commit": provenance.commit(),
    }


def finish(
    folder: pathlib.Path,
    found: Sequence[prediction.Prediction],
    told: dict[str, Any],
    options: Options,
    seconds: float,
) -> None:
    """Writes what is of all sources together: the tracks, the report, the record."""
    track_sheet.write(
        folder / track_sheet.NAME,
        [track for made in found for track in made.tracks],
        [track for made in found for track in made.dropped],
        frames=options.frames,
        numbered=True,
    )
    told["seconds"] = round(seconds, 2)
    frames = sum(made.length for made in found)
    told["frames_per_second"] = round(frames / max(seconds, 1e-6), 2)
    if "html" in options.formats:
        report.write(folder / report.NAME, found, told)
    files.write_json(folder / RESULT, told)


def check(options: Options) -> None:
    """Raises the `InputError` of options that `run` would refuse, at once."""
    smoothing.check(options.smooth)
    unknown = [name for name in options.formats if name not in FORMATS]
    if unknown:
        raise errors.InputError(
            f"formats: got {', '.join(unknown)}, expected some of {', '.join(FORMATS)}"
        )
    if options.boxes is not None:
        boxes_file.read(options.boxes)
    else:
        detection.make(options.detector)


def summary(told: dict[str, Any], output: str | os.PathLike) -> str:
    """What came of a run, as text; the last line can be pasted into a shell.

    Args:
        told: what `run` returned.
        output: its folder.
    """
    lines = []
    for name, entry in told["sources"].items():
        if "skipped" in entry:
            lines.append(f"  skipped  {name}: {entry['skipped']}")
            continue
        poses, people, total = (
            page.counted(entry[key], word)
            for key, word in (
                ("poses", "pose"),
                ("people", "person"),
                ("frames_in_all", "frame"),
            )
        )
        seen = f"{poses} of {people} in {entry['frames']} of {total}"
        lines.append(f"  {name}: {seen}")
        lines += [f"  note     {name}: {note}" for note in entry["notes"]]
    lines += [f"  note     {note}" for note in told["notes"]]
    if told.get("interrupted"):
        lines.append("  interrupted: what was done until then is kept")
    lines.append(
        f"{told['frames_per_second']:.1f} frames/s in all: reading, searching, "
        "predicting, drawing and writing"
    )
    entries = [entry for entry in told["sources"].values() if entry.get("poses")]
    lines.append(f"written: {output}; look at {track_sheet.NAME} there")
    if not entries:
        lines.append("no person was found: try another --detector, or give --boxes")
        return "\n".join([*lines, "next: python tools/predict.py --help"])
    path = os.path.normpath(os.path.join(output, entries[0]["folder"], prediction.NAME))
    code = (
        f"import numpy; a = numpy.load({json.dumps(path)}); "
        'print(a["joints"].shape, a["names"], a["frame"])'
    )
    return "\n".join([*lines, f"next: python -c {shlex.quote(code)}"])


def written(
    folder: pathlib.Path, made: prediction.Prediction, options: Options
) -> dict[str, Any]:
    """Writes the poses of one source; returns what is to be said of it."""
    made.save(folder / prediction.NAME)
    skeleton = skeletons.get(made.skeleton)
    if "json" in options.formats:
        tables.write_json(folder / "poses.json", made)
    if "csv" in options.formats:
        tables.write_csv(folder / "poses.csv", made)
    if "bvh" in options.formats and made.fps and animation.is_possible(skeleton):
        for person in range(made.num_people):
            path = folder / f"person_{person}.bvh"
            joints = made.joints[made.rows(person)]
            animation.write(path, joints, made.fps, skeleton)
    return {
        "frames": len(set(made.frame.tolist())),
        "frames_in_all": made.length,
        "people": made.num_people,
        "poses": len(made.frame),
        "notes": list(made.notes),
    }


def _folders(sources: Sequence[video.Source]) -> list[str]:
    """Where each source goes, below the output: its name without the ending."""
    if len(sources) == 1:
        return ["."]
    names = ["frames" if source.name == "." else source.name for source in sources]
    short = [os.path.splitext(name)[0] for name in names]
    return [b if short.count(b) == 1 else name for b, name in zip(short, names)]
