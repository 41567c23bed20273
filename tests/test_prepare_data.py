"""The command: killed in the middle it goes on; what is wrong is said in one line."""

import functools
import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import time

import miniature
import pytest
import tool_runner

from sa3dhp.data import datasets, records
from sa3dhp.data.preparing import job, local, units

SIZES = ("--stored_size=64", "--image_size=48")


def _command(root, *arguments):
    return [sys.executable, str(root / "tools/prepare_data.py"), *arguments]


def _environment(root) -> dict:
    return {**os.environ, "PYTHONPATH": str(root)}


def _run(root, *arguments) -> subprocess.CompletedProcess:
    return tool_runner.run("prepare_data", *arguments, cwd=root)


def _bytes(folder) -> dict:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
    }


def _alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def test_killed_in_the_middle_it_ends_with_the_same_bytes(repo_root, tmp_path) -> None:
    miniature.mpi_inf_3dhp(tmp_path / "raw")
    reference, out = tmp_path / "reference", tmp_path / "out"
    engine = functools.partial(local.run, processes=1)
    settings = units.Settings(64, 48)
    job.run("mpi_inf_3dhp", tmp_path / "raw", reference, settings, engine)
    arguments = (
        "--dataset=mpi_inf_3dhp",
        f"--input={tmp_path / 'raw'}",
        f"--output={out}",
        "--processes=2",
        *SIZES,
    )
    process = subprocess.Popen(
        _command(repo_root, *arguments),
        env=_environment(repo_root),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 300
    while len(list(out.glob("*.tfrecord"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (out / "manifest.json").exists(), "it was done before it was killed"
    while _alive(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _alive(process.pid), "a worker outlived its parent"
    done = {path: path.stat().st_mtime_ns for path in out.glob("*.tfrecord")}
    again = _run(repo_root, *arguments)
    assert again.returncode == 0, again.stderr
    assert _bytes(out) == _bytes(reference)
    kept = [p for p, time_ns in done.items() if p.stat().st_mtime_ns == time_ns]
    assert len(kept) >= len(done) - 2  # a shard counts once its report is written
    assert "10/10" in again.stdout and "data hash" in again.stdout
    assert records.read_manifest(out).splits["train"]["records"] == 480


def test_what_is_wrong_is_said_in_one_line(repo_root, tmp_path) -> None:
    (tmp_path / "raw").mkdir()
    ran = _run(
        repo_root,
        "--dataset=cmu",
        f"--input={tmp_path / 'raw'}",
        f"--output={tmp_path / 'out'}",
    )
    assert ran.returncode == 2 and ran.stdout == ""
    assert ran.stderr.startswith("error: --input=") and ran.stderr.count("\n") == 1
    ran = _run(repo_root, "--dataset=cmu", "--runner=DirectRunner")
    assert ran.returncode == 2 and "Unknown command line flag 'runner'" in ran.stderr
    assert "--output" in _run(repo_root, "--dataset=cmu", "--input=a").stderr


def test_help_shows_the_flags(repo_root) -> None:
    ran = _run(repo_root, "--help")
    assert ran.returncode == 0 and "--stored_size (default: '320')" in ran.stdout
    text = " ".join(ran.stdout.split())
    assert f"One of {', '.join(datasets.DATASETS)}." in text


@pytest.mark.parametrize(
    ("arguments", "beams"),
    [
        (["--engine=local", "--runner=X"], []),
        (["--runner=X", "--engine=beam", "--dataset", "cmu"], ["--runner=X"]),
        (["--engine=beam", "--processes=2", "--help", "--streaming"], ["--streaming"]),
    ],
)
def test_flags_of_beam_are_its_own(repo_root, monkeypatch, arguments, beams) -> None:
    path = repo_root / "tools/prepare_data.py"
    spec = importlib.util.spec_from_file_location("prepare_data", path)
    tool = importlib.util.module_from_spec(spec)
    from absl import flags

    monkeypatch.setattr(flags, "FLAGS", flags.FlagValues())
    _define_into(flags, monkeypatch)
    spec.loader.exec_module(tool)
    own = tool.separate(["tool", *arguments])
    assert tool._BEAM == beams
    assert own == ["tool", *(a for a in arguments if a not in beams)]


def _define_into(flags, monkeypatch) -> None:
    """Makes the tool's flags new ones, apart from those of other tools."""
    for name in ("string", "integer", "enum"):
        define = functools.partial(
            getattr(flags, f"DEFINE_{name}"), flag_values=flags.FLAGS
        )
        monkeypatch.setattr(flags, f"DEFINE_{name}", define)
