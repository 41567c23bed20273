"""The tables in configs/results: text that follows from its numbers, none by hand."""

import json
import pathlib

import pytest

from sa3dhp.evaluation import protocol
from sa3dhp.experiments import rows, summary

ROOT = pathlib.Path(__file__).resolve().parents[2]
TABLES = sorted((ROOT / "configs" / "results").glob("*.json"))


def test_there_are_tables():
    assert TABLES and {path.stem for path in TABLES} <= set(rows.NAMES)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_text_is_made_from_the_numbers(path):
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["table"] == path.stem
    assert path.with_suffix(".md").read_text("utf-8") == summary.markdown(found)


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_numbers_say_where_they_come_from(path):
    found = json.loads(path.read_text(encoding="utf-8"))
    assert f"--table={path.stem}" in found["command"] and found["seeds"]
    assert "unknown" not in found["commits"] and found["hardware"]["cpu"]
    assert found["protocol_hash"] == protocol.load(found["protocol"]).hash


@pytest.mark.parametrize("path", TABLES, ids=lambda path: path.stem)
def test_readme_leads_to_every_table(path):
    results = ROOT / "configs" / "results" / "README.md"
    assert "(configs/results/README.md)" in (ROOT / "README.md").read_text("utf-8")
    assert f"({path.stem}.md)" in results.read_text("utf-8")
