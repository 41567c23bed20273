"""Makes the papers' tables on the embedded world, each row measured and compared.

    python tools/reproduce.py --table=ablation --seeds=0,1,2

A row that is done is kept, one that was interrupted goes on: give the same command
again. What is written: WORKDIR/TABLE.json, TABLE.md, TABLE.png, and one file for each
row and seed in WORKDIR/TABLE/.
"""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from absl import flags

from sa3dhp import cli, errors, files
from sa3dhp.experiments import rows

FLAGS = flags.FLAGS
flags.DEFINE_enum("table", None, rows.NAMES, "What to make.")
flags.DEFINE_list("seeds", ["0", "1", "2"], "Of everything random, clips included.")
flags.DEFINE_string(
    "config", "configs/tables.yaml", "YAML file rows differ from, own or shipped."
)
flags.DEFINE_multi_string("set", [], "Changes a value: section.key=value. Repeatable.")
flags.DEFINE_string(
    "checkpoints", "checkpoints/procedural", "Folder of networks, own or shipped."
)
flags.DEFINE_string("workdir", "workdir/reproduce", "Folder for all that is made.")


def main() -> None:
    """Runs the rows, prints the table."""
    if FLAGS.table is None:
        raise errors.InputError(f"--table is missing: one of {', '.join(rows.NAMES)}")
    if not FLAGS.seeds or not all(seed.isdigit() for seed in FLAGS.seeds):
        raise errors.InputError(f"--seeds: got {FLAGS.seeds}, expected such as 0,1,2")

    from sa3dhp.systems.relation_distillation import config as configs

    def configure(overrides: Sequence[str] = ()) -> configs.Config:
        return configs.load(files.find(FLAGS.config), (*FLAGS.set, *overrides))

    config = configure()
    from sa3dhp import provenance
    from sa3dhp.experiments import runner, session, summary
    from sa3dhp.training import precision

    precision.set_policy(config.training.precision)
    context = session.Session(configure, files.find(FLAGS.checkpoints), FLAGS.workdir)
    seeds = [int(seed) for seed in FLAGS.seeds]
    found = runner.run(context, FLAGS.table, seeds, provenance.describe())
    print(f"\n{summary.markdown(found)}")
    print(f"next: open {pathlib.Path(FLAGS.workdir) / FLAGS.table}.png")


if __name__ == "__main__":
    cli.run(main)
