"""Counts against the published ones, and what train and test share."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Mapping, Sequence

import numpy as np

from sa3dhp.data import datasets, records
from sa3dhp.data.checks import clips
from sa3dhp.data.checks.clips import FAIL, NONE, PASS, WARN, Clip, Finding
from sa3dhp.data.datasets.dataset import Published

_SAME_POSES = 0.01  # share of a test split


def sequence_of(dataset: str, name: str) -> str:
    """The data set's own name of a sequence."""
    known = datasets.DATASETS.get(dataset)
    return re.sub(known.ending, "", name) if known and known.ending else name


def counts(dataset: str, found: Mapping[str, Sequence[Clip]]) -> list[Finding]:
    """Compares every split with what is published of it."""
    known, findings = datasets.DATASETS.get(dataset), []
    for split, mine in found.items():
        pictures = sum(_length(clip) for clip in mine)
        names = [sequence_of(dataset, clip.sequence) for clip in mine]
        subjects = {clip.subject for clip in mine} - {""}
        text = (
            f"{pictures} frames, {len(set(names))} sequences, {len(subjects)} subjects"
        )
        published = known.published.get(split) if known else None
        if published is None:
            findings.append(
                Finding(f"counts of {split}", NONE, text + "; nothing published")
            )
            continue
        less, more = _compared(published, mine, names, subjects)
        status = FAIL if more else WARN if less else PASS
        findings.append(
            Finding(
                f"counts of {split}",
                status,
                "; ".join([text, *more, *less]),
                {FAIL: "not the published split", WARN: "a part of it"}.get(status, ""),
                "take the split from the data set's own lists"
                if more
                else "complete the data set before comparing with published numbers",
            )
        )
    return findings


def _compared(
    published: Published,
    mine: Sequence[Clip],
    names: Sequence[str],
    subjects: set[str],
) -> tuple[list[str], list[str]]:
    """What is missing and what is too much, in words."""
    less: list[str] = []
    more: list[str] = []
    pictures = sum(_length(clip) for clip in mine)

    def compare(what: str, got: int, expected: int) -> None:
        if got != expected:
            (less if got < expected else more).append(f"published {expected} {what}")

    if published.pictures and pictures not in published.pictures:
        nearest = min((n for n in published.pictures if n > pictures), default=None)
        nearest = nearest or max(published.pictures)
        compare("frames", pictures, nearest)
    if published.sequences:
        compare("sequences", len(set(names)), published.sequences)
    if published.subjects:
        strange = subjects - set(published.subjects)
        missing = set(published.subjects) - subjects
        more += [f"not of this split: {clips.some(sorted(strange))}"] if strange else []
        less += [f"missing: {clips.some(sorted(missing))}"] if missing else []
    for name, expected in (published.per_sequence or {}).items():
        got = sum(_length(c) for c, n in zip(mine, names) if n == name)
        if got:
            compare(f"frames of {name}", got, expected)
    return less, more


def _length(clip: Clip) -> int:
    arrays = (clip.joints, clip.keypoints, clip.rows)
    return next(len(array) for array in arrays if array is not None)


def complete(
    manifest: records.Manifest, found: Mapping[str, Sequence[Clip]]
) -> Finding:
    """Is everything there that the manifest counts?"""
    wrong = []
    for split, entry in manifest.splits.items():
        mine = found[split]
        single = manifest.kind == "motions"
        got = len(mine) if single else sum(_length(clip) for clip in mine)
        if got != entry["records"]:
            wrong.append(f"{split} {got} of {entry['records']}")
    if not wrong:
        total = sum(entry["records"] for entry in manifest.splits.values())
        return Finding("records", PASS, f"{total}, as the manifest says")
    return Finding(
        "records",
        FAIL,
        f"records: {', '.join(wrong)}",
        "incomplete data",
        "run tools/prepare_data.py again into an empty folder",
    )


def checksums(folder: str | os.PathLike, manifest: records.Manifest) -> Finding:
    """Are the bytes of all shards those that were written?"""
    wrong, known = [], 0
    for entry in manifest.splits.values():
        for name, wanted in zip(entry["shards"], entry.get("checksums", [])):
            known += 1
            if records.checksum(pathlib.Path(folder) / name) != wanted:
                wrong.append(name)
    if wrong:
        return Finding(
            "checksums",
            FAIL,
            f"{len(wrong)} of {known} shards were changed: {', '.join(wrong[:3])}",
            "damaged data",
            records.REMEDY,
        )
    if not known:
        return Finding("checksums", NONE, "none in the manifest, which is older")
    return Finding("checksums", PASS, f"those of {known} shards, as the manifest says")


def finite(found: Mapping[str, Sequence[Clip]]) -> Finding:
    """Is every number one, and is at least a joint of every picture known?"""
    wrong = []
    for split, mine in found.items():
        for clip in mine:
            values = clip.keypoints if clip.joints is None else clip.joints
            if values is None:
                continue
            for what, bad in (
                ("infinite numbers", np.isinf(values).any()),
                ("a frame without any joint", np.isnan(values).all(axis=(1, 2)).any()),
            ):
                if bad:
                    wrong.append(f"{what} in {clip.name} of {split}")
    if not wrong:
        return Finding("finite", PASS, "all numbers, and joints in every frame")
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return Finding("finite", FAIL, wrong[0] + more, "not numbers", records.REMEDY)


def overlap(dataset: str, found: Mapping[str, Sequence[Clip]]) -> Finding:
    """Do other splits show what the test split does?"""
    check = "overlap of splits"
    test = [name for name in found if name not in ("train", "")]
    if "train" not in found or not test:
        return Finding(check, NONE, "one split")
    same: dict[str, set[str]] = {"subjects": set(), "sequences": set()}
    train = found["train"]
    poses, shared = _poses(train), 0
    total = 0
    for split in test:
        mine = found[split]
        same["subjects"] |= _values(train, "subject") & _values(mine, "subject")
        same["sequences"] |= {
            sequence_of(dataset, name)
            for name in _values(train, "sequence") & _values(mine, "sequence")
        }
        other = _poses(mine)
        shared, total = shared + len(other & poses), total + len(other)
    known = datasets.DATASETS.get(dataset)
    for what in known.shared if known else ():
        same[what] = set()
    words = [
        f"{len(values)} {what} ({clips.some(sorted(values))})"
        for what, values in same.items()
        if values
    ]
    if shared > _SAME_POSES * total:
        words.append(f"{shared} of {total} poses of {', '.join(test)}")
    if not words:
        return Finding(check, PASS, f"train and {', '.join(test)} share nothing")
    return Finding(
        check,
        FAIL,
        f"in train and {', '.join(test)}: {'; '.join(words)}",
        "train and test overlap",
        "split by subject, as the data set's authors do",
    )


def _values(found: Sequence[Clip], field: str) -> set[str]:
    return {getattr(clip, field) for clip in found} - {""}


def _poses(found: Sequence[Clip]) -> set[int]:
    """Fingerprints of the poses, root-relative, to a tenth of a millimetre."""
    prints = set()
    for clip in found:
        values = clip.keypoints if clip.joints is None else clip.joints
        if values is None:
            continue
        values = np.nan_to_num(values - values[:, :1])
        whole = np.round(10.0 * values).astype(np.int32)
        prints |= {hash(pose.tobytes()) for pose in whole}
    return prints
