"""Every command that mcastlab suggests: its own command line accepts it, for the lab that was meant."""

from __future__ import annotations

import ast
import io
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
import typer
from rich.console import Console

from provision import config
from provision.checks import Check, CheckRun
from provision.checks.result import Outcome
from provision.cli import app
from provision.commands.up import what_next
from provision.core.errors import HostError
from provision.core.paths import ROOT
from provision.core.progress import Progress
from provision.core.typed import Typed
from tests.unit.cli.test_cli import commands

MEANT = Typed(Path("my labs/other lab.yml"), "vagrant")
CLUSTER = Typed(kubeconfig=Path("their's.conf"))
IN_TEXT = re.compile(r"`mcastlab ([^`]+)`")
COMMAND = re.compile(r"\bmcastlab (\w+)")
FOLDERS = ("provision", "agents", "plugins")
TREE: Any = typer.main.get_command(app)
VERBS = {words[0] for words in commands()}


def texts() -> Iterator[tuple[str, str]]:
    """(where, text) of all that may be printed: strings in Python without docstrings, and files of other kinds."""
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")):
        for line, text in strings(ast.parse(path.read_text())) if path.name != "typed.py" else ():
            yield f"{path.relative_to(ROOT)}:{line}", text
    for folder, kind in (("roles", "*.yml"), ("roles", "*.j2"), ("playbooks", "*.yml"), ("provision", "*.rb")):
        for path in sorted((ROOT / folder).rglob(kind)):
            said = [line for line in path.read_text().splitlines() if not line.strip().startswith(("#", "{#"))]
            yield str(path.relative_to(ROOT)), "\n".join(said)


def strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Each string as one, what is only known at run time as the word X."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            skipped.add(node.body[0].value)  # type: ignore[attr-defined]
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "X" for part in node.values]
            skipped.update(node.values)
            yield node.lineno, "".join(map(str, parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
            yield node.lineno, node.value.replace("{}", "X")


def suggested() -> list[tuple[str, str]]:
    found = [(where, command) for where, text in texts() for command in IN_TEXT.findall(text)]
    return [*found, *(("up.what_next", command) for command in next_commands(Typed()))]


def next_commands(typed: Typed) -> list[str]:
    """The words after mcastlab of each command that `up` ends with."""
    shown = [command for command, _ in what_next(config.load(None), typed)]
    return [re.sub(r'^export KUBECONFIG="\$\((.*)\)"$', r"\1", command).removeprefix("mcastlab ") for command in shown]


def parsed(command: str) -> dict[str, Any]:
    """What the command line makes of `mcastlab COMMAND`; raises click.UsageError where it refuses it."""
    words, group = shlex.split(command), TREE
    context = click.Context(group)
    while hasattr(group, "commands"):
        name, group, words = group.resolve_command(context, words)
        context = click.Context(group, parent=context, info_name=name)
    return dict(group.make_context(group.name, words, parent=context.parent).params)


@pytest.mark.parametrize(("where", "command"), suggested())
def test_a_suggested_command_is_accepted_with_the_lab_that_was_meant(where: str, command: str) -> None:
    whole = MEANT.completed(f"Run `mcastlab {command}`, then")
    (told,) = IN_TEXT.findall(whole)
    given = parsed(told)
    if command.startswith("artifacts"):
        assert told == command
    elif "--lab" not in command:
        assert given["lab"] == MEANT.lab
        assert given.get("provider", MEANT.provider) == MEANT.provider
    (told,) = IN_TEXT.findall(CLUSTER.completed(f"`mcastlab {command}`"))
    assert parsed(told).get("kubeconfig", CLUSTER.kubeconfig) == CLUSTER.kubeconfig


def test_there_are_suggestions_in_every_kind_of_file() -> None:
    assert {where.partition("/")[0] for where, _ in suggested()} >= {"provision", "plugins", "agents", "roles"}


def test_no_command_is_suggested_without_being_completed() -> None:
    """All stand between backticks, which is how they are found when they are printed; help and examples are static."""
    loose = []
    for where, text in texts():
        rest = IN_TEXT.sub("", text)
        if not where.startswith("provision/cli/") and any(verb in VERBS for verb in COMMAND.findall(rest)):
            loose.append((where, rest))
    assert loose == []


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_the_options_that_are_repeated_with_it(words: list[str]) -> None:
    command = TREE
    for word in words:
        command = command.commands[word]
    taken = {option for parameter in command.params for option in parameter.opts}
    repeated = MEANT.command(" ".join(words)) + CLUSTER.command(" ".join(words))
    for option in ("--lab", "--provider", "--kubeconfig"):
        assert (option in taken) == (option in repeated), option


def test_what_to_type_next_is_about_the_lab_that_was_meant() -> None:
    lab = config.load(None)
    lab = lab.model_copy(update={"hosts": (lab.control_plane.model_copy(update={"name": "n1"}),)})
    shown = [command for command, _ in what_next(lab, MEANT)]
    assert "mcastlab ssh n1 --lab 'my labs/other lab.yml' --provider vagrant" in shown
    assert "export KUBECONFIG=\"$(mcastlab kubeconfig --lab 'my labs/other lab.yml' --provider vagrant)\"" in shown
    assert what_next(lab, Typed(Path("./lab.yml")))[0] == ("mcastlab status", "what runs")


def test_options_stand_before_the_command_for_a_host() -> None:
    typed = Typed(Path("second.yml"))
    assert typed.command("ssh k8s -- df -h /") == "mcastlab ssh k8s --lab second.yml -- df -h /"
    assert typed.command("down --lab FILE") == "mcastlab down --lab FILE"


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["kubeconfig"], "Run `mcastlab up --lab 'other lab.yml'`"),
        (["kubeconfig", "--provider", "ssh"], "Run `mcastlab up --lab 'other lab.yml' --provider ssh`"),
        (["multicast", "status"], "Run `mcastlab up --lab 'other lab.yml'`, or name one: --kubeconfig FILE"),
        (["logs", "there"], "Run `mcastlab up --lab 'other lab.yml' --provider vagrant`"),
    ],
    ids=["kubeconfig", "provider", "multicast", "logs"],
)
def test_errors_are_printed_with_the_lab_that_was_meant(words: list[str], remedy: str, tmp_path: Path) -> None:
    (tmp_path / "other lab.yml").write_text("name: other\n")
    more = ["--provider", "vagrant"] if words[0] == "logs" else []
    argv = [Path(sys.executable).parent / "mcastlab", *words, "--lab", "other lab.yml", *more]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert done.stderr.endswith(f"  remedy: {remedy}\n")


def test_progress_and_results_of_checks_are_printed_with_the_lab_that_was_meant() -> None:
    out = io.StringIO()
    Progress(Console(file=out, width=200), typed=MEANT).report("`mcastlab down`, then `mcastlab up`")
    options = "--lab 'my labs/other lab.yml' --provider vagrant"
    assert out.getvalue().strip() == f"`mcastlab down {options}`, then `mcastlab up {options}`"
    check = Check("one", "", lambda _bench: raising())
    bench: Any = SimpleNamespace(typed=MEANT, lacks=lambda _needs: "", emulated=False, close=lambda: None)
    (result,) = CheckRun([check], bench).results(lambda _result: None)
    assert result.remedy == f"See `mcastlab logs DIR {options}`"


def raising() -> Outcome:
    raise HostError("It is broken", remedy="See `mcastlab logs DIR`")
