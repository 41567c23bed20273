"""Trains the networks that adaptation starts from: Algorithm 1 of the paper, steps 1-6.

Each stage needs those before it. A run that was stopped goes on where it was when the
same command is given again.

    python tools/pretrain.py --stage=all --config=configs/procedural.yaml
    python tools/pretrain.py --system=nrsfm --stage=teacher    another system's stages
"""

from __future__ import annotations

import pathlib
import shlex
import types

from absl import flags

from sa3dhp import cli, errors, files, systems
from sa3dhp.systems.relation_distillation import config as first

FLAGS = flags.FLAGS
flags.DEFINE_enum("system", systems.NAMES[0], systems.NAMES, "Whose networks to train.")
flags.DEFINE_string(
    "stage",
    "all",
    f"What to train: all, or one or more of {', '.join(first.STAGES)}, with a comma "
    "between two; or the system's.",
)
flags.DEFINE_string(
    "config", None, "YAML file of the run, own or shipped. [the system's]"
)
flags.DEFINE_multi_string("set", [], "Changes a value: section.key=value. Repeatable.")
flags.DEFINE_string("workdir", "workdir/pretrain", "Folder for all that the run makes.")
flags.DEFINE_string(
    "checkpoints",
    None,
    "Folder of the networks, read and written. [WORKDIR/checkpoints]",
)
flags.DEFINE_string(
    "start",
    None,
    "Trained networks, a folder or the name of a shipped model, to begin with: what "
    "--checkpoints lacks is copied there. [nothing]",
)
flags.DEFINE_enum(
    "precision", None, first.PRECISIONS, "Numerical precision. [the configuration's]"
)
flags.DEFINE_enum(
    "strategy",
    "none",
    first.STRATEGIES,
    "What trains together, to the same numbers: mirrored is all GPUs of this machine; "
    "multi_worker those of all machines, where each runs the same command with a "
    "TF_CONFIG of its own, and a --workdir and --checkpoints that all share. "
    "Convolutional networks are shared out, small networks are computed by each.",
)


def main() -> None:
    """Trains the stages asked for, one after another."""
    configs = systems.part(FLAGS.system, "config")
    stages = _stages(configs)
    overrides = list(FLAGS.set)
    if FLAGS.precision:
        overrides.append(f"training.precision={FLAGS.precision}")
    path = FLAGS.config or configs.SHIPPED
    config = configs.load(files.find(path), overrides)
    workdir = pathlib.Path(FLAGS.workdir)
    # TensorFlow takes seconds to import: bad input is known before.
    from sa3dhp import provenance
    from sa3dhp.export import saved_model
    from sa3dhp.training import precision, replicas, store

    strategy = replicas.make(FLAGS.strategy)
    workdir = replicas.own(strategy, workdir)
    making, sources = (systems.part(FLAGS.system, x) for x in ("stages", "sources"))
    uses = {configs.READS[stage] for stage in stages}
    prepared = sources.check(config, *sorted(uses))  # hours before they are needed
    for stage in stages:
        if stage in configs.EXPORTS:
            saved_model.check(workdir / configs.EXPORTS[stage])
    folder = pathlib.Path(FLAGS.checkpoints or workdir / "checkpoints")
    files.check_is_folder(folder)
    files.claim(workdir)
    configs.begin(config, workdir)
    policy = precision.set_policy(config.training.precision)
    run = {**provenance.describe(), "stage": FLAGS.stage, "precision": policy}
    files.preface(workdir / "run.json")
    files.write_json(workdir / "run.json", {**run, "data": prepared})
    if FLAGS.checkpoints:
        folder = replicas.own(strategy, folder)
    if FLAGS.start:
        store.Store(folder).start_from(files.networks(FLAGS.start))
    trainer, rows = making.make(config, folder, strategy), []
    with replicas.together(strategy):
        for name in stages:
            rows += trainer.train(name, workdir)
    print(f"\n{configs.MEASURED:36}{'value':>10}")
    for part, quality, value in rows:
        print(f"{part:14}{quality:22}{value:10.3f}")
    print(cli.as_started(f"\nnext: {_next(folder, path, configs)}"))


def _stages(configs: types.ModuleType) -> list[str]:
    """The stages of the flag, in the system's order."""
    named = FLAGS.stage.split(",")
    if named == ["all"]:
        return list(configs.STAGES)
    if not set(named) <= set(configs.STAGES):
        raise errors.InputError(
            f"flag --stage={FLAGS.stage}: value should be one of "
            f"<all|{'|'.join(configs.STAGES)}>, or some, with a comma between two"
        )
    return [name for name in configs.STAGES if name in named]


def _next(folder: pathlib.Path, config: str, configs: types.ModuleType) -> str:
    """The command for the first stage whose network is not there, or what follows."""
    config, workdir = shlex.quote(config), shlex.quote(FLAGS.workdir)
    made = {path.stem.split("_z")[0].split("_v")[0] for path in folder.glob("*.npz")}
    for stage, network in configs.STAGES.items():
        if network not in made:
            system = f"--system={FLAGS.system} " * (FLAGS.system != systems.NAMES[0])
            tail = f"--config={config} --workdir={workdir}"
            return f"python tools/pretrain.py {system}--stage={stage} {tail}"
    kept = shlex.quote(str(folder))
    return configs.NEXT.format(config=config, folder=kept, workdir=workdir)


if __name__ == "__main__":
    cli.run(main)
