"""Makes the papers' tables, each row measured and compared.

    python tools/reproduce.py --table=ablation --seeds=0,1,2    on the embedded world
    python tools/reproduce.py --table=papers --workdir=workdir  s2h, h2m, ... beside it
    python tools/reproduce.py --table=nrsfm_teacher    on motion capture, see its YAML
    python tools/reproduce.py --figure=pose_space      and the papers' figures

Tables run on prepared data sets too, with the networks of that setting:

    python tools/reproduce.py --table=ablation --config=configs/s2h.yaml \\
        --checkpoints=workdir/s2h/checkpoints

The table `real` is of real pictures: of each prepared folder in --real that holds clips
(`real_multiview`, `person_clips`), written to WORKDIR/<folder>/.

    python tools/reproduce.py --table=real --real=prepared

A row that is done is kept, one that was interrupted goes on: give the same command
again. What is written: WORKDIR/TABLE.json, TABLE.md, TABLE.png, and one file for each
row and seed in WORKDIR/TABLE/.

Figures, each with its numbers as JSON: `pose_space`, `motion_space` and `motion_rules`
(Fig. 4A, B and C of the paper), `relation_pairs` (Fig. 3 of its supplement) and
`people`, pictures of each prepared folder in --real with their poses (Fig. 4 and 5).
"""

from __future__ import annotations

import importlib
import pathlib
import re
import typing
from collections.abc import Callable, Sequence

from absl import flags

from sa3dhp import cli, errors, files, systems
from sa3dhp.experiments import rows
from sa3dhp.systems.relation_distillation import config as configs

if typing.TYPE_CHECKING:
    from sa3dhp.experiments import session

FLAGS = flags.FLAGS
# Of the other systems: a table, and the configuration that its rows differ from.
_NRSFM = {
    "nrsfm_teacher": "configs/nrsfm.yaml",
    "nrsfm_student": "configs/nrsfm_world.yaml",
    "nrsfm_weight": "configs/nrsfm_world.yaml",
}
_INTERVENTIONS = dict.fromkeys(
    ("interventions", "feature_size"), "configs/interventions_world.yaml"
)
_MULTI_PERSON = dict.fromkeys(
    ("multi_person", "multi_person_teacher", "multi_person_speed"),
    "configs/multi_person_world.yaml",
)
_SMOOTHING = "smoothing"  # of predictions over time
_OF_RUNS = "papers"  # Tables 2-4 of the paper, of runs that are finished
NAMES = (*rows.NAMES, _SMOOTHING, _OF_RUNS, *_NRSFM, *_INTERVENTIONS, *_MULTI_PERSON)
_OF_NETWORKS = ("pose_space", "motion_space", "motion_rules", "relation_pairs")
_SEED = r"[0-9]{1,15}"
_OF_PICTURES = "people"
FIGURES = (*_OF_NETWORKS, _OF_PICTURES)
flags.DEFINE_enum("table", None, NAMES, "What to make.")
flags.DEFINE_enum("figure", None, FIGURES, "What to make in the place of a table.")
flags.DEFINE_list("seeds", ["0", "1", "2"], "Of everything random, clips included.")
flags.DEFINE_string(
    "config",
    None,
    "YAML file rows differ from, own or shipped. [configs/tables.yaml; of figures "
    "configs/procedural.yaml, of people configs/people.yaml; of nrsfm_* "
    "configs/nrsfm.yaml or configs/nrsfm_world.yaml; of interventions and feature_size "
    "configs/interventions_world.yaml; of multi_person* "
    "configs/multi_person_world.yaml]",
)
flags.DEFINE_multi_string("set", [], "Changes a value: section.key=value. Repeatable.")
flags.DEFINE_string(
    "checkpoints",
    None,
    "Folder of networks, own or shipped; of the table smoothing also the workdir of an "
    "adaptation; of multi_person and multi_person_teacher a teacher and an "
    "auto-encoder of poses, which they train without. [checkpoints/procedural; of the "
    "figure people checkpoints/people]",
)
flags.DEFINE_string(
    "real", "prepared", "Of the table real and the figure people: prepared folders."
)
flags.DEFINE_string(
    "mediapipe",
    None,
    "Of the table real: BlazePose's pose_landmark_full.tflite. [the installed "
    "mediapipe's; no such row without]",
)
flags.DEFINE_string("workdir", "workdir/reproduce", "Folder for all that is made.")


def main() -> None:
    """Runs the rows, prints the table; or makes a figure."""
    if FLAGS.figure is not None:
        _figure(FLAGS.figure)
        return
    if FLAGS.table is None:
        raise errors.InputError(
            f"--table is missing: one of {', '.join(NAMES)}; or give --figure="
        )
    if not FLAGS.seeds or not all(re.fullmatch(_SEED, seed) for seed in FLAGS.seeds):
        raise errors.InputError(f"--seeds: got {FLAGS.seeds}, expected such as 0,1,2")
    if len(set(_seeds())) < len(FLAGS.seeds):
        raise errors.InputError(f"--seeds: got {FLAGS.seeds}, expected each once")
    if FLAGS.table == _OF_RUNS:
        from sa3dhp.experiments import papers

        print(f"\n{papers.run(FLAGS.workdir)}")
        print(f"written: {pathlib.Path(FLAGS.workdir) / FLAGS.table}.json and .md")
        return
    files.claim(FLAGS.workdir)
    if FLAGS.table in _NRSFM:
        _of_system("nrsfm", _NRSFM[FLAGS.table])
    elif FLAGS.table in _INTERVENTIONS:
        _of_system("interventions", _INTERVENTIONS[FLAGS.table])
    elif FLAGS.table in _MULTI_PERSON:
        _of_system("multi_person", _MULTI_PERSON[FLAGS.table])
    else:
        _adaptation()


def _figure(name: str) -> None:
    """Makes a figure, of `people` one for each prepared folder."""
    if FLAGS.table is not None:
        raise errors.InputError(
            f"--figure={name}: got --table={FLAGS.table} too; give one of them"
        )
    shipped = "people" if name == _OF_PICTURES else "procedural"
    path = FLAGS.config or f"configs/{shipped}.yaml"
    config = configs.load(files.find(path), FLAGS.set)
    folder = files.find(FLAGS.checkpoints or f"checkpoints/{shipped}")
    from sa3dhp.experiments import figures, real
    from sa3dhp.systems.relation_distillation import networks
    from sa3dhp.training import store

    trained = networks.Networks(config, store.Store(folder))
    places = real.measured(FLAGS.real) if name == _OF_PICTURES else [None]
    for place in places:
        workdir = pathlib.Path(FLAGS.workdir)
        if place is not None:
            workdir /= pathlib.Path(place).name
        figures.write(name, config, trained, workdir, *([place] if place else []))
        print(f"written: {workdir / name}.png and .json")


def _seeds() -> list[int]:
    return [int(seed) for seed in FLAGS.seeds]


def _adaptation() -> None:
    """Makes a table of relation distillation."""

    def configure(overrides: Sequence[str] = ()) -> configs.Config:
        path = FLAGS.config or "configs/tables.yaml"
        return configs.load(files.find(path), (*FLAGS.set, *overrides))

    config = configure()
    from sa3dhp.experiments import session
    from sa3dhp.training import precision

    precision.set_policy(config.training.precision)
    if FLAGS.table == rows.REAL:
        _real(configure)
        return
    if FLAGS.table == _SMOOTHING:
        from sa3dhp import provenance
        from sa3dhp.experiments import smoothing

        folder, facts = files.find(_checkpoints()), provenance.describe()
        text = smoothing.run(configure, folder, _seeds(), FLAGS.workdir, facts)
        written = pathlib.Path(FLAGS.workdir) / FLAGS.table
        print(f"\n{text}\nwritten: {written}.json and .md")
        return
    kind: type[session.Session] = session.Session
    if config.data.target == "prepared":
        from sa3dhp.experiments import real

        kind = real.PreparedSession
    _table(kind(configure, files.find(_checkpoints()), FLAGS.workdir))


def _checkpoints() -> str:
    return FLAGS.checkpoints or "checkpoints/procedural"


def _table(context: session.Session) -> None:
    """Runs one table and prints it."""
    from sa3dhp import provenance
    from sa3dhp.experiments import runner, summary

    found = runner.run(context, FLAGS.table, _seeds(), provenance.describe())
    print(f"\n{summary.markdown(found)}")
    print(f"written: {context.workdir / FLAGS.table}.json, .md and .png")


def _real(configure: Callable[[Sequence[str]], configs.Config]) -> None:
    """Runs the table of real pictures in each place."""
    from sa3dhp.evaluation import blazepose
    from sa3dhp.experiments import real

    network = pathlib.Path(FLAGS.mediapipe) if FLAGS.mediapipe else blazepose.find()
    if network is not None and not network.is_file():
        raise errors.InputError(f"--mediapipe={network}: no such file")
    clips, others = real.places(FLAGS.real)
    for place in clips:
        mine = real.overrides(place)

        def there(more: Sequence[str], mine: Sequence[str] = mine) -> configs.Config:
            return configure((*mine, *more))

        context = real.RealSession(
            there,
            files.find(_checkpoints()),
            pathlib.Path(FLAGS.workdir) / pathlib.Path(place).name,
            others=others,
            mediapipe=network,
        )
        _table(context)


def _of_system(system: str, shipped: str) -> None:
    """Makes a table of another system."""
    start: dict[str, typing.Any] = {}
    if FLAGS.checkpoints and FLAGS.table in _MULTI_PERSON:
        start = {"start": files.networks(FLAGS.checkpoints)}
    elif FLAGS.checkpoints:
        raise errors.InputError(
            f"--checkpoints={FLAGS.checkpoints}: got it with --table={FLAGS.table}, "
            "whose rows train their own networks; leave it out"
        )
    configs = systems.part(system, "config")

    def configure(overrides: Sequence[str] = ()) -> typing.Any:
        path = FLAGS.config or shipped
        return configs.load(files.find(path), (*FLAGS.set, *overrides))

    config = configure()
    from sa3dhp import provenance
    from sa3dhp.training import precision

    systems.part(system, "sources").check(config)  # hours before they are needed
    precision.set_policy(config.training.precision)
    tables = importlib.import_module(f"sa3dhp.experiments.{system}")
    text = tables.run(
        configure, FLAGS.table, _seeds(), FLAGS.workdir, provenance.describe(), **start
    )
    written = pathlib.Path(FLAGS.workdir) / FLAGS.table
    print(f"\n{text}\nwritten: {written}.json and .md")


if __name__ == "__main__":
    cli.run(main)
