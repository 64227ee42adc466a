"""What the role puts on a node is all that runs there: the loader, the plug-in, and what checks and logs ask."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import yaml

from agents.multicast_policy import bind, hooks
from provision.core.paths import ROOT

AGENTS = ROOT / "agents/multicast_policy"


def installed() -> set[str]:
    given = yaml.safe_load((ROOT / "roles/multicast_policy/vars/main.yml").read_text())
    files = given["multicast_policy_modules"] + given["multicast_policy_files"]
    return {Path(file["path"]).stem for file in files if file["path"].endswith(".py")}


def needs(module: str) -> set[str]:
    """The modules of the package that one imports."""
    found = set[str]()
    for node in ast.walk(ast.parse((AGENTS / f"{module}.py").read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            found |= {node.module} if node.module else {name.name for name in node.names}
    return found


@pytest.mark.parametrize("run", ["loader", "hooks", "lift", "figures"])
def test_a_module_that_runs_on_the_node_finds_all_that_it_imports(run: str) -> None:
    assert run in installed()
    wanted = {run}
    while more := {name for module in wanted for name in needs(module)} - wanted:
        wanted |= more
    assert wanted <= installed()


def test_the_plug_in_repeats_what_it_has_no_time_to_import() -> None:
    assert (bind.FOLDER, bind.KIND, bind.REFUSED) == (hooks.FOLDER, hooks.KIND, hooks.REFUSED)
