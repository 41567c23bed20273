"""Makes the papers' tables on the embedded world, each row measured and compared.

    python tools/reproduce.py --table=ablation --seeds=0,1,2
    python tools/reproduce.py --table=nrsfm_teacher    on motion capture, see its YAML

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
# Of the system nrsfm: a table, and the configuration that its rows differ from.
_NRSFM = {
    "nrsfm_teacher": "configs/nrsfm.yaml",
    "nrsfm_student": "configs/nrsfm_world.yaml",
    "nrsfm_weight": "configs/nrsfm_world.yaml",
}
NAMES = (*rows.NAMES, *_NRSFM)
flags.DEFINE_enum("table", None, NAMES, "What to make.")
flags.DEFINE_list("seeds", ["0", "1", "2"], "Of everything random, clips included.")
flags.DEFINE_string(
    "config",
    None,
    "YAML file rows differ from, own or shipped. [configs/tables.yaml; of nrsfm_* "
    "configs/nrsfm.yaml or configs/nrsfm_world.yaml]",
)
flags.DEFINE_multi_string("set", [], "Changes a value: section.key=value. Repeatable.")
flags.DEFINE_string(
    "checkpoints", "checkpoints/procedural", "Folder of networks, own or shipped."
)
flags.DEFINE_string("workdir", "workdir/reproduce", "Folder for all that is made.")


def main() -> None:
    """Runs the rows, prints the table."""
    if FLAGS.table is None:
        raise errors.InputError(f"--table is missing: one of {', '.join(NAMES)}")
    if not FLAGS.seeds or not all(seed.isdigit() for seed in FLAGS.seeds):
        raise errors.InputError(f"--seeds: got {FLAGS.seeds}, expected such as 0,1,2")
    seeds = [int(seed) for seed in FLAGS.seeds]
    if FLAGS.table in _NRSFM:
        _nrsfm(seeds)
    else:
        _adaptation(seeds)


def _adaptation(seeds: Sequence[int]) -> None:
    from sa3dhp.systems.relation_distillation import config as configs

    def configure(overrides: Sequence[str] = ()) -> configs.Config:
        path = FLAGS.config or "configs/tables.yaml"
        return configs.load(files.find(path), (*FLAGS.set, *overrides))

    config = configure()
    from sa3dhp import provenance
    from sa3dhp.experiments import runner, session, summary
    from sa3dhp.training import precision

    precision.set_policy(config.training.precision)
    context = session.Session(configure, files.find(FLAGS.checkpoints), FLAGS.workdir)
    found = runner.run(context, FLAGS.table, seeds, provenance.describe())
    print(f"\n{summary.markdown(found)}")
    print(f"next: open {pathlib.Path(FLAGS.workdir) / FLAGS.table}.png")


def _nrsfm(seeds: Sequence[int]) -> None:
    from sa3dhp.systems.nrsfm import config as configs

    def configure(overrides: Sequence[str] = ()) -> configs.Config:
        path = FLAGS.config or _NRSFM[FLAGS.table]
        return configs.load(files.find(path), (*FLAGS.set, *overrides))

    config = configure()
    from sa3dhp import provenance
    from sa3dhp.experiments import nrsfm
    from sa3dhp.systems.nrsfm import sources
    from sa3dhp.training import precision

    sources.check(config)  # hours before they are needed
    precision.set_policy(config.training.precision)
    facts = provenance.describe()
    text = nrsfm.run(configure, FLAGS.table, seeds, FLAGS.workdir, facts)
    print(f"\n{text}\nnext: open {pathlib.Path(FLAGS.workdir) / FLAGS.table}.md")


if __name__ == "__main__":
    cli.run(main)
