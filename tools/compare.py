"""Prints results side by side, and refuses comparisons that mean nothing.

    python tools/compare.py --results=a.json,b.json,WORKDIR

Results under different protocol cards, or of methods that knew different things of the
target, are compared only on request.
"""

from __future__ import annotations

from absl import flags

from sa3dhp import cli, errors

FLAGS = flags.FLAGS
flags.DEFINE_list("results", [], "Result files or folders; the first is the base.")
flags.DEFINE_bool("allow_different_protocols", False, "Prints different cards too.")
flags.DEFINE_bool(
    "allow_different_information", False, "Prints different target information too."
)


def main() -> None:
    """Reads, checks and prints."""
    from sa3dhp.evaluation import results

    entries = {}
    for path in FLAGS.results:
        entries.update(results.read(path))
    if len(entries) < 2:
        raise errors.InputError(
            f"--results: got {len(entries)} result(s), expected two or more files that "
            "evaluate or adapt wrote"
        )
    print(
        results.compare(
            entries,
            allow_different_protocols=FLAGS.allow_different_protocols,
            allow_different_information=FLAGS.allow_different_information,
        )
    )


if __name__ == "__main__":
    cli.run(main)
