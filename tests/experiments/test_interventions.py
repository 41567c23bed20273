"""The tables of the system interventions: rows, shared stages, numbers, the figure."""

import dataclasses
import json

import cv2
import numpy as np
import pytest
from small_interventions import SMALL

from sa3dhp import errors
from sa3dhp.experiments import distilled, interventions, networks
from sa3dhp.systems.interventions import config as configs
from sa3dhp.systems.interventions import sources

FACTS = {"command": "tools/reproduce.py", "commit": "abc"}


def _configure(*more):
    base = (*SMALL, *more)
    return lambda overrides=(): configs.load(None, (*base, *overrides))


def test_the_tables_rows_are_the_papers():
    configure = _configure()
    table = interventions.rows("interventions", configure())
    found = {
        row.id: (row.method or c.estimator.method, c.data.unlabelled)
        for row in table
        for c in [configure(row.overrides)]
    }
    assert set(interventions._PAPER) <= set(found) and len(found) == len(table)
    assert found["dann"] == ("dann", ("street",))
    weights = {
        row.id: configure(row.overrides).estimator.method_weight
        for row in table
        if row.method is None
    }
    assert weights["dan"] == weights["dan_uds"] == 0.1 and weights["ddc"] == 0.001
    assert weights["counterfactual"] == configure().estimator.method_weight
    assert found["counterfactual_ud"] == ("counterfactual", ("hall",))
    others = ("hall", "night", "park")
    assert found["counterfactual_uds"] == ("counterfactual", others)
    assert found["dan_uds"] == ("dan", others)
    assert found["distilled"] == ("distilled", ("street",))
    assert found["distilled_ud"] == ("distilled", ("hall",))
    prepared = configure(["data.kind=prepared"])
    real = {row.id for row in interventions.rows("interventions", prepared)}
    assert set(found) - real == {"shipped", "distilled", "distilled_ud"}
    sizes = interventions.rows("feature_size", configure())
    widths = [configure(row.overrides).vae.code_size for row in sizes]
    assert widths == [128, 256, 512, 1024]


def test_places_for_generalisation_are_asked_for():
    with pytest.raises(errors.InputError, match=r"others: got \['park'\], expected"):
        interventions.rows("interventions", _configure("data.others=[park]")())


# Eager steps are quicker than traced ones here; the reader of records says it is none.
@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run")
def test_rows_share_their_stages_and_go_on(
    tmp_path, eagerly, small_backbone, monkeypatch
):
    configure = _configure()
    some = ("source", "dann", "counterfactual", "counterfactual_uds", "dann_uds")
    whole = interventions.rows("interventions", configure())
    table = tuple(row for row in whole if row.id in some)
    monkeypatch.setattr(interventions, "rows", lambda name, config: table)
    text = interventions.run(configure, "interventions", [0], tmp_path, FACTS)
    runs = [path.name.split("_")[0] for path in (tmp_path / "runs").iterdir()]
    counts = {name: runs.count(name) for name in configs.STAGES}
    assert counts == {**dict.fromkeys(counts, 2), "source": 1, "estimator": 5}
    found = json.loads((tmp_path / "interventions.json").read_text())
    lines = {line["id"]: line for line in found["rows"]}
    for key in ("changes", "changes_pa"):
        assert set(lines["counterfactual"][key]) == {"source", "dann"}
    assert [lines[x]["target_information"] for x in ("source", "dann")] == ["N", "R"]
    assert lines["counterfactual_uds"]["target_information"] == "N"
    assert set(lines["counterfactual_uds"]["changes"]) == {
        *("source", "counterfactual", "dann_uds")
    }
    assert lines["dann_uds"]["paper"] == ""
    ratios = np.divide((103.2, 107.1, 94.9, 94.7), (124.2, 130.3, 117.1, 116.9))
    assert lines["counterfactual"]["paper"] == f"{100 * (ratios.mean() - 1):+.1f} %"
    for line in lines.values():
        assert np.isfinite(line["target"]["mpjpe"]["median"])
        assert f"| {line['title']} | {line['target_information']} |" in text
    records = sorted((tmp_path / "interventions").glob("*.json"))
    before = [path.stat().st_mtime_ns for path in records]
    assert interventions.run(configure, "interventions", [0], tmp_path, FACTS) == text
    assert [path.stat().st_mtime_ns for path in records] == before


def test_relation_distillation_is_measured_on_the_same_people(
    tmp_path, three_blocks, checkpoints, configure, monkeypatch
):
    def small(seed, place, pictures):
        assert pictures == 10
        told = [f"training.seed={seed}", f"data.target_domain={place}"]
        return configure([*told, "adaptation.select=last"])

    monkeypatch.setattr(distilled, "configure", small)
    networks.complete(configure(), checkpoints, tmp_path / "all", wrong_flip=False)
    monkeypatch.setattr(distilled, "CHECKPOINTS", tmp_path / "all")
    whole = interventions.rows("interventions", _configure()())
    table = tuple(row for row in whole if row.id in ("shipped", "distilled"))
    monkeypatch.setattr(interventions, "rows", lambda name, config: table)
    text = interventions.run(_configure(), "interventions", [0], tmp_path, FACTS)
    found = json.loads((tmp_path / "interventions.json").read_text())
    lines = {line["id"]: line for line in found["rows"]}
    assert [line["target_information"] for line in lines.values()] == ["N", "R"]
    assert set(lines["distilled"]["changes"]) == {"shipped"}
    moved = [lines[x]["target"]["mpjpe"]["median"] for x in lines]
    assert np.isfinite(moved).all() and len(set(moved)) == 2
    assert "| source model of relation distillation | N |" in text


def test_relation_distillation_gets_as_many_pictures():
    config = distilled.configure(3, "hall", 2000)
    assert config.data.target_clips == 34  # of 60 pictures
    assert config.data.target_domain == "hall" and config.training.seed == 3
    assert config.adaptation.select == "last"


def test_people_are_the_same_in_another_size():
    config = _configure()()
    data = dataclasses.replace(config.data, image_size=64, stored_size=64)
    small, large = (
        sources.place(c, "street", unseen=True)
        for c in (config, dataclasses.replace(config, data=data))
    )
    np.testing.assert_array_equal(small.joints, large.joints)
    shown = [x.images(np.arange(len(x))) for x in (small, large)]
    shrunk = np.stack([cv2.resize(x, (32, 32), None, 0, 0, 3) for x in shown[1]])
    assert np.corrcoef(shrunk.ravel(), shown[0].ravel())[0, 1] > 0.8


@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run")
def test_the_figure_is_drawn(tmp_path, eagerly, small_backbone, monkeypatch):
    pytest.importorskip("sklearn", reason="needs the extra [figures]")
    monkeypatch.setattr(interventions, "_SIZES", (256,))
    text = interventions.run(_configure(), "feature_size", [0], tmp_path, FACTS)
    assert "features of 256 values" in text and "94.7 mm" in text
    picture = cv2.imread(str(tmp_path / "features.png"))
    assert picture.std() > 5
