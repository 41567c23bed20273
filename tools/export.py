"""Turns a trained or adapted model into one SavedModel that needs TensorFlow alone.

    python tools/export.py --workdir=WORKDIR --output=DIR
    python tools/export.py --checkpoints=DIR --output=DIR

The first exports the model that an adaptation made, the second the source-only one.
"""

from __future__ import annotations

import pathlib
from typing import Any

from absl import flags

from sa3dhp import cli, errors, files

FLAGS = flags.FLAGS
flags.DEFINE_string("workdir", None, "A finished adaptation: its model is exported.")
flags.DEFINE_string("output", None, "Folder of the SavedModel; an earlier is replaced.")
flags.DEFINE_string(
    "checkpoints",
    None,
    "Folder of the base networks; alone, the source-only model is exported. "
    "[those that the adaptation started from]",
)
flags.DEFINE_string(
    "config",
    None,
    "YAML file of the networks, own or shipped. [WORKDIR/config.yaml, else "
    "configs/procedural.yaml]",
)


def main() -> None:
    """Loads the base, applies the pack, exports."""
    if not FLAGS.output:
        raise errors.InputError("--output is missing: name the folder to write")
    if not (FLAGS.workdir or FLAGS.checkpoints):
        raise errors.InputError(
            "nothing to export: give --workdir of an adaptation, or --checkpoints"
        )
    from sa3dhp.export import domain_pack, saved_model
    from sa3dhp.systems.relation_distillation import config as configs
    from sa3dhp.systems.relation_distillation import networks
    from sa3dhp.training import store

    pack = default = None
    if FLAGS.workdir:
        workdir = pathlib.Path(FLAGS.workdir)
        pack, default = workdir / "domain_pack", workdir / "config.yaml"
        domain_pack.read(pack)  # a missing pack is told before the work
    if FLAGS.checkpoints:
        folder = files.find(FLAGS.checkpoints)
    else:
        folder = pathlib.Path(domain_pack.base_checkpoints(workdir))
    if not folder.is_dir():
        raise errors.InputError(f"{folder}: no such folder; give --checkpoints=DIR")
    config = configs.load(
        files.find(FLAGS.config or default or "configs/procedural.yaml")
    )
    saved_model.check(FLAGS.output)

    model = networks.Networks(config, store.Store(folder)).pose_model()
    metadata: dict[str, Any] = {"model": "source-only"}
    if pack:
        about = domain_pack.apply(pack, model.encoder)
        metadata = {"model": "adapted", "domain_pack": about}
    saved_model.export_model(FLAGS.output, model, metadata=metadata)
    print(f"written: {FLAGS.output} ({metadata['model']})")
    print("next: paste into Python; it needs TensorFlow alone:")
    size = model.image_size
    print(saved_model.USAGE.format(folder=str(FLAGS.output), size=size))


if __name__ == "__main__":
    cli.run(main)
