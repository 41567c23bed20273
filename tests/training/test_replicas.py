"""Several devices or machines end where one ends; `small_replicas` does the work."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf
import tool_runner

from sa3dhp import errors
from sa3dhp.training import replicas

SCRIPT = "../tests/miniatures/small_replicas"
SLOW = pytest.mark.slow  # a minute together: some cases of each kind run always
CLUSTER = {"worker": ["127.0.0.1:1", "127.0.0.1:2"]}


def _train(folder, training, *more, devices=1):
    """Runs `small_replicas` in a folder."""
    folder.mkdir(exist_ok=True)
    done = tool_runner.run(SCRIPT, folder, training, *more, cwd=folder, devices=devices)
    assert done.returncode == 0, done.stderr
    return done


def _variables(folder, training, devices, steps=7):
    """Trains on so many devices; returns the variables."""
    _train(folder, training, "devices", steps, devices=devices)
    return _written(folder, f"{training}_devices")


def _written(folder, name):
    with np.load(folder / f"{name}.npz") as found:
        return dict(found)


def _assert_equal(first, second, but=()):
    assert set(first) == set(second)
    for name in set(first) - set(but):
        np.testing.assert_allclose(
            second[name], first[name], rtol=1e-5, atol=1e-5, err_msg=name
        )


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Seven steps of `pairs` on one device."""
    return _variables(tmp_path_factory.mktemp("alone"), "pairs", 1)


SEEN = "seen/.ATTRIBUTES/VARIABLE_VALUE"


@pytest.mark.parametrize(
    ("devices", "share"),
    [(2, 4), pytest.param(3, 3, marks=SLOW), pytest.param(8, 1, marks=SLOW)],
)
def test_each_device_encodes_its_share_and_all_learn_of_the_whole(
    alone, devices, share, tmp_path
):
    found = _variables(tmp_path, "pairs", devices)
    _assert_equal(alone, found, but=[SEEN])
    assert (alone[SEEN], found[SEEN]) == (7, share)


def test_float16_scales_the_loss_and_all_skip_a_step_that_overflows(tmp_path):
    one, two = (_variables(tmp_path / str(n), "pairs16", n) for n in (1, 2))
    _assert_equal(one, two, but=[SEEN])
    (scale,) = [x for name, x in two.items() if "current_loss_scale" in name]
    assert scale == 2.0**14  # half of what it starts at


@pytest.mark.parametrize(("training", "steps"), [("adaptation", 7), ("source", 3)])
def test_two_devices_end_where_one_does(training, steps, tmp_path):
    """All terms with the slow copy; and batch statistics of the head, of odd shares."""
    one, two = (_variables(tmp_path / str(n), training, n, steps) for n in (1, 2))
    _assert_equal(one, two)


@pytest.mark.parametrize("devices", [3, pytest.param(2, marks=SLOW)])
def test_batch_norm_and_dropout_are_of_the_whole_batch(devices, tmp_path):
    one, more = (_variables(tmp_path / str(n), "chain", n, 4) for n in (1, devices))
    _assert_equal(one, more)
    # What training keeps: the variance without a bias, which of 72 values is visible.
    assert any("moving_variance" in name for name in one)


def test_two_processes_end_where_one_does(tmp_path):
    one = _variables(tmp_path, "brief", 1, 3)
    done = _train(tmp_path / "two", "brief", "workers", 3)
    assert json.loads(done.stdout.splitlines()[-1]) == [0, 0]
    for worker in range(2):
        _assert_equal(one, _written(tmp_path / "two", f"brief_worker_{worker}"))


@SLOW
def test_when_a_worker_dies_all_end_and_go_on_from_the_last_state(alone, tmp_path):
    done = _train(tmp_path, "pairs", "workers", 7, "--die=6")
    assert json.loads(done.stdout.splitlines()[-1]) == [2, -9]
    assert done.stderr.count("\n") == 1 and "another worker has gone" in done.stderr
    assert (tmp_path / "pairs" / "state" / "pairs" / "ckpt-4.index").is_file()
    _train(tmp_path, "pairs", "workers", 7)
    for worker in range(2):
        found = _written(tmp_path, f"pairs_worker_{worker}")
        _assert_equal(alone, found, but=[SEEN])


@pytest.mark.parametrize("devices", [(1, 2), pytest.param((2, 1), marks=SLOW)])
def test_a_state_goes_from_one_strategy_to_another(alone, devices, tmp_path):
    for number, steps in zip(devices, (4, 7)):
        found = _variables(tmp_path, "pairs", number, steps)
    _assert_equal(alone, found, but=[SEEN])


def test_workers_with_folders_of_their_own_are_refused(tmp_path):
    """They would go on from different steps."""
    _train(tmp_path, "pairs", "devices", 2)
    done = _train(tmp_path, "pairs", "workers", 7, "--die=0", "--apart")
    assert json.loads(done.stdout.splitlines()[-1]) == [2, 2]
    assert done.stderr.count("not the same for all workers") == 2


def test_one_device_is_told_that_it_makes_no_difference(capsys):
    assert replicas.make("mirrored") is tf.distribute.get_strategy()
    assert "one CPU, so it makes no difference" in capsys.readouterr().out
    assert replicas.make("none") is tf.distribute.get_strategy()


def test_none_leaves_the_encoder_the_loss_and_the_folder_as_they_are(tmp_path):
    images, seen = tf.ones([7, 2]), []
    latents = replicas.shared(lambda x: seen.append(x) or x)(images)
    assert latents is images and seen[0] is images
    assert replicas.share(images) is images
    assert replicas.own(replicas.make("none"), tmp_path) == tmp_path
    with (
        pytest.raises(tf.errors.AbortedError),
        replicas.together(replicas.make("none")),
    ):
        raise tf.errors.AbortedError(None, None, "of another cause")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        json.dumps({"cluster": CLUSTER}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": 2}}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": "0"}}),
        json.dumps({"cluster": CLUSTER, "task": {"type": "ps", "index": 0}}),
        json.dumps(
            {"cluster": {"worker": ["a"]}, "task": {"type": "worker", "index": 0}}
        ),
    ],
)
def test_a_wrong_cluster_is_one_line_with_an_example(text, monkeypatch):
    monkeypatch.setitem(os.environ, "TF_CONFIG", text)
    with pytest.raises(errors.InputError, match=r"TF_CONFIG: got .*as in") as e:
        replicas.make("multi_worker")
    example = str(e.value).split("TF_CONFIG='")[1].split("'")[0]
    assert replicas.check_cluster(example) == (0, 2)
