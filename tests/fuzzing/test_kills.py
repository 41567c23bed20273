"""Tools die where they are told to, and what came of it is counted."""

import collections

import kills
import numpy as np
import pytest
import tool_runner


@pytest.fixture
def evaluate(tmp_path):
    """Runs a tool that writes one file, `out.json`; says how it ended."""
    joints = np.random.default_rng(0).normal(size=(4, 17, 3)) * 300
    for name in ("pred", "ref"):
        np.savez(tmp_path / f"{name}.npz", joints=joints, skeleton="sa3dhp17")
    flags = ("--predictions=pred.npz", "--reference=ref.npz", "--output=out.json")

    def run(kill):
        done = tool_runner.run(
            "evaluate", *flags, "--protocol=h36m_p1", cwd=tmp_path, kill=kill
        )
        return done.returncode, (tmp_path / "out.json").exists()

    return run


def test_a_run_dies_before_or_after_a_file_has_its_name(evaluate, tmp_path):
    assert evaluate({"rename": 1, "late": False}) == (-9, False)
    assert evaluate({"rename": 1, "late": True}) == (-9, True)
    assert evaluate({"record": str(tmp_path / "names.txt")}) == (0, True)
    assert (tmp_path / "names.txt").read_text().endswith("out.json")


def test_a_run_dies_at_a_moment(evaluate):
    assert evaluate({"after": 0.01}) == (-9, False)


def test_outcomes_are_counted():
    counts = collections.Counter({kills.SAME: 3, "other bits": 1})
    text = kills.table([("source", "at a random moment", counts)])
    assert f"| source | at a random moment | 4 | 3 {kills.SAME}, 1 other bits |" in text
