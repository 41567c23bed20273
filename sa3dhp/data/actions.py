"""Names of Human3.6M's actions, which files spell in several ways.

Each action was recorded twice or more (`Walking`, `Walking 1`), and some have short
names in file names (`Photo`). Published tables have one row for each action.
"""

from __future__ import annotations

import re

import numpy as np

# By the data set's own number, from 1.
HUMAN36M = tuple(
    "Miscellaneous Directions Discussion Eating Greeting Phoning Posing Purchases "
    "Sitting SittingDown Smoking TakingPhoto Waiting Walking WalkingDog "
    "WalkingTogether".split()
)
ALIASES = {
    "_ALL": "Miscellaneous",
    "Photo": "TakingPhoto",
    "TakePhoto": "TakingPhoto",
    "WalkDog": "WalkingDog",
    "WalkTogether": "WalkingTogether",
}
_KNOWN = {name.lower(): name for name in HUMAN36M} | {
    alias.lower(): name for alias, name in ALIASES.items()
}


def normalise(label: str) -> str:
    """Returns the official name of an action of Human3.6M, any other label as it is."""
    # `Walking 1`, `Walking (1)`, `Walking1`, and of files `Walking 1.54138969`.
    bare = re.sub(r"[\s_.#-]*\(?\d+\)?(?:\.\d+)?$", "", label.strip())
    squeezed = bare if bare.startswith("_") else re.sub(r"[\s_-]", "", bare)
    return _KNOWN.get(squeezed.lower(), label)


def normalised(labels: np.ndarray) -> np.ndarray:
    """Returns labels `[N]` with those of Human3.6M under their official names."""
    names, rows = np.unique(np.asarray(labels, str), return_inverse=True)
    return np.array([normalise(str(name)) for name in names], dtype=str)[rows]
