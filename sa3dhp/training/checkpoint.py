"""What a run leaves behind: its state to resume from, and portable weights.

Both are loud: a restore that leaves a variable untouched, or finds one that nobody
asked for, is an error and never a silently half-initialised network.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import pathlib
import re
import shutil
from collections.abc import Callable, Mapping

import numpy as np
import tensorflow as tf

from sa3dhp import documents, errors, files

_META = "meta.json"
_MAX_LOSS = 1e-3  # of an array's norm; what float16 may cost


class State:
    """The resumable state of a run: a few TensorFlow checkpoints in one folder."""

    def __init__(
        self, folder: str | os.PathLike, trackables: Mapping, max_to_keep: int = 2
    ) -> None:
        """Tracks every object in `trackables`, whose variables must exist already.

        Args:
            folder: where the checkpoints lie; made on the first save.
            trackables: name -> `tf.Variable`, model or optimizer.
            max_to_keep: older checkpoints are deleted.
        """
        self._folder = pathlib.Path(folder)
        self._checkpoint = tf.train.Checkpoint(**trackables)
        self._clean()
        self._mend_list()
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, str(folder), max_to_keep=max_to_keep
        )

    def save(self, step: int) -> None:
        """Writes the state of `step`.

        Raises:
            OSError: if the disk is full or the folder cannot be written.
        """
        try:
            self._manager.save(checkpoint_number=step)
        except tf.errors.OpError as error:
            self._clean()
            raise files.system_error(error, self._folder) from error

    def _clean(self) -> None:
        """Removes the halves of states that an interrupted save leaves."""
        for path in self._folder.glob("*"):
            if re.fullmatch(r"ckpt-\d+_temp.*|checkpoint\.tmp.*", path.name):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
        for path in self._folder.glob("ckpt-*.tempstate*"):
            path.unlink(missing_ok=True)

    def non_finite(self) -> str:
        """Returns the name of a variable that holds NaN or infinity, or ""."""
        finite = self._finite().numpy()
        return "" if finite.all() else str(self._floating[int(finite.argmin())].name)

    @functools.cached_property
    def _floating(self) -> list[tf.Variable]:
        """The variables of real numbers."""
        return [
            node
            for node in tf.train.TrackableView(self._checkpoint).descendants()
            if isinstance(node, tf.Variable) and node.dtype.is_floating
        ]

    @functools.cached_property
    def _finite(self) -> Callable[[], tf.Tensor]:
        """Says whether all values of each of them are finite, `[N]` bool.

        In one call: in Python 3.11 every tensor that eager TensorFlow 2.15 hands out
        leaves some 100 bytes behind, and thousands at each save add up over hours.
        """
        found, finite = self._floating, tf.math.is_finite
        return tf.function(
            lambda: (
                tf.constant([], tf.bool)
                if not found
                else tf.stack([tf.reduce_all(finite(one)) for one in found])
            ),
            autograph=False,
        )

    def restore(self) -> bool:
        """Reads the newest checkpoint that is intact; False if there never was one.

        Damaged ones (cut, emptied, a file of them lost) are told, and passed over.

        Raises:
            InputError: if it does not match the tracked objects one to one, or there
                are checkpoints and none is intact.
        """
        found = _numbered(self._folder)
        intact = next((path for path in found if _intact(path)), None)
        if intact is None and found:
            raise errors.InputError(
                f"{found[0]}: damaged, as all {len(found)} states in {self._folder}; "
                "use another --workdir, or delete this folder to start from step 0"
            )
        if intact is None:
            return False
        for path in found[: found.index(intact)]:
            print(
                f"note: {path} is damaged; going on from {pathlib.Path(intact).name}, "
                "the newest state that is intact",
                flush=True,
            )
        if found[0] != intact:
            _write_list(self._folder, found[: found.index(intact) - 1 : -1])
        self._restore(intact)
        return True

    def _restore(self, path: str) -> None:
        try:
            status = self._checkpoint.restore(path)
            status.assert_existing_objects_matched()
            status.assert_consumed()
        except (AssertionError, ValueError, tf.errors.OpError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise errors.InputError(
                f"{path}: does not fit the networks of this run ({reason[:200]}); "
                "use the configuration it was made with, or another --workdir"
            ) from error

    def _mend_list(self) -> None:
        """Writes TensorFlow's list of states anew where it is not of what is there."""
        found = _numbered(self._folder)
        if not found:
            return
        try:
            listed = tf.train.get_checkpoint_state(str(self._folder))
            latest = listed.model_checkpoint_path if listed else ""
        except (OSError, ValueError, tf.errors.OpError):  # garbage
            latest = ""
        if os.path.basename(latest) != os.path.basename(found[0]):
            _write_list(self._folder, found[::-1])


def _numbered(folder: pathlib.Path) -> list[str]:
    """The states in a folder, complete or not, the newest first.

    Without a list and any index a first save was interrupted: there is no state yet.
    """
    found = {
        path.name: int(match[1])
        for path in folder.glob("ckpt-*")
        if (match := re.fullmatch(r"ckpt-(\d+)\.(index|data-\d+-of-\d+)", path.name))
    }
    steps = set(found.values())
    indexed = any(name.endswith(".index") for name in found)
    if len(steps) == 1 and not indexed and not (folder / "checkpoint").exists():
        return []
    return [str(folder / f"ckpt-{step}") for step in sorted(steps, reverse=True)]


def _write_list(folder: pathlib.Path, paths: list[str]) -> None:
    """Writes TensorFlow's own list of states, the newest last."""
    names = [os.path.basename(path) for path in paths]
    lines = [f'model_checkpoint_path: "{names[-1]}"']
    lines += [f'all_model_checkpoint_paths: "{name}"' for name in names]
    files.write_text(folder / "checkpoint", "\n".join(lines) + "\n")


def _intact(path: str) -> bool:
    """Whether every value of a state can be read; TensorFlow checks their checksums."""
    try:
        reader = tf.train.load_checkpoint(path)
        for name in reader.get_variable_to_shape_map():
            reader.get_tensor(name)
    except (tf.errors.OpError, ValueError, RuntimeError, LookupError, MemoryError):
        return False
    return True


def named_weights(model: tf.keras.Model) -> dict[str, tf.Variable]:
    """The weights of a built model by the path of attributes that leads to each.

    Unlike Keras' variable names and their order, the paths depend neither on what else
    the process built before, nor on which layers are frozen.

    Raises:
        ValueError: if the model has no weights yet.
    """
    if not (model.built and model.weights):
        raise ValueError(f"{model.name}: no weights yet; call it once to build it")
    wanted = {id(variable) for variable in model.weights}
    view = tf.train.TrackableView(model)
    found, seen, queue = {}, {id(model)}, [("", model)]
    for path, node in queue:  # breadth first; the queue grows while we walk
        for name, child in view.children(node).items():
            if id(child) in seen:
                continue
            seen.add(id(child))
            queue.append((f"{path}/{name}".lstrip("/"), child))
            if id(child) in wanted:
                found[queue[-1][0]] = child
    if len(found) != len(wanted):
        raise ValueError(f"{model.name}: {len(wanted) - len(found)} weights untracked")
    return dict(sorted(found.items()))


def weights_hash(model: tf.keras.Model) -> str:
    """SHA-256 of the weights' paths, shapes and float32 values, as 64 hex digits."""
    return _hash({name: var.numpy() for name, var in named_weights(model).items()})


def save_weights(
    path: str | os.PathLike,
    model: tf.keras.Model,
    dtype: str = "float16",
    meta: Mapping | None = None,
) -> None:
    """Writes a model's weights into one compressed `.npz` file (see `write_arrays`)."""
    arrays = {name: var.numpy() for name, var in named_weights(model).items()}
    write_arrays(path, arrays, dtype=dtype, meta=meta)


def load_weights(path: str | os.PathLike, model: tf.keras.Model) -> dict:
    """Reads the weights of `save_weights` into a built model; returns the meta entry.

    Nothing is assigned unless everything fits.

    Raises:
        InputError: if the file is missing or damaged, or its names or shapes differ
            from the model's.
    """
    arrays, meta = read_arrays(path)
    weights = named_weights(model)
    for what, names in (
        ("lacks", sorted(set(weights) - set(arrays))),
        ("has no place for", sorted(set(arrays) - set(weights))),
    ):
        if names:
            holder = path if what == "lacks" else model.name
            raise errors.InputError(
                f"{path}: {holder} {what} {len(names)} of the weights ({names[0]}, "
                f"...); use the configuration that {model.name} was trained with"
            )
    for name, variable in weights.items():
        if arrays[name].shape != tuple(variable.shape):
            raise errors.InputError(
                f"{path}: {name}: got {arrays[name].shape}, expected "
                f"{tuple(variable.shape)}; use the configuration that {model.name} "
                "was trained with"
            )
    for name, variable in weights.items():
        variable.assign(arrays[name])
    return meta


def write_arrays(
    path: str | os.PathLike,
    arrays: Mapping[str, np.ndarray],
    *,
    dtype: str = "float16",
    meta: Mapping | None = None,
) -> None:
    """Writes named arrays and a JSON `meta` entry into one compressed `.npz` file.

    With `dtype="float16"` a matrix is halved unless it would overflow or lose more than
    0.1 % of its norm; vectors (biases, batch-norm statistics) stay float32, where they
    cost next to nothing. `meta` gains `weights_hash`, of the values as stored.

    Raises:
        ValueError: if `dtype` is neither "float16" nor "float32".
    """
    if dtype not in ("float16", "float32"):
        raise ValueError(f"dtype: got {dtype!r}, expected 'float16' or 'float32'")
    stored = {name: _compact(np.asarray(a), dtype) for name, a in arrays.items()}
    entry = {**(meta or {}), "weights_hash": _hash(stored)}
    with files.atomic(path) as temporary, open(temporary, "wb") as file:
        text = np.frombuffer(json.dumps(entry, indent=1).encode(), np.uint8)
        np.savez_compressed(file, **{_META: text}, **stored)


def read_meta(path: str | os.PathLike) -> dict:
    """Reads the meta entry alone of `write_arrays`' file.

    Raises:
        InputError: as `read_arrays`.
    """
    return _read(path, only_meta=True)[1]


def read_arrays(path: str | os.PathLike) -> tuple[dict[str, np.ndarray], dict]:
    """Reads `write_arrays`' file: arrays (float32) by name, and the meta entry.

    Raises:
        InputError: if the file is missing, damaged, or not of this format.
    """
    arrays, meta = _read(path)
    numbers = all(array.dtype.kind == "f" for array in arrays.values())
    if not numbers or meta.get("weights_hash") != _hash(arrays):
        raise errors.InputError(f"{path}: damaged (its hash differs); make it again")
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise errors.InputError(f"{path}: {name} is not finite; make it again")
    return {name: a.astype(np.float32) for name, a in arrays.items()}, meta


def _read(path: str | os.PathLike, only_meta: bool = False) -> tuple[dict, dict]:
    if not pathlib.Path(path).is_file():
        raise errors.InputError(f"{path}: no such weights file")
    what = "a weights file of this program, or damaged"
    with errors.reading(path, what, "make it again"):
        arrays = files.load_npz(path, lambda name: name == _META or not only_meta)
        meta = documents.parse_json(arrays.pop(_META).tobytes(), _META)
        if not isinstance(meta, dict):
            raise ValueError("meta is no mapping")
        if not isinstance(meta.get("weights_hash"), str):
            raise ValueError("meta has no weights_hash")
        if not isinstance(meta.get("trained_on", {}), dict):
            raise ValueError("meta: trained_on is no mapping")
        return arrays, meta


def _compact(array: np.ndarray, dtype: str) -> np.ndarray:
    array = array.astype(np.float32)
    if dtype == "float32" or array.ndim < 2:
        return array
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    loss = np.linalg.norm(half.astype(np.float32) - array)
    return half if loss <= _MAX_LOSS * np.linalg.norm(array) else array


def _hash(arrays: Mapping[str, np.ndarray]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name], dtype="<f4")
        digest.update(f"{name} {array.shape} ".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
