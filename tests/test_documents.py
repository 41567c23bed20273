"""YAML and JSON: what is small reads, what only looks small is refused at once."""

import pytest

from sa3dhp import documents, errors

BOMB = "\n".join(
    [
        "a0: &a0 [x,x,x,x,x,x,x,x,x,x]",
        *(f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)),
    ]
)


def test_aliases_of_a_genuine_size_read():
    got = documents.parse_yaml("a: &x {b: [1, 2]}\nc: *x\nd: {<<: *x, e: 1.5}", "it")
    assert got == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}, "d": {"b": [1, 2], "e": 1.5}}
    assert documents.parse_yaml("a: &x {b: 1}\nc: {<<: *x, b: 2}", "it")["c"] == {
        "b": 2
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "values"),
        ("a: &a [*a, *a]", "alias without end"),
        ("a: " + "[" * 100 + "]" * 100, "levels"),
        ("\n".join(" " * n + "- a:" for n in range(0, 200, 2)), "levels"),
        ("a: " + "9" * 5000, "digits"),
        ("a: 0x" + "f" * 5000, "digits"),
        ("a: [", "expected"),
        ("a: !!python/object/apply:os.system [ls]", "constructor"),
        ("a: 2001-99-99", "month"),
        ("x" * (1 << 21), "characters"),
        ("\0", "unacceptable"),
        ("a: 1\nb: {c: 1, d: 2, c: 3}", "'c' is given twice"),
    ],
)
def test_what_is_no_yaml_of_a_genuine_size_is_one_line(text, reason):
    with pytest.raises(errors.InputError, match=rf"c.yaml: not YAML: .*{reason}") as e:
        documents.parse_yaml(text, "c.yaml")
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "brackets"),
        ('{"a":' * 300 + "1" + "}" * 300, "brackets"),
        ("9" * 5000, "digits"),
        (b"\xff{}", "decode"),
        ("{", "Expecting"),
        ('{"a": [{"b": 1, "b": 1}]}', "'b' is given twice"),
    ],
)
def test_what_is_no_json_of_a_genuine_depth_is_one_line(text, reason):
    with pytest.raises(errors.InputError, match=rf"c.json: not JSON: .*{reason}"):
        documents.parse_json(text, "c.json")


def test_brackets_in_texts_do_not_count():
    text = '["' + "[" * 1000 + '\\"[", {"a": 1e3}]'
    assert documents.parse_json(text, "it")[1] == {"a": 1000.0}
