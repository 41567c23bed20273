"""Results on disk, and which of them may stand side by side."""

import json

import pytest

from sa3dhp import errors
from sa3dhp.evaluation import results

METRICS = {"mpjpe": 100.0, "pa_mpjpe": 80.0, "pck": 70.0, "auc": 40.0}


def _entry(scale=1.0, **setting):
    return {
        "protocol": "h36m_p1",
        "protocol_hash": "abc",
        "target_information": "R",
        "overall": {key: value * scale for key, value in METRICS.items()},
        **setting,
    }


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "a.json"
    results.write(path, {**_entry(), "num_samples": 3})
    assert results.read(path) == {str(path): _entry()}
    assert list(tmp_path.iterdir()) == [path]


def test_a_result_that_is_no_json_leaves_nothing_behind(tmp_path):
    path = tmp_path / "a.json"
    results.write(path, _entry())
    before = path.read_text()
    for bad in ({"x": float("nan")}, {"x": object()}):
        with pytest.raises((TypeError, ValueError)):
            results.write(path, bad)
    assert path.read_text() == before and list(tmp_path.iterdir()) == [path]


def test_unwritable_places_are_refused_beforehand(tmp_path):
    with pytest.raises(errors.InputError, match="is a folder"):
        results.check_writable(tmp_path)
    with pytest.raises(errors.InputError, match="make it first"):
        results.check_writable(tmp_path / "no" / "a.json")


def test_an_adaptation_gives_two_results(tmp_path):
    content = {**_entry(), "source_only": METRICS, "adapted": METRICS, "seed": 1}
    del content["overall"]
    (tmp_path / "result.json").write_text(json.dumps(content))
    got = results.read(tmp_path)
    assert list(got) == [f"{tmp_path}:source_only", f"{tmp_path}:adapted"]
    assert got[f"{tmp_path}:adapted"] == _entry()


@pytest.mark.parametrize(
    "text, message",
    [
        ("{", "not JSON"),
        ("[]", "holds no result"),
        ('{"protocol": "a"}', "expected protocol, protocol_hash"),
        (json.dumps({**_entry(), "overall": {}}), "holds no result"),
    ],
)
def test_files_that_hold_no_result_are_refused(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(errors.InputError, match=message):
        results.read(path)
    with pytest.raises(errors.InputError, match="no file"):
        results.read(tmp_path / "none.json")


def test_comparison_shows_numbers_and_changes():
    text = results.compare({"before": _entry(2), "after": _entry()})
    assert "200.0" in text and "100.0 (-50 %)" in text
    assert "R: raw RGB" in text and "N-MPJPE" not in text


@pytest.mark.parametrize(
    "other, flag",
    [
        ({"protocol_hash": "xyz"}, "allow_different_protocols"),
        ({"target_information": "G"}, "allow_different_information"),
    ],
)
def test_unfair_comparisons_need_a_flag(other, flag):
    entries = {"a": _entry(), "b": _entry(**other)}
    with pytest.raises(errors.InputError, match=f"do not compare.*--{flag}"):
        results.compare(entries)
    assert "b" in results.compare(entries, **{flag: True})
