"""Tables of real pictures: prepared folders instead of the embedded world.

The papers' tables run on what a configuration names, such as configs/s2h.yaml; the
table `real` in places of its own. A place is a prepared folder that holds clips to
adapt to (`train`), the same or other pictures with a reference (`test`), and whose data
set has a card of its name. Folders of single pictures alone, such as `lsp_2d`, are what
adapted models are measured on beside it: nothing is adapted to them.
"""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from sa3dhp import errors
from sa3dhp.data import prepared, records, shards
from sa3dhp.evaluation import blazepose, poses, prediction, protocol
from sa3dhp.experiments import repeated, rows, session
from sa3dhp.skeleton import conversion
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.relation_distillation import job as jobs
from sa3dhp.systems.relation_distillation import target as targets

BLOCK = 10  # pictures that are drawn together by the bootstrap
_TEST = "test"


def places(folder: str | os.PathLike) -> tuple[list[str], list[str]]:
    """Finds prepared real data.

    Args:
        folder: of prepared folders, or one of them.

    Returns:
        Paths of those with clips to adapt to, and of those to measure on alone.

    Raises:
        InputError: if there is none of the former.
    """
    root = pathlib.Path(folder)
    clips: list[str] = []
    single: list[str] = []
    for path in (root, *sorted(root.glob("*"))):
        if prediction.card_of(path) is None:
            continue
        splits = records.read_manifest(path).splits
        if _TEST in splits:
            (clips if prepared.TRAIN in splits else single).append(str(path))
    if not clips:
        raise errors.InputError(
            f"{folder}: expected prepared folders of real clips with a reference; make "
            "one: python tools/prepare_data.py --dataset=real_multiview --input=DIR "
            f"--output={root / 'real_multiview'}"
        )
    return clips, single


def measured(folder: str | os.PathLike) -> list[str]:
    """Returns the prepared folders there, or the one it is, that have a split `test`.

    Raises:
        InputError: if there is none.
    """
    root = pathlib.Path(folder)
    prepared_ = [p for p in (root, *sorted(root.glob("*"))) if _is_prepared(p)]
    found = [str(p) for p in prepared_ if _TEST in records.read_manifest(p).splits]
    if not found:
        raise errors.InputError(
            f"{folder}: expected prepared folders with a split test; make one: python "
            f"tools/prepare_data.py --dataset=lsp_2d --input=DIR --output={root}/lsp_2d"
        )
    return found


def _is_prepared(folder: pathlib.Path) -> bool:
    return (folder / records.MANIFEST).is_file()


def overrides(place: str) -> tuple[str, ...]:
    """Returns the settings that adapt to a place and measure there."""
    return (
        "data.target=prepared",
        f"data.target_path={place!r}",
        f"data.evaluation_path={place!r}",
        f"data.evaluation_card={prediction.card_of(place)}",
    )


class PreparedSession(session.Session):
    """A session whose target and test pictures are prepared folders."""

    def _check(self) -> None:
        data = self.base["data"]
        if data["target"] != "prepared" or not data["evaluation_path"]:
            raise errors.InputError(
                f"data.target: got {data['target']!r}, expected 'prepared' and an "
                "evaluation_path: this table is of real pictures"
            )
        self._sizes = prepared.Sizes(data["image_size"], data["stored_size"])
        prepared.split(data["evaluation_path"], _TEST, self._sizes)

    def table(self, name: str) -> rows.Table:
        """Returns one of the papers' tables; see `Session.table`."""
        if name not in rows.OF_ANY_TARGET:
            raise errors.InputError(
                f"table: got {name}, expected one of {', '.join(rows.OF_ANY_TARGET)}: "
                "its rows are of the embedded world, and the target is prepared"
            )
        table, path = rows.make(name, self.base), self.base["data"]["target_path"]
        # Looked at first: rows with labels are the last of hours of others.
        first = prepared.split(path, prepared.TRAIN, self._sizes).frames([0], False)
        if first[0].joints is not None:
            return table
        kept = tuple(row for row in table.rows if not rows.needs_labels(row))
        if len(kept) < len(table.rows):
            lost = [row.title for row in table.rows if row not in kept]
            print(f"note: {path} has no labels, so no rows of: {'; '.join(lost)}")
        return dataclasses.replace(table, rows=kept)

    def _world(self, data: Mapping) -> Any:
        folders = (data["target_path"], data["evaluation_path"])
        return [shards.manifest(folder).data_hash for folder in folders]

    def place(self, job: repeated.Repeated) -> session.Place:
        """Returns the pictures with a reference; a job that is at its start."""
        path = job.config.data.evaluation_path
        if path not in self._places:
            truth = jobs.truth_of(job.config)
            assert truth is not None  # `_check`
            truth = self._drawn_by(truth)
            joints = truth.predict(job.model)
            elsewhere = self._elsewhere(job)
            self._places[path] = session.Place(
                truth, _stored(path), joints, truth.score(joints), elsewhere
            )
        return self._places[path]

    def _drawn_by(self, truth: targets.Truth) -> targets.Truth:
        """The truth in the sequences that the bootstrap draws."""
        return truth

    def _elsewhere(self, job: repeated.Repeated) -> dict[str, session.Elsewhere]:
        """What adapted models are measured on beside the place."""
        del job
        return {}

    def target(self, job: repeated.Repeated, sabotaged: str | None) -> targets.Target:
        """Returns the clips, without their labels but for rows that have some."""
        del sabotaged  # no row of these tables
        return jobs.prepared_target(job.config, self.place(job).truth)


class RealSession(PreparedSession):
    """A session of the table `real`, in one place.

    Attributes:
        mediapipe: BlazePose's landmark network; the row is left out without one.
    """

    def __init__(
        self,
        configure: Callable[[Sequence[str]], Any],
        checkpoints: str | os.PathLike,
        workdir: str | os.PathLike,
        *,
        others: Sequence[str] = (),
        mediapipe: pathlib.Path | None = None,
    ) -> None:
        """Reads the base configuration, see `Session`.

        Args:
            configure: from overrides, on top of those of a place, to a configuration.
            checkpoints: folder of the networks to start from; only read.
            workdir: gets a copy of them, and the relation networks they lack.
            others: prepared folders that adapted models are measured on as well.
            mediapipe: see the class.

        Raises:
            InputError: if the target is no prepared folder, or sizes differ.
        """
        self.mediapipe, self._others = mediapipe, tuple(others)
        super().__init__(configure, checkpoints, workdir)

    def _check(self) -> None:
        super()._check()
        for folder in self._others:
            prepared.split(folder, _TEST, self._sizes)

    def table(self, name: str) -> rows.Table:
        """Returns the one table of real pictures; see `Session.table`."""
        if name != rows.REAL:
            raise errors.InputError(f"table: {name} is of the embedded world")
        table = rows.make(name, self.base)
        kept = [r for r in table.rows if r.method != "mediapipe" or self.mediapipe]
        return dataclasses.replace(table, rows=tuple(kept))

    def _world(self, data: Mapping) -> Any:
        hashes = [shards.manifest(folder).data_hash for folder in self._others]
        network = self.mediapipe and records.checksum(self.mediapipe)
        return [*super()._world(data), *hashes, network]

    def _drawn_by(self, truth: targets.Truth) -> targets.Truth:
        return _in_blocks(truth)

    def _elsewhere(self, job: repeated.Repeated) -> dict[str, session.Elsewhere]:
        found = {}
        for folder in self._others:
            card = protocol.load(str(prediction.card_of(folder)))
            other = _in_blocks(targets.Truth(*prediction.read_prepared(folder), card))
            score = other.score(other.predict(job.model))
            found[card.name] = session.Elsewhere(other, score)
        return found

    def mediapipe_joints(self, place: session.Place) -> np.ndarray:
        """Returns BlazePose's joints, `[N, 17, 3]`, mm; what it lacks is at its parent.

        It sees the square that our network sees, as fine as it is stored.
        """
        assert self.mediapipe is not None  # or there is no such row
        found = blazepose.predict(self.mediapipe, place.truth.images)
        joints, _ = conversion.convert(found.joints, found.skeleton, skeletons.SA3DHP17)
        return joints.astype(np.float32)


def _stored(folder: str) -> np.ndarray:
    """The pictures with their margin, uint8 `[N, S, S, 3]`."""
    part = shards.Split(folder, _TEST)
    return np.stack([frame.image for frame in part.frames(range(len(part)))])


def _in_blocks(truth: targets.Truth) -> targets.Truth:
    """The same with sequences cut into blocks, which the bootstrap draws.

    Pictures that are no video are a block each.
    """
    labels = dict(truth.poses.labels)
    names = labels["sequence"]
    in_video = not truth.poses.flat
    number = np.zeros(len(names), int)
    for name in np.unique(names):
        rows_ = np.flatnonzero(names == name)
        order = np.argsort(labels["frame_number"][rows_], kind="stable")
        number[rows_[order]] = np.arange(len(rows_)) // (BLOCK if in_video else 1)
    labels["sequence"] = np.array([f"{n} {k:03d}" for n, k in zip(names, number)])
    found: poses.Poses = dataclasses.replace(truth.poses, labels=labels)
    return dataclasses.replace(truth, poses=found)
