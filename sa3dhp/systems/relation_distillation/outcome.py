"""What an adaptation came to, and what it leaves in its folder."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping

import numpy as np

from sa3dhp import files
from sa3dhp.data.videos import video_folder
from sa3dhp.evaluation import evaluator, metrics, tables
from sa3dhp.export import domain_pack, saved_model
from sa3dhp.geometry import crop, pictures
from sa3dhp.models import pose_model
from sa3dhp.skeleton import conversion
from sa3dhp.systems.relation_distillation import (
    adaptation,
    report,
    selection,
    verdict,
)
from sa3dhp.systems.relation_distillation import target as targets
from sa3dhp.visualisation import grids, skeleton_plot

SKELETON = targets.SKELETON
_OVERLAY_LEGEND = (
    "Orange: the person's right side; blue: the left. Below each picture its video and "
    "the number of the frame.",
    "The drawing is the 3D pose without perspective, fitted to the crop: no detection "
    "of joints in the picture.",
)
RESULT, REPORT, OVERLAYS = "result.json", "report.html", "overlays.png"
MODEL, PACK = "saved_model", "domain_pack"
LICENCE = (
    "Weights: Apache-2.0. An adapted model is also bound by the terms of the videos it "
    "was adapted to."
)
_STRIPS = 3
_STRIP_FRAMES = 60
_OVERLAYS = 6  # clips, three frames of each
_OVERLAID_FRAMES = (10, 30, 50)


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """What a model says of a target's pictures.

    Attributes:
        truth: joints of the pictures with a truth, `[N, 17, 3]`, mm; None without.
        clips: joints of a few clips, by their number, `[60, 17, 3]`, mm.
    """

    truth: np.ndarray | None
    clips: Mapping[int, np.ndarray]


def answers(target: targets.Target, model: pose_model.PoseModel) -> Answers:
    """Returns what a model says now of what the outcome will show."""
    truth = target.truth.predict(model) if target.truth else None
    rows: np.ndarray = np.zeros(0, int)
    if target.found is not None or target.truth is None:
        count = _STRIPS if target.found is None else _OVERLAYS
        rows = np.unique(np.linspace(0, len(target.videos) - 1, count).astype(int))
    clips = {int(row): model.predict(target.clips[np.array([row])][0]) for row in rows}
    return Answers(truth, clips)


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """A finished adaptation.

    Attributes:
        workdir: where it ran, and its outputs go.
        target: what it adapted to.
        model: G, adapted, with its decoder.
        course: how it went: the kept step, the readings and the floor.
        before: what the source model said of the target.
        after: what the adapted model says.
        block: the part of G that moved.
        base_hash: of G^s.
        config: resolved, as nested dicts.
        facts: what else `result.json` holds: command, seed, commit and the like.
    """

    workdir: pathlib.Path
    target: targets.Target
    model: pose_model.PoseModel
    course: adaptation.Course
    before: Answers
    after: Answers
    block: str
    base_hash: str
    config: Mapping
    facts: Mapping

    @property
    def title(self) -> str:
        """Of the report."""
        return f"Adaptation to {self.target.name}"

    def result(self) -> dict:
        """Returns what `result.json` holds, see `numbers` for the errors."""
        course, choice = self.course, self.course.choice
        told, scale = course.label_free, verdict.scale_of(self.config)
        return {
            **self.numbers(),
            "target": self.target.name,
            "target_information": self.target.information,
            "steps": choice.step,
            "adapted_model": choice.adapted,
            "verdict": choice.verdict,
            "poses": verdict.of(course.kept, scale).entry(),
            **({} if told is None else {"label_free_choice": told.verdict}),
            "monitors": {"source_only": course.start, "adapted": course.kept},
            "floor": dict(course.floor),
            **self.facts,
        }

    def numbers(self) -> dict:
        """Returns `source_only` and `adapted` and the card they were measured by.

        Empty where there is no truth.
        """
        truth = self.target.truth
        if truth is None or self.before.truth is None or self.after.truth is None:
            return {}
        before, after = (
            truth.score(joints, self.target.information)
            for joints in (self.before.truth, self.after.truth)
        )
        shared = ("protocol", "protocol_hash", "num_samples")
        return {
            "source_only": before["overall"],
            "adapted": after["overall"],
            **{key: before[key] for key in shared},
            "per_action": {
                "source_only": before["per_action"],
                "adapted": after["per_action"],
            },
        }

    def strips(self) -> list[report.Strip]:
        """Returns a few sequences, or clips, before and after."""
        if self.target.truth is not None:
            return self._truth_strips(self.target.truth)
        return self._clip_strips()

    @property
    def sides(self) -> tuple[str, ...]:
        """What is shown of each clip: both models, or the one where nothing changed."""
        both = ("source-only", "adapted")
        return both if self.course.choice.adapted else both[:1]

    def _truth_strips(self, truth: targets.Truth) -> list[report.Strip]:
        before, after = self.before.truth, self.after.truth
        assert before is not None and after is not None
        labels = truth.poses.labels
        counted, _ = evaluator.select_frames(truth.card, labels, len(truth.images))
        names = labels["sequence"][counted]
        known = np.unique(names)
        strips = []
        for n in np.unique(np.linspace(0, len(known) - 1, _STRIPS).astype(int)):
            rows = counted[names == known[n]][:_STRIP_FRAMES]
            wrong = [
                truth.score(joints[rows], rows=rows)["overall"]["mpjpe"]
                for joints in (before, after)
            ]
            action = labels["action"][rows[0]]
            action = truth.card.action_names.get(action, action)
            caption = f"{action}: {wrong[0]:.0f} mm"
            if len(self.sides) > 1:
                caption += f" before, {wrong[1]:.0f} after"
            shown = dict(zip(self.sides, (before[rows], after[rows])))
            shown["truth"] = _drawn(truth, rows)
            strips.append(report.Strip(caption, shown, truth.images[rows]))
        return strips

    def _clip_strips(self) -> list[report.Strip]:
        rows = sorted(self.after.clips)
        chosen = np.unique(np.linspace(0, len(rows) - 1, _STRIPS).astype(int))
        strips = []
        for row in (rows[n] for n in chosen):
            images = self.target.clips[np.array([row])][0]
            both = dict(
                zip(self.sides, (self.before.clips[row], self.after.clips[row]))
            )
            images = pictures.center_crop(images, self.model.image_size)
            strips.append(report.Strip(self.target.names[row], both, images))
        return strips


def check(workdir: pathlib.Path) -> None:
    """Raises `InputError` if something else is where `write` puts model or pack."""
    saved_model.check(workdir / MODEL)
    domain_pack.check(workdir / PACK)


def write(outcome: Outcome, *, frames: bool = True) -> dict:
    """Writes `result.json`, `report.html`, `saved_model/` and `domain_pack/`.

    Of videos also `overlays.png`. Returns what `result.json` holds.

    Args:
        outcome: what is written.
        frames: whether pixels of people may be shown; else skeletons alone are.
    """
    result, folder = outcome.result(), outcome.workdir
    kept = outcome.course.choice.verdict
    about = {
        "model": "sa3dhp",
        "target": outcome.target.name,
        "verdict": kept,
        "poses": result["poses"]["words"],
    }
    commit = outcome.facts["commit"]
    saved_model.export_model(
        folder / MODEL,
        outcome.model,
        metadata={**about, "licence": LICENCE, "commit": commit},
    )
    domain_pack.write(
        folder / PACK,
        outcome.model.encoder,
        outcome.block,
        outcome.base_hash,
        target=outcome.target.name,
        monitors=result["monitors"],
        verdict=kept,
        licence=LICENCE,
        config=outcome.config,
    )
    if outcome.target.found is not None:
        _write_overlays(
            folder / OVERLAYS, outcome.target.found, outcome.after.clips, frames
        )
    strips = outcome.strips()
    if not frames:
        strips = [dataclasses.replace(strip, images=None) for strip in strips]
    report.write(
        folder / REPORT,
        result,
        outcome.course,
        strips=strips,
        title=outcome.title,
        notes=[x for x in (*outcome.target.notes, outcome.target.advice) if x],
    )
    files.write_json(folder / RESULT, result)
    return result


def _drawn(truth: targets.Truth, rows: np.ndarray) -> np.ndarray:
    """The truth as `[n, 17, 3]`, mm, root-relative; what is unknown has no length."""
    joints = truth.poses.joints[rows].astype(np.float64)
    if truth.poses.mask is not None:
        joints[~truth.poses.mask[rows]] = np.nan
    joints, _ = conversion.convert(joints, truth.poses.skeleton, SKELETON)
    joints -= np.nan_to_num(joints[:, SKELETON.root, None])
    # An unknown joint lies where its parent does.
    for joint, parent in enumerate(SKELETON.parents):
        unknown = np.isnan(joints[:, joint])
        joints[:, joint] = np.where(unknown, joints[:, parent], joints[:, joint])
    return np.nan_to_num(joints)


def _write_overlays(
    path: pathlib.Path,
    found: video_folder.VideoSet,
    joints: Mapping[int, np.ndarray],
    pixels: bool,
) -> None:
    """Draws predictions over the videos they are of, on one contact sheet."""
    drawn, captions = [], []
    for n, poses in joints.items():
        window = found.windows[n]
        flat = crop.project_to_frame(poses, window.centres, window.side)
        frames = found.source_frames(n, list(_OVERLAID_FRAMES))
        for at, frame in zip(_OVERLAID_FRAMES, frames):
            paper = frame if pixels else np.full_like(frame, 255)
            picture = skeleton_plot.overlay(paper, flat[at], SKELETON)
            x, y = window.centres[at]
            half = 0.6 * window.side
            left, top = max(0, int(x - half)), max(0, int(y - half))
            drawn.append(picture[top : int(y + half), left : int(x + half)])
            captions.append(f"{window.name} {window.frames[at]}")
    sheet = grids.contact_sheet(
        drawn, captions, size=260, columns=6, legend=_OVERLAY_LEGEND
    )
    grids.save(path, sheet)


def summary(result: Mapping) -> str:
    """Returns what the tool prints: before and after, which step, of what use it is."""
    lines = [tables.align_columns(_rows(result)), ""]
    if "poses" in result:
        lines.append(f"the poses there: {verdict.Verdict(**result['poses'])}")
    lines.append(result["verdict"])
    if "label_free_choice" in result:
        lines.append(f"without a label: {result['label_free_choice']}")
    return "\n".join(lines)


def _rows(result: Mapping) -> list[list[str]]:
    if "source_only" not in result:
        first, last = (result["monitors"][k] for k in ("source_only", "adapted"))
        rows = [["label-free monitor", "source-only", "adapted", "floor"]]
        floor = result["floor"]
        for name in (n for n in (selection.IMPLAUSIBILITY, *floor) if n in first):
            values = [f"{first[name]:.3f}", f"{last[name]:.3f}"]
            rows.append([name, *values, f"{floor[name]:.3f}" if name in floor else ""])
        return rows
    before, after = result["source_only"], result["adapted"]
    rows = [["", "source-only", "adapted", "change"]]
    for key, metric in metrics.METRICS.items():
        if key in before:
            change = tables.percent_change(before[key], after[key])
            values = [f"{before[key]:.1f}", f"{after[key]:.1f}", change]
            rows.append([f"{metric.title} ({metric.unit})", *values])
    return rows
