"""The progress bar."""

import io

from sa3dhp import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_pipe_gets_one_line_for_every_tenth():
    stream, clock = io.StringIO(), Clock()
    with progress.Progress("a", 0, 50, stream=stream, clock=clock) as bar:
        for done in range(1, 51):
            clock.now = 2.0 * done
            bar.update(done, {"cycle": 1 / 3})
    lines = stream.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[4] == "a [##########..........]  25/50  0:50 left  cycle 0.3333"
    assert lines[-1] == "a [####################]  50/50  1:40 taken  cycle 0.3333"


def test_a_terminal_keeps_one_line_within_its_width(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    stream, clock = Terminal(), Clock()
    with progress.Progress("stage", 0, 1000, stream=stream, clock=clock) as bar:
        for done in range(1, 1001):
            clock.now = 0.01 * done
            bar.update(done, {"a_term_with_a_name": 1.0})
    text = stream.getvalue()
    assert text.count("\n") == 1 and text.endswith("\n")
    assert 40 < text.count("\r") < 60  # 10 s at one redraw in 0.2 s
    assert {len(line) for line in text[1:-1].split("\r")} == {39}


def test_time_left_counts_from_the_step_it_resumed_at():
    stream, clock = io.StringIO(), Clock()
    bar = progress.Progress("a", 90, 100, stream=stream, clock=clock)
    clock.now = 3600.0
    bar.update(95, {})
    assert stream.getvalue() == ""  # the ninth tenth was reported before
    bar.update(100, {})
    assert "1:00:00 taken" in stream.getvalue()


def test_the_line_is_ended_when_an_error_breaks_in():
    stream, clock = Terminal(), Clock()
    try:
        with progress.Progress("a", 0, 10, stream=stream, clock=clock) as bar:
            clock.now = 1.0
            bar.update(1, {})
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert stream.getvalue().endswith("\n")


def test_durations_read_like_a_clock():
    assert progress.duration(59.6) == "1:00"
    assert progress.duration(3661) == "1:01:01"


def test_time_left_does_not_count_the_slow_first_step():
    stream, clock = io.StringIO(), Clock()
    bar = progress.Progress("a", 0, 4, stream=stream, clock=clock)
    for done, now in ((1, 60.0), (2, 61.0)):
        clock.now = now
        bar.update(done, {})
    assert [line.split("  ")[2] for line in stream.getvalue().splitlines()] == [
        "...",
        "0:02 left",
    ]
