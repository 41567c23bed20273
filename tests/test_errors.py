"""Damaged files are one line, whatever libraries raise; faults of the machine stay."""

import errno

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
