"""Motion capture as text, from any program: marks, ends of lines, decimal commas."""

from __future__ import annotations

import codecs
import pathlib
import re

import numpy as np

from sa3dhp import errors, files

_LARGEST = 1e9
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def read(path: str | pathlib.Path) -> str:
    """Returns the text of a file; without a byte order mark every byte is a letter.

    Lines end as in Unix, and what old programs put at the end of a file is left out.

    Raises:
        OSError: if it cannot be read.
        UnicodeDecodeError: if it is not what its mark says.
    """
    data = files.read_bounded(path)
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            text = data.decode(encoding).lstrip("\ufeff")
            break
    else:
        text = data.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\0\x1a")


def numbers(words: list[str], path: str | pathlib.Path) -> np.ndarray:
    """Returns words as numbers `[N]`, float64.

    Raises:
        InputError: if one is none, is not finite, or nobody would write it.
    """
    if any("_" in word for word in words):  # which Python's own numbers may have
        raise errors.InputError(f"{path}: a number with _ in it")
    values = np.array(words, np.float64)
    if not (np.abs(values) < _LARGEST).all():
        raise errors.InputError(
            f"{path}: a number in it is not finite, or beyond {_LARGEST:g}"
        )
    return values


def refuse_commas(text: str, path: str | pathlib.Path) -> None:
    """Raises `InputError` where numbers are written `0,5`, as some languages do."""
    if found := re.search(r"(?<![\w.,])[-+]?\d+,\d+", text):
        raise errors.InputError(
            f"{path}: {found[0]}: a decimal comma, expected a point; export it again "
            "with the program's language set to English, or replace the commas"
        )
