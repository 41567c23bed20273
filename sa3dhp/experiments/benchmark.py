"""How fast the parts are, each beside others that do the same work.

A row runs ours and the others in turn, in one process and on the same pictures, so that
what the machine does besides meets all of them: ratios can be trusted where seconds
cannot. Networks have random weights; time does not depend on them.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from sa3dhp.evaluation import evaluator, tables
from sa3dhp.export import serving, tflite
from sa3dhp.models import (
    folded,
    image_encoder,
    pose_autoencoder,
    pose_model,
    pose_prior,
)
from sa3dhp.progress import silent
from sa3dhp.skeleton import skeleton as skeletons

SKELETON = skeletons.SA3DHP17
KERAS, TORCH, TFLITE = "Keras", "PyTorch", "TFLite"
CORES = time.process_time  # a clock that counts the seconds of all cores
_WARM = 2  # calls that are not timed
_STAGES = ((64, 3, 1), (128, 4, 2), (256, 6, 2))  # of ResNet-50, up to Res-4F
_POSES = 100_000


@dataclasses.dataclass(frozen=True)
class Work:
    """One thing to do, and who does it.

    Attributes:
        name: what.
        amount: how many `unit` a call does.
        unit: `pictures`, `poses`, `starts` or `frames`.
        runs: by name; the first is ours.
        note: what is to be said of it, such as whom it could not be set beside.
        rounds: at most, of what takes long.
        clock: what its seconds are.
    """

    name: str
    amount: int
    unit: str
    runs: Mapping[str, Callable[[], Any]]
    note: str = ""
    rounds: int | None = None
    clock: Callable[[], float] = time.perf_counter


@dataclasses.dataclass(frozen=True)
class Timing:
    """What came of it.

    Attributes:
        name: of the work.
        unit: of it.
        per_second: median of each run.
        ratios: of each other run, how many times as fast ours is: quartiles and median
            of the rounds, low, median, high.
        note: of the work.
    """

    name: str
    unit: str
    per_second: Mapping[str, float]
    ratios: Mapping[str, tuple[float, float, float]]
    note: str = ""

    def entry(self) -> dict[str, Any]:
        """Returns it as JSON values."""
        return dataclasses.asdict(self)


def compare(
    work: Work, rounds: int, clock: Callable[[], float] | None = None
) -> Timing:
    """Times all runs of a work in turn, in another order each round.

    Args:
        work: what to time.
        rounds: calls of each.
        clock: in the place of the work's.
    """
    clock = clock or work.clock
    for run in work.runs.values():
        for _ in range(min(_WARM, work.rounds or _WARM)):
            run()
    seconds: dict[str, list[float]] = {name: [] for name in work.runs}
    rng = np.random.default_rng(0)
    for _ in range(min(rounds, work.rounds or rounds)):
        for name in rng.permutation(list(work.runs)):
            began = clock()
            work.runs[name]()
            seconds[name].append(clock() - began)
    ours, *others = work.runs
    spans = {name: np.array(found) for name, found in seconds.items()}
    ratios = {}
    for name in others:
        low, middle, high = np.percentile(spans[name] / spans[ours], [25, 50, 75])
        ratios[name] = (float(low), float(middle), float(high))
    rates = {k: work.amount / float(np.median(v)) for k, v in spans.items()}
    return Timing(work.name, work.unit, rates, ratios, work.note)


def text(timings: list[Timing]) -> str:
    """Returns the table for people."""
    rows = [["", "a second", "others"]]
    for timing in timings:
        ours, *others = timing.per_second
        told = [
            f"{timing.ratios[name][1]:.2f} x {name} "
            f"({timing.ratios[name][0]:.2f} to {timing.ratios[name][2]:.2f})"
            for name in others
        ]
        rate = f"{timing.per_second[ours]:.1f} {timing.unit}"
        told += [timing.note] if timing.note else []
        rows.append([timing.name, rate, ", ".join(told)])
    return tables.align_columns(rows)


def gradient_step(size: int, batch: int) -> Work:
    """One update of Res-3, as each term of the adaptation does it.

    Args:
        size: of the pictures, pixels.
        batch: pictures.

    Returns:
        Runs: batch norm folded; Keras; PyTorch where it is installed.
    """
    images = np.random.default_rng(0).random((batch, size, size, 3), np.float32)
    name = f"update of Res-3, {batch} pictures of {size} px"
    encoder = image_encoder.ImageEncoder(size)
    variables = encoder.res3_variables
    fold = folded.fold(encoder, variables)

    def plain(pictures: tf.Tensor) -> tf.Tensor:
        return encoder(pictures, training=False)

    runs: dict[str, Callable[[], Any]] = {
        "ours": _update(fold, variables, images),
        KERAS: _update(plain, variables, images),
    }
    if (peer := _torch_update(images)) is not None:
        runs[TORCH] = peer
    return Work(name, batch, "pictures", runs)


def _update(
    encode: Callable[[tf.Tensor], tf.Tensor],
    variables: list[tf.Variable],
    images: np.ndarray,
) -> Callable[[], Any]:
    optimizer = tf.keras.optimizers.Adam(0.0)  # the weights are others' too
    optimizer.build(variables)
    pictures = tf.constant(images)

    @tf.function(autograph=False)
    def step() -> tf.Tensor:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            loss = tf.reduce_mean(tf.abs(encode(pictures)))
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables))
        return loss

    return lambda: step().numpy()


def _torch_update(images: np.ndarray) -> Callable[[], Any] | None:
    """The same network and update in PyTorch; None where it is not installed."""
    try:
        import torch
    except ImportError:
        return None
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    stages, head = _torch_stages(torch.nn), _torch_head(torch.nn, images.shape[1] // 32)
    stem = [*_torch_convolution(torch.nn, 3, 64, 7, 2), torch.nn.MaxPool2d(3, 2, 1)]
    network = torch.nn.Sequential(*stem, *stages, *head).eval().requires_grad_(False)
    network = network.to(memory_format=torch.channels_last)
    moving = list(stages[1].requires_grad_(True).parameters())
    optimizer = torch.optim.Adam(moving, 0.0)
    pictures = torch.from_numpy(images.transpose(0, 3, 1, 2).copy())
    pictures = pictures.contiguous(memory_format=torch.channels_last)

    def step() -> float:
        optimizer.zero_grad()
        loss = network(pictures).abs().mean()
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


def _torch_convolution(
    nn: Any, inside: int, outside: int, kernel: int, stride: int, relu: bool = True
) -> list:
    layers = [
        nn.Conv2d(inside, outside, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outside),
    ]
    return [*layers, nn.ReLU(inplace=True)] if relu else layers


def _torch_stages(nn: Any) -> list:
    """Res-2 to Res-4."""

    class Bottleneck(nn.Module):
        def __init__(self, inside: int, width: int, stride: int):
            super().__init__()
            self.branch = nn.Sequential(
                *_torch_convolution(nn, inside, width, 1, stride),
                *_torch_convolution(nn, width, width, 3, 1),
                *_torch_convolution(nn, width, 4 * width, 1, 1, relu=False),
            )
            changed = stride != 1 or inside != 4 * width
            around = _torch_convolution(nn, inside, 4 * width, 1, stride, relu=False)
            self.around = nn.Sequential(*(around if changed else []))

        def forward(self, x: Any) -> Any:
            return nn.functional.relu(self.branch(x) + self.around(x))

    inside, stages = 64, []
    for width, count, stride in _STAGES:
        blocks = []
        for number in range(count):
            blocks.append(Bottleneck(inside, width, 1 if number else stride))
            inside = 4 * width
        stages.append(nn.Sequential(*blocks))
    return stages


def _torch_head(nn: Any, side: int) -> list:
    """The head `flat`, on maps that are `side` cells wide after its first stride."""
    dense = [(512, 512)] * 7
    return [
        *_torch_convolution(nn, 1024, 256, 3, 2),
        *_torch_convolution(nn, 256, 256, 3, 1),
        *_torch_convolution(nn, 256, 128, 3, 1),
        nn.Flatten(),
        nn.Linear(128 * side * side, 512),
        nn.ReLU(),
        *(layer for sizes in dense for layer in (nn.Linear(*sizes), nn.ReLU())),
        nn.Linear(512, image_encoder.LATENT_SIZE),
        nn.Tanh(),
    ]


def prediction(size: int, batch: int) -> Work:
    """Pictures to joints.

    Args:
        size: of the pictures, pixels.
        batch: pictures.

    Returns:
        Runs: what predicts, with batch norm folded, and Keras, under the global policy;
        of a single picture TFLite too, in float32, on as many threads.
    """
    networks = pose_autoencoder.PoseEncoder(), pose_autoencoder.PoseDecoder()
    lengths = np.full(SKELETON.num_joints, 200.0, np.float32)
    encoder = image_encoder.ImageEncoder(size)
    prior = pose_prior.PosePrior(*networks, SKELETON, lengths)
    model = pose_model.PoseModel(encoder, prior)
    policy = tf.keras.mixed_precision.global_policy().name
    served = serving.Serving(model, precision=policy)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (batch, size, size, 3), np.uint8)
    tensor = tf.constant(images)
    runs: dict[str, Callable[[], Any]] = {
        "ours": lambda: served.serve(tensor)["joints"].numpy(),
        KERAS: lambda: model.predict(images),
    }
    if batch == 1:
        with silent():
            made = tflite.converted(serving.Serving(model), "float32", images)
            run = tflite.runner(made, threads=len(os.sched_getaffinity(0)))
        runs[TFLITE] = lambda: run(images)
    word = "picture" if batch == 1 else "pictures"
    name = f"prediction, {batch} {word} of {size} px"
    return Work(name, batch, "pictures", runs)


def scoring() -> Work:
    """All metrics of a card over many poses."""
    truth = 300 * np.random.default_rng(0).normal(size=(_POSES, SKELETON.num_joints, 3))
    pred = truth + 30
    run = evaluator.evaluate_arrays
    return Work("scores", _POSES, "poses", {"ours": lambda: run(pred, truth)})


def starts() -> Work:
    """Python, with and without this package."""

    def start(code: str) -> Callable[[], Any]:
        return lambda: subprocess.run([sys.executable, "-c", code], check=True)

    runs = {"ours": start("import sa3dhp"), "Python alone": start("pass")}
    return Work("import sa3dhp", 1, "starts", runs)


def works(sizes: list[int], batch: int) -> Iterator[Work]:
    """Yields all there is to time; each is made when it is asked for."""
    for size in sizes:
        yield gradient_step(size, batch)
        tf.keras.backend.clear_session()
        for count in (1, batch):
            yield prediction(size, count)
            tf.keras.backend.clear_session()
    yield scoring()
    yield starts()
