"""Small data and small networks, which the tests of the system share."""

from small_interventions import (  # noqa: F401
    _fresh,
    eagerly,
    load,
    small_backbone,
)
