"""The tables of the system interventions: rows, shared stages, numbers, the figure."""

import dataclasses
import json

import cv2
import numpy as np
import pytest
import small_nrsfm
from small_interventions import SMALL

from sa3dhp import errors
from sa3dhp.experiments import distilled, interventions, networks
from sa3dhp.systems.interventions import clusters, sources
from sa3dhp.systems.interventions import config as configs

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


@pytest.mark.parametrize(
    "others", ["park", "park, park", "studio, park", "park, street", "hall, park, hall"]
)
def test_places_for_generalisation_are_asked_for(others):
    message = rf"others: got \['{others.split(',')[0]}'.*\], expected .* each once"
    with pytest.raises(errors.InputError, match=message):
        interventions.rows("interventions", _configure(f"data.others=[{others}]")())


def test_a_place_of_any_row_is_looked_for_before_the_first(tmp_path):
    configure = _configure("data.others=[park, moon]")
    with pytest.raises(errors.InputError, match="domain: got 'moon'"):
        interventions.run(configure, "interventions", [0], tmp_path, FACTS)
    with pytest.raises(errors.InputError, match="lsp_2d, expected one that reports"):
        interventions.run(
            *(_configure("data.evaluation_card=lsp_2d"), "interventions"),
            *([0], tmp_path, FACTS),
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run")
def test_prepared_pictures_are_measured_by_the_card_of_the_target(
    tmp_path, eagerly, small_backbone, monkeypatch
):
    for name, subject in (("source", "surreal"), ("target", "S9")):
        (tmp_path / name).mkdir()
        wide = {"image": np.zeros((40, 40, 3), np.uint8)}  # with a margin
        train = [small_nrsfm.frame("S1", n, **wide) for n in range(6)]
        test = [small_nrsfm.frame(subject, n, **wide) for n in range(8)]
        small_nrsfm.write_pictures(tmp_path / name, train, test)
    source, target = (str(tmp_path / name) for name in ("source", "target"))
    configure = _configure(
        *("data.kind=prepared", "data.stored_size=40", "data.others=[a, b]"),
        *(f"data.source={source}", f"data.target={target}"),
        f"data.unlabelled=[{target}]",
        *("data.evaluation_card=h36m_p1", "data.unseen=3"),
    )
    whole = interventions.rows("interventions", configure())
    table = tuple(row for row in whole if row.id in ("mean", "source", "ddc"))
    monkeypatch.setattr(interventions, "rows", lambda name, config: table)
    text = interventions.run(configure, "interventions", [0], tmp_path / "w", FACTS)
    assert "protocol h36m_p1" in text
    path = tmp_path / "w" / "interventions" / "mean-seed0.json"
    record = json.loads(path.read_text())
    assert record["settings"]["content"] == {source: "hash", target: "hash"}
    assert record["target"]["overall"]["mpjpe"] > 100  # of the one who sees nothing
    # A record of other data is another row; one that is none is made again.
    for broken in (json.dumps({**record, "settings": {}}), "[]"):
        path.write_text(broken)
        interventions.run(configure, "interventions", [0], tmp_path / "w", FACTS)
        again = json.loads(path.read_text())
        assert again["target"] == record["target"]
        assert again["settings"] == record["settings"]


def test_a_stage_is_done_when_all_its_networks_are_there(tmp_path, eagerly):
    config = _configure()()
    home = interventions.trained(config, "vae", tmp_path)
    missing = home / "checkpoints" / "vae_decoder.npz"
    before = missing.read_bytes()
    missing.unlink()  # as if it had been killed between the two
    assert interventions.trained(config, "vae", tmp_path) == home
    assert missing.read_bytes() == before


# Eager steps are quicker than traced ones here; the reader of records says it is none.
@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run")
def test_rows_share_their_stages_and_go_on(
    tmp_path, eagerly, small_backbone, monkeypatch
):
    configure = _configure()
    some = ("mean", "source", "dann", "dann_uds")
    some += ("counterfactual", "counterfactual_uds")
    whole = interventions.rows("interventions", configure())
    table = tuple(row for row in whole if row.id in some)
    monkeypatch.setattr(interventions, "rows", lambda name, config: table)
    drawn: list[str] = []  # as it is in the test of the figure
    monkeypatch.setattr(
        clusters, "draw", lambda c, *rest: drawn.extend(c.data.unlabelled)
    )
    text = interventions.run(configure, "interventions", [0], tmp_path, FACTS)
    assert drawn == ["street"]
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
    assert "Millimetres; seed 0, of" in text and "distillation" not in text
    picture = cv2.imread(str(tmp_path / "feature_size_features.png"))
    assert picture.std() > 5
