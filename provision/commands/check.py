"""What `mcastlab check` does: on a lab that is up, and on a cluster that no lab.yml describes.

There, what the cluster allows is run, and the rest is not applicable, with its reason.
"""

from __future__ import annotations

import json as json_module
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from provision import artifacts, config, multicast
from provision.checks import CHECKS, CheckRun, Result, Target, require_none_failed, select
from provision.cluster.api import Kube
from provision.commands.session import open_cluster
from provision.core import tables
from provision.core.errors import HostError, InputError
from provision.core.files import write_whole
from provision.core.lock import lab_lock
from provision.core.progress import Progress, Verbosity, console
from provision.core.typed import Typed
from provision.hosts.remote import Remotes
from provision.networks.attacher import known_attacher
from provision.pipeline.proof import run_checks
from provision.pipeline.publish import publish
from provision.pipeline.run import Run
from provision.report import check_line, check_table


def check(
    run: Run,
    names: Sequence[str],
    *,
    every: bool = False,
    namespace: str | None = None,
    json: Path | None,
    junit: Path | None,
) -> None:
    """Run checks on a lab that is up; raises ChecksFailed."""
    named = _named(names, namespace, every=every)
    run.find()
    run.bundle = artifacts.ensure(run.progress.report)
    run.attacher = known_attacher(run.lab)
    with lab_lock(run.directory, run.lab.name, "check"):
        run.results = run_checks(run, named, every=every, namespace=namespace or "")
    publish(run, json, junit)
    require_none_failed(run.results, ["--namespace", namespace] if namespace else [])


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
    if junit:
        raise InputError("--junit describes a lab's run", remedy="Take --json FILE with --kubeconfig")
    named = _named(names, namespace, every=every)
    kube = open_cluster(typed)
    progress = Progress(console(stderr=True), verbosity, typed)
    _check_cluster(kube, named, progress, every=every, namespace=namespace or "", image=image, json=json)


def _named(names: Sequence[str], namespace: str | None, *, every: bool) -> Sequence[str]:
    """The checks to run: where a namespace is named, the one that proves it there.

    Raises InputError or Problems for unknown names, and for what cannot be wished for together.
    """
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


def _check_cluster(
    kube: Kube, names: Sequence[str], progress: Progress, *, every: bool, namespace: str, image: str, json: Path | None
) -> None:
    """Run the checks on the cluster of `kube`; raises ChecksFailed. `image` has python3 and socat, and may be empty."""
    if namespace:
        multicast.existing(kube, [namespace])
    known = _images(kube)
    context = Target(
        config.load(None), kube, Remotes([]), image or known.get("tools", ""), known.get("discovery", ""),
        foreign=True, namespace=namespace, typed=progress.typed,
    )  # fmt: skip
    run = CheckRun.begin(names, context, every=every)
    results = run.results(lambda result: progress.report(result.line().plain))
    progress.say(check_table([check_line(result) for result in results]))
    if json:
        write_whole(json, json_module.dumps(_data(results), indent=2) + "\n")
    options = [*(["--namespace", namespace] if namespace else []), *(["--image", image] if image else [])]
    require_none_failed(results, options, logs=False)


def _images(kube: Kube) -> dict[str, str]:
    """Our own images by role, where a node of the cluster has them: then nothing has to be pulled."""
    try:
        ours: dict[str, str] = artifacts.document()["images"]
    except HostError:
        return {}
    there = {
        name
        for node in kube.items("/api/v1/nodes")
        for image in node.get("status", {}).get("images") or []
        for name in image.get("names") or []
    }
    return {role: name for role, name in ours.items() if name in there}


def _data(results: Sequence[Result]) -> dict[str, Any]:
    return {"checks": [asdict(result) for result in results]}


def list_checks() -> None:
    """Print each check and what it proves."""
    rows = [(item.name, item.group, "yes" if item.in_up else "", item.summary) for item in CHECKS]
    console().print(tables.table(("check", "group", "with `up`", "what it proves"), rows))
