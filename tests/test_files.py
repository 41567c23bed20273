"""Outputs that appear whole or not at all."""

import errno
import io
import json
import os
import subprocess
import sys
import warnings
import zipfile

import numpy as np
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


@pytest.mark.parametrize("name", ["pipe", "/dev/null", "/dev/stdout"])
def test_a_device_or_a_pipe_is_not_replaced(tmp_path, name):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(errors.InputError, match="is a device or a pipe"):
        files.check_file(tmp_path / name)
    with pytest.raises(errors.InputError, match="is a device or a pipe"):
        files.write_text(tmp_path / "pipe", "text")
    assert (tmp_path / "pipe").is_fifo() and _names(tmp_path) == ["pipe"]


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(errors.InputError, match="is a folder, expected a file name"):
        files.write_text(tmp_path, "text")


_HOLD = """
import sys, time
from sa3dhp import files
files.claim(sys.argv[1])
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_process_at_work_in_a_folder_is_told(tmp_path):
    command = [sys.executable, "-c", _HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "held\n"
        with pytest.raises(errors.InputError, match="another process is at work"):
            files.claim(tmp_path)
        first.kill()
    files.claim(tmp_path)  # the claim ended with its process
    files.claim(tmp_path)


def test_a_claim_removes_what_killed_runs_left_and_nothing_else(tmp_path):
    kept = [".keep", ".hidden.settings.yaml", "result.json", "sub/.state.json"]
    left = [
        ".result.tmp-a1b2c3d4.json",
        "sub/.w.tmp-zz99__aa.npz",
        ".saved_model.tmp-abcdefgh/new",
    ]
    for name in kept + left:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    files.claim(tmp_path)
    found = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert found == set(kept)


class ResourceExhaustedError(Exception):
    """Named as TensorFlow's is."""


@pytest.mark.parametrize(
    ("error", "number"),
    [
        (ResourceExhaustedError("x"), errno.ENOSPC),
        (ValueError("/a/b; Read-only file system"), errno.EROFS),
        (ValueError("/a/b; No space left on device [Op:SaveV2]"), errno.ENOSPC),
        (ValueError("who knows"), errno.EIO),
    ],
)
def test_what_the_machine_refused_is_known_by_class_or_words(error, number):
    made = files.system_error(error, "a/b")
    assert (made.errno, made.filename) == (number, "a/b")
    assert made.strerror == os.strerror(number)


def test_an_npz_that_claims_more_than_it_holds_is_not_read(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, a=np.arange(3), words=np.array(["x", "yy"]), none=np.zeros((0, 3)))
    got = files.load_npz(path)
    assert got["a"].tolist() == [0, 1, 2] and got["words"].tolist() == ["x", "yy"]
    assert got["none"].shape == (0, 3)
    assert list(files.load_npz(path, lambda name: name == "a")) == ["a"]
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f8", "fortran_order": False, "shape": (1 << 40,)}
    )
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", header.getvalue() + bytes(64))
    with pytest.raises(ValueError, match="a: claims"):
        files.load_npz(path)
    np.savez(path, a=np.array([{}], object))
    with pytest.raises(ValueError, match="never loaded"):
        files.load_npz(path)


def test_a_run_that_came_to_nothing_leaves_nothing(tmp_path):
    code = """
import sys
from sa3dhp import files
files.claim(sys.argv[1])
for name in sys.argv[2:]:
    files.preface(f"{sys.argv[1]}/{name}")
    files.write_text(f"{sys.argv[1]}/{name}", "x")
files.release()
"""

    def run(folder, *names):
        command = [sys.executable, "-c", code, str(tmp_path / folder), *names]
        subprocess.run(command, check=True)
        return [str(p.relative_to(tmp_path)) for p in sorted(tmp_path.rglob("*"))]

    assert run("a/b", "config.yaml", "run.json") == []
    (tmp_path / "c").mkdir()
    (tmp_path / "c/config.yaml").write_text("of an earlier run")
    assert run("c", "config.yaml") == ["c", "c/config.yaml"]
    (tmp_path / "c/config.yaml").unlink()


def test_a_claim_leaves_what_another_process_is_writing(tmp_path):
    inner = tmp_path / "mine" / "sub"
    inner.mkdir(parents=True)
    command = [sys.executable, "-c", _HOLD, str(tmp_path / "mine")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "held\n"
        (inner / ".result.tmp-a1b2c3d4.json").write_text("x")
        with files.claimed(tmp_path):
            assert [*inner.iterdir()]
        first.kill()
    with files.claimed(tmp_path):
        assert not [*inner.iterdir()]


def test_a_folder_is_claimed_for_a_while(tmp_path):
    with files.claimed(tmp_path), files.claimed(tmp_path):
        pass
    command = [sys.executable, "-c", _HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        other.kill()


def test_a_file_is_no_folder_to_work_in(tmp_path):
    (tmp_path / "a").write_text("")
    for name in ("a", "a/b/c"):
        with pytest.raises(errors.InputError, match="a: is a file, expected a folder"):
            files.claim(tmp_path / name)
    files.check_is_folder(tmp_path / "new" / "er")


def test_a_file_with_a_hole_of_terabytes_is_not_read(tmp_path):
    with (tmp_path / "a").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(errors.InputError, match="a: 1099511627776 bytes, expected at"):
        files.read_bounded(tmp_path / "a")
    (tmp_path / "b").write_bytes(b"x")
    assert files.read_bounded(tmp_path / "b", 1) == b"x"


def test_an_npz_with_two_arrays_of_one_name_is_refused(tmp_path):
    data = io.BytesIO()
    np.save(data, np.zeros(3))
    with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        warnings.simplefilter("ignore")
        for _ in range(2):
            archive.writestr("a.npy", data.getvalue())
    with pytest.raises(ValueError, match="comes twice"):
        files.load_npz(tmp_path / "a.npz")
