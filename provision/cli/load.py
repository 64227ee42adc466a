"""`mcastlab load`."""

from __future__ import annotations

from typing import Annotated

import typer

from provision.cli.ending import clean_end
from provision.cli.options import AsJson, Debug, LabFile, ProviderOption, Quiet, Verbose, verbosity
from provision.commands.session import open_lab
from provision.core.typed import Typed

app = typer.Typer()


def _images(begun: str) -> list[str]:
    from provision.load.engines import listed

    return listed(begun)


@app.command(
    epilog="Examples: mcastlab load app.tar · mcastlab load localhost/app:1 · podman save app | mcastlab load - ·"
    " mcastlab load --list"
)
def load(
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE",
            help="Archives (docker-archive or OCI layout, also with gzip), names of podman's or docker's images, or -.",
            autocompletion=_images,
        ),
    ] = None,
    called: Annotated[
        str, typer.Option("--as", metavar="NAME", help="What pods shall call it, instead of the name it has.")
    ] = "",
    list_: Annotated[bool, typer.Option("--list", help="List the images that the nodes have.")] = False,
    lab: LabFile = None,
    provider: ProviderOption = None,
    json: AsJson = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Put images of yours onto every node of the lab, and say what a pod calls them."""
    from provision.commands import load as command
    from provision.load.sources import STDIN

    typed = Typed(lab, provider)
    with clean_end(typed, debug=debug, after_a_stop="`mcastlab load --list` shows what the nodes have."):
        meant = open_lab(typed, verbosity(quiet, verbose))
        if list_:
            command.show(meant, as_json=json)
        else:
            command.load(meant, images or [STDIN], called, as_json=json)
