"""The one error a user can cause."""

from __future__ import annotations

import contextlib
import errno
import os
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
    try:
        yield
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: no such file, expected {what}{ending}") from None
    except Exception as error:  # these files can make anything at all happen
        if isinstance(error, OSError) and error.errno in MACHINE_FAULTS:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = f"no {reason}" if isinstance(error, KeyError) else reason
        raise InputError(f"{path}: not {what}: {reason[:_REASON]}{ending}") from error
