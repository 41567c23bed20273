"""Adapts a 3D pose model to unlabelled videos: Algorithm 1 of the paper, step 7.

Without a flag it adapts the shipped model to `street`, a place of the embedded world
that the model has never seen, and measures it on other people there:

    python tools/adapt.py

With videos it adapts to them; nothing else is needed. `tracks.png` shows whom it found:

    python tools/adapt.py --videos=DIR

The settings of the paper are in configs/: s2h, s2h_semi, h2m, s2w, sh2w.
"""

from __future__ import annotations

import pathlib
import shlex

from absl import flags

from sa3dhp import cli, errors, files
from sa3dhp.systems.relation_distillation import config as configs

FLAGS = flags.FLAGS
flags.DEFINE_string(
    "videos",
    None,
    "To adapt to: a folder of videos or frame folders, one video, or several with "
    "commas between them; ten seconds of one person at least, a few minutes to gain.",
)
flags.DEFINE_string(
    "detector",
    "auto",
    "Of people in videos: blazepose, hog, a .tflite or .onnx file, or a SavedModel; "
    "auto is blazepose where mediapipe is installed, else hog. A SavedModel is "
    "a program: it runs with your rights, so give none that you do not trust.",
)
flags.DEFINE_string("boxes", None, "JSON or CSV file of the person's boxes instead.")
flags.DEFINE_string(
    "config",
    None,
    f"YAML file of the run, own or shipped. [configs/procedural.yaml; with --videos "
    f"configs/{files.VIDEO_MODEL}.yaml]",
)
flags.DEFINE_multi_string("set", [], "Changes a value: section.key=value. Repeatable.")
flags.DEFINE_integer("seed", None, "Of everything random. [the configuration's]")
flags.DEFINE_string("workdir", "workdir/adapt", "Folder for all that the run makes.")
flags.DEFINE_string("checkpoints", None, "Networks. [the shipped ones]")
flags.DEFINE_bool("from_scratch", False, "First runs every pre-training stage.")
flags.DEFINE_bool(
    "no_frames", False, "Shows no pixel of people in any output: skeletons alone."
)
flags.DEFINE_enum(
    "precision",
    None,
    configs.PRECISIONS,
    "Numerical precision. [the configuration's]",
)
flags.DEFINE_enum(
    "strategy",
    "none",
    configs.STRATEGIES,
    "What adapts together, to the same numbers: mirrored is all GPUs of this machine; "
    "multi_worker those of all machines, where each runs the same command with a "
    "TF_CONFIG of its own and a --workdir that all share. Not with --from_scratch.",
)


def main() -> None:
    """Adapts, measures and exports."""
    if FLAGS.strategy != "none" and FLAGS.from_scratch:
        raise errors.InputError(
            f"--strategy={FLAGS.strategy}: not with --from_scratch; pre-train by "
            "tools/pretrain.py, whose --stage=source takes it too"
        )
    overrides = list(FLAGS.set)
    if FLAGS.videos:
        overrides += ["data.target=videos", f"data.target_path={FLAGS.videos!r}"]
    if FLAGS.seed is not None:
        overrides.append(f"training.seed={FLAGS.seed}")
    if FLAGS.precision:
        overrides.append(f"training.precision={FLAGS.precision}")
    people = FLAGS.videos and not FLAGS.config
    model = files.VIDEO_MODEL if people else "procedural"
    chosen = FLAGS.config or f"configs/{model}.yaml"
    config = configs.load(files.find(chosen), overrides)
    workdir = pathlib.Path(FLAGS.workdir)
    if FLAGS.from_scratch:  # written to: never the shipped ones
        folder = pathlib.Path(FLAGS.checkpoints or workdir / "checkpoints")
    elif FLAGS.checkpoints:
        folder = files.find(FLAGS.checkpoints)
    else:
        folder = files.shipped(f"checkpoints/{model}")
    from sa3dhp.systems.relation_distillation import (
        job,
        networks,
        outcome,
        sources,
        stages,
    )
    from sa3dhp.training import precision, replicas, store

    job.check(config, workdir, detector=FLAGS.detector, boxes=FLAGS.boxes)
    strategy = replicas.make(FLAGS.strategy)
    workdir = replicas.own(strategy, workdir)
    files.claim(workdir)
    configs.begin(config, workdir)
    policy = precision.set_policy(config.training.precision)
    trained = networks.Networks(config, store.Store(folder))
    if FLAGS.from_scratch:
        sources.check(config, "unpaired", "source", "target", "evaluation")
        for stage in configs.STAGES:
            stages.Stages(config, trained).train(stage, workdir)
    with replicas.scope(strategy):
        work = job.Job(config, trained)
    target = job.find_target(config, detector=FLAGS.detector, boxes=FLAGS.boxes)
    if target.found:
        sheet = target.found.write_sheet(workdir, frames=not FLAGS.no_frames)
        print(f"tracks: look at {sheet}, whether each is one person", flush=True)
    facts = {"precision": policy, "checkpoints": str(folder.resolve())}
    with replicas.together(strategy):
        done = work.adapt(target, workdir, facts)
    result = outcome.write(done, frames=not FLAGS.no_frames)
    print(f"\n{outcome.summary(result)}\n\nnext: {_show(workdir / outcome.REPORT)}")


def _show(page: pathlib.Path) -> str:
    """The command that shows a page, on any system."""
    return f"python -m webbrowser -t {shlex.quote(page.resolve().as_uri())}"


if __name__ == "__main__":
    cli.run(main)
