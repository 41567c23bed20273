"""Data flows one way: a package imports only what stands to its left."""

import ast
import functools
import pathlib

import pytest

ORDER = [
    {"errors"},
    {"files", "documents"},
    {"config", "progress", "provenance"},
    {"geometry"},
    {"skeleton", "losses"},
    {"synthetic", "visualisation"},
    {"data", "models"},
    {"training"},
    {"evaluation", "export", "prediction"},
    {"systems"},
    {"experiments", "api"},
    {"cli", "tools"},
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
REPO = pathlib.Path(__file__).resolve().parent.parent
ROOT = REPO / "sa3dhp"
FILES = sorted(ROOT.rglob("*.py"))
TOOLS = sorted((REPO / "tools").glob("*.py"))
HOME = "sa3dhp.systems.relation_distillation"
# Where the configuration of a system ends; all else there gets plain arguments.
READERS = ("networks", "stages", "sources", "job")


def _modules(text: str) -> set[str]:
    """The modules that a file imports, whole; of a name its module and the name."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "imports are absolute"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


@functools.cache
def _of(path: pathlib.Path) -> set[str]:
    return _modules(path.read_text(encoding="utf-8"))


def _imported(path: pathlib.Path) -> set[str]:
    """The names below `sa3dhp` that a file imports."""
    parts = [module.split(".") for module in _of(path)]
    return {p[1] for p in parts if p[0] == "sa3dhp" and len(p) > 1}


def _name(path: pathlib.Path) -> str:
    return str(path.relative_to(REPO))


def _users(module: str) -> set[str]:
    """The files of the program that import a module, or a name out of it."""
    users = set()
    for path in (*FILES, *TOOLS):
        if any(f"{name}.".startswith(f"{module}.") for name in _of(path)):
            users.add(_name(path))
    return users


def test_imports_are_found_however_they_are_written():
    text = """
import sa3dhp.models.folded
from sa3dhp import errors, files as f
def late():
    from sa3dhp.data import pipeline
"""
    assert _modules(text) == {
        "sa3dhp.models.folded",
        "sa3dhp.errors",
        "sa3dhp.files",
        "sa3dhp.data.pipeline",
    }


def test_every_package_has_its_place():
    there = {path.relative_to(ROOT).parts[0].removesuffix(".py") for path in FILES}
    assert there - {"__init__"} <= set(RANK)
    assert set(RANK) - {"api", "tools"} <= there


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_imports_only_from_the_left(path: pathlib.Path) -> None:
    package = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for name in _imported(path) - {package}:
        assert name in RANK, f"{name} has no place in the order"
        assert RANK[name] < RANK[package], f"{package} imports {name}"


def test_nothing_imports_a_tool() -> None:
    for path in (*FILES, *TOOLS):
        assert not {m for m in _of(path) if m.split(".")[0] == "tools"}, path


def test_configuration_ends_where_a_system_builds_its_parts() -> None:
    home = HOME.replace(".", "/")
    allowed = {f"{home}/{name}.py" for name in READERS}
    allowed |= {_name(path) for path in (ROOT / "experiments").rglob("*.py")}
    allowed |= {_name(path) for path in TOOLS} | {"sa3dhp/api.py"}
    users = _users(f"{HOME}.config")
    assert users <= allowed
    assert users >= {f"{home}/{name}.py" for name in READERS}, "or the list is stale"


def test_loader_of_configurations_knows_no_system_and_serves_each() -> None:
    configs = {_name(path) for path in (ROOT / "systems").glob("*/config.py")}
    assert configs and _users("sa3dhp.config") == configs


def test_no_system_imports_another() -> None:
    for path in (ROOT / "systems").glob("*/**/*.py"):
        own = path.relative_to(ROOT / "systems").parts[0]
        others = {
            module.split(".")[2]
            for module in _of(path)
            if module.startswith("sa3dhp.systems.")
        }
        assert others <= {own}, path


def test_visualisation_needs_the_skeleton_only() -> None:
    allowed = {"skeleton", "files", "errors", "visualisation"}
    for path in (ROOT / "visualisation").glob("*.py"):
        assert _imported(path) <= allowed, path
