"""What people see: a bar on one terminal line, plain lines elsewhere, no C++ talk."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TextIO

_WIDTH = 20  # of the bar, characters
_REFRESH = 0.2  # seconds between two redraws


class Progress:
    """Shows how far a stage is, its terms, and the time left.

    On a terminal one line is redrawn; elsewhere (a file, a pipe) one line is printed
    for every `percent` of the way.
    """

    def __init__(
        self,
        name: str,
        start: int,
        total: int,
        *,
        percent: int = 10,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Starts the clock at `start` of `total` steps; `stream` is stdout if None."""
        self._name, self._start, self._total = name, start, total
        self._percent = percent
        self._stream = stream or sys.stdout
        self._clock = clock
        self._began = self._drawn = clock()
        self._tenth = 100 * start // total // percent
        self._open = False
        self._first: tuple[int, float] | None = None  # step and time

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *exception: object) -> None:
        """Ends the line, so that what is printed next (an error) has its own."""
        if self._open:
            self._stream.write("\n")
            self._stream.flush()

    def update(self, done: int, terms: Mapping[str, float]) -> None:
        """Draws the state after `done` steps, if it is time to."""
        now, last = self._clock(), done == self._total
        self._first = self._first or (done, now)
        if self._stream.isatty():
            if last or now - self._drawn >= _REFRESH:
                self._drawn, self._open = now, True
                width = shutil.get_terminal_size().columns - 1
                line = self._line(done, terms, now)[:width].ljust(width)
                self._stream.write("\r" + line)
                self._stream.flush()
        elif 100 * done // self._total // self._percent > self._tenth:
            self._tenth = 100 * done // self._total // self._percent
            self._stream.write(self._line(done, terms, now) + "\n")
            self._stream.flush()

    def _line(self, done: int, terms: Mapping[str, float], now: float) -> str:
        filled = _WIDTH * done // self._total
        when = f"{duration(now - self._began)} taken"
        if done < self._total:
            # The first step, which traces the graph, says nothing about the others.
            first, then = self._first or (self._start, self._began)
            pace = (now - then) / (done - first) if done > first else 0.0
            when = f"{duration(pace * (self._total - done))} left" if pace else "..."
        parts = [
            f"{self._name} [{'#' * filled}{'.' * (_WIDTH - filled)}]",
            f"{done}/{self._total}",
            when,
            *(f"{term} {value:.4g}" for term, value in terms.items()),
        ]
        return "  ".join(parts)


def duration(seconds: float) -> str:
    """Seconds as `m:ss`, or `h:mm:ss` from an hour on."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """Keeps off stderr what TFLite's C++ code announces there and nothing can stop."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
