"""The report of a prediction: one HTML file that needs nothing but a browser."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np

from sa3dhp import files
from sa3dhp.prediction import prediction, tables
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.visualisation import page, turntable

NAME = "report.html"
MOST_PICTURES = 600  # of all sources together, so that a browser can open the page
MOST_PEOPLE = 4  # side by side


def write(
    path: str | os.PathLike,
    predictions: Sequence[prediction.Prediction],
    told: Mapping,
) -> None:
    """Writes the report, whole or not at all.

    Args:
        path: the `.html` file.
        predictions: one for each source; pictures are shown where they hold any.
        told: what `prediction.json` holds.
    """
    poses = sum(len(made.frame) for made in predictions)
    people = sum(made.num_people for made in predictions)
    words = (poses, "pose"), (people, "person"), (len(predictions), "source")
    some, who, where = (page.counted(number, word) for number, word in words)
    head = f"{some} of {who} in {where}."
    skeleton = skeletons.get(predictions[0].skeleton)
    parts = [
        f'<p class="lead">{page.text(head)}</p>',
        _verdict(told),
        _viewer(predictions),
        _people(predictions),
        _notes(predictions, told),
        "<h2>What the numbers are</h2><p>Millimetres from the "
        f"{page.text(tables.ORIGIN)}; {page.text(tables.AXES)}. The joints: "
        f"{page.text(', '.join(skeleton.joint_names))}. Confidence is the detector's, "
        "that there is a person; it says nothing of the pose.</p>",
        _facts(told),
    ]
    files.write_text(path, page.document("3D poses", parts))


def clip(made: prediction.Prediction, most: int) -> turntable.Clip:
    """Returns what is shown of a prediction, `most` frames of it or fewer.

    Of a person who is not in a frame there is nothing to see in it. Frames without
    anybody are left out.
    """
    frames = np.unique(made.frame)
    if made.pictures:  # those that show the person
        frames = np.intersect1d(frames, list(made.pictures))
    frames = frames[turntable.shown(len(frames), most)]
    people = np.unique(made.person)[:MOST_PEOPLE]
    joints = skeletons.get(made.skeleton).num_joints
    poses = {}
    for person in people:
        rows = made.rows(int(person))
        row = np.full((len(frames), joints, 3), np.nan)
        _, here, there = np.intersect1d(
            frames, made.frame[rows], assume_unique=True, return_indices=True
        )
        row[here] = made.joints[rows[there]]
        poses[f"person {person}"] = row
    fps = made.fps or 1.0
    step = float(np.median(np.diff(frames))) if len(frames) > 1 else 1.0
    pictures = [made.pictures.get(int(frame), b"") for frame in frames]
    times = [f"frame {frame}, {frame / fps:.2f} s" for frame in frames]
    return turntable.Clip(
        made.source,
        poses,
        times if made.fps else ["picture"] * len(frames),
        pictures if all(pictures) else (),
        made.skeleton,
        max(1.0, fps / step),
    )


def budget(sources: int) -> int:
    """Returns how many frames of each of so many sources are shown."""
    return max(1, min(turntable.MOST_FRAMES, MOST_PICTURES // max(sources, 1)))


def _viewer(predictions: Sequence[prediction.Prediction]) -> str:
    most = budget(len(predictions))
    clips = [clip(made, most) for made in predictions if len(made.frame)]
    if not clips:
        return "<p>No person was found.</p>"
    return (
        f"<h2>The poses</h2><p>{page.SIDES} Turn the skeletons with the mouse, and "
        f"move through time above them. Up to {most} frames of a source are shown, "
        f"evenly taken, and up to {MOST_PEOPLE} people; the files hold all of them."
        "</p>" + turntable.html(clips)
    )


def _verdict(told: Mapping) -> str:
    """What the model was found good for, where it was adapted to videos."""
    if not told.get("poses"):
        return (
            '<p class="verdict kept">There is no truth here, hence no error in mm: '
            "look whether the skeletons do what the people do.</p>"
        )
    return (
        '<p class="verdict kept">Of what use the poses of this model are on the videos '
        f"that it was adapted to: {page.text(told['poses'])}. On others, look.</p>"
    )


def _people(predictions: Sequence[prediction.Prediction]) -> str:
    rows = []
    for made in predictions:
        assert made.bridged is not None  # since it was made
        for person in np.unique(made.person):
            mine = made.rows(int(person))
            bridged = 100 * float(made.bridged[mine].mean())
            rows.append(
                [
                    f"{made.source}, person {person}",
                    str(len(mine)),
                    f"{made.time[mine[0]]:.1f} to {made.time[mine[-1]]:.1f} s",
                    f"{made.confidence[mine].mean():.2f}",
                    f"{bridged:.0f} %" if bridged else "",
                ]
            )
    if not rows:
        return ""
    head = ["", "poses", "when", "confidence", "of them bridged"]
    why = (
        "Bridged: the detector missed the person for a second at most, and his box "
        "lies between those before and after."
    )
    return f"<h2>The people</h2>{page.table(head, rows)}<p>{why}</p>"


def _notes(predictions: Sequence[prediction.Prediction], told: Mapping) -> str:
    lines = [f"{made.source}: {note}" for made in predictions for note in made.notes]
    skipped = told["sources"].items()
    lines += [f"{n}: skipped, {e['skipped']}" for n, e in skipped if "skipped" in e]
    lines += told["notes"]
    items = "".join(f"<li>{page.text(line)}</li>" for line in lines)
    return f"<h2>What is to be known</h2><ul>{items}</ul>" if items else ""


def _facts(told: Mapping) -> str:
    rows = [
        [key.replace("_", " "), ", ".join(f"{k}: {v}" for k, v in value.items())
         if isinstance(value, Mapping) else str(value)]
        for key, value in told.items()
        if key not in ("sources", "notes") and value not in (None, "", [], {})
    ]  # fmt: skip
    return "<h2>How they came about</h2>" + page.table(["", ""], rows)
