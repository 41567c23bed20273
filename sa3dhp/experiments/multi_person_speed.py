"""Everybody in one shot beside one person at a time ([P] Table 8).

Both run in turn, in one process, on pictures with random pixels and with random
weights: neither changes the time. The top-down way gets its boxes for nothing; what
finds people in it would come on top.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from sa3dhp import files
from sa3dhp.experiments import benchmark
from sa3dhp.export import serving as single
from sa3dhp.models import image_encoder, pose_autoencoder, pose_model, pose_prior
from sa3dhp.skeleton import skeleton as skeletons
from sa3dhp.systems.multi_person import composer as composers
from sa3dhp.systems.multi_person import config as configs
from sa3dhp.systems.multi_person import networks as networks_
from sa3dhp.systems.multi_person import serving

NAME = "multi_person_speed"
PEOPLE = (1, 2, 4, 8)
ROUNDS = 15  # timed calls of each
TOP_DOWN = "top-down"
# Of [P] Table 8: millions of parameters.
_PAPER = "17.1"
_SKELETON = skeletons.SA3DHP17
_BONES = np.full(_SKELETON.num_joints, 200.0, np.float32)


def run(
    configure: Callable[[Sequence[str]], configs.Config],
    workdir: str | os.PathLike,
    facts: Mapping,
) -> str:
    """Times both ways and writes `<workdir>/multi_person_speed.json` and `.md`.

    Args:
        configure: from overrides to a configuration.
        workdir: for what is written.
        facts: kept with the numbers: command, commit, hardware and the like.

    Returns:
        The table as Markdown.
    """
    config = configure(())
    ours, one_by_one = _everybody(config), _top_down(config.data.image_size)
    timings = [
        benchmark.compare(_work(config, ours, one_by_one, count), ROUNDS)
        for count in PEOPLE
    ]
    found = {
        "table": NAME,
        "image_size": config.data.image_size,
        "parameters": {"ours": _size(ours[1]), TOP_DOWN: _size(one_by_one[1])},
        "rows": [
            {"people": count, **timing.entry()}
            for count, timing in zip(PEOPLE, timings)
        ],
        **facts,
    }
    text = markdown(found)
    files.write_json(pathlib.Path(workdir) / f"{NAME}.json", found)
    files.write_text(pathlib.Path(workdir) / f"{NAME}.md", text)
    return text


def markdown(found: Mapping) -> str:
    """Returns the numbers as a Markdown table."""
    head = "| people | pictures/s, one shot | pictures/s, top-down | times as fast |"
    text = [f"### {NAME}", "", head, "|---|---|---|---|"]
    for row in found["rows"]:
        low, middle, high = row["ratios"][TOP_DOWN]
        rates = (f"{row['per_second'][name]:.1f}" for name in ("ours", TOP_DOWN))
        ratio = f"{middle:.2f} ({low:.2f} to {high:.2f})"
        text.append(f"| {row['people']} | {' | '.join(rates)} | {ratio} |")
    millions = {name: n / 1e6 for name, n in found["parameters"].items()}
    size, machine = found["image_size"], found["hardware"]
    text += [
        "",
        f"Whole pictures of {size} px, one at a time, to everybody in the camera: E, "
        f"F, H and M, {millions['ours']:.1f} million parameters (paper: {_PAPER}). "
        f"Top-down: the boxes are given, each crop of {size} px goes through the "
        "single-person G with batch norm folded and the pose decoder, all of a picture "
        f"at once, {millions[TOP_DOWN]:.1f} million. Medians; quartiles of the rounds.",
        "",
        f"`{found['command']}`, commit {found['commit']}, {machine['cores']} cores of "
        f"{machine['cpu']}.",
        "",
    ]
    return "\n".join(text)


def _work(
    config: configs.Config, ours: tuple, one_by_one: tuple, count: int
) -> benchmark.Work:
    """A picture with some people in it, both ways."""
    size = config.data.image_size
    rng = np.random.default_rng(0)
    picture = tf.constant(rng.integers(0, 256, (1, size, size, 3), np.uint8))
    half = size / 2
    boxes = tf.constant([[half / 2, half / 2, half, half]] * count)
    where = tf.zeros([count], tf.int32)
    runs = {
        "ours": lambda: ours[0](picture)["joints"].numpy(),
        TOP_DOWN: lambda: one_by_one[0](picture, boxes, where)["joints"].numpy(),
    }
    return benchmark.Work(f"{count} people", 1, "pictures", runs)


def _everybody(config: configs.Config) -> tuple[Callable, list]:
    """What is exported of an untrained model, and its weights."""
    made = networks_.Networks(config, "nowhere")  # nothing is read or kept
    prior = pose_prior.PosePrior(*made.new_poses(), _SKELETON, _BONES)
    composer = composers.Composer(made.new_student(), prior, made.camera, made.layout)
    taught = made.new_teacher(bare=True)
    model = serving.of_composer(composer, *taught, run={})
    return model.serve, model.weights


def _top_down(size: int) -> tuple[Callable, list]:
    """The exported single-person model, untrained: frames and boxes to poses."""
    networks = pose_autoencoder.PoseEncoder(), pose_autoencoder.PoseDecoder()
    prior = pose_prior.PosePrior(*networks, _SKELETON, _BONES)
    encoder = image_encoder.ImageEncoder(size)
    model = single.Serving(pose_model.PoseModel(encoder, prior))
    return model.serve_frames, model.weights


def _size(weights: Sequence[tf.Variable]) -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)
