"""Runs tasks on the cores of this machine, one process per shard."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Sequence
from multiprocessing import connection, process
from typing import Any

from sa3dhp import errors
from sa3dhp.data import datasets
from sa3dhp.data.preparing import transform, units


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run(
    tasks: Sequence[units.Task],
    done: Callable[[units.Report], None],
    processes: int | None = None,
) -> None:
    """Prepares shards.

    Args:
        tasks: the shards.
        done: is told about each when it is written.
        processes: at the same time; all cores if None. 1 works in this process.

    Raises:
        InputError: if a process was killed from outside.
        Exception: what the transform raises, from the first shard that fails.
    """
    processes = min(processes or cores(), len(tasks))
    if processes <= 1:
        for task in tasks:
            done(transform.prepare(task))
        return
    # Workers are forked from a process that has TensorFlow and nothing else of ours.
    methods = multiprocessing.get_all_start_methods()
    spawning = multiprocessing.get_context(
        "forkserver" if "forkserver" in methods else "spawn"
    )
    readers = {datasets.module(task.dataset) for task in tasks}
    spawning.set_forkserver_preload([transform.__name__, *sorted(readers)])
    waiting = list(reversed(tasks))
    running: dict[Any, process.BaseProcess] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                worker, result = _start(spawning, waiting.pop())
                running[result] = worker
            for ready in connection.wait(list(running)):
                done(_outcome(running.pop(ready), ready))
    finally:
        for worker in running.values():
            worker.terminate()
        for worker in running.values():
            worker.join()


def _start(
    spawning: Any, task: units.Task
) -> tuple[process.BaseProcess, connection.Connection]:
    result, theirs = spawning.Pipe(duplex=False)
    worker = spawning.Process(target=_work, args=(task, theirs), daemon=True)
    worker.start()
    theirs.close()
    return worker, result


def _outcome(worker: process.BaseProcess, result: Any) -> units.Report:
    """The report of a worker that has ended; raises what it raised."""
    try:
        report = result.recv()
    except EOFError:
        worker.join()
        raise errors.InputError(
            f"a process ended with status {worker.exitcode} before its shard was done: "
            "killed, perhaps for lack of memory; give fewer --processes and run the "
            "same command again, it goes on where it stopped"
        ) from None
    finally:
        result.close()
    worker.join()
    if isinstance(report, Exception):
        raise report
    return report


def _work(task: units.Task, result: connection.Connection) -> None:
    """Prepares one shard in a process of its own, which ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    outcome: units.Report | Exception
    try:
        outcome = transform.prepare(task)
    except (OSError, errors.InputError) as error:
        outcome = error
    except Exception as error:
        traceback.print_exc()
        outcome = RuntimeError(f"{task.shard}: {type(error).__name__}: {error}")
    result.send(outcome)
    result.close()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
