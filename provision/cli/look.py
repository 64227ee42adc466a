"""Commands that show what a lab is made of, and that let one in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provision.cli.options import Debug, LabFile, ProviderOption
from provision.commands.session import clean_end, open_lab
from provision.core.typed import Typed

app = typer.Typer()


def _kinds(begun: str) -> list[str]:
    from provision.commands.render import KINDS

    return [kind for kind in KINDS if kind.startswith(begun)]


def _hosts(context: typer.Context, begun: str) -> list[str]:
    """Those of the lab.yml that is named, or that lies here; none where that cannot be read."""
    from provision.core.errors import McastlabError

    try:
        lab, _ = open_lab(Typed(context.params.get("lab")))
    except McastlabError:
        return []
    return [host.name for host in lab.hosts if host.name.startswith(begun)]


@app.command(epilog="Examples: mcastlab render · mcastlab render networks · mcastlab render kubeadm")
def render(
    what: Annotated[
        str | None, typer.Argument(help="One kind of manifest or config; all if none.", autocompletion=_kinds)
    ] = None,
    lab: LabFile = None,
    provider: ProviderOption = None,
    debug: Debug = False,
) -> None:
    """Print every manifest and config that would be applied; needs nothing running."""
    from provision.commands import lifecycle

    typed = Typed(lab, provider)
    with clean_end(typed, debug=debug):
        lifecycle.render(open_lab(typed)[0], what)


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
    from provision.commands import lifecycle

    typed = Typed(lab, provider)
    with clean_end(typed, debug=debug):
        lifecycle.ssh(*open_lab(typed), host, command or [])


@app.command(epilog='Example: export KUBECONFIG="$(mcastlab kubeconfig)"')
def kubeconfig(lab: LabFile = None, provider: ProviderOption = None, debug: Debug = False) -> None:
    """Print the path of the lab's kubeconfig (mode 0600)."""
    from provision.commands import lifecycle

    typed = Typed(lab, provider)
    with clean_end(typed, debug=debug):
        typer.echo(lifecycle.kubeconfig(open_lab(typed)[1]))


@app.command(epilog="Example: mcastlab logs /tmp/lab-logs")
def logs(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; made if it is missing.")],
    lab: LabFile = None,
    provider: ProviderOption = None,
    debug: Debug = False,
) -> None:
    """Collect all that is needed to debug the lab into a folder."""
    from provision.commands import lifecycle

    typed = Typed(lab, provider)
    with clean_end(typed, debug=debug):
        lifecycle.logs(*open_lab(typed), directory)
