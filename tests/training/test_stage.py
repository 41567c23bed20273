"""A stage: trained, finished, measured and saved, in this order."""

import itertools
import shutil

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.training import checkpoint, stage, store


class _Step:
    """Adds one to its only weight."""

    def __init__(self):
        self.network = tf.keras.Sequential([tf.keras.layers.Dense(1, use_bias=False)])
        self.network.build([None, 1])
        self.network.set_weights([np.zeros([1, 1])])
        self.models = {"line": self.network}
        self.trackables = {"line": self.network}

    @property
    def weight(self):
        return self.network.trainable_variables[0]

    def terms(self, batch, training=False):
        return {"weight": tf.reduce_sum(self.weight)}

    def __call__(self, batch):
        terms = {"weight": float(tf.reduce_sum(self.weight))}
        self.weight.assign_add([[1.0]])
        return terms


@pytest.fixture
def networks(tmp_path):
    return store.Store(tmp_path / "networks")


def _train(step, networks, tmp_path, num_steps=3, **options):
    made = stage.Stage(
        "line",
        step,
        lambda start: itertools.count(start),
        num_steps,
        {"line": step.network},
        options.pop("measure", lambda: {"value": float(step.weight[0, 0])}),
        **options,
    )
    return stage.train(
        made, networks, tmp_path, seed=7, log_every=1, checkpoint_every=2
    )


def _saved(networks):
    other = _Step().network
    networks.load("line", other)
    return float(other.get_weights()[0][0, 0])


def test_what_was_trained_is_measured_and_saved_with_its_facts(
    networks, tmp_path, capsys
):
    measured = _train(_Step(), networks, tmp_path, meta={"image_size": 12})
    assert measured == {"value": 3.0} and _saved(networks) == 3.0
    meta = checkpoint.read_meta(networks.folder / "line.npz")
    assert (meta["stage"], meta["steps"], meta["seed"]) == ("line", 3, 7)
    assert meta["measured"] == measured and meta["image_size"] == 12
    assert meta["trained_on"] == {}


def test_it_says_which_networks_it_was_trained_on(networks, tmp_path, capsys):
    networks.save({"below": _Step().network})
    _train(_Step(), networks, tmp_path, trained_on=("below",))
    meta = checkpoint.read_meta(networks.folder / "line.npz")
    assert meta["trained_on"] == {"below": networks.hash("below")}


def test_a_stage_whose_networks_changed_is_told_to_train_again(
    networks, tmp_path, capsys
):
    below = _Step().network
    networks.save({"below": below})
    _train(_Step(), networks, tmp_path, trained_on=("below",))
    first = checkpoint.read_meta(networks.folder / "line.npz")
    below.set_weights([np.ones([1, 1])])
    networks.save({"below": below})
    message = r"state/line: began on another below.npz; delete .*state/line to train"
    with pytest.raises(errors.InputError, match=message):
        _train(_Step(), networks, tmp_path, trained_on=("below",))
    assert checkpoint.read_meta(networks.folder / "line.npz") == first
    shutil.rmtree(tmp_path / "state" / "line")
    _train(_Step(), networks, tmp_path, trained_on=("below",))
    meta = checkpoint.read_meta(networks.folder / "line.npz")
    assert meta["trained_on"] == {"below": networks.hash("below")}
    (tmp_path / "state" / "line" / "begun_on.json").write_text("[]")
    with pytest.raises(errors.InputError, match=r"begun_on.json: damaged; delete"):
        _train(_Step(), networks, tmp_path, trained_on=("below",))


def test_it_is_finished_once_before_it_is_measured_and_saved(
    networks, tmp_path, capsys
):
    step, calls = _Step(), []

    def finalise():
        calls.append("finalise")
        step.weight.assign([[10.0]])

    def also_saved():
        calls.append("also_saved")

    def measure():
        calls.append("measure")
        return {"value": float(step.weight[0, 0])}

    measured = _train(
        step,
        networks,
        tmp_path,
        measure=measure,
        finalise=finalise,
        also_saved=also_saved,
    )
    assert calls.count("finalise") == calls.count("also_saved") == 1
    assert calls[-3:] == ["finalise", "measure", "also_saved"]
    assert measured == {"value": 10.0} and _saved(networks) == 10.0


def test_a_finished_stage_is_saved_again_without_another_update(
    networks, tmp_path, capsys
):
    _train(_Step(), networks, tmp_path)
    first = networks.hash("line")
    assert _train(_Step(), networks, tmp_path) == {"value": 3.0}
    assert networks.hash("line") == first
    assert _train(_Step(), networks, tmp_path, num_steps=5) == {"value": 5.0}
