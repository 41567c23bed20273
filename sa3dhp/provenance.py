"""Which code, on which machine, made a result: without it a number is not reported."""

from __future__ import annotations

import os
import pathlib
import platform
import subprocess
import sys

import numpy as np
import tensorflow as tf

import sa3dhp


def describe() -> dict:
    """Returns command, commit, versions and hardware of this process."""
    gpus = tf.config.list_physical_devices("GPU")
    names = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
    return {
        "command": " ".join(["python", *sys.argv]),
        "commit": commit(),
        "versions": {
            "sa3dhp": sa3dhp.__version__,
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "numpy": np.__version__,
        },
        "hardware": {
            "cpu": _cpu(),
            "cores": len(os.sched_getaffinity(0))
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count(),
            "gpus": [name.get("device_name", "unknown") for name in names],
        },
    }


def commit(folder: str | os.PathLike | None = None) -> str:
    """The commit of the code, `-dirty` appended if it was changed; or `unknown`."""
    folder = pathlib.Path(folder or __file__).resolve()
    folder = folder if folder.is_dir() else folder.parent
    command = ["git", "-C", str(folder), "describe", "--always", "--abbrev=40"]
    try:
        done = subprocess.run(
            [*command, "--exclude=*", "--dirty"], capture_output=True, text=True
        )
    except OSError:  # no git here
        return "unknown"
    return done.stdout.strip() or "unknown"


def _cpu() -> str:
    path = pathlib.Path("/proc/cpuinfo")
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    found = [x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")]
    return found[0] if found else platform.processor() or platform.machine()
