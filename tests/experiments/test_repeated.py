"""What one job may begin again as, and what it must refuse to take over."""

import dataclasses
import pathlib
import types
import typing

import numpy as np
import pytest
import small_networks

from sa3dhp import errors
from sa3dhp.experiments import repeated, rows
from sa3dhp.systems.relation_distillation import config as configs
from sa3dhp.systems.relation_distillation import job as jobs
from sa3dhp.systems.relation_distillation import networks
from sa3dhp.training import store

ROOT = pathlib.Path(__file__).resolve().parents[2]
RULES = ("z3", "v2")
# What a job is built from and does not read again. A field that is missing here would
# let a row run with the settings of another; one too many only costs time.
BUILT_IN = {
    "adaptation.augmentation",
    "adaptation.normalise",
    "adaptation.pictures_at_once",
    "adaptation.pose_frames",
    "adaptation.relations",
    "adaptation.teacher_momentum",
    "adaptation.temperature",
    "adaptation.trainable_block",
    "data.image_size",
    "image_encoder.head",
    "image_encoder.head_channels",
    "image_encoder.head_stride",
    "image_encoder.head_units",
    "relations.custom",
    "relations.motion_widths",
    "relations.pose_widths",
    "relations.rules",
    "relations.theta_deg",
    "source.joints_weight",
    "source.latent_weight",
    "source.points_weight",
}
FIELDS = [
    f"{section.name}.{field.name}"
    for section in dataclasses.fields(configs.Config)
    for field in dataclasses.fields(section.default)
]


class _Folded:
    """Stands in for `folded.Folded`, which needs ResNet's layers."""

    def __init__(self, encoder, trainable=()):
        self._encoder, self.refreshed = encoder, 0

    def __call__(self, images):
        return self._encoder(images, training=False)

    def refresh(self):
        self.refreshed += 1


class _Encoder(small_networks.SmallEncoder):
    """Has one block under every name."""

    def res_variables(self, block):
        return super().res_variables("all" if block == "all" else "res3")


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """`build(config, rules)`: a job of untrained networks and a tiny G."""
    empty = store.Store(tmp_path_factory.mktemp("networks"))
    lengths = np.full(17, 250.0, np.float32)

    def load(self, name):
        network = self.new(name, bare=True)
        network.trainable = False
        return network

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks.Networks, "load", load)
        patch.setattr(networks.Networks, "measured", lambda self, name: {})
        patch.setattr(store.Store, "bones", lambda self, skeleton: lengths)
        patch.setattr(jobs.folded, "fold", _Folded)
        # Its arguments are read from the configuration all the same.
        patch.setattr(networks.image_encoder, "ImageEncoder", lambda **_: _Encoder())

        def make(config, rules=None):
            trained = networks.Networks(config, empty)
            return repeated.Repeated(config, trained, rules or config.relations.rules)

        yield make


def _load(*overrides):
    rules = f"relations.rules=[{', '.join(RULES)}]"
    few = (rules, "adaptation.terms=[cr, z3]", "adaptation.steps=8")
    return configs.load(ROOT / "configs" / "smoke.yaml", (*few, *overrides))


@pytest.fixture(scope="module")
def base():
    return _load()


@pytest.fixture(scope="module")
def job(build, base):
    return build(base)


@pytest.fixture
def fresh(job, base):
    """The job, at its start."""
    job.restart(base)
    return job


def _value(config, key):
    section, name = key.split(".")
    return getattr(getattr(config, section), name)


def _changed(config, key):
    """The configuration with another value of one field."""
    section, name = key.split(".")
    part = getattr(config, section)
    value = getattr(part, name)
    kind = typing.get_type_hints(type(part))[name]
    if typing.get_origin(kind) is typing.Literal:
        other = next(x for x in typing.get_args(kind) if x != value)
    elif isinstance(value, bool):
        other = not value
    elif key == "relations.custom":
        other = (*value, configs.ComposedRule("mine", angle_deg=25.0))
    elif isinstance(value, tuple):
        other = (*value, 7 if kind == tuple[int, ...] else "other")
    else:
        other = f"{value}other" if isinstance(value, str) else value + type(value)(1)
    part = dataclasses.replace(part, **{name: other})
    return dataclasses.replace(config, **{section: part})


def test_a_job_fits_what_it_was_built_with(job, base):
    assert job.fits(base) and job.fits(_load())


@pytest.mark.parametrize("key", FIELDS)
def test_what_is_built_in_is_refused_and_all_else_fits(job, base, key):
    other = _changed(base, key)
    assert _value(other, key) != _value(base, key)
    assert job.fits(other) == (key not in BUILT_IN)


def test_the_list_names_fields_that_there_are():
    assert BUILT_IN <= set(FIELDS)


def test_a_refusal_names_what_differs_and_changes_nothing(fresh, base):
    other = _load("source.joints_weight=0.5", "adaptation.temperature=0.3")
    with pytest.raises(errors.InputError) as caught:
        fresh.restart(other)
    text = str(caught.value)
    assert text.startswith("restart: ") and text.endswith("build another Repeated")
    for name in ("source.joints_weight", "adaptation.temperature"):
        assert name in text
    assert fresh.config is base


def test_a_restart_takes_over_terms_rates_steps_and_seed(fresh):
    start = [v.numpy() for v in fresh.model.encoder.variables]
    for variable in fresh.learner.step.variables:
        variable.assign_add(0.1 * np.ones(variable.shape, np.float32))
    fresh.learner.step.iteration.assign(5)
    folds = fresh._folds[0].refreshed
    other = _load(
        "adaptation.terms=[v2, lcr, source]",
        "adaptation.steps=6",
        "adaptation.evaluate_every=3",
        "adaptation.clips_per_batch=4",
        "adaptation.held_out=0.4",
        "adaptation.select=last",
        "data.labelled=0.5",
        "training.seed=7",
    )
    fresh.restart(other)
    step, plan = fresh.learner.step, fresh.plan
    assert fresh.config is other and step.turns == ("v2", "lcr", "source")
    assert (plan.num_steps, plan.evaluate_every, plan.seed) == (6, 3, 7)
    assert (plan.clips_per_batch, plan.held_out, plan.select) == (4, 0.4, "last")
    assert step.iteration == 0 and fresh._folds[0].refreshed > folds
    for variable, before in zip(fresh.model.encoder.variables, start):
        np.testing.assert_array_equal(variable, before)


def test_a_term_is_one_object_in_all_restarts(fresh, base):
    """So that it is traced once."""
    first = fresh._term("z3")
    fresh.restart(_load("adaptation.terms=[z3, v2]", "adaptation.learning_rate=0.5"))
    assert fresh._term("z3") is first
    fresh.restart(base)
    assert fresh._term("z3") is first


def test_a_term_without_its_network_or_copy_is_refused(fresh):
    with pytest.raises(errors.InputError, match="no rule or relation network for 'v3'"):
        fresh.restart(_load("adaptation.terms=[v3]"))
    with pytest.raises(errors.InputError, match="needs a slow copy"):
        fresh.restart(_load("adaptation.terms=[self_training]"))


def test_a_job_with_a_slow_copy_is_trained_by_it_alone(build):
    slow = "adaptation.teacher_momentum=0.9"
    job = build(_load(slow), ("z3",))
    assert not job.fits(_load()) and job.fits(_load(slow, "training.seed=3"))
    job.restart(_load(slow, "adaptation.terms=[self_training]"))
    assert job.learner.step.turns == ("self_training",)


def test_what_a_beginning_reads_again_is_not_built_in(monkeypatch, base):
    def build(self, config, networks, monitored):
        assert config.data.fps and config.adaptation.steps and config.relations.rules

    def begin(self, config):
        assert config.adaptation.steps and config.training.schedule

    monkeypatch.setattr(jobs.Job, "_build", build)
    monkeypatch.setattr(jobs.Job, "_begin", begin)
    job = repeated.Repeated(base, types.SimpleNamespace(store=None), ())
    assert not job.fits(_changed(base, "data.fps"))
    assert job.fits(_changed(base, "adaptation.steps"))
    assert job.fits(_changed(base, "training.schedule"))


def test_a_reading_gives_the_values_and_remembers_their_names(base):
    seen = {}
    reading = repeated.Reading(base, seen)
    assert reading.data.fps == base.data.fps
    part = reading.adaptation
    assert seen == {"data.fps": base.data.fps}, "a section alone is no value"
    assert part.terms == ("cr", "z3")
    assert set(seen) == {"data.fps", "adaptation.terms"}
    with pytest.raises(AttributeError):
        reading.data.nothing  # noqa: B018
    assert set(seen) == {"data.fps", "adaptation.terms"}


@pytest.fixture
def floors(fresh, monkeypatch):
    """Restarts and reads the floor: returns how often it was read by then."""
    read = []

    def clips(config, count):
        read.append(count)
        return np.zeros([count, 60, 1, 1, 3], np.uint8)

    found = {key: float(n) for n, key in enumerate(fresh._monitors.floor_keys)}
    monkeypatch.setattr(jobs.sources, "source_clips", clips)
    monkeypatch.setattr(fresh._monitors, "read", lambda *a: {**found, "more": 0.0})
    monkeypatch.setattr(fresh, "_floors", {})

    def floor(*overrides, size=2):
        fresh.restart(_load(*overrides))
        assert fresh.learner.source_floor(size) == found
        return len(read)

    return floor


def test_a_floor_is_read_once_for_each_seed_source_and_size(floors):
    assert floors() == 1
    assert floors("data.target_domain=studio", "adaptation.steps=3") == 1
    assert floors("training.seed=3") == 2
    assert floors("data.source_domain=street") == 3
    assert floors(size=3) == 4
    assert floors("data.stored_size=64") == 5
    assert floors() == 5


def test_a_floor_that_is_changed_by_its_reader_stays_as_it_was(fresh, floors):
    floors()
    fresh.learner.source_floor(2).clear()
    assert floors() == 1


def _resolved(table, row):
    terms = "adaptation.terms=[cr, z3, v2, v3]"
    overrides = ("image_encoder.head_units=16", terms)
    path = ROOT / "configs" / "tables.yaml"
    return configs.load(path, (*overrides, *table.overrides, *row.overrides))


@pytest.fixture(scope="module")
def tables():
    resolved = dataclasses.asdict(_resolved(rows.Table("", "", ()), rows.SOURCE))
    return {name: rows.make(name, resolved) for name in rows.NAMES}


@pytest.mark.parametrize("name", ["theta", "non_localness"])
def test_rows_of_a_table_of_terms_share_networks_and_functions(build, tables, name):
    table = tables[name]
    job = build(_resolved(table, table.rows[0]), ("z3",))
    for row in table.rows:
        assert job.fits(_resolved(table, row)), row.id
        job.restart(_resolved(table, row))


def test_the_rows_of_the_papers_scheme_share_a_job_and_ours_another(build, tables):
    table = tables["ablation"]
    resolved = {row.id: _resolved(table, row) for row in table.rows}
    jobs_ = [build(resolved[name], ("z3",)) for name in ("lcr", "copy")]
    found = {
        name: tuple(job.fits(config) for job in jobs_)
        for name, config in resolved.items()
    }
    papers = ("lcr", "hcr", "z3", "v2", "v3")
    assert all(found[name] == (True, False) for name in papers)
    rest = [name for name in found if name not in (*papers, "light")]
    assert all(found[name] == (False, True) for name in rest)


def test_rows_without_terms_of_their_own_share_one_job_too(build, tables):
    first = tables["shift"]
    job = build(_resolved(first, first.rows[0]), ("z3",))
    for name in ("shift", "harm", "semi"):
        for row in tables[name].rows:
            job.restart(_resolved(tables[name], row))
    blocks = tables["trainable_block"]
    fits = {row.id: job.fits(_resolved(blocks, row)) for row in blocks.rows}
    assert {row for row, fit in fits.items() if not fit} == {
        *("res2", "res4", "all", "batch_norm")
    }
    assert fits["source"] and fits["res3"]


def test_controls_share_a_job_but_for_another_t_and_those_without_the_slow_copy(
    build, tables
):
    table = tables["controls"]
    job = build(_resolved(table, table.rows[0]), ("z3",))
    others = []
    for row in table.rows:
        if job.fits(_resolved(table, row)):
            job.restart(_resolved(table, row))
        else:
            others.append(row.id)
    assert others == ["exact", "no_copy", "paper"]
