"""Training on several devices or machines, with the numbers of one (design 12).

Every replica sees the whole batch, which is a function of the seed and the step, but
sends only its share of the pictures through the expensive networks. The replicas then
hand each other what they found, and go on alike: negatives, means and batch statistics
are of the whole batch. Each counts for 1 / R of the loss, so that the sum of their
gradients, which Keras' optimizers take, is the gradient of the batch. Networks without
a convolution are computed by each replica, on the whole batch.
"""

from __future__ import annotations

import atexit
import contextlib
import contextvars
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import tensorflow as tf

from sa3dhp import errors

_EXAMPLE = json.dumps(
    {
        "cluster": {"worker": ["host1:12345", "host2:12345"]},
        "task": {"type": "worker", "index": 0},
    }
)
# What TensorFlow raises in a worker whose peers have gone.
_LOST = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
)
# Seconds that a worker waits before it ends by a fault: what it found out with the
# others may still be on its way to them, and would go with it.
_PATIENCE = 5.0
# How many rows the whole has whose shares the replicas, each a thread, are at.
_TOTAL: contextvars.ContextVar[Any] = contextvars.ContextVar("total", default=None)


def make(name: str) -> tf.distribute.Strategy:
    """Returns a strategy; the first thing that a process asks of TensorFlow.

    Args:
        name: `none`; `mirrored`, all GPUs of this machine, or all logical CPUs where
            there is none; `multi_worker`, the processes that `TF_CONFIG` names.

    Raises:
        InputError: if `TF_CONFIG` is missing or malformed.
    """
    if name == "mirrored":
        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        devices = [device.name for device in tf.config.list_logical_devices(kind)]
        if len(devices) == 1:
            print(f"note: --strategy=mirrored: one {kind}, so it makes no difference")
            return tf.distribute.get_strategy()
        return tf.distribute.MirroredStrategy(devices)
    if name == "multi_worker":
        number, count = check_cluster(os.environ.get("TF_CONFIG", ""))
        print(f"worker {number} of {count}: waits for the others", flush=True)
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
        if number:  # worker 0 speaks for all
            sys.stdout = open(os.devnull, "w", encoding="utf-8")
        return strategy
    return tf.distribute.get_strategy()


def check_cluster(text: str) -> tuple[int, int]:
    """Returns the number of this worker, from 0, and how many there are.

    Args:
        text: of `TF_CONFIG`.

    Raises:
        InputError: if it is empty or malformed.
    """
    try:
        config = json.loads(text)
        (kind, workers), *others = config["cluster"].items()
        number = config["task"]["index"]
        good = (
            kind == config["task"]["type"] == "worker"
            and not others
            and isinstance(workers, list)
            and all(isinstance(x, str) and ":" in x for x in workers)
            and type(number) is int
            and 0 <= number < len(workers)
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        good = False
    if not good:
        raise errors.InputError(
            f"TF_CONFIG: got {text[:200] or 'nothing'}, expected as in "
            f"TF_CONFIG='{_EXAMPLE}', with the index of each worker"
        )
    return number, len(workers)


@contextlib.contextmanager
def together(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Says in one line that another worker has gone: `InputError`.

    Workers that find the same fault all say it: none leaves before the others heard.
    """
    try:
        yield
    except _LOST as error:
        if strategy.cluster_resolver is None:
            raise
        raise errors.InputError(
            "--strategy=multi_worker: another worker has gone; start all with the same "
            "commands again, and the run goes on from its last state"
        ) from error
    except Exception:
        if strategy.cluster_resolver is not None:
            time.sleep(_PATIENCE)
        raise


@contextlib.contextmanager
def scope(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Networks and optimizers that are made here have a copy in each replica.

    The statistics of batch norm too: Keras would take their mean over the replicas at
    each reading, where here all are of the whole batch.
    """

    def mirrored(create: Callable[..., tf.Variable], **options: Any) -> tf.Variable:
        if options.get("synchronization") == tf.VariableSynchronization.ON_READ:
            options["synchronization"] = tf.VariableSynchronization.AUTO
            options["aggregation"] = tf.VariableAggregation.NONE
        return create(**options)

    if strategy.num_replicas_in_sync == 1:
        yield
        return
    with together(strategy), strategy.scope(), tf.variable_creator_scope(mirrored):
        yield


def own(
    strategy: tf.distribute.Strategy, folder: str | os.PathLike[str]
) -> pathlib.Path:
    """Returns the folder in which this process works: `folder`, if it is the chief.

    TensorFlow has all workers save together. So the others work in a copy, which goes
    with the process.

    Raises:
        InputError: if the workers see different things in the folder.
    """
    mine, resolver = pathlib.Path(folder), strategy.cluster_resolver
    if resolver is None:
        return mine
    if resolver.task_id > 0:
        home = tempfile.mkdtemp(prefix="sa3dhp-")
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        mine = pathlib.Path(home) / mine.name
        if os.path.isdir(folder):
            hidden = shutil.ignore_patterns(".*")
            shutil.copytree(folder, mine, ignore=hidden, dirs_exist_ok=True)
    # The chief waits here until all have their copy.
    with together(strategy):
        if len(set(_heard(strategy, _digest(mine)))) > 1:
            raise errors.InputError(
                f"{folder}: not the same for all workers; give one that all share"
            )
    return mine


def run(
    strategy: tf.distribute.Strategy, update: Callable[[Any], dict], batch: Any
) -> dict[str, tf.Tensor]:
    """Runs an update in each replica; returns what the first says, as all say the same.

    Args:
        strategy: that the variables were made under.
        update: from a batch to scalars by name.
        batch: the whole.
    """
    found = strategy.run(update, args=(batch,))
    return {k: strategy.experimental_local_results(x)[0] for k, x in found.items()}


def share(loss: tf.Tensor) -> tf.Tensor:
    """Returns a replica's part of a loss, or of its gradient, that all know."""
    count = _count()
    return loss / count if count > 1 else loss


def shared(encode: Callable[..., Any]) -> Callable[..., Any]:
    """Returns an encoder of which each replica does its share.

    Outside of a replica, or where there is only one, it is `encode`.

    Args:
        encode: tensors `[N, ...]` to a tensor `[N, ...]`, or a structure of them, each
            row by itself; but for batch norm, see `shared_norm.synchronise`.
    """

    def by_shares(*wholes: tf.Tensor) -> Any:
        if _count() == 1:
            return encode(*wholes)
        first = wholes[0]
        total = tf.shape(first)[0] if first.shape[0] is None else first.shape[0]
        token = _TOTAL.set(total)
        try:
            found = encode(*[_mine(x) for x in wholes])
        finally:
            _TOTAL.reset(token)
        return tf.nest.map_structure(lambda x: _together(x)[:total], found)

    return by_shares


def sharing() -> bool:
    """Whether this replica is at its share of the pictures, within `shared`."""
    return _TOTAL.get() is not None


def moments(mine: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Returns mean and variance `[C]` over the shares of all, and how many values.

    Args:
        mine: `[n, ..., C]`, float32, of this replica's share. What fills it up counts
            for nothing.
    """
    context, total = tf.distribute.get_replica_context(), _TOTAL.get()
    shape = tf.shape(mine)
    real = _number() * shape[0] + tf.range(shape[0]) < total
    weight = tf.reshape(tf.cast(real, mine.dtype), [-1] + [1] * (len(mine.shape) - 1))
    number = tf.cast(total * tf.reduce_prod(shape[1:-1]), mine.dtype)

    def mean(values: tf.Tensor) -> tf.Tensor:
        summed = tf.reduce_sum(weight * values, axis=range(len(mine.shape) - 1))
        return context.all_reduce(tf.distribute.ReduceOp.SUM, summed) / number

    middle = mean(mine)
    return middle, mean(tf.square(mine - middle)), number


def alike(draw: Callable[[], Any]) -> Any:
    """Runs what draws random numbers of TensorFlow's own, the same in each replica.

    In a graph the draws of an operation without a seed go by how many came before. So
    each replica gets a graph of its own for them, as a single device has.
    """
    return draw() if _count() == 1 else tf.function(draw, autograph=False)()


@tf.custom_gradient
def _mine(whole: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """This replica's part `[n, ...]` of what all know, filled up with zeros.

    The gradient of the others' parts comes from them; each replica takes the R-th part
    of it all, as of everything that all know.
    """
    count, total = _count(), tf.shape(whole)[0]
    rows = whole.shape[0] or total

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        return _gathered(upstream)[:total] / count

    padding = [[0, -rows % count]] + [[0, 0]] * (len(whole.shape) - 1)
    parts = tf.reshape(tf.pad(whole, padding), [count, -1, *whole.shape[1:]])
    return parts[_number()], gradient


@tf.custom_gradient
def _together(mine: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    """The parts `[n, ...]` of all R replicas, `[R n, ...]`.

    Of the gradient each replica takes that of its own part, R times: it comes from the
    R-th part of a loss, of which the others know the same.
    """
    count = _count()

    def gradient(upstream: tf.Tensor) -> tf.Tensor:
        parts = tf.reshape(upstream, [count, -1, *mine.shape[1:]])
        return parts[_number()] * count

    return _gathered(mine), gradient


def _gathered(mine: tf.Tensor) -> tf.Tensor:
    """The parts `[n, ...]` of all replicas, `[R n, ...]`, with no gradient."""
    count = _count()
    context = tf.distribute.get_replica_context()
    place = tf.one_hot(_number(), count, dtype=mine.dtype)
    place = tf.reshape(place, [count] + [1] * len(mine.shape))
    whole = context.all_reduce(tf.distribute.ReduceOp.SUM, place * mine)
    return tf.reshape(whole, [-1, *mine.shape[1:]])


def _digest(folder: pathlib.Path) -> int:
    """A number that tells two states of a folder apart."""
    found = [
        (str(path.relative_to(folder)), path.stat().st_size)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    ]
    return zlib.crc32(repr(found).encode())


def _heard(strategy: tf.distribute.Strategy, number: int) -> list[int]:
    """The numbers that the replicas bring with them."""

    @tf.function(autograph=False)
    def ask() -> dict[str, tf.Tensor]:
        return run(
            strategy,
            lambda _: {"all": _gathered(tf.constant([number], tf.int64))},
            None,
        )

    return ask()["all"].numpy().tolist()


def _count() -> int:
    """How many replicas work on what is traced now."""
    context = tf.distribute.get_replica_context()
    return context.num_replicas_in_sync if context else 1


def _number() -> int | tf.Tensor:
    """Which of them this is."""
    return tf.distribute.get_replica_context().replica_id_in_sync_group
