"""The workbench for relation rules: how non-local a rule is, and whether it holds.

Without a flag it prints the paper's rules. With a rule of your own, composed of named
pieces in a YAML file, it also trains the relation network and writes a configuration:

    python tools/rules.py --rule=configs/rules/tilted_backward.yaml
"""

from __future__ import annotations

import pathlib
import shlex

from absl import flags

from sa3dhp import cli, files

FLAGS = flags.FLAGS
PAPER = "relations.rules=[z1, z2, z3, v1, v2, v3]"
flags.DEFINE_multi_string("rule", [], "YAML file of a composed rule. Repeatable.")
flags.DEFINE_bool("train", True, "Trains the relation networks of the rules given.")
flags.DEFINE_string(
    "config", "configs/procedural.yaml", "YAML file of the run, own or shipped."
)
flags.DEFINE_multi_string("set", [], "Changes a value: section.key=value. Repeatable.")
flags.DEFINE_string(
    "checkpoints", "checkpoints/procedural", "Folder of networks, own or shipped."
)
flags.DEFINE_string("workdir", "workdir/rules", "Gets networks and configuration.")


def main() -> None:
    """Examines, trains, prints."""
    from sa3dhp.systems.relation_distillation import config as configs

    overrides = FLAGS.set if FLAGS.rule else [PAPER, *FLAGS.set]
    config = configs.load(files.find(FLAGS.config), overrides)
    for path in FLAGS.rule:
        config = configs.with_rule(config, files.find(path))
    from sa3dhp.experiments import networks
    from sa3dhp.systems.relation_distillation import networks as networks_
    from sa3dhp.systems.relation_distillation import stages, workbench
    from sa3dhp.training import store

    folder, workdir = files.find(FLAGS.checkpoints), pathlib.Path(FLAGS.workdir)
    trained = FLAGS.train and bool(FLAGS.rule)
    # A wrong rule is told before the work.
    known = networks_.Networks(config, store.Store(folder))
    if trained:
        files.claim(workdir)
        known = networks.complete(config, folder, workdir / "networks")
    making, found = stages.Stages(config, known), []
    for name, rule in known.rules.items():
        network = networks_.relation_name(name)
        there = known.store.has(network)
        measured = known.measured(network) if there else None
        found.append(workbench.examine(making, rule, measured))
    print(f"\n{workbench.text(found)}")
    if trained:
        configs.dump(config, workdir / "config.yaml")
        adapt = cli.as_started("python tools/adapt.py")
        made = shlex.quote(str(workdir / "config.yaml"))
        kept = shlex.quote(str(workdir / "networks"))
        print(f"\nnext: {adapt} --config={made} --checkpoints={kept}")


if __name__ == "__main__":
    cli.run(main)
