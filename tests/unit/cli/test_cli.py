"""The command line as such: what it says of itself."""

from __future__ import annotations

import re

import pytest
import typer
from typer.testing import CliRunner

from provision import __version__
from provision.cli import app

RUN = CliRunner()


def commands() -> list[list[str]]:
    """Every command as the words that one types."""
    group = typer.main.get_command(app)
    found = []
    for name, command in group.commands.items():  # type: ignore[attr-defined]
        inner = getattr(command, "commands", None)
        found += [[name, *more] for more in ([[word] for word in inner] if inner else [[]])]
    return found


def test_the_version_is_the_packages() -> None:
    assert RUN.invoke(app, ["--version"]).output == f"mcastlab {__version__}\n"


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_help_of_every_command_has_an_example_of_it(words: list[str]) -> None:
    shown = re.sub(r"\s+", " ", RUN.invoke(app, [*words, "--help"]).output)
    example = shown[shown.index("Example") :]
    assert f"mcastlab {' '.join(words)}" in example


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("mcastlab check source", "source-to-pod"),
        ("mcastlab check l", "lan"),
        ("mcastlab render net", "networks"),
        ("mcastlab ssh mcast", "mcastsrc"),
        ("mcastlab load --li", "--list"),
        ("mcastlab ssh --lab no-such-file.yml mcast", ""),
    ],
)
def test_names_are_completed(typed: str, offered: str) -> None:
    """As bash asks for it (click, shell completion)."""
    words = typed.split()
    asked = {"_MCASTLAB_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    assert RUN.invoke(app, [], env=asked, prog_name="mcastlab").output.strip() == offered
