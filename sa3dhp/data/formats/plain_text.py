"""Motion capture as text, from any program: byte order marks, decimal commas."""

from __future__ import annotations

import codecs
import pathlib
import re

from sa3dhp import errors

_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read(path: str | pathlib.Path) -> str:
    """Returns the text of a file; without a byte order mark every byte is a letter.

    Raises:
        OSError: if it cannot be read.
        UnicodeDecodeError: if it is not what its mark says.
    """
    data = pathlib.Path(path).read_bytes()
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            return data.decode(encoding).lstrip("\ufeff")
    return data.decode("latin-1")


def refuse_commas(text: str, path: str | pathlib.Path) -> None:
    """Raises `InputError` where numbers are written `0,5`, as some languages do."""
    if found := re.search(r"(?<![\w.,])[-+]?\d+,\d+", text):
        raise errors.InputError(
            f"{path}: {found[0]}: a decimal comma, expected a point; export it again "
            "with the program's language set to English, or replace the commas"
        )
