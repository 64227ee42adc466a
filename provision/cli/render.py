"""`mcastlab render`."""

from __future__ import annotations

from typing import Annotated

import typer

from provision.cli.ending import clean_end
from provision.cli.options import Debug, LabFile, ProviderOption
from provision.commands.session import open_lab
from provision.core.typed import Typed

app = typer.Typer()


def _kinds(begun: str) -> list[str]:
    from provision.commands.render import KINDS

    return [kind for kind in KINDS if kind.startswith(begun)]


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
    from provision.commands import render as command

    typed = Typed(lab, provider)
    with clean_end(typed, debug=debug):
        command.show(open_lab(typed).lab, what)
