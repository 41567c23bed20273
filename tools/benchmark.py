"""How fast this machine is with it, each part beside others that do the same work.

    python tools/benchmark.py --sizes=64,128 --output=benchmark.json
    python tools/benchmark.py --video=VIDEO     the whole way of tools/predict.py too
    python tools/benchmark.py --sizes= --video=VIDEO              without the networks

Close what else runs. Keras and TFLite come with TensorFlow; PyTorch is timed too where
it is installed, and over a video MediaPipe's own pose solution, which
`pip install --no-deps mediapipe==0.10.14 attrs` brings. Ratios are of runs in turn:
above 1, ours is the faster.
"""

from __future__ import annotations

import itertools
import pathlib
import tempfile
from collections.abc import Iterator
from typing import Any

from absl import flags

from sa3dhp import cli, errors, files

FLAGS = flags.FLAGS
_LARGEST = 1024  # pixels
flags.DEFINE_list(
    "sizes", ["64", "128"], "Of the pictures, pixels; none leaves the networks out."
)
flags.DEFINE_integer("batch", 32, "Pictures at once.", 1, 1024)
flags.DEFINE_integer("rounds", 15, "Timed calls of each.", 1, 1000)
flags.DEFINE_enum(
    "precision",
    "float32",
    ["float32", "mixed_bfloat16", "mixed_float16"],
    "Numerical precision of the networks.",
)
flags.DEFINE_string(
    "video", None, "A video with people: times reading, searching, predicting, drawing."
)
flags.DEFINE_string("model", files.VIDEO_MODEL, "For --video, as tools/predict.py's.")
flags.DEFINE_string("output", None, "Writes the numbers as JSON too.")


def main() -> None:
    """Times row by row, and prints what came of it."""
    if bad := [text for text in FLAGS.sizes if not _is_size(text)]:
        raise errors.InputError(
            f"--sizes: got {bad[0]}, expected numbers from 32 to {_LARGEST}, such as "
            "64,128"
        )
    if FLAGS.output:
        files.check_file(FLAGS.output)
    from sa3dhp import progress, provenance
    from sa3dhp.experiments import benchmark, pipeline_speed, training_speed
    from sa3dhp.training import precision

    source = _source()
    precision.set_policy(FLAGS.precision)
    found = []
    sizes = [int(size) for size in FLAGS.sizes]
    total = 2 + (3 * len(sizes) + training_speed.COUNT if sizes else 0)
    total += pipeline_speed.COUNT if source else 0
    with progress.Progress("benchmark", 0, total) as bar:
        for work in benchmark.works(sizes, FLAGS.batch):
            found.append(benchmark.compare(work, FLAGS.rounds))
            bar.update(len(found), {})
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            trained = (
                training_speed.works(min(sizes), FLAGS.batch, folder) if sizes else ()
            )
            for work in itertools.chain(trained, _whole(source, folder)):
                found.append(benchmark.compare(work, FLAGS.rounds))
                bar.update(len(found), {})
    about = provenance.describe()
    hardware = about["hardware"]
    print(f"\n{hardware['cpu']}, {hardware['cores']} cores, {FLAGS.precision}")
    print(benchmark.text(found))
    if FLAGS.output:
        rows = [timing.entry() for timing in found]
        told = {**about, "precision": FLAGS.precision, "rounds": FLAGS.rounds}
        files.write_json(FLAGS.output, {**told, "rows": rows})
        print(f"\nwritten: {FLAGS.output}")


def _is_size(text: str) -> bool:
    return text.isdecimal() and 32 <= int(text[:9]) <= _LARGEST


def _source() -> Any:
    """The video that is given, or None; before any work, so that it is told at once."""
    if not FLAGS.video:
        return None
    from sa3dhp.data.videos import video

    found = video.discover(FLAGS.video)
    if len(found) > 1 or found[0].images == (found[0].path,):
        raise errors.InputError(f"--video: got {FLAGS.video}, expected one video")
    try:
        next(video.frames(found[0], bool), None)
    except video.UnreadableError as error:
        raise errors.InputError(f"{FLAGS.video}: {error}; give another") from None
    return found[0]


def _whole(source: Any, folder: pathlib.Path) -> Iterator[Any]:
    """Yields the works of a video, where one is given."""
    if source is None:
        return
    from sa3dhp import api
    from sa3dhp.data.videos import video
    from sa3dhp.experiments import pipeline_speed

    try:
        yield from pipeline_speed.works(api.load(FLAGS.model), source, folder)
    except video.UnreadableError as error:
        raise errors.InputError(f"{FLAGS.video}: {error}; give another") from None


if __name__ == "__main__":
    cli.run(main)
