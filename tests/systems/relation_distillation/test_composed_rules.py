"""Rules made of named pieces: what may be made, and from where it is read."""

import pathlib

import pytest

from sa3dhp.errors import InputError
from sa3dhp.systems.relation_distillation import config, rules

ROOT = pathlib.Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "configs" / "rules").glob("*.yaml"))


def test_time_makes_a_rule_one_of_motions():
    assert rules.compose("a", flip=True).space == "pose"
    assert rules.compose("a", backward=True).space == "motion"
    assert rules.compose("a", slow=True, angle_deg=10).clip_length == 60
    assert rules.compose("a", flip=True, space="motion").clip_length == 30


def test_pieces_are_told():
    rule = rules.compose("a", flip=True, angle_deg=-25, backward=True)
    assert rule.pieces == "motion: flip + -25 degrees + backward"
    assert rules.table()["v3"].pieces == "motion: backward + slow"
    assert rules.table()["z3"].pieces == "pose: flip + 50 degrees"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"id": "z3", "flip": True}, "id 'z3'; expected small letters"),
        ({"id": "cr", "flip": True}, "id 'cr'"),
        ({"id": "../a", "flip": True}, "id '../a'"),
        ({"id": ""}, "id ''"),
        ({"id": "a"}, "the partner is the anchor"),
        ({"id": "a", "backward": True, "space": "pose"}, "no time to reverse"),
    ],
)
def test_what_is_no_rule_is_refused(arguments, message):
    with pytest.raises(InputError, match=message.replace(".", "[.]")):
        rules.compose(**arguments)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_shipped_rules_are_read_and_say_how_they_are_run(path):
    found = config.with_rule(config.Config(), path)
    (rule,) = found.relations.custom
    assert found.relations.rules[-1] == found.adaptation.terms[-1] == rule.id
    assert f"tools/rules.py --rule=configs/rules/{path.name}" in path.read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flip: true", "id: got '', expected a name"),
        ("{id: z3, flip: true}", "id: got 'z3', expected a name that is not"),
        ("{id: a, flp: true}", "unknown key flp; did you mean flip?"),
        ("{id: a, angle_deg: far}", "angle_deg: got 'far', expected a number"),
        ("- a", "expected a mapping of keys to values"),
    ],
)
def test_a_file_that_is_no_rule_is_one_line(tmp_path, text, message):
    path = tmp_path / "rule.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        config.with_rule(config.Config(), path)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_rules_in_a_configuration_survive_writing_and_reading(tmp_path):
    text = "relations.custom=[{id: a, flip: true, angle_deg: 5}]"
    ours = config.load(None, (text, "relations.rules=[z3, a]"))
    config.dump(ours, tmp_path / "c.yaml")
    again = config.load(tmp_path / "c.yaml")
    assert again == ours and again.relations.custom[0].angle_deg == 5.0
    assert hash(again) == hash(ours)
