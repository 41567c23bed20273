"""Trains the networks that adaptation starts from: Algorithm 1 of the paper, steps 1-6.

Each stage needs those before it. A run that was stopped goes on where it was when the
same command is given again.

    python tools/pretrain.py --stage=all --config=configs/procedural.yaml
"""

from __future__ import annotations

import pathlib

from absl import flags

from sa3dhp import cli, files

FLAGS = flags.FLAGS
ROOT = pathlib.Path(__file__).resolve().parent.parent
STAGES = ("pose_autoencoder", "motion_autoencoder", "source", "relations")
flags.DEFINE_enum("stage", "all", [*STAGES, "all"], "What to train.")
flags.DEFINE_string(
    "config", str(ROOT / "configs" / "procedural.yaml"), "YAML file of the run."
)
flags.DEFINE_multi_string("set", [], "Changes a value: section.key=value. Repeatable.")
flags.DEFINE_string("workdir", "workdir/pretrain", "Folder for all that the run makes.")
flags.DEFINE_string(
    "checkpoints",
    None,
    "Folder of the networks, read and written. [WORKDIR/checkpoints]",
)
flags.DEFINE_enum(
    "precision",
    None,
    ["auto", "float32", "mixed_bfloat16", "mixed_float16"],
    "Numerical precision. [the configuration's]",
)


def main() -> None:
    """Trains the stages asked for, one after another."""
    from sa3dhp import config as configs

    overrides = list(FLAGS.set)
    if FLAGS.precision:
        overrides.append(f"training.precision={FLAGS.precision}")
    config = configs.load(FLAGS.config, overrides)
    workdir = pathlib.Path(FLAGS.workdir)
    # TensorFlow takes seconds to import: bad input is known before.
    from sa3dhp import provenance
    from sa3dhp.systems.relation_distillation import build, sources
    from sa3dhp.training import precision, store

    stages = STAGES if FLAGS.stage == "all" else [FLAGS.stage]
    uses = {"source" if stage == "source" else "unpaired" for stage in stages}
    prepared = sources.check(config, *sorted(uses))  # hours before they are needed
    configs.begin(config, workdir)
    policy = precision.set_policy(config.training.precision)
    run = {**provenance.describe(), "stage": FLAGS.stage, "precision": policy}
    files.write_json(workdir / "run.json", {**run, "data": prepared})

    networks = store.Store(FLAGS.checkpoints or workdir / "checkpoints")
    builder, rows = build.Builder(config, networks), []
    for name in stages:
        rows += builder.train(name, workdir)
    print(f"\n{'on data never trained on':36}{'value':>10}")
    for part, quality, value in rows:
        print(f"{part:20}{quality:16}{value:10.3f}")
    print(f"\nnext: {_next(networks.folder)}")


def _next(folder: pathlib.Path) -> str:
    made = {path.stem.split("_z")[0].split("_v")[0] for path in folder.glob("*.npz")}
    order = ("pose_encoder", "motion_encoder", "image_encoder", "relation")
    for stage, network in zip(STAGES, order):
        if network not in made:
            tail = f"--config={FLAGS.config} --workdir={FLAGS.workdir}"
            return f"python tools/pretrain.py --stage={stage} {tail}"
    return f"python tools/adapt.py --config={FLAGS.config} --checkpoints={folder}"


if __name__ == "__main__":
    cli.run(main)
