"""The one error a user can cause."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from collections.abc import Iterator

# What may be otherwise at the next try, whatever the file holds.
MACHINE_FAULTS = {
    errno.EAGAIN, errno.EACCES, errno.EPERM, errno.ENOLCK, errno.EIO, errno.ESTALE,
    errno.ETIMEDOUT, errno.EBUSY, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
}  # fmt: skip
_REASON = 300  # characters of another library's words


class InputError(ValueError):
    """Bad input: says what it is, what was got, what is expected and the remedy.

    The tools print its message on one line and exit with status 2; anything else that
    is raised is our own fault and keeps its stack trace.
    """


def is_special(path: str | os.PathLike[str]) -> bool:
    """Whether a path is a pipe or a device: reading it may wait or go on for ever."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):  # a zero byte is in no name
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_machine_fault(error: BaseException) -> bool:
    """Whether the machine refused, whatever the file holds: by number or by words.

    HDF5 puts the number of what failed within a file into its text.
    """
    if not isinstance(error, OSError):
        return False
    told = re.search(r"\berrno = (\d+)", str(error))
    number = int(told[1]) if error.errno is None and told else error.errno
    return number in MACHINE_FAULTS


@contextlib.contextmanager
def reading(
    path: str | os.PathLike[str], what: str, remedy: str = ""
) -> Iterator[None]:
    """Turns whatever a damaged file makes libraries raise into an `InputError`.

    What the machine refuses (a lock, a disk that is gone) is no word on the file: it
    stays an `OSError`, so that a run stops and can go on later.

    Args:
        path: of the file, or another name for it.
        what: it should be, with its article: `an ASF file`.
        remedy: what to do about it.

    Raises:
        InputError: for anything else; its own are let through.
    """
    ending = f"; {remedy}" if remedy else ""
    if is_special(path):
        raise InputError(f"{path}: a device or a pipe, expected {what}{ending}")
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file, expected {what}{ending}") from None
    except Exception as error:  # these files can make anything at all happen
        if is_machine_fault(error):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = f"no {reason}" if isinstance(error, KeyError) else reason
        raise InputError(f"{path}: not {what}: {reason[:_REASON]}{ending}") from error
