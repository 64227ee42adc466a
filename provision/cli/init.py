"""The command that begins a lab."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provision.cli.ending import clean_end
from provision.cli.options import Debug
from provision.core.typed import Typed

app = typer.Typer()


@app.command(epilog="Examples: mcastlab init · mcastlab init video --vagrantfile")
def init(
    folder: Annotated[Path, typer.Argument(help="Where; made if it is not there.", file_okay=False)] = Path(),
    name: Annotated[str, typer.Option(help="The lab's name; names of all that is made for it begin so.")] = "mcastlab",
    vagrantfile: Annotated[bool, typer.Option("--vagrantfile", help="For `vagrant up` as well.")] = False,
    debug: Debug = False,
) -> None:
    """Write a lab.yml, and a Vagrantfile on request, into a folder; nothing that is there is changed."""
    from provision.commands.init import init as write

    typed = Typed(None if folder == Path() else folder / "lab.yml")
    with clean_end(typed, debug=debug):
        written = write(folder, name, vagrantfile=vagrantfile)
        for path in written:
            print(f"Wrote {path}")
        print(typed.completed("`mcastlab up` brings the lab up"))
