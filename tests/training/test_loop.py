"""The loop: resuming changes nothing, bad numbers stop it, periods are kept."""

import itertools
import math
import os
import signal

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp import errors
from sa3dhp.training import checkpoint, loop


class Line:
    """A step that fits a line with Adam, with noise that is a function of its seed."""

    def __init__(self, nan_at=None):
        tf.keras.utils.set_random_seed(0)
        self.model = tf.keras.Sequential([tf.keras.layers.Dense(1)])
        self.model.build([None, 2])
        self.optimizer = tf.keras.optimizers.Adam(0.05)
        self.optimizer.build(self.model.trainable_variables)
        self.trackables = {"model": self.model, "optimizer": self.optimizer}
        self.nan_at = nan_at
        self.calls = 0

    def terms(self, batch, training=True):
        x, y = batch
        return {"fit": tf.reduce_mean((self.model(x, training=training) - y) ** 2)}

    def __call__(self, batch):
        self.calls += 1
        terms = self._update(batch)
        return {"fit": math.nan} if self.calls == self.nan_at else terms

    @tf.function
    def _update(self, batch):
        with tf.GradientTape() as tape:
            terms = self.terms(batch)
        variables = self.model.trainable_variables
        gradients = tape.gradient(terms["fit"], variables)
        self.optimizer.apply_gradients(zip(gradients, variables))
        return terms


def _batches(start):
    for step in itertools.count(start):
        x = np.random.default_rng([7, step]).normal(size=(8, 2)).astype(np.float32)
        yield tf.constant(x), tf.constant(x @ np.float32([[1.0], [-2.0]]) + 3)


def _run(step, tmp_path, dataset=_batches, num_steps=10, **kwargs):
    defaults = {"log_every": 3, "checkpoint_every": 4, "name": "line"}
    return loop.run(
        step, dataset, num_steps=num_steps, workdir=tmp_path, **{**defaults, **kwargs}
    )


def _events(tmp_path, name="line"):
    found = []
    for path in sorted((tmp_path / "tensorboard" / name).iterdir()):
        for raw in tf.data.TFRecordDataset(str(path)):
            event = tf.compat.v1.Event.FromString(raw.numpy())
            found += [
                (event.step, v.tag, float(tf.make_ndarray(v.tensor)))
                for v in event.summary.value
            ]
    return found


@pytest.mark.parametrize("repeatable", [False, True], ids=["function", "iterable"])
def test_resumed_run_ends_with_the_same_bits(tmp_path, repeatable):
    dataset = list(itertools.islice(_batches(0), 20)) if repeatable else _batches
    whole = Line()
    _run(whole, tmp_path / "a", dataset, num_steps=20)
    _run(Line(), tmp_path / "b", dataset, num_steps=11)
    halves = Line()
    _run(halves, tmp_path / "b", dataset, num_steps=20)
    assert halves.calls == 9
    assert checkpoint.weights_hash(whole.model) == checkpoint.weights_hash(halves.model)
    for ours, theirs in zip(whole.optimizer.variables, halves.optimizer.variables):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())


def test_run_killed_between_saves_ends_with_the_same_bits(tmp_path):
    class Killed(Line):
        def __call__(self, batch):
            if self.calls == 11:
                raise KeyboardInterrupt
            return super().__call__(batch)

    whole, resumed = Line(), Line()
    _run(whole, tmp_path / "a", num_steps=20)
    with pytest.raises(KeyboardInterrupt):
        _run(Killed(), tmp_path / "b", num_steps=20)
    _run(resumed, tmp_path / "b", num_steps=20)
    assert resumed.calls == 12  # from the save at 8
    assert checkpoint.weights_hash(whole.model) == checkpoint.weights_hash(
        resumed.model
    )


def test_finished_run_does_nothing_more(tmp_path):
    _run(Line(), tmp_path)
    again = Line()
    assert _run(again, tmp_path) == {}
    assert again.calls == 0


def test_without_resume_it_starts_anew(tmp_path):
    _run(Line(), tmp_path)
    anew = Line()
    _run(anew, tmp_path, resume=False)
    assert anew.calls == 10
    assert sum(tag == "terms/fit" for _, tag, _ in _events(tmp_path)) == 6


def test_non_finite_term_stops_with_its_name_and_keeps_the_last_good_state(tmp_path):
    bad = Line(nan_at=7)
    with pytest.raises(errors.InputError, match=r"line: term 'fit' is nan at step 7"):
        _run(bad, tmp_path)
    resumed = Line()
    _run(resumed, tmp_path)
    assert resumed.calls == 6  # from the save at 4


def test_an_update_that_is_not_finite_is_not_saved(tmp_path):
    """The terms before it were finite, and so is all that the loop looks at."""

    class Exploding(Line):
        def __call__(self, batch):
            terms = super().__call__(batch)
            if self.calls == 8:
                self.model.layers[0].kernel.assign(np.float32([[np.inf], [0.0]]))
            return terms

    with pytest.raises(errors.InputError, match=r"step 8 made .*kernel.* not finite"):
        _run(Exploding(), tmp_path)
    resumed = Line()
    _run(resumed, tmp_path)
    assert resumed.calls == 6  # from the save at 4


def test_scalars_are_means_over_the_interval(tmp_path):
    class Counting(Line):
        def __call__(self, batch):
            self.calls += 1
            terms = {"number": tf.constant(float(self.calls))}
            return {**terms, "odd": 1.0} if self.calls % 2 else terms

    last = _run(Counting(), tmp_path, num_steps=9, checkpoint_every=100)
    assert last == {"number": 8.0, "odd": 1.0}
    assert _events(tmp_path) == [
        (3, "terms/number", 2.0),
        (3, "terms/odd", 1.0),
        (6, "terms/number", 5.0),
        (6, "terms/odd", 1.0),
        (9, "terms/number", 8.0),
        (9, "terms/odd", 1.0),
    ]


def test_evaluation_runs_before_between_and_after(tmp_path):
    steps = []

    def evaluate(step):
        steps.append(step)
        return {"score": step}

    _run(Line(), tmp_path, eval_fn=evaluate, eval_every=4)
    assert steps == [0, 4, 8, 10]
    scores = [(s, v) for s, tag, v in _events(tmp_path) if tag == "eval/score"]
    assert scores == [(0, 0.0), (4, 4.0), (8, 8.0), (10, 10.0)]


def test_short_dataset_is_an_input_error(tmp_path):
    with pytest.raises(errors.InputError, match="ended after 3 batches, expected 10"):
        _run(Line(), tmp_path, list(itertools.islice(_batches(0), 3)))


def test_steps_lower_the_loss(tmp_path):
    first = _run(Line(), tmp_path / "a", num_steps=3)
    assert _run(Line(), tmp_path / "b", num_steps=150)["fit"] < 0.2 * first["fit"]


def test_measure_averages_terms_of_unseen_batches_and_changes_nothing():
    step = Line()
    batches = list(itertools.islice(_batches(0), 3))
    before = checkpoint.weights_hash(step.model)
    measure = loop.measure(step, lambda: batches, count=2)
    expected = np.mean([step.terms(batch)["fit"] for batch in batches[:2]])
    assert measure() == measure() == {"fit": pytest.approx(expected)}
    assert checkpoint.weights_hash(step.model) == before


def test_sigterm_saves_the_step_at_work_and_the_run_goes_on_to_the_same_bits(tmp_path):
    whole = Line()
    _run(whole, tmp_path / "whole")
    stopped = Line()

    def ended(start):
        for number, batch in enumerate(_batches(start), start + 1):
            if number == 6:  # no step at which a state is saved
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(loop.Stopped) as error:
        _run(stopped, tmp_path / "cut", ended)
    assert error.value.code == 143 and stopped.calls == 6
    assert signal.getsignal(signal.SIGTERM) is before
    again = Line()
    _run(again, tmp_path / "cut")
    assert again.calls == 4
    for ours, theirs in zip(again.model.get_weights(), whole.model.get_weights()):
        np.testing.assert_array_equal(ours, theirs)
