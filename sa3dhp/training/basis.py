"""What the state of a training was begun on: told where it is something else now.

A state that goes on with other networks, pictures or clips would end as weights that
are said to come of what they never saw.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping

from sa3dhp import documents, errors, files

_FILE = "begun_on.json"  # beside the state


def check(state: pathlib.Path, hashes: Mapping[str, str], words: str) -> None:
    """Keeps hashes with a state that begins, and compares those of one that goes on.

    Args:
        state: folder of the state.
        hashes: by the names of what it is begun on; nothing is kept of none.
        words: what to do about a difference: "delete it to train again, or ...".

    Raises:
        InputError: if they are others than those that the state began on.
    """
    if not hashes:
        return
    path = state / _FILE
    if not path.is_file():
        files.write_json(path, dict(hashes))
        return
    try:
        before = documents.parse_json(path.read_bytes(), str(path))
        changed = [name for name in hashes if before[name] != hashes[name]]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise errors.InputError(f"{path}: damaged; {words}") from None
    if changed:
        raise errors.InputError(f"{state}: began on another {changed[0]}; {words}")
