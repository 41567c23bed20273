"""The result of an adaptation: what one block of G became, and nothing else.

`pack.npz` holds the block's trainable weights in float32 (Res-3: 5 MB), `pack.json`
which model they belong to and how they came about. Base + pack is the adapted model,
bit for bit.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np

from sa3dhp import documents, errors, files, provenance
from sa3dhp.models import image_encoder as image_encoders
from sa3dhp.training import checkpoint

WEIGHTS, DESCRIPTION = "pack.npz", "pack.json"
_KEYS = {"base_hash": str, "adapted_hash": str, "pack_hash": str, "block": str}


def check(folder: str | os.PathLike) -> None:
    """Raises `InputError` if `write` would refuse the folder."""
    files.check_folder(folder, DESCRIPTION)


def write(
    folder: str | os.PathLike,
    encoder: image_encoders.ImageEncoder,
    block: str,
    base_hash: str,
    *,
    target: Mapping | Sequence | str,
    monitors: Mapping,
    verdict: Mapping | str,
    licence: str,
    config: Mapping,
) -> None:
    """Writes a domain pack whole or not at all.

    Args:
        folder: of the pack; an earlier one there is replaced.
        encoder: the adapted G.
        block: the part of it that moved, as in `ImageEncoder.res_variables`.
        base_hash: `checkpoint.weights_hash` of G before it moved.
        target: what it was adapted to. These five are JSON values, kept as they are.
        monitors: the label-free measures, before and after.
        verdict: which step was kept and why.
        licence: what the pack may be used for, given its base and its target.
        config: of the run, resolved.

    Raises:
        InputError: if there is no such block, or the folder cannot be replaced.
        ValueError: if the block is frozen in `encoder`.
    """
    moved = {id(variable) for variable in encoder.res_variables(block)}
    if not moved:
        raise ValueError(f"{block}: no trainable weights; is the encoder frozen?")
    named = checkpoint.named_weights(encoder)
    arrays = {k: v.numpy() for k, v in named.items() if id(v) in moved}
    with files.replaced_folder(folder, DESCRIPTION) as new:
        checkpoint.write_arrays(new / WEIGHTS, arrays, dtype="float32")
        about = {
            "base_hash": base_hash,
            "adapted_hash": checkpoint.weights_hash(encoder),
            "pack_hash": checkpoint.read_meta(new / WEIGHTS)["weights_hash"],
            "block": block,
            "num_weights": sum(array.size for array in arrays.values()),
            "target": target,
            "monitors": monitors,
            "verdict": verdict,
            "licence": licence,
            "config": config,
            "versions": provenance.describe()["versions"],
            "commit": provenance.commit(),
        }
        files.write_json(new / DESCRIPTION, about)


def read(folder: str | os.PathLike) -> dict:
    """Returns the description of a pack.

    Raises:
        InputError: if it is missing or damaged.
    """
    path = pathlib.Path(folder) / DESCRIPTION
    if not path.is_file():
        raise errors.InputError(
            f"{path}: no such domain pack; run python tools/adapt.py, or give the "
            "--workdir of an adaptation that came to its end"
        )
    try:
        about = documents.parse_json(path.read_bytes(), str(path))
        if all(isinstance(about[key], kind) for key, kind in _KEYS.items()):
            return about
    except (ValueError, KeyError, TypeError):
        pass
    raise errors.InputError(f"{path}: damaged; adapt again to make it anew")


def base_checkpoints(workdir: str | os.PathLike) -> pathlib.Path:
    """Returns the folder of the networks that an adaptation started from.

    Raises:
        InputError: if the run does not say.
    """
    for name in ("run.json", "result.json"):
        path = pathlib.Path(workdir) / name
        try:
            found = documents.parse_json(path.read_bytes(), str(path))["checkpoints"]
            return pathlib.Path(found)
        except (OSError, ValueError, KeyError, TypeError):
            continue
    raise errors.InputError(
        f"{workdir}: its run.json and result.json do not name the base networks; "
        "give --checkpoints=DIR"
    )


def apply(folder: str | os.PathLike, encoder: image_encoders.ImageEncoder) -> dict:
    """Turns the base model into the adapted one; returns the pack's description.

    Nothing changes unless the outcome is the adapted model to the last bit.

    Args:
        folder: of the pack.
        encoder: G of the base, frozen or not.

    Raises:
        InputError: if the pack is missing or damaged, or `encoder` is not its base.
    """
    folder = pathlib.Path(folder)
    about = read(folder)
    found = checkpoint.weights_hash(encoder)
    if found != about["base_hash"]:
        hint = "it has this pack in it already; "
        raise errors.InputError(
            f"{folder}: the base model has the hash {found}, the pack was made for "
            f"{about['base_hash']}; {hint if found == about['adapted_hash'] else ''}"
            "give the checkpoints that the adaptation started from"
        )
    arrays, meta = checkpoint.read_arrays(folder / WEIGHTS)
    damaged = errors.InputError(
        f"{folder}: {WEIGHTS} and {DESCRIPTION} do not belong together; adapt again"
    )
    weights = checkpoint.named_weights(encoder)
    if meta["weights_hash"] != about["pack_hash"] or any(
        name not in weights or weights[name].shape != array.shape
        for name, array in arrays.items()
    ):
        raise damaged
    before = {name: weights[name].numpy() for name in arrays}
    _assign(weights, arrays)
    if checkpoint.weights_hash(encoder) != about["adapted_hash"]:
        _assign(weights, before)
        raise damaged
    return about


def metadata(about: Mapping | None) -> dict:
    """Returns what an exported model says of itself, by its pack's description.

    An adaptation that kept its source model leaves a pack that changes nothing.
    """
    if about is None:
        return {"model": "source-only"}
    kept = about["adapted_hash"] == about["base_hash"]
    model = "source-only, which the adaptation kept" if kept else "adapted"
    return {"model": model, "domain_pack": dict(about)}


def _assign(weights: Mapping, arrays: Mapping[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        weights[name].assign(array)
