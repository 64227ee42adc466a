"""What whoever reports or sends something is asked for, and what looks over a commit."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any, get_args

import pytest
import yaml

from provision.core.paths import ROOT
from provision.core.typed import ProviderName

FORMS = ROOT / ".github" / "ISSUE_TEMPLATE"
KINDS = {"markdown", "textarea", "input", "dropdown", "checkboxes"}


def form(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((FORMS / name).read_text())
    return read


@pytest.mark.parametrize("name", sorted(path.name for path in FORMS.glob("*.yml") if path.name != "config.yml"))
def test_a_form_is_one_that_github_takes(name: str) -> None:
    """GitHub, syntax for issue forms: each element has a type, an id that is its own, and a label."""
    read = form(name)
    assert {"name", "description", "body"} <= set(read)
    asked = [element for element in read["body"] if element["type"] != "markdown"]
    assert {element["type"] for element in read["body"]} <= KINDS
    assert all(element["attributes"]["label"] for element in asked)
    assert len({element["id"] for element in asked}) == len(asked)


def test_a_bug_is_reported_with_what_is_needed_to_find_it() -> None:
    asked = {element.get("id"): element for element in form("bug.yml")["body"]}
    said = yaml.safe_dump(list(asked.values()))
    assert all(word in said for word in ("mcastlab logs", "mcastlab --version", "lab.yml"))
    assert all(asked[name]["validations"]["required"] for name in ("happened", "version", "provider", "logs"))
    offered = {option.partition(":")[0] for option in asked["provider"]["attributes"]["options"]}
    assert offered == {*get_args(ProviderName), "none"}


def test_commits_are_looked_over_by_the_linters_of_make_lint() -> None:
    path = ROOT / ".pre-commit-config.yaml"
    (local,) = yaml.safe_load(path.read_text())["repos"]
    everything = re.search(r"\|\| linters=\((.*)\)", (ROOT / "scripts" / "lint").read_text())
    assert everything
    assert [hook["entry"] for hook in local["hooks"]] == [f"scripts/lint {name}" for name in everything[1].split()]
    subprocess.run([sys.executable, "-m", "pre_commit", "validate-config", path], check=True)
