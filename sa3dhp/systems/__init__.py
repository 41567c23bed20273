"""The systems: a folder for each method, and here the one list that names them.

The tools ask a system for three modules, and know nothing else of it: `config` (`load`,
`begin`, `STAGES`, `READS`, `SHIPPED`, `MEASURED`, `NEXT`; without TensorFlow), `stages`
(`make`) and `sources` (`check`).
"""

from __future__ import annotations

import importlib
import types

NAMES = ("relation_distillation", "nrsfm", "interventions", "multi_person")


def part(system: str, module: str) -> types.ModuleType:
    """Imports a module of a system, `part("relation_distillation", "config")`."""
    return importlib.import_module(f"{__name__}.{system}.{module}")
