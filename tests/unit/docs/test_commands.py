"""docs/commands.md is what the code says."""

from __future__ import annotations

from provision.cli.reference import text
from provision.core.paths import ROOT
from tests.golden_files import compare


def test_the_page_of_commands_is_the_codes_own() -> None:
    compare(text(), ROOT / "docs" / "commands.md")
