"""`mcastlab down`."""

from __future__ import annotations

from typing import Annotated

import typer

from provision.cli.ending import clean_end
from provision.cli.options import Debug, DryRun, LabFile, ProviderOption, Quiet, verbosity
from provision.commands.session import open_lab
from provision.core.typed import Typed

app = typer.Typer()


@app.command(epilog="Example: mcastlab down --lab second.yml")
def down(
    lab: LabFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before hosts of your own are reset.")] = False,
    provider: ProviderOption = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Remove all that `up` made for this lab; the artifact cache stays."""
    from provision.commands import down as command

    typed = Typed(lab, provider)
    with clean_end(typed, debug=debug, after_a_stop="`mcastlab down` goes on from here."):
        command.down(open_lab(typed, verbosity(quiet, verbose=False)), dry_run=dry_run, yes=yes)
