"""Snapshots outlive the process, and the kept step is what G holds at the end."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from sa3dhp.errors import InputError
from sa3dhp.systems.relation_distillation import adaptation
from sa3dhp.systems.relation_distillation import target as targets


def test_a_snapshot_can_be_restored_in_another_process(tmp_path):
    variable = tf.Variable([1.0, 2.0])

    def made():
        return adaptation.Snapshots(tmp_path, [variable], lambda done: {"spread": 0.5})

    snapshots = made()
    snapshots.take(0)
    variable.assign([5.0, 6.0])
    snapshots.take(40)
    again = made()
    assert [look["step"] for look in again.history] == [0, 40]
    again.restore(0)
    np.testing.assert_array_equal(variable, [1.0, 2.0])
    again.restore(40)
    np.testing.assert_array_equal(variable, [5.0, 6.0])


def test_a_repeated_snapshot_replaces_the_earlier_one(tmp_path):
    readings = iter([{"spread": 1.0}, {"spread": 2.0}, {"spread": 3.0}])
    snapshots = adaptation.Snapshots(
        tmp_path, [tf.Variable(0.0)], lambda done: next(readings)
    )
    assert snapshots.take(0) == {"spread": 1.0}
    snapshots.take(40)
    snapshots.take(40)
    assert snapshots.history == [
        {"step": 0, "spread": 1.0},
        {"step": 40, "spread": 3.0},
    ]


def test_snapshots_of_another_run_are_there_to_go_back_to(tmp_path):
    variable = tf.Variable(3.0)
    adaptation.Snapshots(tmp_path, [variable], lambda done: {}).take(4)
    variable.assign(0.0)
    snapshots = adaptation.Snapshots(tmp_path, [variable])
    snapshots.restore(4)
    assert variable == 3.0 and snapshots.history == [{"step": 4}]
    with pytest.raises(ValueError, match="not to be taken"):
        snapshots.take(8)


def test_a_missing_snapshot_is_an_error_with_the_remedy(tmp_path):
    snapshots = adaptation.Snapshots(tmp_path, [tf.Variable(0.0)], lambda done: {})
    with pytest.raises(InputError, match=r"no such snapshot; adapt again .* --workdir"):
        snapshots.restore(7)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"history": 3}',
        '{"history": ["step"]}',
        "\udcff",
        "[" * 9999,
    ],
)
def test_damaged_readings_are_named(tmp_path, text):
    snapshots = adaptation.Snapshots(tmp_path, [tf.Variable(0.0)], lambda done: {})
    snapshots.take(0)
    (path,) = tmp_path.rglob("monitors.json")
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=r"monitors\.json: damaged, .* new --workdir"):
        adaptation.Snapshots(tmp_path, [tf.Variable(0.0)])


class _Step:
    """Its residual halves with every update; the first is the most plausible."""

    turns, models = ("z1",), {}

    def __init__(self):
        self.variables = [tf.Variable(4.0)]
        self.trackables = {"block": self.variables[0]}
        self.batches = []

    def terms(self, batch, training=False):
        return {"z1": self.variables[0]}

    def __call__(self, batch):
        self.batches.append(batch)
        self.variables[0].assign(self.variables[0] / 2.0)
        return {"z1": self.variables[0]}


class _Monitors:
    """Reads the step's variable; the poses are all the same."""

    rule_ids, voters = ["z1"], ["z1"]

    def __init__(self, step):
        self._value, self.seen = step.variables[0], []

    def read(self, clips, videos, size):
        self.seen.append((clips[:, 0, 0, 0, 0].tolist(), videos.tolist(), size))
        value = float(self._value)
        return {
            "z1": value / 2.0,
            "lcr": 1.0 + 4.0 * abs(value - 2.0),
            "spread": 0.3,
            "within_limits": 1.0,
            "acceleration": 9.0,
            "prior_distance": 0.1,
        }


class _Truth:
    """The last step is the best."""

    @staticmethod
    def error(model):
        return 100.0 * float(model.variables[0])


class _Run:
    """An adaptation of two updates, and what it asked for."""

    def __init__(self, own_error=0.5, select="label_free", num_steps=2, **target):
        self.step = _Step()
        self.monitors = _Monitors(self.step)
        self.floors, self.refreshed = [], []
        clips = np.zeros((4, 60, 2, 2, 3), np.uint8)
        clips[:, 0, 0, 0, 0] = np.arange(4)
        self.target = targets.Target("here", clips, np.arange(4) + 10, **target)
        self.plan = adaptation.Plan(num_steps, 1, 2, 0.5, select, seed=0)
        self.learner = adaptation.Learner(
            self.step,
            self.step,
            self.monitors,
            self._floor,
            {"z1": own_error},
            lambda: self.refreshed.append(float(self.step.variables[0])),
        )

    def _floor(self, size):
        self.floors.append(size)
        return {"z1": 1.0, "spread": 0.3}

    def __call__(self, workdir, **more):
        return adaptation.run(self.learner, self.target, self.plan, workdir, **more)


def test_the_most_plausible_step_is_what_g_holds(tmp_path, capsys):
    run = _Run()
    course = run(tmp_path)
    assert course.choice.step == 1 and course.choice.adapted
    assert course.label_free is None
    assert float(run.step.variables[0]) == 2.0 and course.floor == {"z1": 1.0}
    assert run.refreshed == [2.0]  # once, when the block was put back
    assert [look["step"] for look in course.history] == [0, 1, 2]
    assert course.start["z1"] == 2.0 and course.kept["z1"] == 1.0


def test_monitors_see_all_clips_that_are_held_out_and_the_step_the_others(
    tmp_path, capsys
):
    run = _Run()
    run(tmp_path)
    train, held_out = adaptation.split(run.target, run.plan)
    assert run.floors == [2]  # as many clips at once as a step sees
    expected = (held_out.tolist(), (held_out + 10).tolist(), 2)
    assert run.monitors.seen == [expected] * 3
    for batch in run.step.batches:
        seen = batch.clips[:, 0, 0, 0, 0]
        assert set(seen) <= set(train)
        np.testing.assert_array_equal(batch.videos, seen + 10)


def test_readings_that_another_run_found_are_not_read_again(tmp_path, capsys):
    first = _Monitors(_Step()).read(np.zeros((1, 1, 1, 1, 1)), np.zeros(1), 1)
    run = _Run()
    course = run(tmp_path, first=first)
    assert len(run.monitors.seen) == 2
    assert course.start == {"step": 0, **first}


def test_a_doubtful_target_is_refused_before_the_first_update(tmp_path, capsys):
    run = _Run(own_error=0.1)
    course = run(tmp_path)
    assert not course.choice.adapted and "z1" in course.choice.verdict
    assert [look["step"] for look in course.history] == [0]
    assert float(run.step.variables[0]) == 4.0
    assert course.kept == course.start


def test_with_last_the_choice_without_labels_is_told_beside_it(tmp_path, capsys):
    run = _Run(select="last")
    course = run(tmp_path)
    assert course.choice.step == 2 and not course.choice.label_free
    assert float(run.step.variables[0]) == 1.0
    assert course.label_free.step == 1 and course.label_free.label_free
    assert "kept step 1" in course.label_free.verdict


def test_last_adapts_to_a_doubtful_target_as_well(tmp_path, capsys):
    course = _Run(own_error=0.1, select="last")(tmp_path)
    assert course.choice.step == 2 and len(course.history) == 3


def test_the_oracle_goes_by_the_labels_of_the_test(tmp_path, capsys):
    run = _Run(select="oracle", truth=_Truth())
    course = run(tmp_path)
    assert course.choice.step == 2 and "oracle" in course.choice.verdict
    assert [x["test_mpjpe"] for x in course.history] == [400.0, 200.0, 100.0]
    assert course.label_free.step == 1


def test_an_oracle_without_labels_is_refused(tmp_path):
    with pytest.raises(InputError, match="'oracle', expected 'label_free': no labels"):
        _Run(select="oracle")(tmp_path)


def test_a_truth_that_is_not_asked_for_is_read_and_has_no_say(tmp_path, capsys):
    course = _Run(truth=_Truth())(tmp_path)
    assert course.choice.step == 1 and course.kept["test_mpjpe"] == 200.0


def test_a_run_that_was_stopped_goes_on(tmp_path, capsys):
    _Run(num_steps=1)(tmp_path)
    run = _Run(num_steps=2)
    course = run(tmp_path)
    assert len(run.step.batches) == 1
    assert [look["step"] for look in course.history] == [0, 1, 2]
    assert course.choice.step == 1 and float(run.step.variables[0]) == 2.0


def test_monitors_hold_no_more_than_fits_in_memory():
    videos = np.arange(300)
    target = targets.Target("here", np.zeros((300, 1)), videos)
    plan = adaptation.Plan(1, 1, 2, 0.2, "last", seed=0)
    train, held_out = adaptation.split(target, plan)
    assert len(held_out) == 40 and len(train) == 260


def test_batches_are_of_the_rows_alone_and_labels_go_along():
    clips = np.arange(6, dtype=np.uint8)[:, None]
    asked = []

    def labelled(rows):
        asked.append(rows.tolist())
        return lambda start: (("image", start + i) for i in itertools.count())

    target = targets.Target("here", clips, np.arange(6) * 2, labelled=labelled)
    plan = adaptation.Plan(1, 1, 2, 0.5, "last", seed=0)
    rows = np.array([1, 4, 5])
    make = adaptation.batches(target, rows, plan)
    first = list(itertools.islice(make(0), 4))
    for number, batch in enumerate(first):
        assert set(batch.clips[:, 0]) <= {1, 4, 5} and len(batch.clips) == 2
        np.testing.assert_array_equal(batch.videos, 2 * batch.clips[:, 0])
        assert (batch.images, batch.joints) == ("image", number)
    assert asked == [[1, 4, 5]]
    later = next(make(3))
    np.testing.assert_array_equal(later.clips, first[3].clips)
    assert later.joints == 3
    unlabelled = targets.Target("here", clips, np.arange(6))
    plain = next(adaptation.batches(unlabelled, rows, plan)(0))
    assert plain.images is None and plain.joints is None
