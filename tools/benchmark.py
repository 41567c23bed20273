"""How fast this machine is with it, each part beside others that do the same work.

    python tools/benchmark.py --sizes=64,128 --output=benchmark.json

Close what else runs. Keras and TFLite come with TensorFlow; PyTorch is timed too where
it is installed. Ratios are of runs in turn: above 1, ours is the faster.
"""

from __future__ import annotations

from absl import flags

from sa3dhp import cli, errors, files

FLAGS = flags.FLAGS
flags.DEFINE_list("sizes", ["64", "128"], "Of the pictures, pixels.")
flags.DEFINE_integer("batch", 32, "Pictures at once.", lower_bound=1)
flags.DEFINE_integer("rounds", 15, "Timed calls of each.", lower_bound=1)
flags.DEFINE_enum(
    "precision",
    "float32",
    ["float32", "mixed_bfloat16", "mixed_float16"],
    "Numerical precision of the networks.",
)
flags.DEFINE_string("output", None, "Writes the numbers as JSON too.")


def main() -> None:
    """Times row by row, and prints what came of it."""
    if bad := [size for size in FLAGS.sizes if not size.isdigit() or int(size) < 32]:
        raise errors.InputError(
            f"--sizes: got {bad[0]}, expected numbers from 32 on, such as 64,128"
        )
    from sa3dhp import progress, provenance
    from sa3dhp.experiments import benchmark
    from sa3dhp.training import precision

    precision.set_policy(FLAGS.precision)
    found = []
    sizes = [int(size) for size in FLAGS.sizes]
    total = 3 * len(sizes) + 2
    with progress.Progress("benchmark", 0, total) as bar:
        for work in benchmark.works(sizes, FLAGS.batch):
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


if __name__ == "__main__":
    cli.run(main)
