"""`mcastlab ssh` and `mcastlab kubeconfig`: ways into a lab."""

from __future__ import annotations

from typing import Annotated

import typer

from provision.cli.ending import clean_end
from provision.cli.options import Debug, LabFile, ProviderOption
from provision.commands.session import open_lab
from provision.core.typed import Typed

app = typer.Typer()


def _hosts(context: typer.Context, begun: str) -> list[str]:
    """Those of the lab.yml that is named, or that lies here; none where that cannot be read."""
    from provision.core.errors import McastlabError

    try:
        lab = open_lab(Typed(context.params.get("lab"))).lab
    except McastlabError:
        return []
    return [host.name for host in lab.hosts if host.name.startswith(begun)]


@app.command(
    epilog="Examples: mcastlab ssh k8s · mcastlab ssh mcastsrc -- ip maddr show dev eth1 ·"
    " mcastlab ssh k8s -- 'dmesg | tail'"
)
def ssh(
    host: Annotated[str, typer.Argument(help="A host of the lab, for instance k8s.", autocompletion=_hosts)],
    command: Annotated[
        list[str] | None,
        typer.Argument(help="One word is a shell's line, several are a command and its arguments; a shell if none."),
    ] = None,
    lab: LabFile = None,
    provider: ProviderOption = None,
    debug: Debug = False,
) -> None:
    """Log in to a host of the lab, or run a command there and end with its exit code."""
    from provision.commands import ssh as ways

    typed = Typed(lab, provider)
    with clean_end(typed, debug=debug):
        ways.ssh(open_lab(typed), host, command or [])


@app.command(epilog='Example: export KUBECONFIG="$(mcastlab kubeconfig)"')
def kubeconfig(lab: LabFile = None, provider: ProviderOption = None, debug: Debug = False) -> None:
    """Print the path of the lab's kubeconfig (mode 0600)."""
    from provision.commands import ssh as ways

    typed = Typed(lab, provider)
    with clean_end(typed, debug=debug):
        typer.echo(ways.kubeconfig(open_lab(typed)))
