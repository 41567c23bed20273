"""The folder of trained networks, each of which knows what it was trained on.

`<name>.npz` holds a network's weights with its stage, steps, seed, commit and the hash
of each frozen network it was trained on; `meta.json` the skeleton and bone lengths.
`floor.json` what the monitors read of G on its own source, for who does not have that.
Networks that do not belong together are an error, not a silently worse result.
"""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf

from sa3dhp import documents, errors, files, provenance
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.training import checkpoint

BONES = "meta.json"  # file of the bone lengths
FLOOR = "floor.json"
_COMMAND = "python tools/pretrain.py"
_STAGES = {
    BONES: "pose_autoencoder",
    "pose_encoder": "pose_autoencoder",
    "pose_decoder": "pose_autoencoder",
    "motion_encoder": "motion_autoencoder",
    "motion_decoder": "motion_autoencoder",
    "image_encoder": "source",
}


class Store:
    """Trained networks in a folder."""

    def __init__(
        self,
        folder: str | os.PathLike,
        command: str = _COMMAND,
        stages: Mapping[str, str] = _STAGES,
    ) -> None:
        """Keeps where they are.

        Args:
            folder: need not exist before the first save.
            command: that trains them, for messages.
            stages: from a network, or `BONES`, to the stage that makes it; `all`
                makes what is not among them.
        """
        self.folder, self._tool = pathlib.Path(folder), command
        self._stages = stages

    def save(
        self,
        networks: Mapping[str, tf.keras.Model],
        *,
        trained_on: tuple[str, ...] = (),
        **meta: object,
    ) -> None:
        """Writes networks by name, in float16.

        Args:
            networks: by file name.
            trained_on: names in this folder that they were trained on.
            **meta: kept with each of them; see `load`'s `expected`.
        """
        entry = {
            **meta,
            "trained_on": {name: self.hash(name) for name in trained_on},
            "commit": provenance.commit(),
        }
        for name, network in networks.items():
            checkpoint.save_weights(self._path(name), network, meta=entry)

    def load(self, name: str, network: tf.keras.Model, **expected: object) -> None:
        """Puts the weights of `name` into `network` and freezes it.

        Args:
            name: of the file.
            network: built as it was trained.
            **expected: entries of `meta` that must be these where they are present.

        Raises:
            InputError: if the file is missing or damaged, fits another network or
                configuration, or was trained on others than those in the folder.
        """
        path = self._existing(name)
        meta = checkpoint.read_meta(path)
        for key, value in expected.items():
            if meta.get(key, value) != value:
                raise errors.InputError(
                    f"{path}: {key}: trained with {meta[key]}, expected {value}; "
                    f"change the configuration, or {self._command(name)}"
                )
        for other, trained_on in meta.get("trained_on", {}).items():
            if self.hash(other) != trained_on:
                raise errors.InputError(
                    f"{path}: trained on another {other}.npz than the one beside it; "
                    f"{self._command(name)}"
                )
        checkpoint.load_weights(path, network)
        network.trainable = False

    def start_from(
        self, folder: str | os.PathLike, stage: str | None = None
    ) -> list[str]:
        """Copies the networks of another folder that this one lacks.

        Args:
            folder: only read.
            stage: that makes those that are wanted; None for all.

        Returns:
            The names of the files that were copied.

        Raises:
            InputError: if there is no network in it, or one of the stage is missing.
        """
        there = pathlib.Path(folder)
        known = [*sorted(there.glob("*.npz")), there / BONES]
        if len(known) == 1:
            raise errors.InputError(
                f"{there}: no networks in it; expected a folder of .npz files that "
                f"{self._tool} made, such as WORKDIR/checkpoints"
            )
        if stage is not None:
            known = [there / path.name for path in self._paths(stage)]
            for path in known:
                if not path.is_file():
                    raise errors.InputError(
                        f"{path}: no such checkpoint; expected all that the stage "
                        f"{stage} leaves behind"
                    )
        missing = [
            path
            for path in known
            if path.is_file() and not (self.folder / path.name).exists()
        ]
        for path in missing:
            with files.atomic(self.folder / path.name) as temporary:
                shutil.copyfile(path, temporary)
        return [path.name for path in missing]

    def has(self, name: str) -> bool:
        """Whether there is a file of that name, good or not."""
        return self._path(name).is_file()

    def complete(self, stage: str) -> bool:
        """Whether there are files of all that a stage leaves behind."""
        return all(path.is_file() for path in self._paths(stage))

    def meta(self, name: str) -> dict:
        """What is kept with the weights stored under `name`."""
        return checkpoint.read_meta(self._existing(name))

    def hash(self, name: str) -> str:
        """The hash of the weights stored under `name`."""
        return self.meta(name)["weights_hash"]

    def save_floor(
        self, name: str, readings: Mapping[str, float], on: Sequence[str] = ()
    ) -> None:
        """Writes `floor.json`: what the monitors read of a network on its own source.

        Args:
            name: of the network.
            readings: by the names of the monitors.
            on: names of the other networks that the monitors read with.
        """
        rounded = {key: round(float(value), 5) for key, value in readings.items()}
        content = {"network": name, "hash": self.hash(name), "readings": rounded}
        hashes = {other: self.hash(other) for other in on}
        files.write_json(self.folder / FLOOR, {**content, "on": hashes})

    def floor(self, name: str) -> dict[str, float]:
        """Returns what `save_floor` kept, nothing where any network is another now.

        Raises:
            InputError: if `floor.json` is damaged.
        """
        path = self.folder / FLOOR
        if not path.is_file():
            return {}
        try:
            kept = documents.parse_json(path.read_bytes(), str(path))
            readings = {key: float(value) for key, value in kept["readings"].items()}
            known, on = (kept["network"], kept["hash"]), dict(kept.get("on", {}))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise errors.InputError(f"{path}: damaged; delete it") from None
        if not np.isfinite(list(readings.values())).all():
            raise errors.InputError(f"{path}: not finite; delete it")
        same = known == (name, self.hash(name)) and all(
            self.has(other) and self.hash(other) == was for other, was in on.items()
        )
        return readings if same else {}

    def save_bones(self, skeleton: skeletons.Skeleton, lengths: np.ndarray) -> None:
        """Writes `meta.json`: the skeleton, its `[J]` bone lengths in mm, root 0."""
        rounded = [round(float(length), 3) for length in lengths]
        files.write_json(
            self._path(BONES),
            {
                "skeleton": skeleton.id,
                "joint_names": list(skeleton.joint_names),
                "bone_lengths_mm": rounded,
            },
        )

    def bones(self, skeleton: skeletons.Skeleton) -> np.ndarray:
        """Returns the bone lengths that go with the pose decoder, `[J]`, mm, root 0.

        Raises:
            InputError: if `meta.json` is missing, damaged or of another skeleton.
        """
        path = self._existing(BONES)
        again = self._command(BONES)
        try:
            meta = documents.parse_json(path.read_bytes(), str(path))
            name, lengths = (
                meta["skeleton"],
                np.array(meta["bone_lengths_mm"], np.float32),
            )
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            raise errors.InputError(f"{path}: damaged; {again}") from None
        good = np.isfinite(lengths) & (lengths >= 0)
        if lengths.ndim == 1 and not good.all():
            wrong = int(np.flatnonzero(~good)[0])
            raise errors.InputError(
                f"{path}: bone_lengths_mm[{wrong}] is {lengths[wrong]}, expected a "
                f"length of 0 or above; {again}"
            )
        if name != skeleton.id or lengths.shape != (skeleton.num_joints,):
            raise errors.InputError(
                f"{path}: got {name} with {lengths.size} bones, expected "
                f"{skeleton.id} with {skeleton.num_joints}; {again}"
            )
        return lengths

    def _path(self, name: str) -> pathlib.Path:
        return self.folder / (name if name == BONES else f"{name}.npz")

    def _paths(self, stage: str) -> list[pathlib.Path]:
        return [self._path(name) for name, its in self._stages.items() if its == stage]

    def _existing(self, name: str) -> pathlib.Path:
        path = self._path(name)
        if not path.is_file():
            raise errors.InputError(
                f"{path}: no such checkpoint; {self._command(name)}"
            )
        return path

    def _command(self, name: str) -> str:
        relation = name.startswith("relation_")
        stage = "relations" if relation else self._stages.get(name, "all")
        return f"run {self._tool} --stage={stage} --checkpoints={self.folder}"
