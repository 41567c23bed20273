"""Data flows one way: a package imports only what stands to its left."""

import ast
import pathlib

import pytest

ORDER = [
    {"errors"},
    {"files"},
    {"config", "progress", "provenance"},
    {"geometry"},
    {"skeleton", "losses"},
    {"synthetic", "visualisation"},
    {"data", "models"},
    {"training"},
    {"evaluation", "export"},
    {"systems"},
    {"experiments", "api"},
    {"cli"},
]
RANK = {name: rank for rank, names in enumerate(ORDER) for name in names}
ROOT = pathlib.Path(__file__).resolve().parent.parent / "sa3dhp"
FILES = sorted(ROOT.rglob("*.py"))


def _imported(path: pathlib.Path) -> set:
    """The names below `sa3dhp` that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "sa3dhp"
        ):
            tail = node.module.split(".")[1:]
            names |= {tail[0]} if tail else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            parts = [alias.name.split(".") for alias in node.names]
            names |= {p[1] for p in parts if p[0] == "sa3dhp" and len(p) > 1}
    return names


def _modules(path: pathlib.Path) -> set[str]:
    """The modules that a file imports, whole."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_only_from_the_left(path: pathlib.Path) -> None:
    package = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for name in _imported(path) - {package, "config", "__init__"}:
        assert package in RANK, f"{package} has no place in the order"
        assert RANK[name] < RANK[package], f"{package} imports {name}"


def test_only_jobs_import_config() -> None:
    home = "systems/relation_distillation"
    builders = ("config", "networks", "stages", "sources", "job")
    allowed = {f"{home}/{name}.py" for name in builders}
    allowed |= {f"experiments/{n}.py" for n in ("networks", "repeated", "session")}
    allowed |= {"api.py"}
    users = {
        str(path.relative_to(ROOT))
        for path in FILES
        if any(".config." in f"{module}." for module in _modules(path))
    }
    assert f"{home}/job.py" in users
    assert users <= allowed


def test_no_system_imports_another() -> None:
    for path in (ROOT / "systems").glob("*/**/*.py"):
        own = path.relative_to(ROOT / "systems").parts[0]
        others = {
            module.split(".")[2]
            for module in _modules(path)
            if module.startswith("sa3dhp.systems.")
        }
        assert others <= {own}, path


def test_visualisation_needs_the_skeleton_only() -> None:
    for path in (ROOT / "visualisation").glob("*.py"):
        assert _imported(path) <= {"skeleton", "errors", "files", "visualisation"}
