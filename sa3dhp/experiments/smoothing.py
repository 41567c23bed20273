"""What smooths predictions over time: filters, or the motion auto-encoder.

The source model predicts held-out clips of the embedded world frame by frame, and once
more beside their mirror images. Each method smooths the same predictions, and both
count: how far the joints are from the truth, and how they tremble. A method that is
nearer but jerkier, or the reverse, is no better.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from sa3dhp import files
from sa3dhp.evaluation import prediction, protocol
from sa3dhp.export import domain_pack
from sa3dhp.models import mirrored, pose_prior
from sa3dhp.prediction import denoising, smoothing
from sa3dhp.progress import Progress
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.synthetic import world
from sa3dhp.systems.relation_distillation import config as configs
from sa3dhp.systems.relation_distillation import job as jobs
from sa3dhp.systems.relation_distillation import networks, outcome, sources
from sa3dhp.systems.relation_distillation import target as targets
from sa3dhp.training import store

NAME = "smoothing"
METHODS = {
    "none": "as predicted",
    "zero_lag": "Butterworth, there and back (`--smooth=zero_lag`)",
    "one_euro": "One-Euro, which knows no future (live)",
    "motion": "motion auto-encoder (`--smooth=motion`)",
    "motion_zero_lag": "motion auto-encoder, then Butterworth",
}
MIRRORED = {
    "none": "mean with the mirror image (`--mirrored`)",
    "zero_lag": "the same, then Butterworth (`--mirrored --smooth=zero_lag`)",
    "motion": "the same, then motion auto-encoder (`--mirrored --smooth=motion`)",
}
_MIRRORED = "mirrored_"  # begins the names of these rows


def run(
    configure: Callable[[Sequence[str]], configs.Config],
    checkpoints: str | os.PathLike,
    seeds: Sequence[int],
    workdir: str | os.PathLike,
    facts: Mapping,
) -> str:
    """Measures all methods and writes `<workdir>/smoothing.json` and `.md`.

    Args:
        configure: from overrides to a configuration.
        checkpoints: folder of the networks, or of a finished adaptation.
        seeds: of the clips.
        workdir: for what is written.
        facts: kept with the numbers: command, commit, hardware and the like.

    Returns:
        The table as Markdown.
    """
    card = protocol.load(jobs.CARD)
    config = configure(())
    home = pathlib.Path(checkpoints)
    adapted = (home / outcome.PACK).is_dir()
    base = domain_pack.base_checkpoints(home) if adapted else home
    trained = networks.Networks(config, store.Store(base))
    model, motions = trained.pose_model(), trained.motion_prior
    if adapted:
        domain_pack.apply(home / outcome.PACK, model.encoder)
    rows, jitter = [], []
    with Progress(NAME, 0, len(seeds)) as bar:
        for number, seed in enumerate(seeds):
            clips = sources.test_clips(configure([f"training.seed={seed}"]))
            images, poses = prediction.from_clips(clips, model.image_size)
            truth = targets.Truth(images, poses, card)
            jitter.append(_jerk([clip.joints for clip in clips]))
            length = len(clips[0].images)
            found = smoothed(truth.predict(model), length, motions)
            twice = smoothed(truth.predict(mirrored.Mirrored(model)), length, motions)
            found |= {f"{_MIRRORED}{name}": twice[name] for name in MIRRORED}
            for name, joints in found.items():
                scores = truth.score(joints.reshape(-1, *joints.shape[2:]))["overall"]
                rows.append({"method": name, "seed": seed, **_of(scores, joints)})
            bar.update(number + 1, {})
    told = {
        "table": NAME,
        "model": "adapted" if adapted else "source",
        "seeds": list(seeds),
        "clips_per_seed": config.data.evaluation_clips,
        "domain": config.data.target_domain,
        "protocol": card.name,
        "protocol_hash": card.hash,
        "true_jitter": float(np.mean(jitter)),
        "rows": rows,
        "commits": [facts.get("commit", "unknown")],
        **{key: facts[key] for key in ("command", "hardware") if key in facts},
    }
    text = markdown(told)
    files.write_json(pathlib.Path(workdir) / f"{NAME}.json", told)
    files.write_text(pathlib.Path(workdir) / f"{NAME}.md", text)
    return text


def smoothed(
    joints: np.ndarray, frames: int, prior: pose_prior.MotionPrior
) -> dict[str, np.ndarray]:
    """Returns what each method of `METHODS` makes of predictions.

    Args:
        joints: `[N T, J, 3]`, mm, clips one after the other.
        frames: T.
        prior: of motions.

    Returns:
        `[N, T, J, 3]` each.
    """
    clips = joints.reshape(-1, frames, *joints.shape[1:])
    skeleton = prior.pose.skeleton
    denoised = denoising.denoise(clips, prior)
    return {
        "none": clips,
        "zero_lag": np.stack([_zero_lag(clip, skeleton) for clip in clips]),
        "one_euro": np.stack([_one_euro(clip, skeleton) for clip in clips]),
        "motion": denoised,
        "motion_zero_lag": np.stack([_zero_lag(c, skeleton) for c in denoised]),
    }


def markdown(found: Mapping) -> str:
    """Returns the numbers as a Markdown table."""
    text = [
        f"### {found['table']}",
        "",
        "| method | MPJPE | PA-MPJPE | jitter, mm per frame squared |",
        "|---|---|---|---|",
    ]
    titles = {f"{_MIRRORED}{name}": what for name, what in MIRRORED.items()}
    for name, what in {**METHODS, **titles}.items():
        mine = [row for row in found["rows"] if row["method"] == name]
        cells = [
            ", ".join(f"{row[key]:.1f}" for row in mine)
            for key in ("mpjpe", "pa_mpjpe", "jitter")
        ]
        text.append(f"| {what} | {' | '.join(cells)} |")
    hardware = found.get("hardware", {})
    seeds = ", ".join(map(str, found["seeds"]))
    model = found.get("model", "source")
    text += [
        "",
        f"The {model} model on {found['clips_per_seed']} clips of "
        f"`{found['domain']}` that it never saw, seeds {seeds}, mm; card "
        f"{found['protocol']} ({found['protocol_hash']}). Jitter is the mean length of "
        f"the second difference; of the truth it is {found['true_jitter']:.1f}. "
        f"`{found.get('command', '')}`, commit {', '.join(found['commits'])}, "
        f"{hardware.get('cpu', 'unknown')}, {hardware.get('cores', '?')} cores.",
        "",
    ]
    return "\n".join(text)


def _of(scores: Mapping, joints: np.ndarray) -> dict[str, float]:
    return {
        "mpjpe": float(scores["mpjpe"]),
        "pa_mpjpe": float(scores["pa_mpjpe"]),
        "jitter": _jerk(joints),
    }


def _jerk(clips: Sequence[np.ndarray] | np.ndarray) -> float:
    """Mean length of the second difference over time, mm."""
    moved = [np.diff(np.asarray(clip, np.float64), 2, axis=0) for clip in clips]
    return float(np.mean([np.linalg.norm(x, axis=-1).mean() for x in moved]))


def _zero_lag(clip: np.ndarray, skeleton: skeletons.Skeleton) -> np.ndarray:
    return smoothing.zero_lag(clip, world.FPS, skeleton)


def _one_euro(clip: np.ndarray, skeleton: skeletons.Skeleton) -> np.ndarray:
    smooth = smoothing.OneEuro(skeleton)
    return np.stack([smooth(pose, k / world.FPS) for k, pose in enumerate(clip)])
