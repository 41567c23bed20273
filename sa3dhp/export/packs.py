"""What is done with domain packs: made of two models, compared, averaged, applied.

`domain_pack` writes and reads one; this is what `tools/pack.py` does with several.
"""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Sequence

import numpy as np

from sa3dhp import errors, files
from sa3dhp.export import domain_pack
from sa3dhp.models import image_encoder as image_encoders
from sa3dhp.training import checkpoint

NETWORK = "image_encoder.npz"  # of G, in a folder of networks


def create(
    folder: str | os.PathLike,
    base: image_encoders.ImageEncoder,
    adapted: image_encoders.ImageEncoder,
    block: str,
    *,
    target: str,
    licence: str,
) -> None:
    """Writes the pack that leads from one model to another, whole or not at all.

    Args:
        folder: of the pack.
        base: G before.
        adapted: G after; its block is made trainable.
        block: that alone may differ, see `ImageEncoder.res_variables`.
        target: what it was adapted to, in words.
        licence: what it may be used for.

    Raises:
        InputError: if they differ elsewhere or nowhere, or the folder holds other
            things.
    """
    adapted.trainable = True
    before, after = (checkpoint.named_weights(g) for g in (base, adapted))
    moved = {id(variable) for variable in adapted.res_variables(block)}
    changed = [
        name
        for name, variable in after.items()
        if name not in before
        or not np.array_equal(variable.numpy(), before[name].numpy())
    ]
    outside = [name for name in changed if id(after[name]) not in moved]
    if outside or not changed:
        what = f"{len(outside)} weights outside of it ({', '.join(outside[:1])}, ..)"
        raise errors.InputError(
            f"pack: expected models that differ in {block} alone, got "
            f"{what if outside else 'the same model twice'}; give the base that the "
            "adaptation started from"
        )
    domain_pack.write(
        folder,
        adapted,
        block,
        checkpoint.weights_hash(base),
        target=target,
        monitors={},
        verdict="made of two models",
        licence=licence,
        config={},
    )


def average(
    folder: str | os.PathLike,
    packs: Sequence[str | os.PathLike],
    base: image_encoders.ImageEncoder,
) -> None:
    """Writes the mean of several packs of one base as another pack.

    It says of which it is the mean; nobody measured what it is good for.

    Args:
        folder: of the mean.
        packs: two or more.
        base: G; ends as base + mean.

    Raises:
        InputError: if they are not of this base and one block.
    """
    if len(packs) < 2:
        raise errors.InputError(f"average: got {len(packs)} pack, expected some")
    told = [_alike(pack, packs[0]) for pack in packs]
    found = checkpoint.weights_hash(base)
    if found != told[0]["base_hash"]:
        raise errors.InputError(
            f"{packs[0]}: the base model has the hash {found}, the pack was made for "
            f"{told[0]['base_hash']}; give the networks that the adaptation started "
            "from"
        )
    every = [checkpoint.read_arrays(_weights(pack))[0] for pack in packs]
    base.trainable = True
    weights = checkpoint.named_weights(base)
    for name in every[0]:
        mean = np.mean([arrays[name] for arrays in every], axis=0, dtype=np.float64)
        weights[name].assign(mean.astype(np.float32))
    domain_pack.write(
        folder,
        base,
        told[0]["block"],
        found,
        target=[about["target"] for about in told],
        monitors={},
        verdict=f"the mean of {len(packs)} packs; not measured",
        licence=" ".join(dict.fromkeys(str(about["licence"]) for about in told)),
        config=told[0].get("config", {}),
    )


def diff(
    one: str | os.PathLike, other: str | os.PathLike
) -> list[tuple[str, float, float]]:
    """Returns how far two packs of one base differ, by weight, the most first.

    Returns:
        `(name, share, most)`: the norm of the difference as a share of the norm of the
        first's weight, and the largest difference of one number.

    Raises:
        InputError: if they are not of one base and block.
    """
    _alike(other, one)
    first, second = (checkpoint.read_arrays(_weights(x))[0] for x in (one, other))
    rows = []
    for name, array in first.items():
        apart = np.abs(second[name] - array)
        share = np.linalg.norm(apart) / max(float(np.linalg.norm(array)), 1e-12)
        rows.append((name, float(share), float(apart.max())))
    return sorted(rows, key=lambda row: -row[1])


def summary(folder: str | os.PathLike) -> str:
    """Returns what a pack says of itself, as text for people."""
    about = domain_pack.read(folder)
    lines = [
        f"target: {about['target']}",
        f"verdict: {about['verdict']}",
        f"block: {about['block']}, {about['num_weights']:,} weights",
        f"base: {about['base_hash']}",
        f"adapted: {about['adapted_hash']}",
        f"licence: {about['licence']}",
        f"made with: {about.get('versions', {})}, commit {about.get('commit', '')}",
    ]
    monitors = about["monitors"]
    if isinstance(monitors, dict) and {"source_only", "adapted"} <= monitors.keys():
        before, after = monitors["source_only"], monitors["adapted"]
        lines += [
            f"  {name}: {before[name]:.3g} -> {after[name]:.3g}"
            for name in before
            if name != "step" and isinstance(after.get(name), (int, float))
        ]
    return "\n".join(lines)


def apply(
    output: str | os.PathLike,
    pack: str | os.PathLike,
    networks: str | os.PathLike,
    base: image_encoders.ImageEncoder,
) -> dict:
    """Writes base networks with the adapted G among them; returns the pack's words.

    The folder is one of networks as training leaves it, G in float32.

    Args:
        output: of the folder; an earlier one of networks is replaced.
        pack: to be applied.
        networks: the folder of the base.
        base: its G; ends as the adapted one.

    Raises:
        InputError: as `domain_pack.apply`, or if the folder holds other things.
    """
    files.check_folder(output, NETWORK)
    about = domain_pack.apply(pack, base)
    networks = pathlib.Path(networks)
    with files.replaced_folder(output, NETWORK) as new:
        for path in sorted(networks.iterdir()):
            if path.is_file() and path.suffix in (".npz", ".json"):
                shutil.copyfile(path, new / path.name)
        meta = checkpoint.read_meta(networks / NETWORK)
        meta["domain_pack"] = about["pack_hash"]
        checkpoint.save_weights(new / NETWORK, base, dtype="float32", meta=meta)
    return about


def _weights(pack: str | os.PathLike) -> pathlib.Path:
    return pathlib.Path(pack) / domain_pack.WEIGHTS


def _alike(pack: str | os.PathLike, first: str | os.PathLike) -> dict:
    """What a pack says; raises `InputError` if it is not of the first's base."""
    about, other = domain_pack.read(pack), domain_pack.read(first)
    for key in ("base_hash", "block"):
        if about[key] != other[key]:
            raise errors.InputError(
                f"{pack}: {key} is {about[key]}, that of {first} is {other[key]}; "
                "give packs of one base and block"
            )
    return about
