"""The tables in configs/results: text that follows from its numbers, none by hand."""

import json
import pathlib

import pytest

from sa3dhp.evaluation import protocol
from sa3dhp.experiments import (
    interventions,
    multi_person,
    multi_person_speed,
    nrsfm,
    rows,
    smoothing,
    summary,
)
from sa3dhp.systems.multi_person import scoring

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLES = sorted((ROOT / "configs" / "results").glob("*.json"))
WRITERS = {
    **dict.fromkeys(rows.NAMES, summary.markdown),
    **dict.fromkeys(nrsfm.NAMES, nrsfm.markdown),
    **dict.fromkeys(interventions.NAMES, interventions.markdown),
    **dict.fromkeys(multi_person.NAMES, multi_person.markdown),
    multi_person_speed.NAME: multi_person_speed.markdown,
    smoothing.NAME: smoothing.markdown,
}


def _read(path):
    """A table, which lies in a file of its name, or its name and its data's."""
    found = json.loads(path.read_text(encoding="utf-8"))
    assert path.stem == found["table"] or path.stem.startswith(found["table"] + "_on_")
    return found


def test_there_are_tables():
    assert TABLES and {_read(path)["table"] for path in TABLES} <= set(WRITERS)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_text_is_made_from_the_numbers(path):
    found = _read(path)
    text = WRITERS[found["table"]](found)
    assert path.with_suffix(".md").read_text("utf-8") == text


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_numbers_say_where_they_come_from(path):
    found = _read(path)
    assert f"--table={found['table']}" in found["command"] and found["hardware"]["cpu"]
    if path.stem == multi_person_speed.NAME:  # one run, of nothing that was trained
        assert found["commit"] != "unknown" and found["versions"]["tensorflow"]
        return
    assert found["seeds"] and "unknown" not in found["commits"]
    if found["table"] in multi_person.NAMES:  # whose measures are no card's
        text = path.with_suffix(".md").read_text("utf-8")
        assert f"{scoring.REL_MM:.0f} mm relative" in text
        return
    assert found["protocol_hash"] == protocol.load(found["protocol"]).hash


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_readme_leads_to_every_table(path):
    results = ROOT / "configs" / "results" / "README.md"
    assert "(configs/results/README.md)" in (ROOT / "README.md").read_text("utf-8")
    assert f"({path.stem}.md)" in results.read_text("utf-8")
