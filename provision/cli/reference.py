"""The page of all commands, from what `--help` says: `python -m provision.cli.reference > docs/commands.md`."""

from __future__ import annotations

import re
from collections.abc import Iterator

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from provision.cli import app
from provision.cli.ending import EXIT_CODES

Command = TyperCommand | TyperGroup
_TYPE = re.compile(r" <[a-z\[\]]+>")  # of an argument; a choice has its values there, and keeps them

HEAD = f"""\
# Commands

All commands with their arguments and options, from the code itself: `--help` behind a command says the same.

Exit codes: {EXIT_CODES};
128 and the signal's number if a signal stopped it.
`mcastlab ssh HOST -- COMMAND` ends with the command's own.
"""


def text() -> str:
    """The page as it stands in docs/."""
    commands = list(_commands(get_group(app), "mcastlab"))
    listed = [f"| [{name}](#{name.replace(' ', '-')}) | {command.help} |" for name, command in commands[1:]]
    table = "\n".join(["| command | does |", "|---|---|", *listed])
    return "\n".join([HEAD, table, "", "\n".join(_section(name, command) for name, command in commands)])


def _commands(command: Command, name: str) -> Iterator[tuple[str, Command]]:
    """A command and all below it, each with the words that one types."""
    yield name, command
    for word, inner in getattr(command, "commands", {}).items():
        yield from _commands(inner, f"{name} {word}")


def _section(name: str, command: Command) -> str:
    context = typer.Context(command, info_name=name)
    usage = " ".join(command.collect_usage_pieces(context)).replace("{", "").replace("}", "")
    parts = [f"## {name}", f"{command.help}", f"    {name} {usage}"]
    records = [parameter.get_help_record(context) for parameter in command.params]
    if records:
        parts.append("\n".join(f"- `{_TYPE.sub('', names)}`: {said}" for names, said in filter(None, records)))
    if command.epilog:
        title, examples = command.epilog.split(": ", 1)
        parts += [f"{title}:", "\n".join(f"    {example}" for example in examples.split(" · "))]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(text(), end="")
