"""Commands that bring a lab up and down, and say how it stands."""

from __future__ import annotations

from typing import Annotated

import typer

from provision.cli.options import (
    AsJson,
    Debug,
    DryRun,
    JsonFile,
    JunitFile,
    LabFile,
    ProviderOption,
    Quiet,
    Verbose,
    verbosity,
)
from provision.commands.session import clean_end, open_lab
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
    from provision.commands import lifecycle

    typed = Typed(lab, provider)
    with clean_end(typed, debug=debug, after_a_stop=_GOES_ON):
        lifecycle.up(*open_lab(typed, verbosity(quiet, verbose)), dry_run=dry_run, json=json, junit=junit)


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
    from provision.commands import lifecycle

    typed = Typed(lab, provider)
    with clean_end(typed, debug=debug, after_a_stop="`mcastlab down` goes on from here."):
        lifecycle.down(*open_lab(typed, verbosity(quiet, verbose=False)), dry_run=dry_run, yes=yes)


@app.command(epilog="Example: mcastlab status --json")
def status(
    lab: LabFile = None,
    provider: ProviderOption = None,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show the lab's hosts, nodes, networks and attacher as they are now."""
    from provision.commands import lifecycle

    typed = Typed(lab, provider)
    with clean_end(typed, debug=debug):
        lifecycle.status(*open_lab(typed), as_json=json)
