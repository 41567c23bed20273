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

# One random stream per use; the numbers are part of every result.
STREAMS = {
    "poses": 0,
    "motions": 1,
    "source": 2,
    "source_test": 3,
    "target": 4,
    "pairs": 5,
    "world": 6,
    "labelled": 7,
    "latent_pairs": 11,
    "cameras": 40,
    "points": 41,
    "cast": 42,
    "pictures": 43,
    "unlabelled": 44,
    "interventions": 45,
    "crowds": 46,
    "scenes": 47,
    "turns": 48,
    "canonical": 49,
    "refinement": 50,
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
    strides: Sequence[int] = (1,),
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
    strides: Sequence[int] = (1,),
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


class Rows:
    """Some rows of an array or of an object that reads rows; nothing is copied."""

    def __init__(self, whole: Any, rows: np.ndarray) -> None:
        """`rows`: numbers in `whole`."""
        self._whole, self._rows = whole, rows

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, numbers: Any) -> np.ndarray:
        """Reads rows by their numbers here."""
        return self._whole[self._rows[numbers]]


def clips(
    pictures: Any, videos: np.ndarray, seed: int, batch_size: int
) -> Callable[[int], Iterator[tuple[np.ndarray, np.ndarray]]]:
    """Returns batches of clips, of as many videos as there are.

    Clips of different videos are each other's negatives. Where there are fewer videos
    than places in a batch, the rest is filled with other clips of the same videos.

    Args:
        pictures: uint8 `[N, T, S, S, 3]`, or an object that gives such rows.
        videos: `[N]`, which video each clip is of.
        seed: of the draw.
        batch_size: clips per batch; at most N come.

    Returns:
        Batches of clips uint8 `[B, T, S, S, 3]` and their videos `[B]`.
    """
    members = [np.flatnonzero(videos == video) for video in np.unique(videos)]
    size = min(batch_size, len(videos))

    def make(step: int) -> tuple[np.ndarray, np.ndarray]:
        generator = rng(seed, "target", step)
        different = min(size, len(members))
        chosen = generator.choice(len(members), size=different, replace=False)
        rows = np.array([generator.choice(members[i]) for i in chosen])
        if different < size:
            others = np.setdiff1d(np.arange(len(videos)), rows)
            more = generator.choice(others, size=size - different, replace=False)
            rows = np.concatenate([rows, more])
        return pictures[rows], videos[rows]

    return stream(make)
