"""`mcastlab status`."""

from __future__ import annotations

import typer

from provision.cli.ending import clean_end
from provision.cli.options import AsJson, Debug, LabFile, ProviderOption
from provision.commands.session import open_lab
from provision.core.typed import Typed

app = typer.Typer()


@app.command(epilog="Example: mcastlab status --json")
def status(
    lab: LabFile = None,
    provider: ProviderOption = None,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show the lab's hosts, nodes, networks and attacher as they are now."""
    from provision.commands import status as command

    typed = Typed(lab, provider)
    with clean_end(typed, debug=debug):
        command.status(open_lab(typed), as_json=json)
