"""The command line: commands only, no logic."""

from __future__ import annotations

import sys
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from provision.session import clean_end, open_cluster, open_lab
from provision.ui import Verbosity

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
artifacts_app = typer.Typer(help="What the cluster is made of: binaries and images.", no_args_is_help=True)
app.add_typer(artifacts_app, name="artifacts")
multicast_app = typer.Typer(
    help="Multicast by namespace, on any cluster: on, off, and how it stands.", no_args_is_help=True
)
app.add_typer(multicast_app, name="multicast")
demo_app = typer.Typer(help="Multicast to look at.", no_args_is_help=True)
app.add_typer(demo_app, name="demo")

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
Namespaces = Annotated[list[str], typer.Argument(metavar="NAMESPACE...", help="Namespaces; all of them or none.")]


_GOES_ON = "`mcastlab up` goes on from here, `mcastlab down` removes what was made."


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"mcastlab {version('mcastlab')}")
        raise typer.Exit


def _check_names(begun: str) -> list[str]:
    from provision.checks import CHECKS, GROUPS

    return [name for name in (*(check.name for check in CHECKS), *GROUPS) if name.startswith(begun)]


def _kinds(begun: str) -> list[str]:
    from provision.render import KINDS

    return [kind for kind in KINDS if kind.startswith(begun)]


def _hosts(typed: typer.Context, begun: str) -> list[str]:
    """Those of the lab.yml that is named, or that lies here; none where that cannot be read."""
    from provision.errors import McastlabError

    try:
        lab, _ = open_lab(typed.params.get("lab"))
    except McastlabError:
        return []
    return [host.name for host in lab.hosts if host.name.startswith(begun)]


@app.callback()
def whole(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """A Kubernetes multicast lab: brought up by one command, proved with real traffic."""


class Made(StrEnum):
    """What `mcastlab artifacts build` can make."""

    bundle = "bundle"
    box = "box"


class ProviderName(StrEnum):
    """What makes the hosts."""

    podman = "podman"
    vagrant = "vagrant"
    ssh = "ssh"


ProviderOption = Annotated[
    ProviderName | None, typer.Option("--provider", help="What makes the hosts, instead of lab.yml's.")
]


def _verbosity(quiet: bool, verbose: bool) -> Verbosity:
    if verbose:
        return Verbosity.VERBOSE
    return Verbosity.QUIET if quiet else Verbosity.NORMAL


@app.command(epilog="Example: mcastlab up --lab second.yml --json report.json")
def up(
    lab: LabFile = None,
    provider: ProviderOption = None,
    json: JsonFile = None,
    junit: JunitFile = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Bring the lab up and check it; on a lab that is up, change nothing."""
    from provision import lifecycle

    with clean_end(debug=debug, after_a_stop=_GOES_ON):
        lifecycle.up(*open_lab(lab, _verbosity(quiet, verbose), provider), dry_run=dry_run, json=json, junit=junit)


@app.command(epilog="Example: mcastlab down --lab second.yml")
def down(
    lab: LabFile = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before hosts of your own are reset.")] = False,
    provider: ProviderOption = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Remove all that `up` made for this lab; the artifact cache stays."""
    from provision import lifecycle

    with clean_end(debug=debug, after_a_stop="`mcastlab down` goes on from here."):
        lifecycle.down(*open_lab(lab, _verbosity(quiet, verbose=False), provider), dry_run=dry_run, yes=yes)


@app.command(epilog="Example: mcastlab status --json")
def status(
    lab: LabFile = None,
    provider: ProviderOption = None,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable, on standard output.")] = False,
    debug: Debug = False,
) -> None:
    """Show the lab's hosts, nodes, networks and attacher as they are now."""
    from provision import lifecycle

    with clean_end(debug=debug):
        lifecycle.status(*open_lab(lab, provider=provider), as_json=json)


@app.command(
    epilog="Examples: mcastlab check · mcastlab check source-to-pod --json report.json · mcastlab check namespace ·"
    " mcastlab check --namespace app --kubeconfig FILE"
)
def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...",
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
    from provision import proving

    with clean_end(debug=debug):
        if list_:
            proving.list_checks()
        elif kubeconfig:
            proving.check_foreign(
                kubeconfig, names or [], _verbosity(quiet, verbose),
                every=every, namespace=namespace, image=image, json=json, junit=junit,
            )  # fmt: skip
        else:
            proving.check(
                *open_lab(lab, _verbosity(quiet, verbose), provider), names or [],
                every=every, namespace=namespace, json=json, junit=junit,
            )  # fmt: skip


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
    from provision import lifecycle

    with clean_end(debug=debug):
        lifecycle.render(open_lab(lab, provider=provider)[0], what)


@app.command(epilog="Examples: mcastlab ssh k8s · mcastlab ssh mcastsrc -- ip maddr show dev eth1")
def ssh(
    host: Annotated[str, typer.Argument(help="A host of the lab, for instance k8s.", autocompletion=_hosts)],
    command: Annotated[list[str] | None, typer.Argument(help="A command; a shell if none.")] = None,
    lab: LabFile = None,
    provider: ProviderOption = None,
    debug: Debug = False,
) -> None:
    """Log in to a host of the lab, or run a command there and end with its exit code."""
    from provision import lifecycle

    with clean_end(debug=debug):
        sys.exit(lifecycle.ssh(*open_lab(lab, provider=provider), host, command or []))


@app.command(epilog='Example: export KUBECONFIG="$(mcastlab kubeconfig)"')
def kubeconfig(lab: LabFile = None, provider: ProviderOption = None, debug: Debug = False) -> None:
    """Print the path of the lab's kubeconfig (mode 0600)."""
    from provision import lifecycle

    with clean_end(debug=debug):
        typer.echo(lifecycle.kubeconfig(open_lab(lab, provider=provider)[1]))


@app.command(epilog="Example: mcastlab logs /tmp/lab-logs")
def logs(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write; made if it is missing.")],
    lab: LabFile = None,
    provider: ProviderOption = None,
    debug: Debug = False,
) -> None:
    """Collect all that is needed to debug the lab into a folder."""
    from provision import lifecycle

    with clean_end(debug=debug):
        lifecycle.logs(*open_lab(lab, provider=provider), directory)


@multicast_app.command("enable", epilog="Examples: mcastlab multicast enable app · … enable app --kubeconfig FILE")
def multicast_enable(
    namespaces: Namespaces,
    kubeconfig: Kubeconfig = None,
    lab: LabFile = None,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Let the pods of a namespace hear each other's multicast, and wait until that is in force."""
    from provision.multicast import command

    with clean_end(debug=debug):
        command.switch(open_cluster(kubeconfig, lab), "enable", namespaces, as_json=json)


@multicast_app.command("disable", epilog="Example: mcastlab multicast disable app")
def multicast_disable(
    namespaces: Namespaces,
    kubeconfig: Kubeconfig = None,
    lab: LabFile = None,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Stop a namespace's multicast, whatever switched it on, and name the macvlan pods that go on."""
    from provision.multicast import command

    with clean_end(debug=debug):
        command.switch(open_cluster(kubeconfig, lab), "disable", namespaces, as_json=json)


@multicast_app.command("status", epilog="Examples: mcastlab multicast status · mcastlab multicast status app --json")
def multicast_status(
    namespaces: Annotated[
        list[str] | None, typer.Argument(metavar="[NAMESPACE]...", help="Namespaces; all with an annotation if none.")
    ] = None,
    kubeconfig: Kubeconfig = None,
    lab: LabFile = None,
    json: AsJson = False,
    debug: Debug = False,
) -> None:
    """Show for each namespace whether multicast is wanted, by which annotation, and in force."""
    from provision.multicast import command

    with clean_end(debug=debug):
        command.show_status(open_cluster(kubeconfig, lab), namespaces or [], as_json=json)


@demo_app.callback()
def demo() -> None:
    """Multicast to look at."""


@demo_app.command("discovery", epilog="Examples: mcastlab demo discovery · mcastlab demo discovery --watch")
def demo_discovery(
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
    from provision.demo import discovery

    with clean_end(debug=debug):
        reference = image or artifacts.document()["images"]["discovery"]
        discovery.run(open_cluster(kubeconfig, lab), reference, namespace, watch=watch)


@artifacts_app.command("build", epilog="Examples: mcastlab artifacts build · mcastlab artifacts build box")
def artifacts_build(
    what: Annotated[Made, typer.Argument(help="The bundle, or a Vagrant box with it for libvirt.")] = Made.bundle,
    verbose: Verbose = False,
    debug: Debug = False,
) -> None:
    """Make what is not in the cache yet."""
    from provision.artifacts import command

    with clean_end(debug=debug):
        command.build(_verbosity(quiet=False, verbose=verbose), with_box=what is Made.box)


@artifacts_app.command("import", epilog="Example: mcastlab artifacts import multus-cni-thick.tar")
def artifacts_import(
    archive: Annotated[Path, typer.Argument(metavar="FILE", help="A docker-archive, or a tar of an OCI layout.")],
    kind: Annotated[
        str, typer.Option("--as", metavar="KIND", help="What it is, where its name does not tell: multus.")
    ] = "",
    debug: Debug = False,
) -> None:
    """Check an image's archive and copy it into the cache: Multus, recognised by the name multus-cni."""
    from provision.artifacts import command

    with clean_end(debug=debug):
        command.import_image(archive, kind)


@artifacts_app.command("fetch", epilog="Example: mcastlab artifacts fetch multus")
def artifacts_fetch(
    kind: Annotated[str, typer.Argument(metavar="KIND", help="What to fetch: multus.")],
    debug: Debug = False,
) -> None:
    """Pull an image from its registry into the cache; `up` never does so by itself."""
    from provision.artifacts import command

    with clean_end(debug=debug):
        command.fetch(kind)


@artifacts_app.command("image", epilog="Example: kubectl run one --image=$(mcastlab artifacts image tools) -- sleep 60")
def artifacts_image(
    role: Annotated[str, typer.Argument(metavar="NAME", help="tools, discovery, …")],
    debug: Debug = False,
) -> None:
    """Print what an image is called in the lab, for manifests of your own."""
    from provision.artifacts import command

    with clean_end(debug=debug):
        command.show_image(role)


@artifacts_app.command("list", epilog="Example: mcastlab artifacts list")
def artifacts_list(debug: Debug = False) -> None:
    """List the components and images, their versions and whether they are in the cache."""
    from provision.artifacts import command

    with clean_end(debug=debug):
        command.show()


def main() -> None:
    """The console script `mcastlab`."""
    app()
