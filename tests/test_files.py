"""Outputs that appear whole or not at all."""

import json

import pytest

from sa3dhp import errors, files

MARKER = "made.json"


def _write(path, text):
    with files.replaced_folder(path, MARKER) as new:
        (new / MARKER).write_text(text)
        (new / text).write_text("")


def _names(path):
    return sorted(item.name for item in path.iterdir())


def test_what_a_killed_run_left_is_found(tmp_path):
    path = tmp_path / "a[1].json"
    with pytest.raises(KeyboardInterrupt), files.atomic(path) as temporary:
        assert files.unfinished(path) == [temporary]
        raise KeyboardInterrupt
    files.write_text(path, "whole")
    assert files.unfinished(path) == []


def test_new_folder_appears_with_its_parents_and_nothing_beside_it(tmp_path):
    _write(tmp_path / "a" / "out", "first")
    assert _names(tmp_path / "a" / "out") == ["first", MARKER]
    assert _names(tmp_path / "a") == ["out"]


def test_earlier_output_is_replaced_as_a_whole(tmp_path):
    _write(tmp_path / "out", "first")
    _write(tmp_path / "out", "second")
    assert _names(tmp_path / "out") == [MARKER, "second"]
    assert _names(tmp_path) == ["out"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_earlier_output(tmp_path, error):
    _write(tmp_path / "out", "first")
    with pytest.raises(error), files.replaced_folder(tmp_path / "out", MARKER) as new:
        (new / "half").write_text("")
        raise error
    assert _names(tmp_path / "out") == ["first", MARKER]
    assert _names(tmp_path) == ["out"]


def test_a_failing_rename_puts_the_earlier_output_back(tmp_path):
    _write(tmp_path / "out", "first")
    with pytest.raises(OSError), files.replaced_folder(tmp_path / "out", MARKER) as new:
        new.rmdir()  # nothing to rename
    assert _names(tmp_path / "out") == ["first", MARKER]


def test_a_folder_of_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(errors.InputError, match=r"holds other things.*name a new"):
        _write(tmp_path, "first")
    assert _names(tmp_path) == ["thesis.tex"]


def test_a_file_is_refused_and_an_empty_folder_is_not(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.InputError, match="is a file, expected a folder"):
        _write(tmp_path / "file", "first")
    (tmp_path / "empty").mkdir()
    _write(tmp_path / "empty", "first")
    assert _names(tmp_path / "empty") == ["first", MARKER]


def test_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "new" / "a.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(TypeError):
        files.write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    assert [p.name for p in path.parent.iterdir()] == ["a.json"]
