"""What an adaptation leaves in its folder: numbers, a report, a model, a pack."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from sa3dhp import files
from sa3dhp.data.videos import video_folder
from sa3dhp.evaluation import evaluator, poses, prediction, protocol, report
from sa3dhp.export import domain_pack, saved_model
from sa3dhp.geometry import crop
from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.relation_distillation import adaptation, monitors
from sa3dhp.visualisation import grids, skeleton_plot

SKELETON = skeletons.SA3DHP17
INFORMATION = "R"  # raw pictures are all that is known of the target
LICENCE = (
    "Weights: Apache-2.0. An adapted model is also bound by the terms of the videos it "
    "was adapted to."
)
_STRIPS = 3
_STRIP_FRAMES = 60
_BATCH = 120  # pictures in memory at once
_LOOKED_AT = 600  # pictures of the truth at each look of an adaptation


@dataclasses.dataclass(frozen=True)
class Truth:
    """Labelled pictures that measure an adaptation.

    Attributes:
        images: uint8 `[N, S, S, 3]` as the network sees them, in memory or read when
            asked for.
        poses: of them, in the skeleton of their data set.
        card: the protocol.
    """

    images: np.ndarray | prediction.Pictures
    poses: poses.Poses
    card: protocol.Card

    def predict(
        self, model: monitors.PoseModel, rows: np.ndarray | None = None
    ) -> np.ndarray:
        """Returns the model's joints of some pictures, or of all, `[N, 17, 3]` mm."""
        rows = np.arange(len(self.images)) if rows is None else rows
        parts = [
            model.joints(self.images[rows[i : i + _BATCH]])
            for i in range(0, len(rows), _BATCH)
        ]
        return np.concatenate(parts)

    def score(
        self,
        joints: np.ndarray,
        information: str = INFORMATION,
        *,
        rows: np.ndarray | None = None,
        card: protocol.Card | None = None,
    ) -> dict:
        """Returns the whole result of predictions.

        Args:
            joints: of the pictures `rows`, or of all.
            information: what was known of the target.
            rows: of the pictures.
            card: another one than its own.
        """
        truth = self.poses if rows is None else _some(self.poses, rows)
        pred = poses.Poses(joints.astype(np.float64), SKELETON.id, labels=truth.labels)
        return evaluator.evaluate(pred, truth, card or self.card, information)

    def error(self, model: monitors.PoseModel) -> float:
        """Returns the MPJPE of some of the pictures, evenly taken, mm."""
        rows = np.arange(0, len(self.images), max(1, len(self.images) // _LOOKED_AT))
        brief = dataclasses.replace(self.card, metrics=("mpjpe",), headline="mpjpe")
        joints = self.predict(model, rows)
        return self.score(joints, rows=rows, card=brief)["overall"]["mpjpe"]


def _some(whole: poses.Poses, rows: np.ndarray) -> poses.Poses:
    return dataclasses.replace(
        whole,
        joints=whole.joints[rows],
        mask=None if whole.mask is None else whole.mask[rows],
        labels={key: value[rows] for key, value in whole.labels.items()},
    )


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished adaptation.

    Attributes:
        workdir: where its outputs go.
        model: G, adapted, with its decoder.
        outcome: the kept step, the monitors and the floor.
        bone_lengths: `[17]`, mm.
        block: the part of G that moved.
        base_hash: of G^s.
        config: resolved, as nested dicts.
        facts: what else `result.json` holds: command, seed, commit and the like.
        target: what it adapted to, in a few words.
        information: what was known of it, see `protocol.TARGET_INFORMATION`.
        notes: further sentences for the report.
    """

    workdir: pathlib.Path
    model: monitors.PoseModel
    outcome: adaptation.Outcome
    bone_lengths: np.ndarray
    block: str
    base_hash: str
    config: Mapping
    facts: Mapping
    target: str
    information: str = INFORMATION
    notes: Sequence[str] = ()


def write(
    run: Run, numbers: Mapping, strips: Sequence[report.Strip], title: str
) -> dict:
    """Writes `result.json`, `report.html`, `saved_model/` and `domain_pack/`.

    Args:
        run: the adaptation.
        numbers: `source_only` and `adapted` with what they were measured by; empty
            where there is no truth.
        strips: pictures before and after.
        title: of the report.

    Returns:
        What `result.json` holds.
    """
    choice, history = run.outcome.choice, run.outcome.history
    kept = next(look for look in history if look["step"] == choice.step)
    result = {
        **numbers,
        "target": run.target,
        "target_information": run.information,
        "steps": choice.step,
        "adapted_model": choice.adapted,
        "verdict": choice.verdict,
        "monitors": {"source_only": history[0], "adapted": kept},
        "floor": dict(run.outcome.floor),
        **run.facts,
    }
    about = {"model": "sa3dhp", "target": run.target, "verdict": choice.verdict}
    saved_model.export_model(
        run.workdir / "saved_model",
        run.model.encoder,
        run.model.decoder,
        run.bone_lengths,
        metadata={**about, "licence": LICENCE, "commit": run.facts["commit"]},
    )
    domain_pack.write(
        run.workdir / "domain_pack",
        run.model.encoder,
        run.block,
        run.base_hash,
        target=run.target,
        monitors=result["monitors"],
        verdict=choice.verdict,
        licence=LICENCE,
        config=run.config,
    )
    report.write(
        run.workdir / "report.html",
        result,
        title=title,
        strips=strips,
        monitors=history,
        floor=run.outcome.floor,
        kept_step=choice.step,
        verdict=choice.verdict,
        adapted=choice.adapted,
        label_free=choice.label_free,
        target=run.target,
        notes=run.notes,
    )
    files.write_json(run.workdir / "result.json", result)
    return result


def numbers(
    truth: Truth,
    before: np.ndarray,
    after: np.ndarray,
    information: str = INFORMATION,
) -> dict:
    """Returns `source_only` and `adapted` and the card they were measured by."""
    found = [truth.score(joints, information) for joints in (before, after)]
    shared = ("protocol", "protocol_hash", "num_samples")
    return {
        "source_only": found[0]["overall"],
        "adapted": found[1]["overall"],
        **{key: found[0][key] for key in shared},
        "per_action": {
            name: result["per_action"]
            for name, result in zip(("source_only", "adapted"), found)
        },
    }


def truth_strips(truth: Truth, before: np.ndarray, after: np.ndarray) -> list:
    """Returns strips of a few labelled sequences: before, after and truth."""
    labels = truth.poses.labels
    counted, _ = evaluator.select_frames(truth.card, labels, len(truth.images))
    names = labels["sequence"][counted]
    known = np.unique(names)
    strips = []
    for n in np.unique(np.linspace(0, len(known) - 1, _STRIPS).astype(int)):
        rows = counted[names == known[n]][:_STRIP_FRAMES]
        errors = [
            truth.score(joints[rows], rows=rows)["overall"]["mpjpe"]
            for joints in (before, after)
        ]
        action = labels["action"][rows[0]]
        action = truth.card.action_names.get(action, action)
        caption = f"{action}: {errors[0]:.0f} mm before, {errors[1]:.0f} after"
        rows_by_label = {
            "source-only": before[rows],
            "adapted": after[rows],
            "truth": _drawn(truth.poses, rows),
        }
        strips.append(report.Strip(caption, rows_by_label, truth.images[rows]))
    return strips


def _drawn(truth: poses.Poses, rows: np.ndarray) -> np.ndarray:
    """The truth as `[n, 17, 3]`, mm, root-relative; what is unknown has no length."""
    joints = np.nan_to_num(truth.joints[rows])
    joints, _ = conversion.convert(joints, truth.skeleton, SKELETON)
    return joints - joints[:, SKELETON.root, None]


def clip_strips(
    clips: np.ndarray,
    names: Sequence[str],
    size: int,
    before: np.ndarray,
    after: np.ndarray,
) -> list:
    """Returns strips of a few clips, whose truth nobody knows.

    Args:
        clips: uint8 `[N, 60, S, S, 3]`, at the stored size.
        names: of the clips.
        size: side of the pictures that the network sees, pixels.
        before: `[N, 60, 17, 3]`, mm, of all clips; `after` likewise.
    """
    edge = (clips.shape[2] - size) // 2
    chosen = np.unique(np.linspace(0, len(clips) - 1, _STRIPS).astype(int))
    return [
        report.Strip(
            names[n],
            {"source-only": before[n], "adapted": after[n]},
            clips[n][:, edge : edge + size, edge : edge + size],
        )
        for n in chosen
    ]


def write_overlays(
    path: pathlib.Path, found: video_folder.VideoSet, joints: np.ndarray
) -> None:
    """Draws predictions over the videos they are of, on one contact sheet.

    Args:
        path: of the PNG.
        found: the videos.
        joints: `[N, 60, 17, 3]`, mm, of all clips.
    """
    pictures, captions = [], []
    for n in np.unique(np.linspace(0, len(found.clips) - 1, 6).astype(int)):
        window, positions = found.windows[n], [10, 30, 50]
        flat = crop.project_to_frame(joints[n], window.centres, window.side)
        for at, frame in zip(positions, found.source_frames(n, positions)):
            picture = skeleton_plot.overlay(frame, flat[at], SKELETON)
            x, y = window.centres[at]
            half = 0.6 * window.side
            left, top = max(0, int(x - half)), max(0, int(y - half))
            pictures.append(picture[top : int(y + half), left : int(x + half)])
            captions.append(f"{window.name} {window.frames[at]}")
    grids.save(path, grids.contact_sheet(pictures, captions, size=260, columns=6))
