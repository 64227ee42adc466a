"""The order of rooms inside `provision/`: who may import whom, late imports and those for types included.

import-linter holds the order itself (pyproject.toml, `make lint`); here is what it cannot say.
"""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from provision.core.paths import ROOT

PROVISION = ROOT / "provision"


def modules() -> dict[str, Path]:
    """Every module by its dotted name."""
    paths = sorted(PROVISION.rglob("*.py"))
    names = [".".join(path.relative_to(PROVISION.parent).with_suffix("").parts) for path in paths]
    return {name.removesuffix(".__init__"): path for name, path in zip(names, paths, strict=True)}


def imports(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """The modules of `provision` that a module imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("provision"):
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {one if one in known else str(node.module) for one in whole}
    return found - {name}


def circles(edges: dict[str, set[str]]) -> list[set[str]]:
    """The sets of modules that import each other in a circle, by what each can reach."""
    reach = {name: set(targets) for name, targets in edges.items()}
    changed = True
    while changed:
        changed = False
        for name, targets in reach.items():
            more = {further for target in targets for further in reach[target]} - targets
            changed = changed or bool(more)
            reach[name] = targets | more
    in_one = {
        frozenset(other for other in reach[name] if name in reach[other]) for name in reach if name in reach[name]
    }
    return [set(one) for one in in_one]


def folders(root: Path) -> set[str]:
    """The names of those that have Python files; what moved away may have left compiled ones behind."""
    return {path.relative_to(root).parts[0] for path in root.rglob("*.py") if path.parent != root}


def places(root: Path) -> set[str]:
    """The folders below it, by their paths, that have Python files in them."""
    return {path.parent.relative_to(root).as_posix() for path in root.rglob("*.py")} - {"."}


def test_circles_are_seen() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [{"a", "b", "c"}]


def test_no_files_import_each_other_in_a_circle() -> None:
    known = modules()
    assert circles({name: imports(name, path, known) for name, path in known.items()}) == []


def test_no_module_stands_loose_at_the_root() -> None:
    assert [path.name for path in PROVISION.glob("*.py")] == ["__init__.py"]


def test_every_room_says_what_it_is_for() -> None:
    for path in PROVISION.rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(path.read_text())), path


def test_the_page_lists_the_rooms_in_their_order() -> None:
    """docs/architecture.md from the lowest, the contract from the highest; and there is no other room."""
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    layers = [layer.removeprefix("provision.") for layer in contract["layers"]]
    page = (ROOT / "docs" / "architecture.md").read_text().partition("## The rooms")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE) == layers[::-1]
    assert folders(PROVISION) == set(layers)


@pytest.mark.parametrize(
    ("suite", "beside"), [("unit", {"ansible", "architecture", "docs", "project"}), ("integration", set())]
)
def test_the_tests_of_each_room_stand_in_its_mirror(suite: str, beside: set[str]) -> None:
    """None lies loose, and every folder is a room's, an agent's, or of what stands beside both."""
    tests = ROOT / "tests" / suite
    assert list(tests.glob("test_*.py")) == []
    assert places(tests) - beside <= places(PROVISION) | places(ROOT / "agents")
