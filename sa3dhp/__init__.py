"""Self-adaptive 3D human pose estimation by non-local latent relation distillation."""

from __future__ import annotations

import importlib
import os
import typing

# OpenCV reads this when it is loaded, and would take 3 GB for a file of a few bytes.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(1 << 26))

__version__ = "0.2.0"
# Name -> its module.
_LAZY = {"load": "api", "predict": "api", "adapt": "api", "evaluate": "api"}


# Hidden from type checkers, which would take any misspelt name for one of these.
if not typing.TYPE_CHECKING:

    def __getattr__(name: str) -> typing.Any:
        """Imports what is asked for, and TensorFlow with it, when it is asked for."""
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_LAZY])
