"""`mcastlab multicast`: the policy of namespaces."""

from __future__ import annotations

from typing import Annotated

import typer

from provision.cli.ending import clean_end
from provision.cli.options import AsJson, Debug, Kubeconfig, LabFile
from provision.commands.session import open_cluster
from provision.core.typed import Typed

app = typer.Typer(help="Multicast by namespace, on any cluster: on, off, and how it stands.", no_args_is_help=True)

Namespaces = Annotated[list[str], typer.Argument(metavar="NAMESPACE", help="Namespaces; all of them or none.")]


@app.command(
    "enable", epilog="Examples: mcastlab multicast enable app · mcastlab multicast enable app --kubeconfig FILE"
)
def enable(
    namespaces: Namespaces,
    kubeconfig: Kubeconfig = None,
    lab: LabFile = None,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Let the pods of a namespace hear each other's multicast, and wait until that is in force."""
    from provision.commands import multicast as command

    typed = Typed(lab, kubeconfig=kubeconfig)
    with clean_end(typed, debug=debug):
        command.switch(open_cluster(typed), typed, "enable", namespaces, as_json=json)


@app.command("disable", epilog="Example: mcastlab multicast disable app")
def disable(
    namespaces: Namespaces,
    kubeconfig: Kubeconfig = None,
    lab: LabFile = None,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Stop a namespace's multicast, whatever switched it on, and name the macvlan pods that go on."""
    from provision.commands import multicast as command

    typed = Typed(lab, kubeconfig=kubeconfig)
    with clean_end(typed, debug=debug):
        command.switch(open_cluster(typed), typed, "disable", namespaces, as_json=json)


@app.command("status", epilog="Examples: mcastlab multicast status · mcastlab multicast status app --json")
def status(
    namespaces: Annotated[
        list[str] | None, typer.Argument(metavar="NAMESPACE", help="Namespaces; all with an annotation if none.")
    ] = None,
    kubeconfig: Kubeconfig = None,
    lab: LabFile = None,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show for each namespace whether multicast is wanted, by which annotation, and in force."""
    from provision.commands import multicast as command

    typed = Typed(lab, kubeconfig=kubeconfig)
    with clean_end(typed, debug=debug):
        command.show_status(open_cluster(typed), typed, namespaces or [], as_json=json)
