"""Each role's README is what its own argument_specs and defaults say; `scripts/role_readmes.py` writes it anew."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from provision.core.paths import ROOT

ROLES = sorted(path.parent.parent for path in (ROOT / "roles").glob("*/meta/argument_specs.yml"))


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
def test_it_is_as_the_role_says(role: Path) -> None:
    readme = runpy.run_path(str(ROOT / "scripts" / "role_readmes.py"))["readme"]
    assert (role / "README.md").read_text() == readme(role)


def test_every_role_has_its_arguments_described() -> None:
    assert sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir()) == ROLES
