"""Timings: ratios are those of the clock, and every work is done by all its runs."""

import json
import sys

import numpy as np
import pytest
import small_resnet
import tool_runner

from sa3dhp.experiments import benchmark


class _Clock:
    """Moves when a run says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def taking(self, seconds):
        def run():
            self.now += seconds

        return run


def test_ratios_and_rates_are_those_of_the_clock():
    clock = _Clock()
    runs = {"ours": clock.taking(0.5), "Keras": clock.taking(0.75)}
    found = benchmark.compare(benchmark.Work("x", 8, "pictures", runs), 5, clock)
    assert found.per_second["ours"] == pytest.approx(16.0)
    assert found.per_second["Keras"] == pytest.approx(8 / 0.75)
    np.testing.assert_allclose(found.ratios["Keras"], 1.5)
    printed = benchmark.text([found])
    assert "16.0 pictures" in printed and "1.50 x Keras (1.50 to 1.50)" in printed
    assert json.loads(json.dumps(found.entry()))["name"] == "x"


def test_runs_of_a_work_agree_or_move_the_same(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)  # as where it is not installed
    with small_resnet.used():
        step = benchmark.gradient_step(32, 2)
        one = benchmark.prediction(32, 1)
    assert list(step.runs) == ["ours", "Keras"]
    losses = [run() for run in step.runs.values()]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3) and losses[0] > 0
    assert list(one.runs) == ["ours", "Keras", "TFLite"]
    ours, keras, lite = (run() for run in one.runs.values())
    np.testing.assert_allclose(ours, keras, atol=0.1)
    np.testing.assert_allclose(ours, lite["joints"], atol=0.1)


def test_starts_and_scores_run(monkeypatch):
    monkeypatch.setattr(benchmark, "_POSES", 100)
    (score,) = benchmark.scoring().runs.values()
    assert score()["num_samples"] == 100
    for start in benchmark.starts().runs.values():
        assert start().returncode == 0


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("--sizes=64,big", "--sizes: got big, expected"),
        ("--sizes=\N{SUPERSCRIPT TWO}", "expected numbers from 32 to 1024"),
        ("--sizes=" + "9" * 5000, "expected numbers from 32 to 1024"),
        ("--batch=99999999", "not an integer in the range [1, 1024]"),
        ("--output=.", ". is a folder, expected a file name"),
        ("--video=v.mp4", "v.mp4: empty file; give another"),
    ],
)
def test_what_makes_no_sense_is_told_before_the_work(tmp_path, flag, words):
    (tmp_path / "v.mp4").touch()
    done = tool_runner.run("benchmark", flag, cwd=tmp_path, timeout=20)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    assert words in done.stderr
