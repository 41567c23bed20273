"""Small data and small networks, which the tests of the system share."""

from small_interventions import _fresh, load  # noqa: F401
from small_nrsfm import eagerly, small_backbone  # noqa: F401
