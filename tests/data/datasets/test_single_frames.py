"""Whether a file is one of those, by its arrays and the names of its pictures."""

import numpy as np
import pytest

from sa3dhp.data.datasets import single_frames

ARRAYS = {
    "imgname": np.array(["S9_Walking.54138969_000001.jpg"] * 2),
    "part": np.zeros((2, 17, 3)),
    "S": np.zeros((2, 17, 4)),
}


def test_names_tell_the_skeleton(tmp_path):
    np.savez(tmp_path / "a.npz", **ARRAYS)
    assert single_frames.skeleton_of(tmp_path / "a.npz") == "h36m17"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("imgname", ARRAYS["imgname"][0]),
        ("imgname", ARRAYS["imgname"][:1]),
        ("imgname", np.array(["0001.jpg"] * 2)),
        ("part", np.zeros(3)),
        ("S", np.zeros((2, 24, 4))),
        ("S", None),
    ],
)
def test_another_file_is_passed_over(tmp_path, key, value):
    arrays = {name: x for name, x in ARRAYS.items() if name != key}
    if value is not None:
        arrays[key] = value
    np.savez(tmp_path / "a.npz", **arrays)
    assert single_frames.skeleton_of(tmp_path / "a.npz") == ""
