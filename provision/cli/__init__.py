"""The command line: commands only, no logic."""

from __future__ import annotations

from typing import Annotated

import typer

from provision import __version__
from provision.cli import artifacts, check, demo, down, init, load, logs, multicast, render, ssh, status, up

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for one in (init, up, down, status, check, render, ssh, logs, load):
    app.add_typer(one.app)
app.add_typer(artifacts.app, name="artifacts")
app.add_typer(multicast.app, name="multicast")
app.add_typer(demo.app, name="demo")


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mcastlab {__version__}")
        raise typer.Exit


@app.callback()
def whole(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """A Kubernetes multicast lab: brought up by one command, proved with real traffic."""


def main() -> None:
    """The console script `mcastlab`."""
    app()
