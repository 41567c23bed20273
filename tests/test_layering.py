"""Data flows one way: a package imports only what stands to its left."""

import ast
import pathlib

import pytest

ORDER = [
    {"errors"},
    {"config"},
    {"geometry"},
    {"skeleton"},
    {"relations", "visualisation"},
    {"synthetic"},
    {"data"},
    {"models", "losses"},
    {"training", "evaluation"},
    {"export"},
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


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_only_from_the_left(path: pathlib.Path) -> None:
    package = path.relative_to(ROOT).parts[0].removesuffix(".py")
    for name in _imported(path) - {package, "config", "__init__"}:
        assert package in RANK, f"{package} has no place in the order"
        assert RANK[name] < RANK[package], f"{package} imports {name}"


def test_only_build_imports_config() -> None:
    twins = ("build", "build_adaptation", "build_repeated", "data")
    allowed = {f"training/{name}.py" for name in twins}
    users = {str(p.relative_to(ROOT)) for p in FILES if "config" in _imported(p)}
    assert users <= allowed


def test_visualisation_needs_the_skeleton_only() -> None:
    for path in (ROOT / "visualisation").glob("*.py"):
        assert _imported(path) <= {"skeleton", "errors", "visualisation"}
