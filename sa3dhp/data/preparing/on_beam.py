"""Runs tasks on Apache Beam, for data that outgrows one machine.

Every worker must see the input and the output folder under the same path (a shared file
system), and have this package installed.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

from sa3dhp import errors
from sa3dhp.data.preparing import transform, units

_LOOK = 1.0  # seconds between two looks at what is done


def options(arguments: Sequence[str]) -> Any:
    """Returns Beam's options from its own command-line flags.

    Raises:
        InputError: if Beam is not installed, or does not know a flag.
    """
    try:
        from apache_beam.options import pipeline_options
    except ImportError:
        raise errors.InputError(
            "--engine=beam needs Apache Beam: pip install 'sa3dhp[beam]'"
        ) from None
    chosen = pipeline_options.PipelineOptions(list(arguments))
    known = set(pipeline_options.PipelineOptions([]).get_all_options())
    given = set(chosen.get_all_options(retain_unknown_options=True))
    if given - known:
        raise errors.InputError(
            f"--{min(given - known)}: neither a flag of prepare_data (--help lists "
            "them) nor of Beam; write flags as --name=value"
        )
    return chosen


def run(
    tasks: Sequence[units.Task],
    done: Callable[[units.Report], None],
    chosen: Any = None,
) -> None:
    """Prepares shards.

    Args:
        tasks: the shards.
        done: is told about each when it is written.
        chosen: Beam's options; its defaults (this process) if None.

    Raises:
        OSError: if the output cannot be written.
        Exception: what the runner makes of what the transform raises.
    """
    import apache_beam as beam

    logging.getLogger("apache_beam").setLevel(logging.ERROR)
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(list(tasks), done, ended))
    watch.start()
    try:
        with beam.Pipeline(options=chosen) as pipeline:
            _ = (
                pipeline
                | "shards" >> beam.Create(list(tasks))
                | "spread" >> beam.Reshuffle()
                | "prepare" >> beam.Map(_prepare)
            )
    except RuntimeError as error:  # in which runners wrap what a worker raised
        system = re.search(r"Error: \[Errno (\d+)\] [^:]*: '([^']*)'", str(error))
        if not system:
            raise
        number = int(system[1])
        raise OSError(number, os.strerror(number), system[2]) from error
    finally:
        ended.set()
        watch.join()


def _prepare(task: units.Task) -> str:
    """Prepares one shard; its report is on the disk."""
    transform.prepare(task)
    return task.shard


def _watch(
    waiting: list[units.Task],
    done: Callable[[units.Report], None],
    ended: threading.Event,
) -> None:
    """Tells about shards as their reports appear, for runners do not say."""
    last = False
    while waiting and not last:
        last = ended.wait(_LOOK)
        for task in list(waiting):
            report = transform.finished(task)
            if report is not None:
                waiting.remove(task)
                done(report)
