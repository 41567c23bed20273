"""Feeds every reader with damaged files and counts what becomes of them.

    python tests/fuzzing/fuzz.py --mutants=500 --seconds=3600 --output=faults.md

Allowed is the right result or one line of `InputError`, within 10 seconds and 1 GiB.
Mutants are a function of the seed, the reader and their number, so that each can be
made again: `--reader=bvh --first=17 --mutants=1 --keep=FOLDER`.
"""

import collections
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
for _folder in (ROOT, ROOT / "tests/miniatures", ROOT / "tests/fuzzing"):
    sys.path.insert(0, str(_folder))

from absl import app, flags  # noqa: E402

SECONDS, MEMORY = 10, 1 << 30  # of one mutant
ROOM = 8 << 30  # of addresses, so that no mutant takes the machine along
_OUTCOMES = ("right", "InputError")
_BAD = {signal.SIGPROF: "hang", signal.SIGKILL: "memory", signal.SIGSEGV: "died"}


def run(
    mutants: int,
    seed: int = 0,
    *,
    readers: list[str] | None = None,
    first: int = 0,
    seconds: float = 1e9,
    keep: str = "",
) -> tuple[dict[str, collections.Counter], list[str]]:
    """Runs mutants in child processes.

    Args:
        mutants: of each reader.
        seed: of all of them.
        readers: names; None for all.
        first: number of the first mutant.
        seconds: at the end of which no other mutant begins.
        keep: folder in which those that broke a reader are kept.

    Returns:
        Counts by reader and outcome; and a line for each mutant whose outcome is
        neither right nor `InputError`.
    """
    counts: dict[str, collections.Counter] = collections.defaultdict(
        collections.Counter
    )
    wrong, job, end = [], 0, time.monotonic() + seconds
    with tempfile.TemporaryFile("w+") as complaints:
        while time.monotonic() < end:
            words = [seed, first, mutants, job, max(1, end - time.monotonic())]
            command = [sys.executable, __file__, "--child", *map(str, words), keep]
            command += readers or []
            # Libraries for pictures and videos write what they like.
            started = ""
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=complaints, text=True
            ) as child:
                assert child.stdout
                for line in child.stdout:
                    kind, _, rest = line.rstrip("\n").partition("\t")
                    if kind == "start":
                        started = rest
                        job += 1
                    elif kind == "done":
                        name, outcome = started.split("\t")[0], rest.split("\t")[0]
                        counts[name][outcome] += 1
                        if outcome not in _OUTCOMES:
                            wrong.append(f"{started}: {rest}")
                            print(wrong[-1], file=sys.stderr, flush=True)
                        started = ""
            if not started:
                if child.returncode == -signal.SIGTERM:  # it had grown too large
                    continue
                if child.returncode:
                    complaints.seek(0)
                    raise RuntimeError(complaints.read()[-2000:])
                break
            outcome = _BAD.get(-child.returncode, "died")
            counts[started.split("\t")[0]][outcome] += 1
            wrong.append(f"{started}: {outcome} ({child.returncode})")
    return counts, wrong


def table(counts: dict[str, collections.Counter]) -> str:
    """Returns counts as a Markdown table."""
    lines = ["| reader | mutants | right | InputError | anything else |"]
    lines.append("|---|---|---|---|---|")
    total: collections.Counter = sum(counts.values(), collections.Counter())
    for name, found in [*counts.items(), ("all", total)]:
        rest = sum(found.values()) - sum(found[key] for key in _OUTCOMES)
        cells = [sum(found.values()), *(found[key] for key in _OUTCOMES), rest]
        lines.append(f"| {name} | " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def _child(words: list[str]) -> None:
    """Works through the jobs from number `skip` on, a line before and after each."""
    import sa3dhp  # noqa: F401  before OpenCV, to which it says how much is too much

    import fuzz_targets  # isort: skip

    seed, first, mutants, skip = map(int, words[:4])
    end, keep, chosen = time.monotonic() + float(words[4]), words[5], words[6:]
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        targets = fuzz_targets.all_targets(pathlib.Path(folder) / "made")
        if unknown := set(chosen) - {target.name for target in targets}:
            sys.exit(f"--reader: {unknown}, expected {[t.name for t in targets]}")
        jobs = [
            (target, first + number)
            for number in range(mutants)
            for target in targets
            if not chosen or target.name in chosen
        ]
        for target in targets:  # genuine files read; and whatever comes late is loaded
            target.read(_written(target, target_bytes(target), folder))
        resource.setrlimit(resource.RLIMIT_AS, (_addresses() + ROOM,) * 2)
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
        for target, number in jobs[skip:]:
            if time.monotonic() > end:
                break
            _one(target, number, seed, folder, keep)
    os._exit(0)  # a reader's threads do not hold us up


def target_bytes(target) -> bytes:
    """Returns the genuine file."""
    return target.dump(target.content) if target.dump else target.content


def mutant(target, number: int, seed: int) -> bytes:
    """Returns a damaged file."""
    import fuzz_mutants
    import numpy as np

    name = zlib.crc32(target.name.encode())
    rng = np.random.default_rng([seed, name, number])
    if target.dump and number % 2:
        for _ in range(20):  # what cannot even be written is no mutant
            try:
                return target.dump(fuzz_mutants.of_content(rng, target.content))
            except Exception:
                continue
    data = target_bytes(target)
    text = b"\0" not in data[:4096] and number % 4 < 3
    return (fuzz_mutants.of_text if text else fuzz_mutants.of_bytes)(rng, data)


def _one(target, number: int, seed: int, folder: str, keep: str) -> None:
    path = _written(target, mutant(target, number, seed), folder)
    print(f"start\t{target.name}\t{number}", flush=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    outcome = outcome_of(target.read, path)
    signal.setitimer(signal.ITIMER_PROF, 0)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if (after - before) * 1024 > MEMORY:
        outcome = "memory"
    if keep and outcome.partition("\t")[0] not in _OUTCOMES:
        name = f"{target.name}.{number}{path.suffix}".replace("/", "_")
        pathlib.Path(keep, name).write_bytes(path.read_bytes())
    print(f"done\t{outcome}", flush=True)
    if outcome == "memory":
        os.kill(os.getpid(), signal.SIGTERM)


def outcome_of(read, path: pathlib.Path) -> str:
    """Returns what became of a file: `right`, `InputError`, or another exception."""
    from sa3dhp import errors

    try:
        read(path)
    except errors.InputError:
        return "InputError"
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{pathlib.Path(frame.filename).name}:{frame.lineno}"
        return f"{type(error).__name__}\t{where} {str(error)[:120]!r}"
    return "right"


def _written(target, data: bytes, folder: str) -> pathlib.Path:
    home = pathlib.Path(folder) / "S1" / "Seq1"
    home.mkdir(parents=True, exist_ok=True)
    for name, content in {**target.others, target.file: data}.items():
        (home / name).write_bytes(content)
    return home / target.file


def _addresses() -> int:
    pages = pathlib.Path("/proc/self/statm").read_text().split()[0]
    return int(pages) * resource.getpagesize()


def main(_) -> None:
    """Runs, prints the table and what broke."""
    args = flags.FLAGS
    readers = list(args.reader)
    if args.keep:
        os.makedirs(args.keep, exist_ok=True)
    counts, wrong = run(
        args.mutants,
        args.seed,
        readers=readers,
        first=args.first,
        seconds=args.seconds,
        keep=args.keep,
    )
    text = table(counts)
    print(text, *wrong, sep="\n")
    if args.output:
        head = f"Mutants of seed {args.seed}, made by `tests/fuzzing/fuzz.py`.\n\n"
        pathlib.Path(args.output).write_text(head + text)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        _child(sys.argv[2:])
    flags.DEFINE_integer("seed", 0, "Of all mutants.")
    flags.DEFINE_integer("mutants", 500, "Of each reader.")
    flags.DEFINE_integer("first", 0, "Number of the first mutant.")
    flags.DEFINE_list("reader", [], "Names of readers; all if empty.")
    flags.DEFINE_float("seconds", 3600.0, "After which no mutant begins.")
    flags.DEFINE_string("keep", "", "Folder for the mutants that broke a reader.")
    flags.DEFINE_string("output", "", "Markdown file for the table.")
    app.run(main)
