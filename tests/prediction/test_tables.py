"""JSON and CSV say what the npz says."""

import csv
import dataclasses
import json

import numpy as np
import pytest

from sa3dhp.prediction import prediction, tables
from sa3dhp.skeleton import skeleton as skeletons

NAMES = skeletons.SA3DHP17.joint_names


@pytest.fixture
def made():
    rng = np.random.default_rng(0)
    return prediction.Prediction(
        joints=rng.normal(0, 300, (3, 17, 3)).astype(np.float32),
        frame=np.array([4, 4, 5]),
        time=np.array([4, 4, 5]) / 25,
        person=np.array([0, 1, 0]),
        box=rng.uniform(0, 99, (3, 4)).astype(np.float32),
        confidence=np.array([1, 0.5, 0.25], np.float32),
        skeleton="sa3dhp17",
        fps=25.0,
        size=(160, 120),
        source="walk.mp4",
        model="procedural",
        model_hash="abc",
    )


def test_json_goes_by_frame_and_person(made, tmp_path) -> None:
    tables.write_json(tmp_path / "p.json", made)
    told = json.loads((tmp_path / "p.json").read_text())
    documented = tables.write_json.__doc__ or ""
    for key in told:
        assert f"`{key}`" in documented, key
    assert (told["unit"], told["names"], told["fps"]) == ("mm", list(NAMES), 25.0)
    first, second = told["frames"]
    assert (first["frame"], first["time"]) == (4, 0.16)
    assert [person["person"] for person in first["people"]] == [0, 1]
    (last,) = second["people"]
    assert last["confidence"] == 0.25
    np.testing.assert_allclose(last["joints"], made.joints[2], atol=0.006)
    np.testing.assert_allclose(last["box"], made.box[2], atol=0.06)


def test_csv_has_a_row_per_person_and_frame(made, tmp_path) -> None:
    tables.write_csv(tmp_path / "p.csv", made)
    with open(tmp_path / "p.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["frame"], row["person"]) for row in rows] == [
        ("4", "0"),
        ("4", "1"),
        ("5", "0"),
    ]
    for k, row in enumerate(rows):
        found = [[float(row[f"{name}_{axis}"]) for axis in "xyz"] for name in NAMES]
        np.testing.assert_allclose(found, made.joints[k], atol=0.006)
    assert float(rows[1]["confidence"]) == 0.5


def test_both_say_what_was_bridged(made, tmp_path) -> None:
    made = dataclasses.replace(made, bridged=np.array([False, True, False]))
    tables.write_csv(tmp_path / "p.csv", made)
    with open(tmp_path / "p.csv", newline="", encoding="utf-8") as file:
        assert [row["bridged"] for row in csv.DictReader(file)] == ["0", "1", "0"]
    tables.write_json(tmp_path / "p.json", made)
    people = json.loads((tmp_path / "p.json").read_text())["frames"][0]["people"]
    assert [person["bridged"] for person in people] == [False, True]


def test_nobody_is_no_trouble(made, tmp_path) -> None:
    none = dataclasses.replace(
        made,
        **{name: getattr(made, name)[:0] for name in prediction.ROWS},
    )
    tables.write_json(tmp_path / "p.json", none)
    tables.write_csv(tmp_path / "p.csv", none)
    assert json.loads((tmp_path / "p.json").read_text())["frames"] == []
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 1
