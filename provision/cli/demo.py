"""`mcastlab demo`."""

from __future__ import annotations

from typing import Annotated

import typer

from provision.cli.ending import clean_end
from provision.cli.options import Debug, Kubeconfig, LabFile
from provision.commands.session import open_cluster
from provision.core.typed import Typed

app = typer.Typer(no_args_is_help=True)


@app.callback()
def demo() -> None:
    """Multicast to look at."""


@app.command("discovery", epilog="Examples: mcastlab demo discovery · mcastlab demo discovery --watch")
def discovery(
    watch: Annotated[bool, typer.Option("--watch", help="Keep the table until Ctrl-C.")] = False,
    namespace: Annotated[
        str, typer.Option("--namespace", metavar="NAME", help="Where; made and removed if it is not there.")
    ] = "mcastlab-demo",
    kubeconfig: Kubeconfig = None,
    image: Annotated[
        str, typer.Option("--image", metavar="REFERENCE", help="With --kubeconfig: where its nodes get the image.")
    ] = "",
    lab: LabFile = None,
    debug: Debug = False,
) -> None:
    """Peers find each other by multicast; a third joins, goes away, and is marked dead."""
    from provision import artifacts
    from provision.commands import demo as command

    typed = Typed(lab, kubeconfig=kubeconfig)
    with clean_end(typed, debug=debug):
        reference = image or artifacts.document()["images"]["discovery"]
        command.discover(open_cluster(typed), reference, namespace, watch=watch)
