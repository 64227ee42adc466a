"""`mcastlab artifacts`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from provision.cli.ending import clean_end
from provision.cli.options import Debug, Verbose, verbosity
from provision.core.typed import Typed

app = typer.Typer(help="What the cluster is made of: binaries and images.", no_args_is_help=True)


class Made(StrEnum):
    """What `mcastlab artifacts build` can make."""

    bundle = "bundle"
    box = "box"


@app.command("build", epilog="Examples: mcastlab artifacts build · mcastlab artifacts build box")
def build(
    what: Annotated[Made, typer.Argument(help="The bundle, or a Vagrant box with it for libvirt.")] = Made.bundle,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Make what is not in the cache yet."""
    from provision.commands import artifacts as command

    with clean_end(Typed(), debug=debug):
        command.build(verbosity(quiet=False, verbose=verbose), with_box=what is Made.box)


@app.command("import", epilog="Example: mcastlab artifacts import multus-cni-thick.tar")
def import_(
    archive: Annotated[Path, typer.Argument(metavar="FILE", help="A docker-archive, or a tar of an OCI layout.")],
    kind: Annotated[
        str, typer.Option("--as", metavar="KIND", help="What it is, where its name does not tell: multus.")
    ] = "",
    debug: Debug = False,
) -> None:
    """Check an image's archive and copy it into the cache: Multus, recognised by the name multus-cni."""
    from provision.commands import artifacts as command

    with clean_end(Typed(), debug=debug):
        command.import_image(archive, kind)


@app.command("fetch", epilog="Example: mcastlab artifacts fetch multus")
def fetch(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="What to fetch: multus.")],
    debug: Debug = False,
) -> None:
    """Pull an image from its registry into the cache; `up` never does so by itself."""
    from provision.commands import artifacts as command

    with clean_end(Typed(), debug=debug):
        command.fetch(kind)


@app.command("image", epilog="Example: kubectl run one --image=$(mcastlab artifacts image tools) -- sleep 60")
def image(
    role: Annotated[str, typer.Argument(metavar="NAME", help="tools, discovery, …")],
    debug: Debug = False,
) -> None:
    """Print what an image is called in the lab, for manifests of your own."""
    from provision.commands import artifacts as command

    with clean_end(Typed(), debug=debug):
        command.show_image(role)


@app.command("list", epilog="Example: mcastlab artifacts list")
def list_(debug: Debug = False) -> None:
    """List the components and images, their versions and whether they are in the cache."""
    from provision.commands import artifacts as command

    with clean_end(Typed(), debug=debug):
        command.show()
