"""Kills runs at random moments and at every kind of write, and runs them again.

    python tests/fuzzing/kills.py --moments=20 --output=kills.md

Every stage of the main system and the adaptation, with a small ResNet and a few dozen
updates. What a run leaves that was killed by SIGKILL and started again has to be that
of an undisturbed one, to the bit: networks, domain pack, errors.
"""

import collections
import json
import pathlib
import shutil
import sys
import tempfile
import time

import numpy as np
from absl import app, flags

ROOT = pathlib.Path(__file__).resolve().parents[2]
for _folder in (ROOT, ROOT / "tests/miniatures"):
    sys.path.insert(0, str(_folder))

import tool_runner  # noqa: E402

STAGES = ("pose_autoencoder", "motion_autoencoder", "source", "relations")
ADAPTATION = "adaptation"
SAME = "the same bits"
# Enough updates that a moment is likely to be one of them.
_SET = (
    "pose_autoencoder.steps=40",
    "motion_autoencoder.steps=30",
    "source.steps=40",
    "relations.steps=60",
    "adaptation.steps=24",
    "adaptation.evaluate_every=8",
    "adaptation.select=last",
    "data.evaluation_clips=2",
)


def command(stage: str) -> tuple[str, ...]:
    """Returns the tool that runs a stage in the folder `run`, and its flags."""
    flags_ = [f"--config={ROOT / 'configs' / 'smoke.yaml'}", "--workdir=run"]
    flags_ += [f"--set={value}" for value in _SET]
    if stage == ADAPTATION:
        return ("adapt", *flags_, "--checkpoints=run/checkpoints")
    return ("pretrain", *flags_, f"--stage={stage}")


def run(stage: str, folder: pathlib.Path, kill: dict | None = None):
    """Runs a stage there; see `tool_runner.run`."""
    return tool_runner.run(*command(stage), cwd=folder, small=True, kill=kill)


def left(stage: str, folder: pathlib.Path) -> dict:
    """Returns what a finished run has made, without times."""
    from sa3dhp.export import domain_pack
    from sa3dhp.training import checkpoint

    workdir = folder / "run"
    if stage == ADAPTATION:
        result = json.loads((workdir / "result.json").read_text())
        pack = domain_pack.read(workdir / "domain_pack")
        return {**result["adapted"], "pack": pack["pack_hash"]}
    return {
        path.name: checkpoint.read_meta(path)["weights_hash"]
        for path in sorted((workdir / "checkpoints").glob("*.npz"))
    }


class Case:
    """A stage, what was there before it, and what an undisturbed run makes of that."""

    def __init__(self, stage: str, before: pathlib.Path, scratch: pathlib.Path):
        """Runs it undisturbed, and lists the files that it wrote."""
        self.stage, self._before, self._scratch = stage, before, scratch
        self.folder = scratch / stage
        shutil.copytree(before, self.folder)
        record, start = scratch / f"{stage}.txt", time.time()
        done = run(stage, self.folder, {"record": str(record)})
        if done.returncode:
            raise RuntimeError(done.stderr)
        self.seconds, self.expected = time.time() - start, left(stage, self.folder)
        self.renames = [pathlib.Path(x).name for x in record.read_text().splitlines()]
        made = (self.folder / "run" / "state").rglob("*.index")
        times = [path.stat().st_mtime - start for path in made]
        self.first_save = min([x for x in times if x > 0], default=0.0)

    def outcome(self, kill: dict) -> str:
        """Returns what becomes of a run that dies so and is started again."""
        with tempfile.TemporaryDirectory(dir=self._scratch) as name:
            folder = pathlib.Path(name) / "again"
            shutil.copytree(self._before, folder)
            killed = run(self.stage, folder, kill).returncode == -9
            again = run(self.stage, folder)
            if again.returncode:
                return f"does not go on: {again.stderr.strip()[-200:]}"
            hidden = [x.name for x in (folder / "run").rglob(".*") if x.is_file()]
            if left(self.stage, folder) != self.expected:
                return "other bits"
            if hidden:
                return f"the same bits, but left behind: {', '.join(hidden)}"
            return SAME if killed else f"{SAME}, ended before"

    def moments(self, count: int, rng: np.random.Generator) -> list[dict]:
        """Returns random moments: a quarter of them anywhere, others while it saves."""
        anywhere = rng.uniform(0.1, self.seconds, count // 4)
        later = rng.uniform(self.first_save, self.seconds, count - count // 4)
        return [{"after": float(x)} for x in (*anywhere, *later)]

    def writes(self) -> list[tuple[str, dict]]:
        """Returns each kind of file, with its first and its last write."""
        places = collections.defaultdict(list)
        for number, name in enumerate(self.renames, start=1):
            places[name].append(number)
        return [
            (name, {"rename": number, "late": late})
            for name, numbers in places.items()
            for number, late in ((numbers[0], False), (numbers[-1], True))
        ]


def faults(
    stages: list[str], moments: int, seed: int, writes: bool, scratch: pathlib.Path
) -> list[tuple[str, str, collections.Counter]]:
    """Returns stage, fault, and what came of it, as counts."""
    before, rows = scratch / "before", []
    (before / "run").mkdir(parents=True)
    for stage in (*STAGES, ADAPTATION):
        if stage not in stages:
            done = run(stage, before)
            if done.returncode:
                raise RuntimeError(done.stderr)
            continue
        case = Case(stage, before, scratch)
        rng = np.random.default_rng([seed, len(rows)])
        kinds = [("at a random moment", x) for x in case.moments(moments, rng)]
        if writes:
            kinds += [
                (f"{'after' if kill['late'] else 'before'} {name} has its name", kill)
                for name, kill in case.writes()
            ]
        found: dict[str, collections.Counter] = {}
        for fault, kill in kinds:
            outcome = case.outcome(kill)
            found.setdefault(fault, collections.Counter())[outcome] += 1
            print(f"{stage}\t{fault}\t{kill}\t{outcome}", flush=True)
        rows += [(stage, fault, counts) for fault, counts in found.items()]
        before = case.folder
    return rows


def table(rows: list[tuple[str, str, collections.Counter]]) -> str:
    """Returns the rows as a Markdown table."""
    lines = ["| stage | killed | runs | outcome |", "|---|---|---|---|"]
    for stage, fault, counts in rows:
        outcomes = ", ".join(f"{n} {what}" for what, n in counts.items())
        lines.append(f"| {stage} | {fault} | {sum(counts.values())} | {outcomes} |")
    return "\n".join(lines) + "\n"


def main(_) -> None:
    """Runs, prints the table, and fails if any run did not end as it should."""
    args = flags.FLAGS
    with tempfile.TemporaryDirectory() as name:
        rows = faults(
            args.stage, args.moments, args.seed, args.writes, pathlib.Path(name)
        )
    text = table(rows)
    print(text)
    if args.output:
        head = f"SIGKILL, seed {args.seed}, by `tests/fuzzing/kills.py`.\n\n"
        pathlib.Path(args.output).write_text(head + text)
    outcomes = {what for *_, counts in rows for what in counts}
    sys.exit(any(what.split(",")[0] != SAME for what in outcomes))


if __name__ == "__main__":
    flags.DEFINE_integer("seed", 0, "Of the moments.")
    flags.DEFINE_integer("moments", 20, "Random ones, of each stage.")
    flags.DEFINE_bool("writes", True, "Whether to kill at each kind of write too.")
    flags.DEFINE_list("stage", [*STAGES, ADAPTATION], "Those to kill.")
    flags.DEFINE_string("output", "", "Markdown file for the table.")
    app.run(main)
