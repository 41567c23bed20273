"""What an adaptation leaves in its folder: numbers, a report, a model, a pack."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from sa3dhp.data.sources import video_folder
from sa3dhp.evaluation import evaluator, poses, prediction, protocol, report
from sa3dhp.export import domain_pack, saved_model
from sa3dhp.geometry import crop
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import world
from sa3dhp.training import adaptation, monitors, provenance
from sa3dhp.visualisation import grids, skeleton_plot

SKELETON = skeletons.SA3DHP17
INFORMATION = "R"  # raw pictures are all that is known of the target
LICENCE = (
    "Weights: Apache-2.0. An adapted model is also bound by the terms of the videos it "
    "was adapted to."
)
_STRIPS = 3


@dataclasses.dataclass(frozen=True)
class Truth:
    """Labelled clips that measure an adaptation.

    Attributes:
        clips: of the embedded world.
        size: side of the pictures that the network sees, pixels.
        card: the protocol.
    """

    clips: Sequence[world.Clip]
    size: int
    card: protocol.Card

    def predict(self, model: monitors.PoseModel, stride: int = 1) -> np.ndarray:
        """Returns the model's joints of every `stride`-th frame, `[N, 17, 3]` mm."""
        images, _ = prediction.from_clips(self.clips, self.size)
        return model.joints(images[::stride])

    def score(self, joints: np.ndarray) -> dict:
        """Returns the whole result of predictions of all frames."""
        _, truth = prediction.from_clips(self.clips, self.size)
        pred = poses.Poses(joints.astype(np.float64), SKELETON.id, labels=truth.labels)
        return evaluator.evaluate(pred, truth, self.card, INFORMATION)

    def error(self, model: monitors.PoseModel, stride: int = 5) -> float:
        """Returns the MPJPE of every `stride`-th frame, mm."""
        _, truth = prediction.from_clips(self.clips, self.size)
        off = self.predict(model, stride) - truth.joints[::stride]
        moved = list(self.card.joint_indices)
        return float(np.linalg.norm(off[:, moved], axis=-1).mean())


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
        "target_information": INFORMATION,
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
    provenance.write_json(run.workdir / "result.json", result)
    return result


def numbers(truth: Truth, before: np.ndarray, after: np.ndarray) -> dict:
    """Returns `source_only` and `adapted` and the card they were measured by."""
    found = [truth.score(joints) for joints in (before, after)]
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
    """Returns strips of a few labelled clips: before, after and truth."""
    length = len(truth.clips[0].joints)
    strips = []
    for n in np.linspace(0, len(truth.clips) - 1, _STRIPS).astype(int):
        clip, rows = truth.clips[n], slice(n * length, (n + 1) * length)
        errors = [
            np.linalg.norm(joints[rows] - clip.joints, axis=-1)[:, 1:].mean()
            for joints in (before, after)
        ]
        caption = f"{clip.activity}: {errors[0]:.0f} mm before, {errors[1]:.0f} after"
        rows_by_label = {
            "source-only": before[rows],
            "adapted": after[rows],
            "truth": clip.joints,
        }
        edge = (clip.images.shape[1] - truth.size) // 2
        images = clip.images[:, edge : edge + truth.size, edge : edge + truth.size]
        strips.append(report.Strip(caption, rows_by_label, images))
    return strips


def video_strips(
    found: video_folder.VideoSet, size: int, before: np.ndarray, after: np.ndarray
) -> list:
    """Returns strips of a few clips of videos, whose truth nobody knows.

    Args:
        found: the videos.
        size: side of the pictures that the network sees, pixels.
        before: `[N, 60, 17, 3]`, mm, of all clips; `after` likewise.
    """
    edge = (found.clips.shape[2] - size) // 2
    chosen = np.unique(np.linspace(0, len(found.clips) - 1, _STRIPS).astype(int))
    return [
        report.Strip(
            found.windows[n].name,
            {"source-only": before[n], "adapted": after[n]},
            found.clips[n][:, edge : edge + size, edge : edge + size],
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
