"""Human3.6M's actions under all their spellings; other labels stay as they are."""

import numpy as np
import pytest

from sa3dhp.data import actions


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("Walking", "Walking"),
        ("Walking 1", "Walking"),
        ("walking_2", "Walking"),
        ("Photo", "TakingPhoto"),
        ("TakingPhoto 1", "TakingPhoto"),
        ("Sitting Down 1", "SittingDown"),
        ("WalkDog", "WalkingDog"),
        ("WalkTogether 1", "WalkingTogether"),
        ("_ALL 1", "Miscellaneous"),
        ("Greeting2", "Greeting"),
        ("Eating\t2", "Eating"),
        ("Walking  1.54138969", "Walking"),
        ("WalkDog.2", "WalkingDog"),
        ("Sitting (1)", "Sitting"),
        ("Taking Photo #1", "TakingPhoto"),
        ("Walk 12", "Walk 12"),
        ("Activity 1", "Activity 1"),
        ("3", "3"),
        ("", ""),
    ],
)
def test_spellings(label, name):
    assert actions.normalise(label) == name


def test_arrays_keep_their_order_and_shape():
    got = actions.normalised(np.array(["b", "Photo", "b", "Walking 1"]))
    assert got.tolist() == ["b", "TakingPhoto", "b", "Walking"]
    assert actions.normalised(np.array([], dtype=str)).shape == (0,)
