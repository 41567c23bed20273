"""All stages of a system, small, each run in a process of its own by `tool_runner`.

    small_stages.py FOLDER SYSTEM devices [GIVEN]    all logical CPUs
    small_stages.py FOLDER SYSTEM workers [GIVEN]    two processes

With GIVEN each stage begins from the networks in that folder, not from this run's: they
are kept in float16, where a last bit that differs is a large difference. The variables
go to `FOLDER/devices_<stage>.npz`, or `worker_0_<stage>.npz`, by name.
"""

import functools
import json
import pathlib
import shutil
import sys
import tempfile
from unittest import mock

import numpy as np
import small_replicas
import tensorflow as tf

from sa3dhp import errors, systems
from sa3dhp.training import replicas

# Numbers of rows of which two replicas get no equal shares.
RELATIONS = (
    *("source.batch_size=5", "relations.rules=['z1', 'v2']"),
    *("motion_autoencoder.adversarial_weight=0.1", "training.precision=float32"),
)
NRSFM = ("data.source=world", "student.batch_size=3")
PEOPLE = ("teacher.batch_size=3", "student.batch_size=3", "student.labels=3d")
INTERVENTIONS = ("vae.batch_size=5", "generator.batch_size=3", "estimator.batch_size=3")


def config_of(system, changes=()):
    """Returns the configuration, and what stands in for a teacher that learnt much."""
    configs, stack = systems.part(system, "config"), []
    if system == "relation_distillation":
        path = small_replicas.ROOT / "configs" / "smoke.yaml"
        return configs.load(path, (*RELATIONS, *changes)), stack
    if system == "nrsfm":
        from small_nrsfm import SMALL

        return configs.load(None, (*SMALL, *NRSFM, *changes)), stack
    if system == "interventions":
        from small_interventions import SMALL

        from sa3dhp.systems.interventions import networks

        stack.append(mock.patch.object(networks, "FEATURES", 32))  # of `small_resnet`
        return configs.load(None, (*SMALL, *INTERVENTIONS, *changes)), stack
    import small_multi_person

    from sa3dhp.systems.multi_person import sources

    config = configs.load(None, (*small_multi_person.SMALL, *PEOPLE, *changes))
    sees = small_multi_person.clairvoyant(config)
    return config, [mock.patch.object(sources, "seen_by_teacher", sees)]


def train(folder, system, name, strategy, given, changes):
    """Trains stage after stage, and writes what each ends with."""
    config, patches = config_of(system, changes)
    workdir = replicas.own(strategy, folder / system)
    trainer = systems.part(system, "stages").make(
        config, workdir / "checkpoints", strategy
    )
    # A bias before batch norm has rounding for a gradient, of which Adam makes steps.
    steady = functools.partial(tf.keras.optimizers.Adam, epsilon=1e-2)
    patches.append(mock.patch.object(tf.keras.optimizers, "Adam", steady))
    for patch in patches:
        patch.start()
    for stage in systems.part(system, "config").STAGES:
        if given:
            shutil.copytree(given, workdir / "checkpoints", dirs_exist_ok=True)
        with replicas.together(strategy):
            rows = trainer.train(stage, workdir)
        found = {f"measured/{part}/{key}": value for part, key, value in rows}
        for home in sorted((workdir / "state").iterdir()):
            if home.name == stage or stage == "relations":
                state = tf.train.load_checkpoint(str(home))
                for key in state.get_variable_to_shape_map():
                    if "VARIABLE" in key:
                        found[f"{home.name}/{key}"] = state.get_tensor(key)
        np.savez(folder / f"{name}_{stage}.npz", **found)


def main(folder, system, how, given="", *changes):
    folder = pathlib.Path(folder)
    if how == "devices":
        train(folder, system, how, replicas.make("mirrored"), given, changes)
        return

    tempfile.tempdir = str(folder)  # these processes end too suddenly to tidy up

    def work(index):
        try:
            strategy = replicas.make("multi_worker")
            train(folder, system, f"worker_{index}", strategy, given, changes)
        except errors.InputError as error:
            print(f"worker {index}: {error}", file=sys.stderr)
            sys.exit(2)

    if ended := small_replicas.workers(work):
        print(json.dumps(ended))


if __name__ == "__main__":
    main(*sys.argv[1:])
