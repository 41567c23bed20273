"""Tables as differences from a configuration: what each row runs, and how often."""

import dataclasses
import pathlib

import pytest

from sa3dhp.errors import InputError
from sa3dhp.experiments import rows
from sa3dhp.systems.relation_distillation import config

ROOT = pathlib.Path(__file__).resolve().parents[2]
BASE = (
    "adaptation.steps=64",
    "adaptation.evaluate_every=16",
    "data.target_clips=80",
)


def _load(overrides=()):
    path = ROOT / "configs" / "tables.yaml"
    terms = "adaptation.terms=[cr, z3, v2, v3]"
    return config.load(path, (*BASE, terms, *overrides))


def _plain():
    return _load(("adaptation.teacher_momentum=0.0",))


def _table(name):
    return rows.make(name, dataclasses.asdict(_load()))


def _resolved(table, row):
    return _load((*table.overrides, *row.overrides))


def test_tables_differ_from_the_main_job_in_how_far_alone():
    short, full = (
        dataclasses.asdict(config.load(ROOT / "configs" / f"{name}.yaml"))
        for name in ("tables", "procedural")
    )
    differ = {
        f"{section}.{key}"
        for section, values in full.items()
        for key, value in values.items()
        if short[section][key] != value
    }
    far = {"adaptation.steps", "adaptation.evaluate_every", "adaptation.held_out"}
    assert differ == far | {"data.target_clips"}


@pytest.mark.parametrize("name", rows.NAMES)
def test_every_row_is_a_configuration_whose_terms_have_their_rules(name):
    table = _table(name)
    ids = [row.id for row in table.rows]
    assert len(set(ids)) == len(ids)
    for row in table.rows:
        loaded = _resolved(table, row)
        known = {"cr", "lcr", "hcr", "source", "self_training"}
        known |= set(loaded.relations.rules)
        assert set(loaded.adaptation.terms) <= known
        composed = {rule.id for rule in loaded.relations.custom}
        assert set(loaded.relations.rules) <= {
            *("z1", "z2", "z3", "v1", "v2", "v3"),
            *composed,
        }
        assert row.against is None or row.against in ids


@pytest.mark.parametrize("name", rows.NAMES)
def test_a_term_gets_as_many_updates_in_every_row(name):
    table = _table(name)
    for row in table.rows:
        c = _resolved(table, row).adaptation
        share = len(c.terms)
        if c.terms in (("source",), ("self_training",)):  # as the whole method
            share = len(_load().adaptation.terms)
        if row.id == rows.BOUND:
            share *= 4
        assert c.steps == 16 * share
        assert c.steps / c.evaluate_every == 4


def test_ablation_adds_one_energy_at_a_time():
    table = _table("ablation")
    papers = table.rows[1:6]
    terms = [_resolved(table, row).adaptation.terms for row in papers]
    assert terms == [
        ("lcr",),
        ("cr",),
        ("cr", "z3"),
        ("cr", "z3", "v2"),
        ("cr", "z3", "v2", "v3"),
    ]
    assert [row.against for row in table.rows] == [
        *(None, "source", "lcr", "hcr", "z3", "v2", "v3", "light", None, None)
    ]
    told = [row.paper for row in table.rows[:6]]
    assert told == [209.6, 193.4, 172.1, 139.7, 91.8, 86.2]


def test_the_rows_of_the_paper_have_its_scheme_and_ours_are_added_one_by_one():
    five = ("adaptation.terms=[cr, z1, z3, v2, v3]",)
    ours = ("adaptation.augmentation=1.0",)

    def load(overrides=()):
        return _load((*five, *ours, *overrides))

    table = rows.make("ablation", dataclasses.asdict(load()))
    kept = [load((*table.overrides, *row.overrides)) for row in table.rows]
    for loaded in kept[1:6]:
        c = loaded.adaptation
        rates = (c.learning_rate, c.contrastive_rate, c.teacher_momentum)
        assert rates == (5e-5, 0.0, 0.0), "one rate, no slow copy"
        assert (c.augmentation, loaded.training.schedule) == (0.5, "constant")
    light, copy, z1 = (x.adaptation for x in kept[6:9])
    assert light == dataclasses.replace(kept[5].adaptation, augmentation=1.0)
    assert copy == dataclasses.replace(
        load().adaptation,
        **{k: getattr(light, k) for k in ("terms", "steps", "evaluate_every")},
    )
    assert z1.terms == ("cr", "z3", "v2", "v3", "z1")
    assert set(z1.terms) == set(load().adaptation.terms), "the main job's"
    assert (table.rows[8].against, table.rows[8].paper) == ("copy", None)


def test_a_slow_copy_has_a_control_without_it():
    ids = [row.id for row in _table("controls").rows]
    assert ids[-5:] == ["no_copy", "paper", "labels", "self_training", "bound"]
    plain = dataclasses.asdict(_plain())
    assert "no_copy" not in [row.id for row in rows.make("controls", plain).rows]


@pytest.mark.parametrize("name", rows.NAMES)
def test_every_table_of_one_target_has_what_a_gain_is_set_beside(name):
    found = [
        row.id for row in _table(name).rows if row.id in ("self_training", "bound")
    ]
    alone = name in ("shift", "harm", "real")
    assert found == ([] if alone else ["self_training", "bound"])


def test_self_training_is_a_term_alone_with_a_slow_copy():
    taught = _load(("adaptation.teacher_momentum=0.9",))
    for base, momentum in ((taught, 0.9), (_plain(), 0.99)):
        table = rows.make("controls", dataclasses.asdict(base))
        row = next(row for row in table.rows if row.id == "self_training")
        assert row.method == "adapt"
        kept = f"adaptation.teacher_momentum={base.adaptation.teacher_momentum}"
        c = _load((kept, *table.overrides, *row.overrides)).adaptation
        assert c.terms == ("self_training",)
        assert c.teacher_momentum == momentum
        assert (c.steps, c.evaluate_every) == (64, 16)  # of the whole method


def test_labels_of_all_clips_bound_what_the_block_can_learn():
    table = _table("controls")
    for row, times in zip((table.rows[-3], table.rows[-1]), (1, 4)):
        resolved = _resolved(table, row)
        c = resolved.adaptation
        assert c.terms == ("source",) and resolved.data.labelled == 1.0
        assert c.select == "last"  # no relation is there to choose by
        assert c.steps == 64 * times
        assert row.against is None


def test_theta_has_both_rows_of_the_paper():
    table = _table("theta")
    lower = [row for row in table.rows if row.id.startswith("lower")]
    higher = [row for row in table.rows if row.id.startswith("higher")]
    assert len(lower) == len(higher) == 8
    loaded = _resolved(table, lower[0])
    composed = {rule.id: rule for rule in loaded.relations.custom}
    assert composed["plane_75"].angle_deg == 75 and not composed["plane_75"].flip
    assert composed["plane_75_backward"].backward
    assert composed["flip_plane_50_backward"].flip
    assert (lower[2].paper, higher[-1].paper) == (154.4, 91.8)


def test_semi_supervised_rows_differ_in_their_labels():
    table = _table("semi")
    loaded = [_resolved(table, row) for row in table.rows[1:5]]
    shares = [x.data.labelled for x in loaded]
    assert shares == pytest.approx([0.0, 1 / 80, 0.05, 0.2])  # one clip of 80
    assert ["source" in x.adaptation.terms for x in loaded] == [False, *[True] * 3]


def test_harm_has_enough_runs_good_and_bad():
    table = _table("harm")
    assert len(table.rows) >= 10
    fast = next(row for row in table.rows if row.id == "bad_rate")
    base, loaded = _load().adaptation, _resolved(table, fast).adaptation
    assert loaded.learning_rate == pytest.approx(100 * base.learning_rate)
    assert loaded.contrastive_rate == pytest.approx(100 * base.contrastive_rate)


def test_unknown_table_is_named():
    with pytest.raises(InputError, match="got 'x', expected one of ablation, theta"):
        rows.make("x", dataclasses.asdict(_load()))
