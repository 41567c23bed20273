"""A folder of networks, complete for the rules of a configuration."""

from __future__ import annotations

import dataclasses
import filecmp
import hashlib
import json
import os
import pathlib
import shutil

from sa3dhp import errors, files
from sa3dhp.experiments import sabotage
from sa3dhp.systems.relation_distillation import config as configs
from sa3dhp.systems.relation_distillation import networks as networks_
from sa3dhp.systems.relation_distillation import stages
from sa3dhp.training import store

_BASE = ("pose_encoder", "pose_decoder", "motion_encoder", "motion_decoder")


def complete(
    config: configs.Config,
    checkpoints: str | os.PathLike,
    folder: str | os.PathLike,
    *,
    wrong_flip: bool = False,
) -> networks_.Networks:
    """Copies trained networks and trains the relation networks that are missing.

    Args:
        config: `relations.rules` says which there must be.
        checkpoints: folder to copy from; never written to.
        folder: gets all networks; what fits already stays.
        wrong_flip: train those of rules that mirror by a wrong flip map.

    Raises:
        InputError: if another network is missing, or they do not fit each other.
    """
    folder = pathlib.Path(folder)
    networks = networks_.Networks(config, store.Store(folder))
    kept = {
        networks_.relation_name(k)
        for k, rule in networks.rules.items()
        if rule.view.flip
    }
    _copy(pathlib.Path(checkpoints), folder, kept if wrong_flip else set())
    for name in _BASE:  # what is wrong with these is told, not mended
        networks.load(name)
    missing = {k: r for k, r in networks.rules.items() if not _fits(networks, k)}
    if not missing:
        return networks
    print(f"training relation networks: {', '.join(missing)}", flush=True)
    made_of = [rule.pieces for rule in missing.values()]
    resolved = dataclasses.asdict(config)
    text = json.dumps([resolved["relations"], resolved["data"], made_of, wrong_flip])
    state = folder / f"training_{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    networks.rules = sabotage.wrong_flips(missing) if wrong_flip else missing
    stages.Stages(config, networks).train("relations", state)
    shutil.rmtree(state, ignore_errors=True)
    return networks_.Networks(config, networks.store)


def _fits(networks: networks_.Networks, rule: str) -> bool:
    try:
        networks.load(networks_.relation_name(rule))
    except errors.InputError:
        return False
    return True


def _copy(source: pathlib.Path, folder: pathlib.Path, but: set[str]) -> None:
    """Brings a folder up to date with another, file by file."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in [*sorted(source.glob("*.npz")), source / "meta.json"]:
        copy = folder / path.name
        if not path.is_file():
            raise errors.InputError(
                f"{path}: no such checkpoint; give --checkpoints=DIR, or run python "
                f"tools/pretrain.py --stage=all --checkpoints={source}"
            )
        if path.stem in but:
            continue
        if copy.is_file() and filecmp.cmp(path, copy, shallow=False):
            continue
        with files.atomic(copy) as temporary:
            shutil.copyfile(path, temporary)
