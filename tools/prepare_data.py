"""Prepares a data set: sharded records of motions or of cropped pictures.

    python tools/prepare_data.py --dataset=cmu --input=cmu --output=data/cmu
    python tools/prepare_data.py --dataset=videos --input=clips --output=data/street
    python tools/prepare_data.py --dataset=surreal --input=SURREAL/data \
        --output=data/surreal --engine=beam --runner=FlinkRunner

Give the folder as downloaded. The same command again goes on with a run that was
stopped, to the same bytes, on any number of processes and either engine. Beam's flags
are passed through as --name=value; its workers must see folders under the same paths.
"""

from __future__ import annotations

import contextlib
import functools
import sys

from absl import flags

from sa3dhp import cli, errors
from sa3dhp.data import datasets

FLAGS = flags.FLAGS
flags.DEFINE_string("dataset", None, f"One of {', '.join(datasets.DATASETS)}.")
flags.DEFINE_string("input", None, "Folder of the data set as it was downloaded.")
flags.DEFINE_string("output", None, "Folder for the records; new, or of a stopped run.")
flags.DEFINE_integer("stored_size", 320, "Side of the stored pictures, pixels.")
flags.DEFINE_integer("image_size", 224, "Middle of it that the network sees, pixels.")
flags.DEFINE_integer(
    "processes", None, "Shards at the same time. [one per core]", lower_bound=1
)
flags.DEFINE_string(
    "detector",
    "auto",
    "Of videos: blazepose, hog, a .tflite or .onnx file, or a SavedModel; auto is "
    "blazepose where mediapipe is installed, else hog. A SavedModel is "
    "a program: it runs with your rights, so give none that you do not trust.",
)
flags.DEFINE_string("boxes", "", "Of videos: a JSON or CSV file of boxes instead.")
flags.DEFINE_string("smpl", "", "Of threedpw: SMPL's folder, for the published joints.")
flags.DEFINE_integer(
    "clips",
    0,
    "Of rendered_people: people to render for train [6000]. Of muco: pictures to "
    "compose for train [32000].",
    lower_bound=0,
)
flags.DEFINE_enum("engine", "local", ["local", "beam"], "This machine, or Apache Beam.")

_BEAM: list[str] = []  # flags that are Beam's


def separate(argv: list[str]) -> list[str]:
    """Takes out the flags that are Beam's, where it is asked for."""
    own: list[str] = []
    for arg in argv:
        name = arg.lstrip("-").partition("=")[0]
        ours = not arg.startswith("-") or name in FLAGS or name.startswith("help")
        (own if ours or "--engine=beam" not in argv else _BEAM).append(arg)
    return own


def main() -> None:
    """Prepares, shows how far it is, and says what came of it."""
    for name in ("dataset", "input", "output"):
        if not FLAGS[name].value:
            raise errors.InputError(f"--{name}: expected a value, got none")
    from sa3dhp import progress
    from sa3dhp.data.preparing import job, local, on_beam, summary, units

    if FLAGS.engine == "beam":
        engine = functools.partial(on_beam.run, chosen=on_beam.options(_BEAM))
    else:
        engine = functools.partial(local.run, processes=FLAGS.processes)

    def show(done: int, total: int, records: int) -> None:
        if not bars:
            bars.append(stack.enter_context(progress.Progress("shards", done, total)))
        else:
            bars[0].update(done, {"records": records})

    sizes = FLAGS.stored_size, FLAGS.image_size
    settings = units.Settings(
        *sizes, FLAGS.detector, FLAGS.boxes, smpl=FLAGS.smpl, clips=FLAGS.clips
    )
    bars: list[progress.Progress] = []
    with contextlib.ExitStack() as stack:
        folders = FLAGS.input, FLAGS.output
        manifest = job.run(FLAGS.dataset, *folders, settings, engine, progress=show)
    print(cli.as_started(summary.text(manifest, FLAGS.output)))


if __name__ == "__main__":
    cli.run(main, separate(sys.argv))
