"""The command line: commands only, no logic."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from provision.session import clean_end, open_lab
from provision.ui import Verbosity

app = typer.Typer(
    help="A Kubernetes multicast lab: brought up by one command, proved with real traffic.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
artifacts_app = typer.Typer(help="What the cluster is made of: binaries and images.", no_args_is_help=True)
app.add_typer(artifacts_app, name="artifacts")

LabFile = Annotated[
    Path | None, typer.Option("--lab", metavar="FILE", help="The lab's description.", show_default="lab.yml")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Every step on a line of its own.")]
Debug = Annotated[bool, typer.Option("--debug", help="Errors with their traceback.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")]
JsonFile = Annotated[Path | None, typer.Option("--json", metavar="FILE", help="Write the report as JSON.")]
JunitFile = Annotated[Path | None, typer.Option("--junit", metavar="FILE", help="Write the report as JUnit XML.")]


def _verbosity(quiet: bool, verbose: bool) -> Verbosity:
    if verbose:
        return Verbosity.VERBOSE
    return Verbosity.QUIET if quiet else Verbosity.NORMAL


@app.command(epilog="Example: mcastlab up --lab second.yml --json report.json")
def up(
    lab: LabFile = None,
    json: JsonFile = None,
    junit: JunitFile = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Bring the lab up and check it; on a lab that is up, change nothing."""
    from provision import lifecycle

    with clean_end(debug=debug):
        lifecycle.up(*open_lab(lab, _verbosity(quiet, verbose)), dry_run=dry_run, json=json, junit=junit)


@app.command(epilog="Example: mcastlab down --lab second.yml")
def down(
    lab: LabFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before hosts of your own are reset.")] = False,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Remove all that `up` made for this lab; the artifact cache stays."""
    from provision import lifecycle

    with clean_end(debug=debug):
        lifecycle.down(*open_lab(lab, _verbosity(quiet, verbose=False)), dry_run=dry_run, yes=yes)


@app.command(epilog="Example: mcastlab status --json")
def status(
    lab: LabFile = None,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable, on standard output.")] = False,
    debug: Debug = False,
) -> None:
    """Show the lab's hosts, nodes, networks and attacher as they are now."""
    from provision import lifecycle

    with clean_end(debug=debug):
        lifecycle.status(*open_lab(lab), as_json=json)


@app.command(epilog="Examples: mcastlab check · mcastlab check source-to-pod --json report.json")
def check(
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", help="Checks to run; all if none.")] = None,
    lab: LabFile = None,
    json: JsonFile = None,
    junit: JunitFile = None,
    list_: Annotated[bool, typer.Option("--list", help="List the checks and what each proves.")] = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Run checks on a lab that is up; exit code 1 when one of them fails."""
    from provision import lifecycle

    with clean_end(debug=debug):
        if list_:
            lifecycle.list_checks()
        else:
            lifecycle.check(*open_lab(lab, _verbosity(quiet, verbose)), names or [], json=json, junit=junit)


@app.command(epilog="Examples: mcastlab render · mcastlab render networks · mcastlab render kubeadm")
def render(
    what: Annotated[str | None, typer.Argument(help="One kind of manifest or config; all if none.")] = None,
    lab: LabFile = None,
    debug: Debug = False,
) -> None:
    """Print every manifest and config that would be applied; needs nothing running."""
    from provision import lifecycle

    with clean_end(debug=debug):
        lifecycle.render(open_lab(lab)[0], what)


@app.command(epilog="Examples: mcastlab ssh k8s · mcastlab ssh mcastsrc -- ip maddr show dev eth1")
def ssh(
    host: Annotated[str, typer.Argument(help="A host of the lab, for instance k8s.")],
    command: Annotated[list[str] | None, typer.Argument(help="A command; a shell if none.")] = None,
    lab: LabFile = None,
    debug: Debug = False,
) -> None:
    """Log in to a host of the lab, or run a command there and end with its exit code."""
    from provision import lifecycle

    with clean_end(debug=debug):
        sys.exit(lifecycle.ssh(*open_lab(lab), host, command or []))


@app.command(epilog='Example: export KUBECONFIG="$(mcastlab kubeconfig)"')
def kubeconfig(lab: LabFile = None, debug: Debug = False) -> None:
    """Print the path of the lab's kubeconfig (mode 0600)."""
    from provision import lifecycle

    with clean_end(debug=debug):
        typer.echo(lifecycle.kubeconfig(open_lab(lab)[1]))


@app.command(epilog="Example: mcastlab logs /tmp/lab-logs")
def logs(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; made if it is missing.")],
    lab: LabFile = None,
    debug: Debug = False,
) -> None:
    """Collect all that is needed to debug the lab into a folder."""
    from provision import lifecycle

    with clean_end(debug=debug):
        lifecycle.logs(*open_lab(lab), directory)


@artifacts_app.command("build")
def artifacts_build(verbose: Verbose = False, debug: Debug = False) -> None:
    """Make what is not in the cache yet."""
    from provision import lifecycle

    with clean_end(debug=debug):
        lifecycle.artifacts_build(_verbosity(quiet=False, verbose=verbose))


@artifacts_app.command("import", epilog="Example: mcastlab artifacts import multus-cni-thick.tar")
def artifacts_import(
    archive: Annotated[Path, typer.Argument(metavar="FILE", help="A docker-archive, or a tar of an OCI layout.")],
    kind: Annotated[
        str, typer.Option("--as", metavar="KIND", help="What it is, where its name does not tell: multus.")
    ] = "",
    debug: Debug = False,
) -> None:
    """Check an image's archive and copy it into the cache: Multus, recognised by the name multus-cni."""
    from provision import lifecycle

    with clean_end(debug=debug):
        lifecycle.artifacts_import(archive, kind)


@artifacts_app.command("fetch", epilog="Example: mcastlab artifacts fetch multus")
def artifacts_fetch(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="What to fetch: multus.")],
    debug: Debug = False,
) -> None:
    """Pull an image from its registry into the cache; `up` never does so by itself."""
    from provision import lifecycle

    with clean_end(debug=debug):
        lifecycle.artifacts_fetch(kind)


@artifacts_app.command("list")
def artifacts_list(debug: Debug = False) -> None:
    """List the components and images, their versions and whether they are in the cache."""
    from provision import lifecycle

    with clean_end(debug=debug):
        lifecycle.artifacts_list()


def main() -> None:
    """The console script `mcastlab`."""
    app()
