"""`mcastlab check`."""

from __future__ import annotations

from typing import Annotated

import typer

from provision.cli.ending import clean_end
from provision.cli.options import (
    Debug,
    JsonFile,
    JunitFile,
    Kubeconfig,
    LabFile,
    ProviderOption,
    Quiet,
    Verbose,
    verbosity,
)
from provision.commands.session import open_lab
from provision.core.typed import Typed

app = typer.Typer()


def _check_names(begun: str) -> list[str]:
    from provision.checks import CHECKS, GROUPS

    return [name for name in (*(check.name for check in CHECKS), *GROUPS) if name.startswith(begun)]


@app.command(
    epilog="Examples: mcastlab check · mcastlab check source-to-pod --json report.json · mcastlab check namespace ·"
    " mcastlab check --namespace app --kubeconfig FILE"
)
def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Checks, or groups of them (lan, namespace); those of `up` if none.",
            autocompletion=_check_names,
        ),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All checks that there are.")] = False,
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", metavar="NAME", help="Prove with traffic how multicast stands in a namespace."),
    ] = None,
    kubeconfig: Kubeconfig = None,
    image: Annotated[
        str, typer.Option("--image", metavar="REFERENCE", help="With --kubeconfig: an image with python3 and socat.")
    ] = "",
    lab: LabFile = None,
    provider: ProviderOption = None,
    json: JsonFile = None,
    junit: JunitFile = None,
    list_: Annotated[bool, typer.Option("--list", help="List the checks and what each proves.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Run checks on a lab that is up, or on any cluster; exit code 1 when one of them fails."""
    from provision.commands import check as proving

    typed = Typed(lab, provider, kubeconfig)
    with clean_end(typed, debug=debug):
        if list_:
            proving.list_checks()
        elif kubeconfig:
            proving.check_foreign(
                typed, names or [], verbosity(quiet, verbose),
                every=every, namespace=namespace, image=image, json=json, junit=junit,
            )  # fmt: skip
        else:
            proving.check(
                open_lab(typed, verbosity(quiet, verbose)), names or [],
                every=every, namespace=namespace, json=json, junit=junit,
            )  # fmt: skip
