"""Turns a trained or adapted model into files that need nothing of this project.

    python tools/export.py --workdir=WORKDIR --output=DIR
    python tools/export.py --checkpoints=people --output=DIR

The first exports the model that an adaptation made, the second the source-only one, as
a SavedModel for TensorFlow. For phones and small computers:

    python tools/export.py --workdir=WORKDIR --output=DIR --tflite=float16,int8 \\
        --calibrate=VIDEOS

adds `DIR-float16.tflite` and so on beside it, `--onnx` adds `DIR.onnx`. Each file is
run before it stays: one whose poses differ by more than its limit is an error.
"""

from __future__ import annotations

import functools
import pathlib
from collections.abc import Callable, Mapping

import numpy as np
from absl import flags

from sa3dhp import cli, errors

FLAGS = flags.FLAGS
CROPS = 200  # to calibrate with
flags.DEFINE_string("workdir", None, "A finished adaptation: its model is exported.")
flags.DEFINE_string("output", None, "Folder of the SavedModel; an earlier is replaced.")
flags.DEFINE_string(
    "checkpoints",
    None,
    "The base networks, by name or folder; alone, the source-only model is exported. "
    "[those that the adaptation started from]",
)
flags.DEFINE_string(
    "config",
    None,
    "YAML file of the networks, own or shipped. [WORKDIR/config.yaml, else theirs]",
)
flags.DEFINE_list(
    "tflite", [], "TFLite files to write too: some of float32, float16, int8."
)
flags.DEFINE_bool("onnx", False, "Whether to write an ONNX file too (extra onnx).")
flags.DEFINE_string(
    "calibrate", None, "Videos of the target, as adapt takes them: int8 asks for them."
)


def main() -> None:
    """Loads the base, applies the pack, exports."""
    if not FLAGS.output:
        raise errors.InputError("--output is missing: name the folder to write")
    if not (FLAGS.workdir or FLAGS.checkpoints):
        raise errors.InputError(
            "nothing to export: give --workdir of an adaptation, or --checkpoints"
        )
    from sa3dhp import api
    from sa3dhp.export import domain_pack, onnx, saved_model, tflite
    from sa3dhp.systems.relation_distillation import config as configs
    from sa3dhp.systems.relation_distillation import networks
    from sa3dhp.training import store

    tflite.check(FLAGS.tflite, FLAGS.calibrate)
    if FLAGS.onnx:
        onnx.check()
    pack = default = None
    if FLAGS.workdir:
        workdir = pathlib.Path(FLAGS.workdir)
        pack, default = workdir / "domain_pack", workdir / "config.yaml"
        done = workdir / "saved_model"
        if not pack.exists() and (done / saved_model.MARKER).is_file():
            raise errors.InputError(
                f"--workdir={workdir}: expected that of an adaptation; this run is "
                f"exported already, as {done}"
            )
        domain_pack.read(pack)  # a missing pack is told before the work
    if FLAGS.checkpoints:
        folder = api.folder_of(FLAGS.checkpoints)
    else:
        folder = api.folder_of(domain_pack.base_checkpoints(workdir))
    config = configs.load(api.config_of(folder, FLAGS.config or default))
    saved_model.check(FLAGS.output)

    trained = networks.Networks(config, store.Store(folder))
    model, motion = trained.pose_model(), None
    # What has to be read is read before anything is written.
    asked = FLAGS.calibrate and (FLAGS.tflite or FLAGS.onnx)
    crops = _crops(model.image_size) if asked else None
    if trained.store.has("motion_encoder"):
        motion = trained.load("motion_encoder")
    about = domain_pack.apply(pack, model.encoder) if pack else None
    metadata = domain_pack.metadata(about)
    serving = saved_model.export_model(
        FLAGS.output, model, motion=motion, metadata=metadata
    )
    print(f"written: {FLAGS.output} ({metadata['model']})")
    beside = FLAGS.output.rstrip("/")
    wanted: dict[str, Callable[[str], object]] = {}
    if FLAGS.onnx:
        wanted[f"{beside}.onnx"] = lambda path: onnx.write(path, serving, crops)
    for kind in FLAGS.tflite:
        wanted[f"{beside}-{kind}.tflite"] = functools.partial(
            tflite.write, serving=serving, kind=kind, pictures=crops
        )
    failed = _write(wanted)
    print("next: paste into Python; it needs TensorFlow alone:")
    size = model.image_size
    print(saved_model.USAGE.format(folder=str(FLAGS.output), size=size))
    if failed:
        raise errors.InputError("; ".join(failed))


def _write(wanted: Mapping[str, Callable[[str], object]]) -> list[str]:
    """Writes each file that passes its own test; returns why the others did not."""
    failed = []
    for path, write in wanted.items():
        try:
            print(f"written: {path}: {write(path)}")
        except errors.InputError as error:
            failed.append(f"not written: {path}: {error}")
    return failed


def _crops(size: int) -> np.ndarray:
    """Some pictures of the people in the videos to calibrate with."""
    from sa3dhp.data.videos import detection, video
    from sa3dhp.prediction import predictor

    found: list[np.ndarray] = []
    detector = detection.make(detection.AUTO)
    for source in video.discover(FLAGS.calibrate):
        found += predictor.crops(source, size, detector, CROPS)
    if not found:
        raise errors.InputError(
            f"--calibrate={FLAGS.calibrate}: nobody was found there; give other videos"
        )
    chosen = np.linspace(0, len(found) - 1, min(CROPS, len(found))).round()
    return np.stack([found[int(n)] for n in chosen])


if __name__ == "__main__":
    cli.run(main)
