"""Every stage of every system ends on several devices where it ends on one."""

import functools
import json

import numpy as np
import pytest
import tool_runner

from sa3dhp import systems

SCRIPT = "../tests/miniatures/small_stages"
SLOW = pytest.mark.slow  # minutes together: one system runs always
QUICK = "nrsfm"
ALL = [pytest.param(x, marks=[] if x == QUICK else SLOW) for x in systems.NAMES]


def _train(folder, system, how, *more, devices=1, kill=None, status=0):
    """Trains all stages of a system; returns what is printed."""
    folder.mkdir(exist_ok=True)
    done = tool_runner.run(
        *(SCRIPT, folder, system, how, *more),
        cwd=folder,
        devices=devices,
        small=True,
        kill=kill,
    )
    assert (done.returncode, done.stderr) == (status, "")
    return done.stdout


def _assert_equal(folder, other, name, system):
    """All variables up to rounding; errors in mm are of many of them.

    Adam's moments are in what it moves. Those of a bias before batch norm are rounding.
    """
    for stage in systems.part(system, "config").STAGES:
        with (
            np.load(folder / f"devices_{stage}.npz") as first,
            np.load(other / f"{name}_{stage}.npz") as second,
        ):
            assert set(first) == set(second) and len(first) > 4
            for key, value in first.items():
                if "/_variables/" in key:
                    continue
                bound = 1e-3 if key.startswith("measured/") else 1e-5
                atol = bound * max(1.0, np.abs(value).max(initial=0))
                np.testing.assert_allclose(
                    second[key], value, rtol=0, atol=atol, err_msg=f"{stage} {key}"
                )


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """From a system to the folder of its run on one device, trained when asked for."""
    home, known = tmp_path_factory.mktemp("alone"), {}

    def trained(system):
        if system not in known:
            _train(home / system, system, "devices")
            known[system] = home / system
        return known[system], known[system] / system / "checkpoints"

    return trained


@pytest.mark.parametrize("system", ALL)
def test_two_devices_end_where_one_does(alone, system, tmp_path):
    one, networks = alone(system)
    _train(tmp_path / "two", system, "devices", networks, devices=2)
    _assert_equal(one, tmp_path / "two", "devices", system)


@SLOW
@pytest.mark.parametrize("system", systems.NAMES)
def test_two_processes_end_where_one_does(alone, system, tmp_path):
    one, networks = alone(system)
    printed = _train(tmp_path / "two", system, "workers", networks)
    assert json.loads(printed.splitlines()[-1]) == [0, 0]
    for worker in range(2):
        _assert_equal(one, tmp_path / "two", f"worker_{worker}", system)


@SLOW
@pytest.mark.parametrize("system", systems.NAMES)
def test_killed_on_two_devices_it_ends_where_it_would_have(alone, system, tmp_path):
    """At a quarter, a half and three quarters of the files that get their names."""
    _, networks = alone(system)
    run = functools.partial(_train, devices=2)
    whole, names = tmp_path / "whole", tmp_path / "names.txt"
    run(whole, system, "devices", networks, kill={"record": str(names)})
    count = len(names.read_text().splitlines())
    for part in (1, 2, 3):
        folder = tmp_path / f"killed_{part}"
        kill = {"rename": part * count // 4, "late": part == 2}
        run(folder, system, "devices", networks, kill=kill, status=-9)
        run(folder, system, "devices", networks)
        _assert_equal(whole, folder, "devices", system)


@SLOW
@pytest.mark.parametrize("method", ["dan", "dann"])
def test_classical_methods_see_the_features_of_all(method, tmp_path):
    change = f"estimator.method={method}"
    more = ("interventions", "devices")
    _train(tmp_path / "one", *more, "", change)
    networks = tmp_path / "one" / "interventions" / "checkpoints"
    _train(tmp_path / "two", *more, networks, change, devices=2)
    _assert_equal(tmp_path / "one", tmp_path / "two", "devices", "interventions")
