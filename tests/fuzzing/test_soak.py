"""The watch over memory sees what grows, and what a child process holds."""

import sys

import numpy as np
import pytest
import soak

GROWS = """
import time
held = []
while True:
    held.append(bytearray(1 << 20))
    time.sleep(0.02)
"""
STAYS = "import time\nheld = bytearray(50 << 20)\ntime.sleep(5)"
CHILD = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {STAYS!r}])"


@pytest.mark.parametrize(("code", "grows"), [(GROWS, True), (STAYS, False)])
def test_growth_is_told_from_rest(code, grows):
    rows = soak.watch([sys.executable, "-c", code], 1.5, every=0.1)
    assert (soak.drift(rows, 0.5) > soak.LIMIT) == grows


def test_children_count():
    command = [sys.executable, "-c", CHILD]
    rows = soak.watch(command, 1.5, every=0.1)
    assert rows[-1, 1] > 50 << 20
    text = soak.table(command, rows, 0.5)
    assert "| minutes | 0 |" in text and "to the end" in text


def test_what_comes_and_goes_is_no_growth():
    rows = np.stack([np.arange(100.0), np.full(100, 1e6)], axis=1)
    rows[40:60, 1] *= 2
    assert soak.drift(rows, 10) == 0


@pytest.mark.parametrize("status", [0, 3])
def test_a_command_that_ends_before_its_time_is_told(status):
    command = [sys.executable, "-c", f"raise SystemExit({status})"]
    with pytest.raises(RuntimeError, match=f"ended with status {status}"):
        soak.watch(command, 5, every=0.05)
