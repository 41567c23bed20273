"""What every tool shares: silence before TensorFlow is imported, and short errors.

A tool imports this module before anything that may import TensorFlow, and imports the
latter inside `main` only, so that `--help` and a mistyped flag answer at once:

    from sa3dhp import cli
    ...
    if __name__ == "__main__":
        cli.run(main)

A tool is started as `python tools/adapt.py` or, where sa3dhp is installed, as
`sa3dhp-adapt`; what is printed speaks of the tools as they were started.
"""

from __future__ import annotations

import errno
import importlib.util
import logging
import os
import pathlib
import re
import sys
import warnings
from collections.abc import Callable
from typing import NoReturn

from absl import flags

from sa3dhp import errors, files

_QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",  # C++: CUDA, cuDNN, oneDNN, TensorRT, XLA
    "AUTOGRAPH_VERBOSITY": "0",
    "GRPC_VERBOSITY": "ERROR",
    "OPENCV_LOG_LEVEL": "SILENT",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",  # unreadable videos are ours to report
    "MPLBACKEND": "Agg",
}
# TensorFlow turns oneDNN on by itself only where the CPU has AVX-512: with AVX2 alone a
# training step of G^s takes 4.6 s of a core with it and 6.4 without.
_FAST = {"TF_ENABLE_ONEDNN_OPTS": "1"}
_LOGGERS = ("tensorflow", "absl", "matplotlib", "h5py", "PIL")
# What the machine refuses is not our fault: no stack trace.
_MACHINE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR,
    errno.EISDIR, errno.EEXIST, errno.EAGAIN, errno.ENOLCK, errno.EIO, errno.ESTALE,
    errno.ETIMEDOUT, errno.EBUSY, errno.EMFILE, errno.ENFILE, errno.ENAMETOOLONG,
}  # fmt: skip
_FULL = "; free some space, then run the same command again: it goes on"
_CLOSED = "; give a folder that you may write to"
_REMEDIES = {
    errno.ENOSPC: _FULL, errno.EDQUOT: _FULL, errno.EROFS: _CLOSED,
    errno.EACCES: "; give a file or folder that you may read and write",
    errno.EPERM: _CLOSED, errno.ENOTDIR: "; give a folder",
    errno.ENAMETOOLONG: "; give a shorter name",
}  # fmt: skip
_LARGEST = 1 << 53  # a number in a flag; beyond, floats leave out whole numbers
_HELP = {"-h", "-help", "--help", "--helpshort", "--helpfull"}
_INSTALLED = "sa3dhp-"  # how the names of the console commands begin


def _be_quiet() -> None:
    for name, value in {**_QUIET, **_FAST}.items():
        os.environ.setdefault(name, value)
    # A notebook hands its own backend on, which a tool can neither use nor import.
    os.environ["MPLBACKEND"] = _QUIET["MPLBACKEND"]
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


_be_quiet()


def run(
    main: Callable[..., None],
    argv: list[str] | None = None,
    *,
    operands: bool = False,
) -> None:
    """Parses the flags, calls `main` and exits: the end of every tool.

    Bad input ends in one line on stderr, `error: ...`, with status 2; an interrupt in
    one line with status 130; `--help` prints the tool's flags with status 0. Any
    other exception is our fault and keeps its stack trace.

    Args:
        main: reads `flags.FLAGS`.
        argv: the command line, `sys.argv` if None.
        operands: what is not a flag is handed to `main`, rather than refused.
    """
    argv = sys.argv if argv is None else argv
    try:
        if _HELP & set(argv[1:]):
            print(_usage(main))
            sys.exit(0)
        rest = flags.FLAGS(argv)[1:]
        _check_values()
        if rest and not operands:
            raise errors.InputError(
                f"{rest[0]!r}: not a flag, expected --name=value (--help lists them)"
            )
        main(*rest)
    except flags.Error as error:
        _fail(f"{error} (--help lists the flags)", 2)
    except errors.InputError as error:
        _fail(str(error), 2)
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except OSError as error:
        if error.errno not in _MACHINE:
            raise
        remedy = _REMEDIES.get(error.errno, "")
        _fail(f"{error.filename or 'output'}: {error.strerror}{remedy}", 2)


def _check_values() -> None:
    """Raises InputError for a number in a flag that nobody means, and for no text.

    `--videos=$CLIPS` is empty where CLIPS is not set.
    """
    for flag in flags.FLAGS.flags_by_module_dict().get(sys.argv[0], []):
        if flag.present and flag.value == "" != flag.default:
            raise errors.InputError(f"--{flag.name}: expected a value, got none")
        values = flag.value if isinstance(flag.value, list) else [flag.value]
        for value in values:
            if isinstance(value, (int, float)) and not abs(value) <= _LARGEST:
                raise errors.InputError(
                    f"--{flag.name}: got {value!s:.24}, expected a number up to "
                    f"{_LARGEST:.1g}"
                )


def start() -> None:
    """Runs the tool that the console command is named after; see `setup.py`.

    `sa3dhp-prepare-data` is `tools/prepare_data.py`, run as the main module, so that
    flags, `--help` and child processes are those of `python tools/prepare_data.py`.
    """
    name = pathlib.Path(sys.argv[0]).stem.removeprefix(_INSTALLED).replace("-", "_")
    try:
        path = files.shipped(f"tools/{name}.py")
    except errors.InputError as error:
        _fail(str(error), 2)
    spec = importlib.util.spec_from_file_location("__main__", path)
    assert spec and spec.loader  # a .py file has both
    sys.modules["__main__"] = module = importlib.util.module_from_spec(spec)
    module.__spec__ = None  # as of a script: child processes find it by its path
    spec.loader.exec_module(module)


def as_started(text: str) -> str:
    """Names tools as the user starts them.

    Args:
        text: that may speak of `python tools/prepare_data.py`.

    Returns:
        The same, or with `sa3dhp-prepare-data` where such a command was given.
    """
    if not pathlib.Path(sys.argv[0]).name.startswith(_INSTALLED):
        return text

    def command(found: re.Match[str]) -> str:
        return _INSTALLED + found[1].replace("_", "-")

    return re.sub(r"(?:python\s+)?\btools/(\w+)\.py\b", command, text)


def _fail(message: str, status: int) -> NoReturn:
    files.release()
    sys.stdout.flush()
    message = as_started(" ".join(message.split()))
    print(f"error: {message}", file=sys.stderr)
    sys.exit(status)


def _usage(main: Callable[..., None]) -> str:
    """The tool's own text and flags, not those of the libraries it uses."""
    doc = sys.modules[main.__module__].__doc__ or ""
    own = flags.FLAGS.flags_by_module_dict().get(sys.argv[0], [])
    lines = [doc.strip(), "", "flags:"]
    for flag in sorted(own, key=lambda flag: flag.name):
        default = f" (default: {flag.default_as_str})" if flag.default else ""
        lines += [f"  --{flag.name}{default}", f"      {' '.join(flag.help.split())}"]
    return as_started("\n".join(lines))
