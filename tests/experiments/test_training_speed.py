"""Works of the pre-training: each run of a row does the same."""

import numpy as np
import pytest
import small_resnet
import tensorflow as tf

from sa3dhp.experiments import benchmark, training_speed


@pytest.fixture(scope="module")
def works(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shard")
    with small_resnet.used(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_speed, "_STORED", 6)
        return list(training_speed.works(32, 4, folder))


def test_there_are_as_many_as_the_tool_counts(works):
    assert len(works) == training_speed.COUNT
    assert all(next(iter(work.runs)) == "ours" for work in works)


def test_folded_and_keras_say_the_same_of_the_same_pictures():
    with small_resnet.used():
        steps = training_speed.steps(32)
    rng = np.random.default_rng(0)
    images, joints = rng.random((2, 32, 32, 3)), 300 * rng.normal(size=(2, 17, 3))
    given = tf.constant(images, tf.float32), tf.constant(joints, tf.float32)
    folded, keras = (step.terms(given) for step in steps.values())
    assert folded.keys() == keras.keys()
    for name, value in folded.items():
        np.testing.assert_allclose(value, keras[name], rtol=1e-3)


@pytest.mark.slow
def test_updates_of_both_run_and_move_no_weight(works):
    work = works[0]
    assert list(work.runs) == ["ours", benchmark.KERAS]
    first = [float(run()) for run in work.runs.values()]
    again = [float(run()) for run in work.runs.values()]
    np.testing.assert_allclose(again, first, rtol=0.05)  # statistics of the head move


def test_pictures_come_out_of_a_shard_and_are_timed_by_core(works):
    work = works[1]
    images, joints = work.runs["ours"]()
    assert images.shape == (4, 32, 32, 3) and joints.shape == (4, 17, 3)
    assert 0.1 < float(np.std(images)) < 0.5
    assert work.unit == "pictures" and work.name.endswith("a core")
    found = benchmark.compare(work, 2)  # by the clock of the work
    assert 0 < found.per_second["ours"] < 1e6
    assert work.clock is benchmark.CORES


@pytest.mark.slow
def test_an_update_is_fed_or_not_and_is_the_same_work(works):
    fed, there = works[2].runs.values()
    assert fed() > 100 and there() > 100
    assert fed() != fed()  # other pictures each time


def test_products_are_those_of_a_relation_network(works):
    for work in works[3:]:
        assert work.unit == "pairs"
        residual, total = (run() for run in work.runs.values())
        assert residual > 0 and np.isfinite(total)
