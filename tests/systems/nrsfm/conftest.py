"""Small data and small networks, which the tests of the system share."""

from small_nrsfm import (  # noqa: F401
    _fresh,
    eagerly,
    load,
    motions,
    npz,
    pictures,
    small_backbone,
)
