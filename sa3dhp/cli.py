"""What every tool shares: silence before TensorFlow is imported, and short errors.

A tool imports this module before anything that may import TensorFlow, and imports the
latter inside `main` only, so that `--help` and a mistyped flag answer at once:

    from sa3dhp import cli
    ...
    if __name__ == "__main__":
        cli.run(main)
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import warnings
from collections.abc import Callable

from absl import flags

from sa3dhp import errors

_QUIET = {
    "TF_CPP_MIN_LOG_LEVEL": "3",  # C++: CUDA, cuDNN, oneDNN, TensorRT, XLA
    "AUTOGRAPH_VERBOSITY": "0",
    "GRPC_VERBOSITY": "ERROR",
    "OPENCV_LOG_LEVEL": "SILENT",
    "OPENCV_FFMPEG_LOGLEVEL": "-8",  # unreadable videos are ours to report
    "MPLBACKEND": "Agg",
}
_LOGGERS = ("tensorflow", "absl", "matplotlib", "h5py", "PIL")
# What the machine refuses is not our fault: no stack trace.
_MACHINE = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR,
    errno.EISDIR, errno.EEXIST,
}  # fmt: skip
_HELP = {"-h", "-help", "--help", "--helpshort", "--helpfull"}


def _be_quiet() -> None:
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
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
        _fail(f"{error.filename or 'output'}: {error.strerror}", 2)


def _fail(message: str, status: int) -> None:
    sys.stdout.flush()
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(status)


def _usage(main: Callable[[], None]) -> str:
    """The tool's own text and flags, not those of the libraries it uses."""
    doc = sys.modules[main.__module__].__doc__ or ""
    own = flags.FLAGS.flags_by_module_dict().get(sys.argv[0], [])
    lines = [doc.strip(), "", "flags:"]
    for flag in sorted(own, key=lambda flag: flag.name):
        default = f" (default: {flag.default_as_str})" if flag.default else ""
        lines += [f"  --{flag.name}{default}", f"      {' '.join(flag.help.split())}"]
    return "\n".join(lines)
