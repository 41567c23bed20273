"""The report of an adaptation: one HTML file that needs nothing but a browser.

It is written for the engineer who will run the model, not for a reader of the paper:
first what came of it in one sentence, then numbers, pictures, curves, the reason for
the step that was kept, and how to go on.
"""

from __future__ import annotations

import dataclasses
import pathlib
import typing
from collections.abc import Mapping, Sequence

import numpy as np

from sa3dhp import errors, files
from sa3dhp.evaluation import metrics, protocol, tables
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.relation_distillation import (
    adaptation,
    glossary,
    selection,
    verdict,
)
from sa3dhp.visualisation import curves, page, skeleton_plot, turntable

if typing.TYPE_CHECKING:
    from matplotlib import figure as mpl_figure

_DPI = 84


@dataclasses.dataclass(frozen=True)
class Strip:
    """One clip, before and after.

    Attributes:
        caption: what is seen, e.g. `walking: 231 mm before, 118 mm after`.
        poses: row label -> `[T, J, 3]`, mm, camera frame: before, after, truth.
        images: `[T, H, W, 3]` uint8 RGB input frames, or None to keep them private.
        skeleton: id, of all rows.
    """

    caption: str
    poses: Mapping[str, np.ndarray]
    images: np.ndarray | None = None
    skeleton: str = skeletons.SA3DHP17.id


def write(
    path: str | pathlib.Path,
    result: Mapping,
    course: adaptation.Course,
    *,
    strips: Sequence[Strip],
    title: str,
    notes: Sequence[str] = (),
) -> None:
    """Writes the report, whole or not at all.

    Args:
        path: the `.html` file.
        result: what `result.json` holds, see `outcome.Outcome.result`: the errors are
            shown first, everything at the end as it is.
        course: the kept step and the readings.
        strips: clips that the adaptation did not see.
        title: heading.
        notes: further sentences, e.g. clips that were skipped.

    Raises:
        errors.InputError: if the folder does not exist.
    """
    path = pathlib.Path(path)
    if not path.parent.is_dir():
        raise errors.InputError(f"report: no folder {path.parent}; make it first")
    parts = [
        f'<p class="lead">{page.text(headline(result, course))}</p>',
        _verdict(course),
        _poses(result),
        *(f"<p>{page.text(note)}</p>" for note in notes),
        _numbers(result, course.choice.adapted),
        _strips(strips, course.choice.adapted),
        _curves(course),
        _selection(course),
        _scale(result, course),
        _usage(),
        _facts(result),
        _glossary(),
    ]
    files.write_text(path, page.document(title, parts))


def headline(result: Mapping, course: adaptation.Course) -> str:
    """Returns what came of it in one sentence; `write` explains the arguments."""
    where = f" on unseen clips of the target ({result['target']})"
    adapted = course.choice.adapted
    if "source_only" in result:
        before, after = (result[k]["mpjpe"] for k in ("source_only", "adapted"))
        numbers = f"from {before:.0f} mm to {after:.0f} mm"
        change = tables.percent_change(before, after).replace("-", "\N{MINUS SIGN}")
        if not adapted:
            return (
                f"The source model was kept: its mean joint error{where} is "
                f"{before:.0f} mm, and no step of the adaptation looked better."
            )
        verb = "lowered" if after < before else "did not lower"
        text = f"Adaptation {verb} the mean joint error{where}: {numbers} ({change})"
        return text + ("." if after < before else "; do not use the adapted model.")
    if not adapted:
        return (
            "The source model was kept; there is no ground truth, hence no error in mm."
        )
    before, after = (x[selection.IMPLAUSIBILITY] for x in (course.start, course.kept))
    word = "more" if after < before else "less"
    return (
        f"Adapted without labels:{where} its predictions are "
        f"{100 * abs(1 - after / before):.0f} % {word} plausible: in how they move, in "
        "other light, and as poses. There is no ground truth, hence no error in mm."
    )


def _verdict(course: adaptation.Course) -> str:
    kind = "verdict" if course.choice.adapted else "verdict kept"
    sentences = [course.choice.verdict]
    if course.label_free is not None:
        sentences.append(f"without a label: {course.label_free.verdict}")
    text = ". ".join(x[:1].upper() + x[1:].rstrip(".") for x in sentences)
    return f'<p class="{kind}">{page.text(text)}.</p>'


def _poses(result: Mapping) -> str:
    """Of what use the poses are, and how that is known."""
    if "poses" not in result:
        return ""
    told = verdict.Verdict(**result["poses"])
    kind = {verdict.GOOD: "verdict", verdict.ROUGH: "verdict kept"}.get(told.words)
    text = (
        f"The poses on the target: {told}. This is read without a label, from how "
        "much poses differ, how human they are, how they move and what the light "
        "changes."
    )
    return f'<p class="{kind or "verdict bad"}">{page.text(text)}</p>'


def _numbers(result: Mapping, adapted: bool) -> str:
    """The metrics, each explained; before and after where anything changed."""
    before, after = result.get("source_only") or {}, result.get("adapted") or {}
    shared = [key for key in metrics.METRICS if key in before and key in after]
    if not shared:
        return ""
    rows = []
    for key in shared:
        metric = metrics.METRICS[key]
        unit = metric.unit
        row = [metric.title, f"{before[key]:.1f} {unit}"]
        if adapted:
            better = (after[key] < before[key]) == metric.less_is_better
            same = after[key] == before[key]
            word = "" if same else " better" if better else " worse"
            points = "points" if unit == "%" else unit
            change = f"{after[key] - before[key]:+.1f} {points}{word}"
            row += [f"{after[key]:.1f} {unit}", change.replace("-", "\N{MINUS SIGN}")]
        rows.append([*row, metric.explanation])
    sides = ["source-only", "adapted", "change"] if adapted else ["source-only"]
    return "<h2>The numbers</h2>" + page.table(["", *sides, "what it is"], rows)


def _strips(strips: Sequence[Strip], adapted: bool) -> str:
    if not strips:
        return ""
    figures = [
        _figure(
            skeleton_plot.comparison(
                strip.poses, skeletons.get(strip.skeleton), images=strip.images
            ),
            strip.caption,
        )
        for strip in strips
    ]
    title = "Before and after" if adapted else "What the model sees"
    return (
        f"<h2>{title}</h2><p>Clips that the adaptation never saw. {page.SIDES} Turn "
        "the skeletons with the mouse, and move through the clip above them.</p>"
        + turntable.html([_clip(strip) for strip in strips])
        + "<p>The same at a glance. The side view shows what a camera cannot see: the "
        "depth, which grows to the right.</p>" + "".join(figures)
    )


def _clip(strip: Strip) -> turntable.Clip:
    count = len(next(iter(strip.poses.values())))
    images = () if strip.images is None else tuple(strip.images)
    return turntable.Clip(
        strip.caption,
        strip.poses,
        [f"frame {frame} of {count}" for frame in range(count)],
        [turntable.jpeg(image) for image in images],
        strip.skeleton,
    )


def _figure(figure: mpl_figure.Figure, caption: str) -> str:
    return page.picture(skeleton_plot.to_png(figure, dpi=_DPI), caption)


def _curves(course: adaptation.Course) -> str:
    if not curves.curved(course.history):
        return ""
    caption = (
        "Readings on target clips held back from the adaptation; none needs a label "
        "unless it is called an error. Dotted: the floor, what the source model "
        "reaches on its own source. The dashed line is the step that was kept."
    )
    step = course.choice.step
    drawn = curves.plot(course.history, floor=course.floor, marked_step=step)
    return "<h2>How it went</h2>" + _figure(drawn, caption)


def _selection(course: adaptation.Course) -> str:
    """What was read at the start and, where another was kept, at that step."""
    start, kept, floor = course.start, course.kept, course.floor
    sides = {"at the start": start}
    if course.choice.adapted:
        sides[f"at step {course.choice.step}"] = kept
    rows = [
        [
            name.replace("_", " "),
            *(f"{readings[name]:.3g}" for readings in sides.values()),
            f"{floor[name]:.3g}" if name in floor else "",
            glossary.explain(name, glossary.MONITORS),
        ]
        for name in curves.series([start])
        if name in kept
    ]
    head = ["monitor", *sides, "floor", "what it is"]
    why = (
        "No label was used to choose. A step is good when its predictions do not "
        "tremble from frame to frame nor change with the light, are poses that a "
        "human can take, and turn with the picture (implausibility), while different "
        "poses keep different codes (spread). If no step is better than the start, "
        "the source model is returned unchanged."
    )
    if not course.choice.label_free:
        why = (
            "The step was not chosen by these readings: a run for research, whose "
            "numbers are not what a user without labels can expect."
        )
    return f"<h2>Which step was kept, and why</h2><p>{why}</p>" + page.table(head, rows)


def _scale(result: Mapping, course: adaptation.Course) -> str:
    """On what scale the readings say of what use the poses are."""
    scale = verdict.scale_of(result.get("config"))
    if "poses" not in result or not scale.good.keys() <= course.start.keys():
        return ""
    sides = {"at the start": verdict.measures(course.start)}
    if course.choice.adapted:
        sides[f"at step {course.choice.step}"] = verdict.measures(course.kept)
    rows = [
        [
            name.replace("_", " "),
            *(f"{readings[name]:.3g}" for readings in sides.values()),
            f"{scale.good[name]:.3g}",
            f"{scale.bad[name]:.3g}",
            verdict.REASONS[name],
        ]
        for name in scale.good
    ]
    head = ["measure", *sides, "of good poses", "of bad ones", "what a bad one says"]
    told = verdict.Verdict(**result["poses"])
    return (
        "<h2>Of what use the poses are</h2><p>Some of these readings, jerk and "
        "distance in units of the spread, beside those of poses known to err by less "
        f"than {verdict.GOOD_MM:.0f} mm and by more than {verdict.ROUGH_MM:.0f} mm. "
        f"Together they lie at {told.badness:.2f}, where 0 is as the good ones and 1 "
        f"as the bad ones: up to {scale.cuts[0]:.2f} is good, beyond "
        f"{scale.cuts[1]:.2f} not to be used.</p>" + page.table(head, rows)
    )


def _usage(model: str = "saved_model", pack: str = "domain_pack") -> str:
    code = f"""import tensorflow as tf

model = tf.saved_model.load("{model}")
out = model.signatures["serving_default"](images=crops)  # uint8 [N, H, W, 3], RGB
out["joints"]  # [N, 17, 3]: millimetres from the pelvis; x right, y down, z away"""
    return (
        "<h2>How to use the model</h2><p>It needs TensorFlow and nothing of this "
        "project. Give it square crops around one person; scaling and normalising are "
        "inside. The joints' names, the skeleton and the crop rule are in it.</p>"
        f"<pre>{page.text(code)}</pre><p><code>{page.text(pack)}</code> holds only the "
        "changed block: keep one base model and a small pack for each place.</p>"
    )


def _facts(result: Mapping) -> str:
    """Everything that a number needs beside it."""
    facts = []
    for key, value in result.items():
        if key in ("source_only", "adapted") or value in (None, "", [], {}):
            continue
        if key == "target_information":
            value = f"{value}: {protocol.TARGET_INFORMATION.get(value, value)}"
        if isinstance(value, Mapping):
            value = ", ".join(f"{k}: {v}" for k, v in value.items())
        facts.append([key.replace("_", " "), str(value)])
    return "<h2>Where the numbers come from</h2>" + page.table(["", ""], facts)


def _glossary() -> str:
    entries = "".join(
        f"<dt>{page.text(word)}</dt><dd>{page.text(text)}</dd>"
        for word, text in glossary.CONCEPTS.items()
    )
    return f"<h2>Words</h2><dl>{entries}</dl>"
