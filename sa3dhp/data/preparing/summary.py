"""What a prepared folder holds, in a few lines."""

from __future__ import annotations

import os

from sa3dhp.data import records

_NOTES = 12  # lines of notes; the manifest has them all


def text(manifest: records.Manifest, folder: str | os.PathLike) -> str:
    """Returns a table of the splits and the notes."""
    noun = "motions" if manifest.kind == "motions" else "pictures"
    rows = [("split", noun, "clips", "sequences", "subjects", "shards", "skeleton")]
    for name, split in manifest.splits.items():
        numbers = (split["records"], split["clips"], split["sequences"])
        counted = (*numbers, len(split["subjects"]), len(split["shards"]))
        rows.append((name, *map(str, counted), split["skeleton"]))
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
        for row in rows
    ]
    lines += [f"note: {note}" for note in manifest.notes[:_NOTES]]
    if len(manifest.notes) > _NOTES:
        more = len(manifest.notes) - _NOTES
        lines.append(f"note: and {more} more in {records.MANIFEST}")
    lines += [
        f"licence: {manifest.licence}",
        f"{folder}: {manifest.dataset}, data hash {manifest.data_hash[:16]}",
    ]
    return "\n".join(lines)
