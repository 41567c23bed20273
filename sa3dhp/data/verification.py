"""Is prepared data what it says it is? Every check, from the numbers alone.

Nobody should have to guess a unit, an axis or a joint order: what is wrong is told by
name, with a remedy, and what has been found is undone before the next check looks, so
that one mistake is one row of the table. The checks are in `checks/`.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from sa3dhp.data import records, shards
from sa3dhp.data.checks import anatomy, axes, clips, pictures, rate, sheet, splits
from sa3dhp.data.checks.clips import FAIL, NONE, PASS, WARN, Clip, Finding

_BATCH = 4096  # records read at a time
_SHOWN = {PASS: "pass", WARN: "warn", FAIL: "FAIL", NONE: "-"}


@dataclasses.dataclass(frozen=True)
class Report:
    """What is to be said of a prepared data set.

    Attributes:
        title: a line on what it is.
        sections: heading -> findings; the set as a whole, then its splits.
    """

    title: str
    sections: Mapping[str, Sequence[Finding]]

    @property
    def findings(self) -> list[Finding]:
        """All of them."""
        return [finding for part in self.sections.values() for finding in part]

    @property
    def failed(self) -> bool:
        """Something is wrong."""
        return any(finding.status == FAIL for finding in self.findings)

    @property
    def faults(self) -> set[str]:
        """Names of what is wrong."""
        return {f.fault for f in self.findings if f.status == FAIL}

    def text(self) -> str:
        """Returns the table; a remedy under each row that needs one."""
        width = max(len(finding.check) for finding in self.findings)
        lines = [self.title]
        for heading, found in self.sections.items():
            lines += ["", heading]
            for finding in found:
                status = _SHOWN[finding.status]
                fault = f"{finding.fault.upper()}: " if status == "FAIL" else ""
                lines.append(
                    f"  {finding.check:{width}}  {status:4}  {fault}{finding.found}"
                )
                if finding.status in (WARN, FAIL) and finding.remedy:
                    lines.append(f"  {'':{width}}        remedy: {finding.remedy}")
        count = [f.status for f in self.findings].count
        lines += ["", f"{count(PASS)} pass, {count(WARN)} warn, {count(FAIL)} fail"]
        return "\n".join(lines)


def examine(found: Sequence[Clip]) -> list[Finding]:
    """Runs the checks of a split, each on what those before it have put right."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", RuntimeWarning)  # NaN: not annotated
        return _examine(found)


def _examine(found: Sequence[Clip]) -> list[Finding]:
    with_joints = anatomy.only_joints(found)
    if not with_joints:
        return [pictures.keypoints_alone(found)]
    order, mended = anatomy.order(with_joints)
    unit, mended = anatomy.unit(mended)
    frame, mended = pictures.world_given(mended)
    up, mended = axes.up(mended)
    sides, mended = axes.sides(mended)
    findings = [order, unit, up, sides]
    findings += [frame] if frame else [axes.in_front(mended), axes.level(mended)]
    findings += [
        pictures.projection(mended),
        anatomy.spread(mended),
        anatomy.joint_limits(mended),
        rate.frame_rate(mended),
    ]
    return findings


def load(folder: str | os.PathLike) -> dict[str, list[Clip]]:
    """Reads a prepared data set without its pictures: split -> clips.

    Raises:
        InputError: if it is not one, or damaged.
    """
    manifest = records.read_manifest(folder)
    found = {}
    for split in manifest.splits:
        if manifest.kind == "motions":
            motions = records.read_motions(folder, split)
            found[split] = [clips.from_sequence(motion) for motion in motions]
        else:
            source = shards.Split(folder, split)
            found[split] = clips.from_frames(_frames(source), manifest.stored_size)
    return found


def _frames(source: shards.Split) -> Iterator[records.Frame]:
    for start in range(0, len(source), _BATCH):
        rows = range(start, min(start + _BATCH, len(source)))
        yield from source.frames(rows, image=False)


def verify(folder: str | os.PathLike) -> tuple[Report, np.ndarray]:
    """Checks a prepared data set.

    Returns:
        The report, and a contact sheet `[H, W, 3]` uint8 RGB.

    Raises:
        InputError: if it is not one, damaged or empty.
    """
    manifest = records.read_manifest(folder)
    found = load(folder)
    whole = [splits.complete(manifest, found), *splits.counts(manifest.dataset, found)]
    whole.append(splits.checksums(folder, manifest))
    whole.append(splits.finite(found))
    whole.append(splits.overlap(manifest.dataset, found))
    sections = {"the whole": whole}
    for split, mine in found.items():
        if mine:
            sections[split] = examine(mine)
    title = (
        f"{pathlib.Path(folder).name}: {manifest.dataset}, {manifest.kind} in the "
        f"{manifest.frame} frame, {manifest.fps:g} fps, {manifest.unit}"
    )
    report = Report(title, sections)
    return report, sheet.sheet(
        [clip for mine in found.values() for clip in mine],
        _picture(folder, manifest),
    )


def _picture(
    folder: str | os.PathLike, manifest: records.Manifest
) -> Callable[[Clip, int], np.ndarray] | None:
    """From a clip and a place in it to its picture; None for motions."""
    if manifest.kind == "motions":
        return None
    sources = {name: shards.Split(folder, name) for name in manifest.splits}

    def picture(clip: Clip, row: int) -> np.ndarray:
        return sources[clip.split].frames([clip.place(row)])[0].image

    return picture
