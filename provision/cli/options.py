"""Options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provision.core.progress import Verbosity
from provision.core.typed import ProviderName

LabFile = Annotated[
    Path | None, typer.Option("--lab", metavar="FILE", help="The lab's description.", show_default="lab.yml")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Every step on a line of its own.")]
Debug = Annotated[bool, typer.Option("--debug", help="Errors with their traceback.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report as JSON.")]
JunitFile = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write the report as JUnit XML.")]
Kubeconfig = Annotated[
    Path | None, typer.Option("--kubeconfig", metavar="FILE", help="Any cluster's; the lab's if none.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable, on standard output.")]


ProviderOption = Annotated[
    ProviderName | None, typer.Option("--provider", help="What makes the hosts, instead of lab.yml's.")
]


def verbosity(quiet: bool, verbose: bool) -> Verbosity:
    if verbose:
        return Verbosity.VERBOSE
    return Verbosity.QUIET if quiet else Verbosity.NORMAL
