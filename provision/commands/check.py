"""What `mcastlab check` does, on a lab that is up and on any cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from provision import artifacts
from provision.commands.session import open_cluster
from provision.config import Lab
from provision.core.errors import InputError
from provision.core.lock import lab_lock
from provision.core.progress import Progress, Verbosity, console
from provision.core.typed import Typed
from provision.networks import attacher
from provision.pipeline.publish import publish
from provision.pipeline.run import RunState
from provision.providers.podman.cli import Podman


def check(
    lab: Lab,
    state: RunState,
    names: Sequence[str],
    *,
    every: bool = False,
    namespace: str | None = None,
    json: Path | None,
    junit: Path | None,
) -> None:
    """Run checks on a lab that is up; raises ChecksFailed."""
    from provision.checks import require_none_failed
    from provision.pipeline.early import judge

    named = _named(names, namespace, every=every)
    _attach(lab, state)
    state.attacher = attacher.known(lab)
    with lab_lock(state.directory, lab.name, "check"):
        state.results = judge(lab, state, named, every=every, namespace=namespace or "")
    publish(lab, state, json, junit)
    require_none_failed(state.results)


def check_foreign(
    typed: Typed,
    names: Sequence[str],
    verbosity: Verbosity,
    *,
    every: bool,
    namespace: str | None,
    image: str,
    json: Path | None,
    junit: Path | None,
) -> None:
    """Run the checks that a cluster of somebody else's allows; raises ChecksFailed."""
    from provision.commands import foreign

    if junit:
        raise InputError("--junit describes a lab's run", remedy="With --kubeconfig use --json FILE")
    named = _named(names, namespace, every=every)
    kube = open_cluster(typed)
    progress = Progress(console(stderr=True), verbosity, typed)
    foreign.check(kube, named, progress, every=every, namespace=namespace or "", image=image, json=json)


def _named(names: Sequence[str], namespace: str | None, *, every: bool) -> Sequence[str]:
    """The checks to run: where a namespace is named, the one that proves it there.

    Raises InputError or Problems for unknown names, and for what cannot be wished for together.
    """
    from provision.checks import select

    select(names)
    if every and (names or namespace is not None):
        raise InputError("--all runs every check there is", remedy="Leave out the names and --namespace, or --all")
    if namespace is None:
        return names
    proof = ["pod-to-pod-namespace"]
    if names and list(names) != proof:
        raise InputError(f"--namespace is for the check '{proof[0]}' alone", remedy="Leave out the other names")
    if not namespace:
        raise InputError("--namespace names no namespace", remedy="Name one: --namespace NAME")
    return proof


def _attach(lab: Lab, state: RunState) -> None:
    """Find the running lab again: its machines and artifacts; raises HostError when it is not up."""
    state.find(lab)
    state.bundle = artifacts.ensure(state.progress.report, Podman())


def list_checks() -> None:
    """Print each check and what it proves."""
    from provision.checks import CHECKS

    table = Table(box=None, header_style="bold")
    for heading in ("check", "group", "with `up`", "what it proves"):
        table.add_column(heading)
    for item in CHECKS:
        table.add_row(item.name, item.group, "yes" if item.usual else "", item.summary)
    console().print(table)
