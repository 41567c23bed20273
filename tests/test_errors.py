"""Damaged files are one line, whatever libraries raise; faults of the machine stay."""

import errno
import os

import pytest

from sa3dhp import errors


@pytest.mark.parametrize(
    "fault", [KeyError("x"), IndexError("x"), RecursionError("x"), OSError("x"),
              OSError(errno.EINVAL, "x"), AssertionError("x"), MemoryError("x")]
)  # fmt: skip
def test_a_damaged_file_is_named_with_what_it_should_be(fault):
    with pytest.raises(errors.InputError, match=r"a\.x: not an X: .*x.*; get another"):
        with errors.reading("a.x", "an X", "get another"):
            raise fault


@pytest.mark.parametrize("number", sorted(errors.MACHINE_FAULTS))
def test_a_fault_of_the_machine_is_no_verdict(number):
    with pytest.raises(OSError, match="now") as error:
        with errors.reading("a.x", "an X"):
            raise OSError(number, "now")
    assert error.value.errno == number


def test_an_input_error_keeps_its_own_words():
    with pytest.raises(errors.InputError, match=r"^mine$"):
        with errors.reading("a.x", "an X"):
            raise errors.InputError("mine")


def test_a_missing_file_is_named():
    with pytest.raises(errors.InputError, match=r"a\.x: no such file, expected an X"):
        with errors.reading("a.x", "an X"):
            open("/nowhere/a.x")


def test_a_fault_within_an_hdf5_file_is_known_by_its_words():
    """`h5py` gives no number where a block of an open file cannot be read."""
    fault = OSError("Can't read data (file read failed: errno = 5, error message = ..)")
    with pytest.raises(OSError, match="file read failed"):
        with errors.reading("a.h5", "an X"):
            raise fault
    other = OSError("Can't read data (wrong fletcher32, errno = 0)")
    with pytest.raises(errors.InputError, match="not an X: Can't read data"):
        with errors.reading("a.h5", "an X"):
            raise other


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.x")
    for path in (tmp_path / "a.x", "/dev/zero"):
        with pytest.raises(errors.InputError, match="a device or a pipe, expected"):
            with errors.reading(path, "an X"):
                raise AssertionError("read")
    assert not errors.is_special(tmp_path) and not errors.is_special("a\0b")
