"""`mcastlab logs`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provision.cli.ending import clean_end
from provision.cli.options import Debug, LabFile, ProviderOption
from provision.commands.session import open_lab
from provision.core.typed import Typed

app = typer.Typer()


@app.command(epilog="Example: mcastlab logs /tmp/lab-logs")
def logs(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; made if it is missing.")],
    lab: LabFile = None,
    provider: ProviderOption = None,
    debug: Debug = False,
) -> None:
    """Collect all that is needed to debug the lab into a folder."""
    from provision.commands import logs as command

    typed = Typed(lab, provider)
    with clean_end(typed, debug=debug):
        command.logs(open_lab(typed), directory)
