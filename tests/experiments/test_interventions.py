"""The tables of the system interventions: rows, shared stages, numbers, the figure."""

import json

import cv2
import numpy as np
import pytest
from small_interventions import SMALL

from sa3dhp import errors
from sa3dhp.experiments import interventions
from sa3dhp.systems.interventions import config as configs

FACTS = {"command": "tools/reproduce.py", "commit": "abc"}


def _configure(*more):
    base = (*SMALL, "estimator.decoded=0", *more)
    return lambda overrides=(): configs.load(None, (*base, *overrides))


def test_the_tables_rows_are_the_papers():
    configure = _configure()
    table = interventions.rows("interventions", configure())
    found = {
        row.id: (c.estimator.method, c.data.unlabelled)
        for row in table
        for c in [configure(row.overrides)]
    }
    assert list(found) == list(interventions._PAPER)
    assert found["dann"] == ("dann", ("street",))
    assert found["counterfactual_ud"] == ("counterfactual", ("hall",))
    assert found["counterfactual_uds"] == ("counterfactual", ("hall", "night", "park"))
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
    some = ("source", "dann", "counterfactual", "counterfactual_uds")
    whole = interventions.rows("interventions", configure())
    table = tuple(row for row in whole if row.id in some)
    monkeypatch.setattr(interventions, "rows", lambda name, config: table)
    text = interventions.run(configure, "interventions", [0], tmp_path, FACTS)
    runs = [path.name.split("_")[0] for path in (tmp_path / "runs").iterdir()]
    counts = {name: runs.count(name) for name in configs.STAGES}
    assert counts == {"vae": 2, "source": 1, "generator": 2, "estimator": 4}
    found = json.loads((tmp_path / "interventions.json").read_text())
    lines = {line["id"]: line for line in found["rows"]}
    assert set(lines["counterfactual"]["changes"]) == {"source", "dann"}
    assert [lines[x]["target_information"] for x in ("source", "dann")] == ["N", "R"]
    assert lines["counterfactual_uds"]["target_information"] == "N"
    ratios = np.divide((103.2, 107.1, 94.9, 94.7), (124.2, 130.3, 117.1, 116.9))
    assert lines["counterfactual"]["paper"] == f"{100 * (ratios.mean() - 1):+.1f} %"
    for line in lines.values():
        assert np.isfinite(line["target"]["mpjpe"]["median"])
        assert f"| {line['title']} | {line['target_information']} |" in text
    records = sorted((tmp_path / "interventions").glob("*.json"))
    before = [path.stat().st_mtime_ns for path in records]
    assert interventions.run(configure, "interventions", [0], tmp_path, FACTS) == text
    assert [path.stat().st_mtime_ns for path in records] == before


@pytest.mark.filterwarnings("ignore:Even though the `tf.config.experimental_run")
def test_the_figure_is_drawn(tmp_path, eagerly, small_backbone, monkeypatch):
    pytest.importorskip("sklearn", reason="needs the extra [figures]")
    monkeypatch.setattr(interventions, "_SIZES", (256,))
    text = interventions.run(_configure(), "feature_size", [0], tmp_path, FACTS)
    assert "features of 256 values" in text and "94.7 mm" in text
    picture = cv2.imread(str(tmp_path / "features.png"))
    assert picture.std() > 5
