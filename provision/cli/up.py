"""`mcastlab up`."""

from __future__ import annotations

import typer

from provision.cli.ending import clean_end
from provision.cli.options import Debug, DryRun, JsonFile, JunitFile, LabFile, ProviderOption, Quiet, Verbose, verbosity
from provision.commands.session import open_lab
from provision.core.typed import Typed

app = typer.Typer()

_GOES_ON = "`mcastlab up` goes on from here, `mcastlab down` removes what was made."


@app.command(epilog="Example: mcastlab up --lab second.yml --json report.json")
def up(
    lab: LabFile = None,
    provider: ProviderOption = None,
    json: JsonFile = None,
    junit: JunitFile = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Bring the lab up and check it; on a lab that is up, change nothing."""
    from provision.commands import up as command

    typed = Typed(lab, provider)
    with clean_end(typed, debug=debug, after_a_stop=_GOES_ON):
        command.up(open_lab(typed, verbosity(quiet, verbose)), dry_run=dry_run, json=json, junit=junit)
