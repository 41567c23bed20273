"""Runs a command for hours and watches what memory it holds.

    python tests/fuzzing/soak.py --seconds=7200 --settled=900 --output=soak.md -- \\
        python tools/adapt.py --set adaptation.steps=100000 --workdir=/tmp/soak

Memory is that of the command and of all processes it starts, read once a second. From
the time that it has settled to the end it should stay within 2 %. At the end the
command gets `SIGTERM`.
"""

import contextlib
import pathlib
import resource
import signal
import subprocess
import sys
import time

import numpy as np
from absl import app, flags

LIMIT = 0.02
_EVERY = 1.0  # seconds


def resident(process: int) -> int:
    """Returns the bytes that a process and its children hold in memory."""
    total, waiting = 0, [process]
    while waiting:
        number = waiting.pop()
        home = pathlib.Path("/proc", str(number))
        # It may end while it is looked at.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            pages = int((home / "statm").read_text().split()[1])
            total += pages * resource.getpagesize()
            for thread in (home / "task").iterdir():
                waiting += map(int, (thread / "children").read_text().split())
    return total


def watch(command: list[str], seconds: float, every: float = _EVERY) -> np.ndarray:
    """Runs a command for so long; returns seconds and bytes `[N, 2]`.

    Raises:
        RuntimeError: if it ends before.
    """
    rows, start = [], time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while (now := time.monotonic() - start) < seconds and process.poll() is None:
            rows.append((now, resident(process.pid)))
            time.sleep(every)
        ended = process.poll()
        process.send_signal(signal.SIGTERM)
    if ended is not None:
        raise RuntimeError(f"{command[0]} ended with status {ended} after {now:.0f} s")
    return np.array(rows)


def drift(rows: np.ndarray, settled: float) -> float:
    """Returns by which share memory grows, from when it has settled to the end.

    Medians of the first and the last tenth of that time: what comes and goes between
    does not count.
    """
    held = rows[rows[:, 0] >= settled, 1]
    tenth = max(1, len(held) // 10)
    return float(np.median(held[-tenth:]) / np.median(held[:tenth]) - 1)


def table(command: list[str], rows: np.ndarray, settled: float) -> str:
    """Returns what was seen, as Markdown."""
    places = np.linspace(0, len(rows) - 1, 9).round().astype(int)
    times = " | ".join(f"{rows[n, 0] / 60:.0f}" for n in places)
    held = " | ".join(f"{rows[n, 1] / 2**20:.0f}" for n in places)
    return (
        f"`{' '.join(command)}`\n\n| minutes | {times} |\n|{'---|' * 10}\n"
        f"| MiB | {held} |\n\nFrom minute {settled / 60:.0f} to the end "
        f"{100 * drift(rows, settled):+.2f} %.\n"
    )


def main(arguments) -> None:
    """Watches, prints the table, and fails if memory grew."""
    args, command = flags.FLAGS, arguments[1:]
    rows = watch(command, args.seconds)
    text = table(command, rows, args.settled)
    print(text)
    if args.output:
        pathlib.Path(args.output).write_text(text)
    sys.exit(drift(rows, args.settled) > LIMIT)


if __name__ == "__main__":
    flags.DEFINE_float("seconds", 7200.0, "How long to watch.")
    flags.DEFINE_float("settled", 900.0, "When it has done everything once.")
    flags.DEFINE_string("output", "", "Markdown file for the table.")
    app.run(main)
