"""Table 8 of several people: both ways are timed on pictures of as many people."""

import json

import small_multi_person

from sa3dhp.experiments import multi_person, multi_person_speed
from sa3dhp.systems.multi_person import config as configs

FACTS = {
    "command": "tools/reproduce.py",
    "commit": "abc",
    "hardware": {"cpu": "Abacus", "cores": 3},
}


def test_both_ways_are_timed_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr(multi_person_speed, "PEOPLE", (1, 3))
    monkeypatch.setattr(multi_person_speed, "ROUNDS", 2)

    def configure(overrides=()):
        return configs.load(None, (*small_multi_person.SMALL, *overrides))

    text = multi_person.run(configure, "multi_person_speed", [0], tmp_path, FACTS)
    found = json.loads((tmp_path / "multi_person_speed.json").read_text())
    assert [row["people"] for row in found["rows"]] == [1, 3]
    assert found["commit"] == "abc" and found["image_size"] == 56
    for row in found["rows"]:
        assert set(row["per_second"]) == {"ours", "top-down"}
        low, middle, high = row["ratios"]["top-down"]
        assert 0 < low <= middle <= high
        assert f"| {row['people']} |" in text
    assert "`tools/reproduce.py`, commit abc, 3 cores of Abacus." in text
    # G alone has Res-4 too.
    assert found["parameters"]["top-down"] > 8e6 > found["parameters"]["ours"] > 1e6
