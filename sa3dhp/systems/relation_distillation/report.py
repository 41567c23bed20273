"""The report of an adaptation: one HTML file that needs nothing but a browser.

It is written for the engineer who will run the model, not for a reader of the paper:
first what came of it in one sentence, then numbers, pictures, curves, the reason for
the step that was kept, and how to go on.
"""

from __future__ import annotations

import base64
import dataclasses
import html
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
from sa3dhp.visualisation import curves, skeleton_plot

if typing.TYPE_CHECKING:
    from matplotlib import figure as mpl_figure

_DPI = 84
_STYLE = """
body{font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;color:#222;
background:#fff;max-width:1040px;margin:2.5rem auto;padding:0 1.25rem}
h1{font-size:1.5rem;margin:0 0 .3rem}h2{font-size:1.15rem;margin:2.4rem 0 .6rem}
.lead{font-size:1.2rem;line-height:1.45;margin:.4rem 0 1rem}
.verdict{background:#f3f6f9;border-left:4px solid #1f6fb4;padding:.6rem .9rem}
.bad{border-color:#b22222;background:#fbf0f0}
.kept{border-color:#b8860b;background:#fbf8ef}
table{border-collapse:collapse;margin:.6rem 0;width:100%}
td:first-child{white-space:nowrap}
th,td{padding:.35rem .7rem;border-bottom:1px solid #e4e4e4;text-align:left;
vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.w{color:#666;font-size:.9rem}figure{margin:1rem 0 1.6rem}
figcaption{color:#555;font-size:.92rem;margin-bottom:.4rem}
img{max-width:100%;height:auto;display:block}
pre{background:#f6f6f6;padding:.8rem 1rem;overflow-x:auto;font-size:.88rem}
dt{font-weight:600;margin-top:.5rem}dd{margin:0 0 0 1.2rem;color:#444}
.r{color:#d9621e;font-weight:600}.l{color:#1f6fb4;font-weight:600}
.small{color:#666;font-size:.9rem}
"""


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
        f"<h1>{_text(title)}</h1>",
        f'<p class="lead">{_text(headline(result, course))}</p>',
        _verdict(course),
        _poses(result),
        *(f"<p>{_text(note)}</p>" for note in notes),
        _numbers(result),
        _strips(strips),
        _curves(course),
        _selection(course),
        _usage(),
        _facts(result),
        _glossary(),
    ]
    document = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{_text(title)}</title><style>{_STYLE}</style></head><body>"
        + "\n".join(part for part in parts if part)
        + "</body></html>\n"
    )
    files.write_text(path, document)


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


def _text(value: object) -> str:
    return html.escape(str(value))


def _verdict(course: adaptation.Course) -> str:
    kind = "verdict" if course.choice.adapted else "verdict kept"
    sentences = [course.choice.verdict]
    if course.label_free is not None:
        sentences.append(f"without a label: {course.label_free.verdict}")
    text = ". ".join(x[:1].upper() + x[1:].rstrip(".") for x in sentences)
    return f'<p class="{kind}">{_text(text)}.</p>'


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
    return f'<p class="{kind or "verdict bad"}">{_text(text)}</p>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of escaped cells: words left, numbers right, the last column in grey."""

    def cells(tag: str, row: Sequence[str]) -> str:
        kinds = ["", *["n"] * (len(row) - 2), "w"]
        return "".join(
            f'<{tag} class="{kind}">{_text(cell)}</{tag}>'
            for kind, cell in zip(kinds, row)
        )

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><tr>{cells('th', head)}</tr>{body}</table>"


def _numbers(result: Mapping) -> str:
    """The metrics before and after, each explained."""
    before, after = result.get("source_only") or {}, result.get("adapted") or {}
    shared = [key for key in metrics.METRICS if key in before and key in after]
    if not shared:
        return ""
    rows = []
    for key in shared:
        metric = metrics.METRICS[key]
        unit = metric.unit
        better = (after[key] < before[key]) == metric.less_is_better
        word = "" if after[key] == before[key] else " better" if better else " worse"
        points = "points" if unit == "%" else unit
        change = f"{after[key] - before[key]:+.1f} {points}"
        rows.append(
            [
                metric.title,
                f"{before[key]:.1f} {unit}",
                f"{after[key]:.1f} {unit}",
                f"{change}{word}".replace("-", "\N{MINUS SIGN}"),
                metric.explanation,
            ]
        )
    head = ["", "source-only", "adapted", "change", "what it is"]
    return "<h2>The numbers</h2>" + _table(head, rows)


def _figure(figure: mpl_figure.Figure, caption: str) -> str:
    data = base64.b64encode(skeleton_plot.to_png(figure, dpi=_DPI)).decode()
    return (
        f"<figure><figcaption>{_text(caption)}</figcaption>"
        f'<img alt="{_text(caption)}" src="data:image/png;base64,{data}"></figure>'
    )


def _strips(strips: Sequence[Strip]) -> str:
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
    return (
        "<h2>Before and after</h2><p>Clips that the adaptation never saw. "
        '<span class="r">Orange</span> is the person\'s right side, '
        '<span class="l">blue</span> the left. The side view shows what a camera '
        "cannot see: the depth, which grows to the right.</p>" + "".join(figures)
    )


def _curves(course: adaptation.Course) -> str:
    if not curves.series(course.history):
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
    """What was read at the start and at the step that was kept."""
    start, kept, floor = course.start, course.kept, course.floor
    rows = [
        [
            name.replace("_", " "),
            f"{start[name]:.3g}",
            f"{kept[name]:.3g}",
            f"{floor[name]:.3g}" if name in floor else "",
            glossary.explain(name, glossary.MONITORS),
        ]
        for name in curves.series([start])
        if name in kept
    ]
    at = f"at step {course.choice.step}"
    head = ["monitor", "at the start", at, "floor", "what it is"]
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
    return f"<h2>Which step was kept, and why</h2><p>{why}</p>" + _table(head, rows)


def _usage(model: str = "saved_model", pack: str = "domain_pack") -> str:
    code = f"""import tensorflow as tf

model = tf.saved_model.load("{model}")
out = model.signatures["serving_default"](images=crops)  # uint8 [N, H, W, 3], RGB
out["joints"]  # [N, 17, 3]: millimetres from the pelvis; x right, y down, z away"""
    return (
        "<h2>How to use the model</h2><p>It needs TensorFlow and nothing of this "
        "project. Give it square crops around one person; scaling and normalising are "
        "inside. The joints' names, the skeleton and the crop rule are in it.</p>"
        f"<pre>{_text(code)}</pre><p><code>{_text(pack)}</code> holds only the changed "
        "block: keep one base model and a small pack for each place.</p>"
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
    return "<h2>Where the numbers come from</h2>" + _table(["", ""], facts)


def _glossary() -> str:
    entries = "".join(
        f"<dt>{_text(word)}</dt><dd>{_text(text)}</dd>"
        for word, text in glossary.CONCEPTS.items()
    )
    return f"<h2>Words</h2><dl>{entries}</dl>"
