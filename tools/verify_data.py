"""Checks prepared data: units, axes, sides, joint order, frame rate, splits.

    python tools/verify_data.py DIR [DIR ...] [--sheet=PICTURE.png]

For every folder that prepare_data wrote it prints a table of pass, warn and fail with
a remedy for each, and writes a contact sheet to look at (DIR/contact_sheet.png). The
exit status is 1 if something failed. It looks at the numbers only, never at what the
data is called.
"""

from __future__ import annotations

import pathlib
import sys

from absl import flags

from sa3dhp import cli, errors

FLAGS = flags.FLAGS
flags.DEFINE_string("sheet", None, "Contact sheet; one folder only.")


def main(*folders: str) -> None:
    """Verifies each folder."""
    from sa3dhp.data import verification
    from sa3dhp.visualisation import grids

    if not folders:
        raise errors.InputError(
            "nothing to verify: give the --output of tools/prepare_data.py, e.g. "
            "python tools/verify_data.py data/cmu"
        )
    if FLAGS.sheet and len(folders) > 1:
        raise errors.InputError(
            f"--sheet: one picture for {len(folders)} folders; give one folder, or "
            "none: each gets its contact_sheet.png"
        )
    failed = False
    for folder in folders:
        report, sheet = verification.verify(folder)
        path = pathlib.Path(FLAGS.sheet or pathlib.Path(folder) / "contact_sheet.png")
        grids.save(path, sheet)
        print(f"{report.text()}\nlook at {path}\n")
        failed |= report.failed
    sys.exit(int(failed))


if __name__ == "__main__":
    cli.run(main, operands=True)
