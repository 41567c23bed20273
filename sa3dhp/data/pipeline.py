"""Batches for the training stages, each a function of (seed, stream, step) alone.

A stream is a callable `batches(start_step)` that returns an iterator: a run that was
stopped and resumed sees the batches that an undisturbed run sees. Batches are NumPy
arrays, made ahead in one thread while the step computes.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from sa3dhp import errors

Batches = Callable[[int], Iterator[Any]]

# One random stream per use.
STREAMS = {
    name: number
    for number, name in enumerate(
        (
            "poses",
            "motions",
            "source",
            "source_test",
            "target",
            "pairs",
            "world",
            "labelled",
        )
    )
}


def rng(seed: int, stream: str, step: int) -> np.random.Generator:
    """Returns the random generator of one step of one stream."""
    return np.random.default_rng([seed, STREAMS[stream], step])


def stream(make: Callable[[int], Any], depth: int = 4) -> Batches:
    """Returns batches made by `make(step)`, `depth` of them ahead of their use.

    An error in `make` is raised where the batch is asked for.
    """

    def batches(start: int = 0) -> Iterator[Any]:
        ready: queue.Queue = queue.Queue(maxsize=depth)
        stop = threading.Event()

        def put(item: tuple) -> None:
            while not stop.is_set():
                try:
                    return ready.put(item, timeout=0.2)
                except queue.Full:
                    continue

        def work() -> None:
            step = start
            while not stop.is_set():
                try:
                    put((make(step), None))
                except BaseException as error:
                    return put((None, error))
                step += 1

        threading.Thread(target=work, daemon=True).start()
        try:
            while True:
                batch, error = ready.get()
                if error is not None:
                    raise error
                yield batch
        finally:
            stop.set()

    return batches


def poses(motions: Sequence[np.ndarray], seed: int, batch_size: int) -> Batches:
    """Returns single poses drawn from motions.

    Args:
        motions: of `[T, J, 3]` joints, mm; lengths may differ.
        seed: of the draw.
        batch_size: poses per batch.

    Returns:
        Batches `[B, J, 3]`, float32.
    """
    frames = np.concatenate(motions).astype(np.float32)

    def make(step: int) -> np.ndarray:
        return frames[rng(seed, "poses", step).integers(len(frames), size=batch_size)]

    return stream(make)


def windows(
    motions: Sequence[np.ndarray],
    generator: np.random.Generator,
    *,
    count: int,
    num_frames: int,
    strides: tuple = (1,),
) -> np.ndarray:
    """Returns random windows of motions.

    Args:
        motions: of `[T, J, 3]`, mm; those shorter than a window are left out.
        generator: the source of randomness.
        count: windows.
        num_frames: of a window.
        strides: every how many frames a window takes, one drawn per window; 2 is the
            double speed of `slow-backward`'s anchor.

    Returns:
        `[count, num_frames, J, 3]`, float32.
    """
    longest = (num_frames - 1) * max(strides) + 1
    usable = [m for m in motions if len(m) >= longest]
    if not usable:
        raise errors.InputError(
            f"motions: the longest of {len(motions)} has "
            f"{max(map(len, motions), default=0)} frames, expected {longest}"
        )
    out = []
    for _ in range(count):
        motion = usable[generator.integers(len(usable))]
        stride = strides[generator.integers(len(strides))]
        length = (num_frames - 1) * stride + 1
        first = generator.integers(len(motion) - length + 1)
        out.append(motion[first : first + length : stride])
    return np.stack(out).astype(np.float32)


def motion_windows(
    motions: Sequence[np.ndarray],
    seed: int,
    *,
    batch_size: int,
    num_frames: int,
    strides: tuple = (1,),
) -> Batches:
    """Returns batches `[B, num_frames, J, 3]` of `windows`."""

    def make(step: int) -> np.ndarray:
        return windows(
            motions,
            rng(seed, "motions", step),
            count=batch_size,
            num_frames=num_frames,
            strides=strides,
        )

    return stream(make)


def clips(
    pictures: np.ndarray, videos: np.ndarray, seed: int, batch_size: int
) -> Batches:
    """Returns batches of clips of different videos: they are each other's negatives.

    Args:
        pictures: uint8 `[N, T, S, S, 3]`.
        videos: `[N]`, which video each clip is of.
        seed: of the draw.
        batch_size: clips per batch; at most as many as there are videos.

    Returns:
        Batches uint8 `[B, T, S, S, 3]`.
    """
    members = [np.flatnonzero(videos == video) for video in np.unique(videos)]

    def make(step: int) -> np.ndarray:
        generator = rng(seed, "target", step)
        size = min(batch_size, len(members))
        chosen = generator.choice(len(members), size=size, replace=False)
        return pictures[[generator.choice(members[i]) for i in chosen]]

    return stream(make)
