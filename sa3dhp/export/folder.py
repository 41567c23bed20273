"""Folders that are written whole or not at all."""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator

from sa3dhp import errors


def check(path: str | os.PathLike, marker: str) -> None:
    """Makes sure that an output folder may be written, or replaced.

    Args:
        path: of the folder.
        marker: the file that tells an earlier output of this kind from a folder that
            holds something else.

    Raises:
        InputError: if there is a file, or a folder that holds something else.
    """
    path = pathlib.Path(path)
    if path.exists() and not path.is_dir():
        raise errors.InputError(f"output: {path} is a file, expected a folder's name")
    if path.is_dir() and any(path.iterdir()) and not (path / marker).is_file():
        raise errors.InputError(
            f"output: {path} holds other things (it has no {marker}); name a new folder"
        )


@contextlib.contextmanager
def replaced(path: str | os.PathLike, marker: str) -> Iterator[pathlib.Path]:
    """Yields a temporary sibling folder that takes the name `path` on success.

    What was there before stays until then; on an exception it stays for good.

    Args:
        path: of the folder to write.
        marker: see `check`.

    Raises:
        InputError: as `check`.
    """
    check(path, marker)
    path = pathlib.Path(os.path.abspath(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
    new, old = scratch / "new", scratch / "old"
    try:
        new.mkdir()  # under the user's umask, unlike `scratch`
        yield new
        if path.exists():
            os.replace(path, old)
        try:
            os.replace(new, path)
        except OSError:
            if old.exists():
                os.replace(old, path)
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
