"""How features of one pose lie together, and what they keep of it ([C] Fig. 1)."""

from __future__ import annotations

import importlib.util
import pathlib

import numpy as np

from sa3dhp import files
from sa3dhp.systems.interventions import config as configs
from sa3dhp.systems.interventions import networks as networks_
from sa3dhp.systems.interventions import predictions, sources
from sa3dhp.visualisation import scatter, skeleton_plot

NEEDS = "pip install 'sa3dhp[figures]' for its t-SNE, and run it again"
_NOISES = 16  # of each pose, that are measured
_POSES, _DOTS = 6, 50  # of the figure


def measure(config: configs.Config, made: networks_.Networks) -> dict[str, float]:
    """Returns how features of one pose lie together, and how poses are read back.

    Args:
        config: of the run.
        made: networks of its stage `estimator`.

    Returns:
        `between_within`, the variance of the mean features of poses over that within
        one pose under other noises; `read_back`, the mean absolute difference of a pose
        and what the adapted f and h read in a counterfactual picture of it, of many
        noises, half sides;
        `read_decoded`, the same of unseen pictures of the source that passed E and M;
        `read_real`, of these pictures as they are.
    """
    side = sources.place(config, config.data.source, unseen=True)
    known = sources.poses_of(side, config.data.image_size)
    features = predictions.features(made.generator(), known, _NOISES, seed=0)
    codes = features[np.arange(len(features)), np.arange(len(features)) % _NOISES]
    means = features.mean(axis=1)
    within = np.mean(np.sum((features - means[:, None]) ** 2, axis=-1))
    between = np.mean(np.sum((means - means.mean(axis=0)) ** 2, axis=-1))
    network, (encoder, decoder) = made.estimator(), made.vae()
    read = predictions.read(network, predictions.shown(decoder, codes))
    return {
        "between_within": float(between / max(within, 1e-12)),
        "read_back": float(np.nanmean(abs(read - known))),
        "read_decoded": predictions.difference(network, side, (encoder, decoder)),
        "read_real": predictions.difference(network, side),
    }


def can_draw() -> bool:
    """Whether t-SNE is installed."""
    return importlib.util.find_spec("sklearn") is not None


def draw(config: configs.Config, made: networks_.Networks, path: pathlib.Path) -> None:
    """Writes [C] Fig. 1: features of some poses under many noises, by t-SNE."""
    if not can_draw():
        return print(f"no {path.name}: {NEEDS}")
    from sklearn import manifold

    side = sources.place(config, config.data.source, unseen=True).evenly(_POSES)
    known = sources.poses_of(side, config.data.image_size)
    features = predictions.features(made.generator(), known, _DOTS, seed=0)
    flat = features.reshape(-1, features.shape[-1])
    embedding = manifold.TSNE(
        init="pca",
        perplexity=min(30, len(flat) // 4),
        method="exact",  # of so few it is the faster one
        random_state=0,
    )
    places = embedding.fit_transform(flat).reshape(len(known), _DOTS, 2)
    figure = scatter.groups(places, [f"pose {n + 1}" for n in range(len(known))])
    with files.atomic(path) as temporary:
        temporary.write_bytes(skeleton_plot.to_png(figure))
