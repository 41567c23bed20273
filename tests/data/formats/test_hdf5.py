"""HDF5 is read beside a writer; bad files are named; a machine's faults stay faults."""

import errno
import fcntl

import h5py
import numpy as np
import pytest

from sa3dhp import errors
from sa3dhp.data.formats import hdf5


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "annot.h5"
    with h5py.File(path, "w") as file:
        file["pose/2d"] = np.arange(6.0).reshape(2, 3)
        file["words"] = "walking"
    return path


def test_a_file_that_another_process_locked_is_read(path):
    with open(path, "rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="lock"):
            h5py.File(path, "r", locking=True)  # what HDF5 does by itself
        with hdf5.opened(path, "an annot.h5") as file:
            got = hdf5.numbers(file, "pose/2d")
    np.testing.assert_array_equal(got, [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize("damage", [b"", b"no HDF5" * 99, None])
def test_what_is_no_hdf5_is_an_input_error(path, damage):
    path.write_bytes(path.read_bytes()[:900] if damage is None else damage)
    with pytest.raises(errors.InputError, match=r"annot.h5: not an annot\.h5"):
        with hdf5.opened(path, "an annot.h5") as file:
            hdf5.numbers(file, "pose/2d")


@pytest.mark.parametrize("key", ["pose", "words", "pose/3d", "huge"])
def test_what_is_no_array_of_numbers_is_an_input_error(path, key):
    with h5py.File(path, "a") as file:
        file.create_dataset("huge", (1 << 20, 1 << 20), "f4", chunks=(64, 64))
    with pytest.raises(errors.InputError, match=r"not an annot\.h5"):
        with hdf5.opened(path, "an annot.h5") as file:
            hdf5.numbers(file, key)


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EIO, errno.ESTALE])
def test_a_passing_fault_is_no_verdict_on_the_file(path, number, monkeypatch):
    def fails(*args, **kwargs):
        raise OSError(number, "of the machine")

    monkeypatch.setattr(h5py, "File", fails)
    with pytest.raises(OSError, match="of the machine") as error:
        with hdf5.opened(path, "an annot.h5"):
            pass
    assert error.value.errno == number
